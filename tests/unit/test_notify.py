"""What the service manager is told."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.notify import notify


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


@pytest.mark.parametrize("address", [None, ""])
def test_nobody_is_told_where_nobody_listens(address, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setattr(socket, "socket", None)
    notify("READY=1")
