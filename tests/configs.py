"""Configurations for tests: the smallest one that sells something, changed in one place, in a folder of its own."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import Config, ConfigError, load
from gateway.config_reader import Table, spellings

FINGERPRINT = "0123456789abcdef" * 4
KEYS = {"environment": "sandbox", "publishable_key": "ISPubKey_test_p", "secret_key": "ISSecretKey_test_s"}
PASSWORD_HASH = f"scrypt$1$1$1${'00' * 16}${'00' * 32}"

SMALL: dict[str, Any] = {
    "server": {"public_url": "http://10.5.50.2:8080"},
    "owners": [
        {
            "id": 1,
            "username": "njeri",
            "routers": [
                {
                    "id": 1,
                    "name": "Kiosk",
                    "host": "192.168.88.1",
                    "username": "gateway",
                    "password": "router secret",
                    "packages": [{"id": 1, "name": "1 hour", "price": "50", "duration": "1h"}],
                }
            ],
        }
    ],
}
"""The smallest configuration that sells something."""

OWNER = ("owners", 0)
INTASEND = (*OWNER, "intasend")
ROUTER = (*OWNER, "routers", 0)
PACKAGE = (*ROUTER, "packages", 0)
ABSENT = object()


def changed(place: tuple[str | int, ...], value: Any, base: dict[str, Any] = SMALL) -> dict[str, Any]:
    """The small configuration with one place set to something else."""
    tree = copy.deepcopy(base)
    spot: Any = tree
    for step in place[:-1]:
        spot = spot.setdefault(step, {}) if isinstance(spot, dict) else spot[step]
    if value is ABSENT:
        del spot[place[-1]]
    else:
        spot[place[-1]] = value
    return tree


class Folder:
    """A folder with a configuration file and whatever lies beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, content: str | bytes) -> Path:
        place = self.path / name
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        return place

    def load(self, content: Any, environ: dict[str, str] | None = None) -> Config:
        text = content if isinstance(content, (str, bytes)) else yaml.safe_dump(content, sort_keys=False)
        return load(self.write("config.yaml", text), environ or {})

    def faults(self, content: Any, environ: dict[str, str] | None = None) -> tuple[str, ...]:
        with pytest.raises(ConfigError) as caught:
            self.load(content, environ)
        return caught.value.faults

    def fault(self, content: Any, environ: dict[str, str] | None = None) -> str:
        (fault,) = self.faults(content, environ)
        return fault


def all_keys(table: Table) -> Iterator[str]:
    """Every key of a table and of the tables below it, in all spellings."""
    for name, entry in table.items():
        yield from spellings(name, entry)
        yield from all_keys(getattr(entry, "table", {}))
