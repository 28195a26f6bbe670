"""Reading payments over HTTP: newest first, page by page, filtered, and never somebody else's."""

import base64
from typing import Any

import pytest

from tests.e2e.world import World
from tests.unit.web.requests import INITIATE, Send, as_owner, purchase, with_stranger


async def ids(own: Send, query: str = "") -> list[str]:
    answer = await own("GET", f"/payments/?{query}")
    assert answer.status == 200, answer.text
    return [payment["id"] for payment in answer.json["results"]]


async def test_a_payment_is_the_specifications_and_what_became_of_it(world: World, send: Send, own: Send):
    asked = (await send("POST", INITIATE, purchase())).json["payment"]
    await world.pass_time(3)
    payment = (await own("GET", f"/payments/{asked['id']}/")).json
    later = {"mpesa_reference", "failed_code", "failed_reason", "completed_at", "package_expiry_time", "refund"}
    assert set(payment) == set(asked) | later
    assert {name: payment[name] for name in later} == dict.fromkeys(later)
    world.amina.enter_pin()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)

    paid = (await own("GET", f"/payments/{asked['id']}/")).json
    stored, grant = await world.payment(asked["id"]), await world.grant(asked["id"])
    assert grant is not None
    assert paid["status"] == "completed"
    assert paid["mpesa_reference"] == stored.receipt
    assert paid["completed_at"] == (await world.check(asked["id"]))[1]["payment"]["completed_at"]
    assert paid["package_expiry_time"] == (await world.check(asked["id"]))[1]["payment"]["package_expiry_time"]


async def test_a_payment_that_failed_says_why(world: World, own: Send):
    status, answer = await world.initiate(world.amina, amount="49")
    assert status == 400
    payment = (await own("GET", f"/payments/{answer['payment_id']}/")).json
    assert (payment["status"], payment["failed_reason"]) == ("failed", "Amount must match package price: 50.00 KES")


async def test_reading_asks_the_provider_nothing(world: World, own: Send, monkeypatch: pytest.MonkeyPatch):
    payment_id = await world.ask(world.amina)
    monkeypatch.delattr(type(world.running.settlement), "settle")
    assert (await own("GET", f"/payments/{payment_id}/")).json["status"] == "processing"
    assert await ids(own, "status=processing") == [payment_id]


@pytest.fixture
async def sold(world: World) -> dict[str, str]:
    """A refused, a completed and an open payment, a minute apart; by their status."""
    refused = (await world.initiate(world.amina, amount="49"))[1]["payment_id"]
    await world.pass_time(60)
    completed = await world.buy(world.amina)
    await world.pass_time(60)
    return {"failed": refused, "completed": completed, "processing": await world.ask(world.otieno)}


async def test_payments_come_newest_first(own: Send, sold: dict[str, str]):
    assert await ids(own) == [sold["processing"], sold["completed"], sold["failed"]]


async def test_each_filter_finds_its_payments(world: World, own: Send, sold: dict[str, str]):
    for status in ("failed", "completed", "processing"):
        assert await ids(own, f"status={status}") == [sold[status]]
    assert await ids(own, "status=pending") == []
    for spelling in ("0712345678", "%2B254712345678", "254%20712%20345678"):
        assert await ids(own, f"phone_number={spelling}") == [sold["completed"], sold["failed"]]
    assert await ids(own, "phone_number=0712345678&status=completed") == [sold["completed"]]
    assert await ids(own, "router_id=1&status=failed") == [sold["failed"]]
    assert await ids(own, "router_id=7") == []
    payment = await world.payment(sold["completed"])
    for reference in (payment.receipt, payment.invoice_id, payment.api_ref):
        assert await ids(own, f"reference={reference}") == [sold["completed"]]
        assert await ids(own, f"reference={reference}&status=failed") == []
    assert await ids(own, "reference=nobody") == []


async def test_the_bounds_of_time_include_the_first_moment_and_exclude_the_last(own: Send, sold: dict[str, str]):
    created = {status: (await own("GET", f"/payments/{payment_id}/")).json["created_at"] for status, payment_id in sold.items()}
    from_, to = created["completed"], created["processing"]
    assert await ids(own, f"from={from_}&to={to}") == [sold["completed"]]
    assert await ids(own, f"from={from_}") == [sold["processing"], sold["completed"]]
    offset = from_.replace("Z", "%2B00:00")
    assert await ids(own, f"to={offset}") == [sold["failed"]]
    day = from_[:10]
    assert len(await ids(own, f"from={day}&to={day}")) == 3


async def test_the_pages_together_are_the_list_and_new_payments_shift_nothing(world: World, own: Send, sold: dict[str, str]):
    seen, query = [], "limit=1"
    for number in range(3):
        page = (await own("GET", f"/payments/?{query}")).json
        seen += [payment["id"] for payment in page["results"]]
        query = f"limit=1&cursor={page['next']}"
        if number == 0:
            await world.initiate(world.amina, amount="1")
    assert seen == [sold["processing"], sold["completed"], sold["failed"]]
    assert page["next"] is None


async def test_payments_of_one_moment_are_all_shown_once(world: World, own: Send):
    for amount in range(1, 8):
        await world.initiate(world.amina, amount=str(amount))
    assert len({payment.created_at_s for payment in await world.payments()}) == 1
    seen, query = [], "limit=3"
    while query:
        page = (await own("GET", f"/payments/?{query}")).json
        seen += [payment["id"] for payment in page["results"]]
        query = f"limit=3&cursor={page['next']}" if page["next"] else ""
    assert len(seen) == len(set(seen)) == 7


@pytest.mark.parametrize("text", ["%00", "%ED%A0%80", "%FF", "'%20OR%201=1--", "%25", "%F0%9F%90%98"])
async def test_a_reference_of_odd_bytes_finds_nothing_and_breaks_nothing(own: Send, sold: dict[str, str], text: str):
    assert await ids(own, f"reference={text}") == []
    assert (await own("GET", f"/payments/{text}/")).status == 404
    assert (await own("GET", f"/grants/{text}/")).status == 404


def forged(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=paid", "status"),
        ("phone_number=12", "phone_number"),
        ("router_id=x", "router_id"),
        ("from=yesterday", "from"),
        ("to=2025-13-01", "to"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=many", "limit"),
        ("cursor=%F0%9F%90%98", "cursor"),
        ("cursor=", "cursor"),
        (f"cursor={forged('nan x')}", "cursor"),
        (f"cursor={forged('17')}", "cursor"),
        ("state=paid", "state"),
        ("status=failed&status=completed", "status"),
    ],
)
async def test_a_query_that_means_nothing_is_refused_by_name(own: Send, query: str, field: str):
    answer = await own("GET", f"/payments/?{query}")
    assert (answer.status, list(answer.json["fields"])) == (400, [field])


async def test_somebody_elses_payment_is_as_if_it_did_not_exist(world: World, own: Send, sold: dict[str, Any]):
    world.edits.append(with_stranger)
    await world.reload()
    mwangi = await as_owner(world, "mwangi")
    for payment_id in (sold["completed"], "nobody"):
        answer = await mwangi("GET", f"/payments/{payment_id}/")
        assert (answer.status, answer.json) == (404, {"error": "Payment not found or access denied"})
    receipt = (await world.payment(sold["completed"])).receipt
    for query in ("", "status=completed", "phone_number=0712345678", "router_id=1", f"reference={receipt}"):
        assert await ids(mwangi, query) == []


async def test_a_public_key_is_not_enough_to_read_payments(send: Send, sold: dict[str, str]):
    for path in ("/payments/", f"/payments/{sold['completed']}/"):
        assert (await send("GET", path)).status == 401
