"""What the router says when it refuses, in its own words (facts, routeros 1.9).

Each function is named by the situation and gives the `Trap` to raise, so that the exact texts stand in one place.
"""

from collections.abc import Iterable

MISSING_ITEM = 0
ARGUMENT_VALUE = 1
INTERRUPTED = 2
"""The categories of the API documentation (facts, routeros 1.9); most traps carry none."""


class Trap(Exception):
    """A refusal: `!trap` with a message and, for some, a category."""

    def __init__(self, message: str, category: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.category = category


class Fatal(Exception):
    """The end of the connection: `!fatal` with a bare word as reason, then close."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def no_such_command(path: str, menus: Iterable[str]) -> Trap:
    """Unknown path, a directory given as a command, or a directory without this command."""
    directory, _, verb = path.rpartition("/")
    if path in menus or not directory:
        return Trap("no such command")
    if directory in menus:
        return Trap(f"no such command or directory ({verb})")
    return Trap("no such command prefix")


def no_such_item() -> Trap:
    """An id that names no row."""
    return Trap("no such item", MISSING_ITEM)


def invalid_id() -> Trap:
    """An id that is not `*` and hexadecimal digits."""
    return Trap("invalid internal item number", MISSING_ITEM)


def unknown_parameter(name: str) -> Trap:
    """An argument that the command of this version does not have."""
    return Trap(f"unknown parameter {name}")


def missing_arguments(names: Iterable[str]) -> Trap:
    """Required arguments that were not given."""
    return Trap(f"missing value(s) of argument(s) {' '.join(names)}")


def no_match(argument: str) -> Trap:
    """An enumeration or a reference that nothing fits."""
    return Trap(f"input does not match any value of {argument}", ARGUMENT_VALUE)


def ambiguous(argument: str) -> Trap:
    """A prefix that fits several values and none exactly."""
    return Trap(f"ambiguous value of {argument}, more than one possible value matches input", ARGUMENT_VALUE)


def invalid_value(argument: str) -> Trap:
    """A literal that cannot be read."""
    return Trap(f"invalid value for argument {argument}", ARGUMENT_VALUE)


def invalid_time(argument: str) -> Trap:
    """A duration that cannot be read."""
    return Trap(f"invalid time value for argument {argument}", ARGUMENT_VALUE)


def out_of_range(argument: str, low: object, high: object) -> Trap:
    """A value outside its range."""
    return Trap(f"value of {argument} is out of range ({low} .. {high})", ARGUMENT_VALUE)


def mac_required(argument: str) -> Trap:
    """A hardware address that cannot be read."""
    return Trap(f"invalid value of {argument}, mac address required", ARGUMENT_VALUE)


def range_required(argument: str) -> Trap:
    """An address range that cannot be read."""
    return Trap(f"value of {argument} expects range of ip addresses", ARGUMENT_VALUE)


def interrupted() -> Trap:
    """What a cancelled command says."""
    return Trap("interrupted", INTERRUPTED)


def not_permitted() -> Trap:
    """The group of the API user lacks a policy."""
    return Trap("not enough permissions (9)")
