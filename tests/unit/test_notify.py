"""What the service manager is told."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.notify import notify, watchdog_s


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """Where systemd would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.setblocking(False)
        yield listening


def test_states_reach_the_manager_in_order(manager, tmp_path, monkeypatch):
    address = str(tmp_path / "notify")
    manager.bind(address)
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    for state in ("READY=1", "RELOADING=1", "STOPPING=1"):
        notify(state)
    assert [manager.recv(100) for _ in range(3)] == [b"READY=1", b"RELOADING=1", b"STOPPING=1"]


@pytest.mark.skipif(not hasattr(socket, "SO_PASSCRED"), reason="abstract sockets are Linux's")
def test_a_manager_that_has_no_file_is_reached_too(manager, monkeypatch):
    manager.bind(b"")  # the system chooses an abstract name
    monkeypatch.setenv("NOTIFY_SOCKET", "@" + manager.getsockname()[1:].decode())
    notify("READY=1")
    assert manager.recv(100) == b"READY=1"


def test_a_manager_that_is_gone_ends_nobody(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("WATCHDOG=1\nSTATUS=all is well")
    assert "cannot be told of WATCHDOG=1: " in caplog.text


@pytest.mark.parametrize("address", [None, ""])
def test_nobody_is_told_where_nobody_listens(address, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setattr(socket, "socket", None)
    notify("READY=1")


@pytest.mark.parametrize(
    ("wanted", "of", "within_s"),
    [
        ("60000000", None, 60.0),
        ("60000000", "us", 60.0),
        ("60000000", "1", None),  # of the process that started us
        ("0", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_a_sign_of_life_is_given_where_one_is_wanted_of_us(monkeypatch, wanted, of, within_s):
    for name, value in (("WATCHDOG_USEC", wanted), ("WATCHDOG_PID", str(os.getpid()) if of == "us" else of)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert watchdog_s() == within_s
