"""What the service manager is told (sd_notify(3)): ready, alive, stopping. Silent when nobody listens."""

import logging
import os
import socket

log = logging.getLogger(__name__)


def notify(state: str) -> None:
    """Send one state such as `READY=1` to systemd, if it started us.

    That it cannot be told is no reason to end: if it minds, it ends us itself.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
        try:
            manager.connect(address)
            manager.sendall(state.encode())
        except OSError as fault:
            said = state.splitlines()[0]
            log.warning("the service manager cannot be told of %s: %s", said, fault, extra={"action": "notify_failed"})


def watchdog_s() -> float | None:
    """Within how many seconds the service manager wants a sign of life; None when it wants none of us (sd_watchdog_enabled(3))."""
    wanted, of = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not wanted.isdecimal() or int(wanted) == 0 or of != str(os.getpid()):
        return None
    return int(wanted) / 1_000_000
