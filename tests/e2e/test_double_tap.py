"""One payment, one push, however often somebody presses."""

import asyncio
from typing import Any

import pytest

from gateway.payments import PaymentState
from gateway.simulators.intasend import Outcome
from tests.e2e.world import World


async def test_a_second_tap_gives_the_same_payment(world: World):
    status, first = await world.initiate(world.amina)
    again, second = await world.initiate(world.amina)

    assert (status, again) == (201, 200)
    assert second["payment"] == first["payment"]
    assert len(world.intasend.pushes) == 1


async def test_three_tabs_at_the_same_moment_make_one_push(world: World):
    answers = await asyncio.gather(*(world.initiate(world.amina) for _ in range(3)))

    assert sorted(status for status, _ in answers) == [200, 200, 201]
    assert len({answer["payment"]["id"] for _, answer in answers}) == 1
    assert {answer["payment"]["intasend_invoice_id"] for _, answer in answers} == {world.intasend.pushes[0].invoice_id}
    assert len(world.intasend.pushes) == 1
    assert len(await world.payments()) == 1


async def test_the_number_in_another_spelling_is_the_same_phone(world: World):
    _, first = await world.initiate(world.amina)
    status, second = await world.initiate(world.amina, phone_number="+254 712-345-678", router_id="1", payment_method="mpesa")

    assert (status, second["payment"]["id"]) == (200, first["payment"]["id"])


@pytest.mark.parametrize(
    "changes",
    [{"package_id": 1, "amount": "5"}, {"mac_address": "A2:00:00:00:00:99", "ip_address": "192.168.1.99"}],
    ids=["another package", "another device"],
)
async def test_anything_else_for_a_phone_with_an_open_prompt_is_a_conflict(world: World, changes: dict[str, Any]):
    _, first = await world.initiate(world.amina)
    status, answer = await world.initiate(world.amina, **changes)

    assert (status, answer["payment_id"]) == (409, first["payment"]["id"])
    assert len(world.intasend.pushes) == 1
    assert len(await world.payments()) == 1


async def test_two_phones_are_asked_at_the_same_time(world: World):
    answers = await asyncio.gather(world.initiate(world.amina), world.initiate(world.otieno))

    assert [status for status, _ in answers] == [201, 201]
    assert {push.order.phone for push in world.intasend.pushes} == {world.amina.number, world.otieno.number}
    assert len({push.order.api_ref for push in world.intasend.pushes}) == 2


async def test_after_ten_minutes_without_an_answer_another_push_is_possible(world: World):
    world.intasend.script(world.amina.number, Outcome.STUCK, Outcome.COMPLETE)
    _, first = await world.initiate(world.amina)
    await world.pass_time(595, step_s=5)
    status, _ = await world.initiate(world.amina)
    assert status == 200

    await world.pass_time(6)
    status, second = await world.initiate(world.amina)

    assert status == 201
    assert second["payment"]["id"] != first["payment"]["id"]
    await world.pass_time_until(lambda: world.amina.online, within_s=25)


async def test_the_first_push_that_is_paid_after_the_second_was_sent_counts_too(world: World):
    world.intasend.script(world.amina.number, Outcome.STUCK, Outcome.COMPLETE)
    _, first = await world.initiate(world.amina)
    await world.pass_time(605, step_s=5)
    await world.initiate(world.amina)
    world.intasend.answer(world.intasend.pushes[0].invoice_id, Outcome.COMPLETE)
    await world.pass_time(40)

    assert [payment.state for payment in await world.payments()] == [PaymentState.PAID] * 2
    grants = await world.grants()
    assert max(grant.ends_s for grant in grants) - min(grant.starts_at_s or 0 for grant in grants) == 2 * 3_600
    assert {grant.payment_id for grant in grants} >= {first["payment"]["id"]}


async def test_after_the_payment_another_push_is_a_new_purchase(world: World):
    first = await world.buy(world.amina)
    status, answer = await world.initiate(world.amina)

    assert status == 201
    assert answer["payment"]["id"] != first
