"""What the service manager is told (sd_notify(3)): ready, reloading, stopping. Silent when nobody listens."""

import os
import socket


def notify(state: str) -> None:
    """Send one state such as `READY=1` to systemd, if it started us."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
        manager.connect(address)
        manager.sendall(state.encode())
