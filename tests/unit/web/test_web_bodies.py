"""Request bodies: what is read, what is refused, and how a fault is named."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request

from gateway.errors import Invalid
from gateway.identity import IpAddress, MacAddress, Money
from gateway.sales import PurchaseRequest
from gateway.web.bodies import MAX_ID, PurchaseBody, id_in, raw
from tests.e2e.world import World
from tests.unit.web.requests import INITIATE, Send, purchase

MAC = "mac_address: must be a MAC address such as AA:BB:CC:DD:EE:FF"
IP = "ip_address: must be an IPv4 address such as 192.168.1.100"
ID = "must be a positive integer"
AMOUNT = 'must be an amount such as "50" or "50.00"'


def parsed(**changes: Any) -> PurchaseRequest:
    return msgspec.json.decode(json.dumps(purchase(**changes)), type=PurchaseBody).parsed()


def test_the_specifications_request_is_read() -> None:
    device = (MacAddress("AA:BB:CC:DD:EE:FF"), IpAddress("192.168.1.100"))
    assert parsed() == PurchaseRequest(1, 2, "0712345678", Money(5_000), "mpesa", *device)


@pytest.mark.parametrize("given", ["1", "01", 1])
def test_an_id_is_a_number_or_a_string_of_digits(given: int | str) -> None:
    assert id_in(given) == 1


@pytest.mark.parametrize("given", [0, -1, MAX_ID + 1, 10**40, "", "0", "+1", "1.0", "1e3", " 1", "\u0661", "one", "0" * 12 + "1"])
def test_what_is_no_id_is_refused(given: int | str) -> None:
    with pytest.raises(ValueError, match=ID):
        id_in(given)


@pytest.mark.parametrize("given", [MAX_ID, str(MAX_ID)])
def test_the_largest_id_is_read(given: int | str) -> None:
    assert id_in(given) == MAX_ID


@pytest.mark.parametrize("written", ['"50"', '"50.00"', '"50.0"', "50", "50.0", "50.00", "5e1"])
def test_an_amount_is_a_string_or_an_exact_number(written: str) -> None:
    body = json.dumps(purchase(amount=None)).replace("null", written)
    assert msgspec.json.decode(body, type=PurchaseBody).parsed().amount == Money(5_000)


def test_an_amount_as_a_number_is_never_rounded() -> None:
    body = json.dumps(purchase(amount=None)).replace("null", "50.000000000000000000001")
    assert msgspec.json.decode(body, type=PurchaseBody).amount == Decimal("50.000000000000000000001")


async def test_a_body_whose_sender_was_gone_before_anybody_read_it_broke_off() -> None:
    loop = asyncio.get_running_loop()
    gone = BaseProtocol(loop)  # never had a connection, or has none any more
    request = make_mocked_request("POST", "/", payload=StreamReader(gone, 2**16, loop=loop))
    with pytest.raises(Invalid, match="broke off"):
        await raw(request)


@pytest.mark.parametrize("left_out", ["payment_method", "mac_address", "ip_address"])
@pytest.mark.parametrize("value", [..., None, ""])
def test_an_optional_field_may_be_missing_null_or_empty(left_out: str, value: Any) -> None:
    request = parsed(**{left_out: value})
    expected = {"payment_method": ("method", "mpesa"), "mac_address": ("mac", None), "ip_address": ("ip", None)}
    attribute, fallback = expected[left_out]
    assert getattr(request, attribute) == fallback


def test_every_field_that_cannot_be_read_is_named_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        parsed(router_id="x", package_id=0, amount=-1, mac_address="y", ip_address="z")
    assert caught.value.fields is not None
    assert set(caught.value.fields) == {"router_id", "package_id", "amount", "mac_address", "ip_address"}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"router_id": 0}, f"router_id: {ID}"),
    ({"router_id": 10**30}, f"router_id: {ID}"),
    ({"router_id": True}, "router_id: expected int | str, got bool"),
    ({"router_id": 1.5}, "router_id: expected int | str, got float"),
    ({"package_id": []}, "package_id: expected int | str, got array"),
    ({"package_id": "two"}, f"package_id: {ID}"),
    ({"phone_number": 712345678}, "phone_number: expected str, got int"),
    ({"phone_number": ""}, "Invalid phone number format"),
    ({"phone_number": "0712"}, "Invalid phone number format"),
    ({"phone_number": "7" * 65}, "phone_number: expected str of length <= 64"),
    ({"amount": {}}, "amount: expected decimal, got object"),
    ({"amount": ""}, "amount: invalid decimal string"),
    ({"amount": "fifty"}, "amount: invalid decimal string"),
    ({"amount": "50.001"}, f"amount: {AMOUNT}"),
    ({"amount": -50}, f"amount: {AMOUNT}"),
    ({"amount": 1e300}, f"amount: {AMOUNT}"),
    ({"amount": "NaN"}, f"amount: {AMOUNT}"),
    ({"amount": "1E-999999999"}, f"amount: {AMOUNT}"),
    ({"payment_method": 5}, "payment_method: expected str | null, got int"),
    ({"payment_method": "m" * 65}, "payment_method: expected str of length <= 64"),
    ({"mac_address": "AA:BB"}, MAC),
    ({"mac_address": {"a": 1}}, "mac_address: expected str | null, got object"),
    ({"ip_address": "192.168.1"}, IP),
    ({"ip_address": "fe80::1"}, IP),
    *(({name: ...}, f"{name}: this field is required") for name in ("router_id", "package_id", "phone_number", "amount")),
    ({"router_id": None}, "router_id: expected int | str, got null"),
    ({"phone_number": None}, "phone_number: expected str, got null"),
    ({"amount": None}, "amount: expected decimal, got null"),
]


async def test_each_wrong_field_is_a_400_that_names_it(world: World, send: Send) -> None:
    for changes, sentence in WRONG:
        answer = await send("POST", INITIATE, purchase(**changes))
        (name,) = changes
        rule = sentence.removeprefix(f"{name}: ")
        assert (answer.status, answer.json) == (400, {"error": sentence, "fields": {name: [rule]}}), changes
    assert not world.intasend.pushes


async def test_a_body_that_is_no_json_object_is_a_400(send: Send) -> None:
    for body in (b"", b"{", b"nonsense", b"\xff\xfe", b'{"phone_number": "\xff"}', b'{"a":' + b"[" * 60_000, b"[]", b"null", b"5"):
        answer = await send("POST", INITIATE, body)
        assert answer.status == 400, body
        assert answer.json["error"], body


async def test_the_body_has_to_be_declared_as_plain_json(send: Send) -> None:
    for headers in (
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/x-www-form-urlencoded"},
        {"Content_Encoding": "gzip"},
    ):
        answer = await send("POST", INITIATE, purchase(), **headers)
        assert answer.status == 415, headers
        assert answer.json == {"error": "Send JSON, uncompressed, with Content-Type: application/json"}


async def test_a_charset_beside_the_content_type_is_fine(send: Send) -> None:
    assert (await send("POST", INITIATE, purchase(), Content_Type="application/json; charset=utf-8")).status == 201


async def test_a_body_over_64_kib_is_a_413(send: Send) -> None:
    too_large = json.dumps(purchase(note="x" * 64 * 1024)).encode()
    for path in (INITIATE, "/payments/webhook/"):
        answer = await send("POST", path, too_large)
        assert (answer.status, answer.json) == (413, {"error": "The body is too large: 64 KiB at most"})


async def test_unknown_fields_are_ignored(send: Send) -> None:
    assert (await send("POST", INITIATE, purchase(csrf_token="abc", nested={"a": [1]}))).status == 201
