"""Request bodies: JSON into types, with every fault named by its field."""

import asyncio
import re
from collections.abc import Callable, Mapping
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

BODY_S = 10.0
"""How long a body may take: 64 KiB come through in a second or two on the worst mobile link that can still buy anything."""

MAX_ID = 2**31 - 1
"""Ids are small and made by people or by the database; what is larger is a mistake, and is told so."""

ShortText = Annotated[str, msgspec.Meta(max_length=64)]
"""A word or a number as people type it: what is longer is kept out of database and log."""

Amount = Annotated[Decimal, msgspec.Meta(examples=["50.00"])]
"""Money, as text or as an exact number (specification, decision 17)."""


class PurchaseBody(msgspec.Struct, frozen=True):
    """A purchase as the specification spells it ("Request Body"); ids may come as strings of digits (decision 17)."""

    router_id: Annotated[int | str, msgspec.Meta(examples=[1])]
    package_id: Annotated[int | str, msgspec.Meta(examples=[2])]
    phone_number: Annotated[ShortText, msgspec.Meta(examples=["0712345678"])]
    amount: Amount
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
            raise invalid(faults)
        return PurchaseRequest(router_id, package_id, self.phone_number, amount, self.payment_method or "mpesa", mac, ip)


async def read(request: web.Request, kind: type[T]) -> T:
    """The body as that type. Raises Invalid for a body that is not, HTTPUnsupportedMediaType for one that is not plain JSON."""
    if request.content_type != "application/json" or "Content-Encoding" in request.headers:
        raise web.HTTPUnsupportedMediaType
    body = await raw(request)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as fault:
        raise invalid(named(str(fault))) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Invalid(f"The body is not JSON: {fault}") from None
    except RecursionError:
        raise Invalid("The body is nested too deeply") from None


async def raw(request: web.Request) -> bytes:
    """The body as it came. Raises Invalid when it breaks off, HTTPRequestTimeout when it drips, HTTPRequestEntityTooLarge."""
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (ConnectionError, web.RequestPayloadError, RuntimeError):  # the last of a connection that had ended before
        raise Invalid("The body broke off before its end") from None


def parsed_fields(body: msgspec.Struct, rules: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    """The fields that were sent, in the gateway's own types: each by its rule, or as it is where there is none; None stays None.

    Raises Invalid with every faulty field.
    """
    faults: dict[str, list[str]] = {}
    sent = {name: value for name in body.__struct_fields__ if (value := getattr(body, name)) is not msgspec.UNSET}
    found = {name: _field(faults, name, rules.get(name, lambda same: same), value) for name, value in sent.items()}
    if faults:
        raise invalid(faults)
    return found


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


def named(message: str) -> dict[str, list[str]]:
    """The field that a complaint of msgspec is about, and the rule."""
    if missing := _MISSING.match(message):
        return {missing["field"]: ["this field is required"]}
    if at := _AT_FIELD.fullmatch(message):
        return {at["field"]: [at["rule"].lower().replace("`", "")]}
    return {"body": [message.replace("`", "").lower()]}


def invalid(faults: dict[str, list[str]]) -> Invalid:
    """The error that names every faulty field, the first one also in its sentence."""
    name, rules = next(iter(faults.items()))
    return Invalid(f"{name}: {rules[0]}", fields=faults)
