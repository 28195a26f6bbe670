"""`/user` as the API meets it: who may log in, from where, with which rights (facts, routeros 2.12).

The rows are the truth; a user that a script adds can log in at once.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.simulators.routeros.appliance import ALL_POLICIES
from gateway.simulators.routeros.tables import Configuration, Row

OWN_GROUP = "simulated"
"""The group of the simulator's first user, unless that one may do everything."""


@dataclass(frozen=True, slots=True)
class ApiUser:
    """One who may log in."""

    name: str
    password: str
    policies: frozenset[str]


class Accounts:
    """Users and groups of one router."""

    def __init__(self, configuration: Configuration, first: ApiUser) -> None:
        self._configuration = configuration
        self._users = configuration.tables["/user"]
        self._groups = configuration.tables["/user/group"]
        group = "full" if first.policies == ALL_POLICIES else OWN_GROUP
        if group == OWN_GROUP:
            self._groups.plant(name=OWN_GROUP, policy=configuration.policies(first.policies))
        self._first = self._users.plant(name=first.name, password=first.password, group=group)

    @property
    def first(self) -> ApiUser:
        """The user that the router came with."""
        return self._read(self._first)

    @first.setter
    def first(self, user: ApiUser) -> None:
        self._first.update(name=user.name, password=user.password)
        group = self._groups.named(self._first["group"])
        if group is not None and group["name"] == OWN_GROUP:
            group["policy"] = self._configuration.policies(user.policies)

    def find(self, name: str, address: str) -> ApiUser | None:
        """The user of that name, if the API lets him in from that address."""
        row = self._users.named(name)
        if row is None or row["disabled"] == "true" or not _allowed(address, row.get("address", "")):
            return None
        user = self._read(row)
        return user if "api" in user.policies else None

    def _read(self, row: Row) -> ApiUser:
        group = self._groups.named(row["group"])
        return ApiUser(row["name"], row["password"], _granted(group["policy"].split(",") if group else ()))


def _granted(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word for word in words if word and not word.startswith("!"))


def _allowed(address: str, networks: str) -> bool:
    """Whether an address is in one of the networks; none named is everywhere."""
    places = [ipaddress.ip_network(text.strip(), strict=False) for text in networks.split(",") if text.strip()]
    return not places or any(ipaddress.ip_address(address) in place for place in places)
