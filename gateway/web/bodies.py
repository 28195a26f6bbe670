"""Request bodies: JSON into types, with every fault named by its field."""

import re
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web

from gateway.errors import Invalid
from gateway.identity import IpAddress, MacAddress, Money
from gateway.sales import PurchaseRequest

T = TypeVar("T")

_AT_FIELD = re.compile(r"(?P<rule>.*) - at `\$\.(?P<field>\w+).*`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>\w+)`")

MAX_ID = 2**31 - 1
"""Ids are small and made by people or by the database; what is larger is a mistake, and is told so."""

ShortText = Annotated[str, msgspec.Meta(max_length=64)]
"""A word or a number as people type it: what is longer is kept out of database and log."""


class PurchaseBody(msgspec.Struct, frozen=True):
    """A purchase as the specification spells it ("Request Body"); ids may come as strings of digits (decision 17)."""

    router_id: int | str
    package_id: int | str
    phone_number: ShortText
    amount: Decimal
    payment_method: ShortText | None = None
    mac_address: ShortText | None = None
    ip_address: ShortText | None = None

    def parsed(self) -> PurchaseRequest:
        """The purchase in the gateway's own types. Raises Invalid with every faulty field."""
        faults: dict[str, list[str]] = {}
        router_id = _field(faults, "router_id", id_in, self.router_id)
        package_id = _field(faults, "package_id", id_in, self.package_id)
        amount = _field(faults, "amount", Money.parse, self.amount)
        mac = _field(faults, "mac_address", MacAddress.parse, self.mac_address or None)
        ip = _field(faults, "ip_address", IpAddress.parse, self.ip_address or None)
        if faults:
            raise _invalid(faults)
        return PurchaseRequest(router_id, package_id, self.phone_number, amount, self.payment_method or "mpesa", mac, ip)


async def read(request: web.Request, kind: type[T]) -> T:
    """The body as that type. Raises Invalid for a body that is not, HTTPUnsupportedMediaType for one that is not plain JSON."""
    if request.content_type != "application/json" or "Content-Encoding" in request.headers:
        raise web.HTTPUnsupportedMediaType
    body = await raw(request)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as fault:
        raise _invalid(_named(str(fault))) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Invalid(f"The body is not JSON: {fault}") from None
    except RecursionError:
        raise Invalid("The body is nested too deeply") from None


async def raw(request: web.Request) -> bytes:
    """The body as it came. Raises Invalid when it breaks off, HTTPRequestEntityTooLarge."""
    try:
        return await request.read()
    except (ConnectionError, web.RequestPayloadError):
        raise Invalid("The body broke off before its end") from None


def id_in(value: int | str) -> int:
    """Read an id, a number or a string of digits. ValueError for anything else."""
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_ID)) and 0 < int(text) <= MAX_ID):
        raise ValueError("must be a positive integer")
    return int(text)


def _field(faults: dict[str, list[str]], name: str, parse: Any, value: Any) -> Any:
    """The parsed value, None for none; a fault is noted and the other fields are looked at all the same."""
    try:
        return None if value is None else parse(value)
    except ValueError as fault:
        faults.setdefault(name, []).append(str(fault))
        return None


def _named(message: str) -> dict[str, list[str]]:
    if missing := _MISSING.match(message):
        return {missing["field"]: ["this field is required"]}
    if at := _AT_FIELD.fullmatch(message):
        return {at["field"]: [at["rule"].lower().replace("`", "")]}
    return {"body": [message.replace("`", "").lower()]}


def _invalid(faults: dict[str, list[str]]) -> Invalid:
    name, rules = next(iter(faults.items()))
    return Invalid(f"{name}: {rules[0]}", fields=faults)
