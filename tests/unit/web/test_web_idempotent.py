"""The same key twice is one payment: through a real daemon, across restarts."""

import asyncio
import json
from typing import Any

import pytest

from gateway.errors import NotStored
from gateway.payments import PaymentState
from gateway.simulators.intasend import Endpoint, fails_with
from tests.e2e.conftest import OpenSite
from tests.e2e.world import World
from tests.unit.web.requests import INITIATE, Answer, Send, purchase, sender, with_stranger

CREATE_LINK = "/payments/intasend/create-link/"
KEY = "order-1"


async def press(world: World, path: str = INITIATE, key: str = KEY, **changes: Any) -> Answer:
    return await sender(world)("POST", path, purchase(**changes), Idempotency_Key=key)


async def pay(world: World) -> None:
    """Enter the PIN if there is a prompt."""
    await world.pass_time(3)
    world.amina.enter_pin()
    await world.pass_time(30)


def is_replay(answer: Answer) -> bool:
    return answer.headers.get("Idempotent-Replayed") == "true"


@pytest.mark.parametrize("path", [INITIATE, CREATE_LINK])
async def test_the_same_key_gets_the_same_answer_after_the_state_has_changed_and_after_a_restart(world: World, path: str):
    first = await press(world, path)
    await pay(world)
    await world.restart()
    again = await press(world, path)

    assert (first.status, is_replay(first)) == (201, False)
    assert (again.status, again.text, is_replay(again)) == (201, first.text, True)
    assert len(await world.payments()) == 1


async def test_a_new_key_after_a_paid_purchase_is_a_new_purchase(world: World):
    await press(world)
    await pay(world)

    assert (await press(world, key="order-2")).status == 201
    assert len(world.intasend.pushes) == 2


async def test_a_second_tap_with_another_key_is_kept_as_the_answer_that_it_got(world: World):
    first = await press(world)
    tap = await press(world, key="order-2")
    again = await press(world, key="order-2")

    assert (tap.status, tap.json["payment"]["id"], is_replay(tap)) == (200, first.json["payment"]["id"], False)
    assert (again.status, again.text, is_replay(again)) == (200, tap.text, True)


async def test_the_same_key_with_another_body_is_refused(world: World):
    await press(world)
    other = await press(world, package_id=1, amount="5")

    assert (other.status, len(world.intasend.pushes)) == (422, 1)


async def test_the_same_key_for_another_operation_is_refused(world: World):
    await press(world)
    assert (await press(world, CREATE_LINK)).status == 422


async def test_the_same_meaning_in_another_spelling_is_the_same_request(world: World, send: Send):
    first = await press(world)
    spelled = json.dumps(dict(reversed(purchase().items())), indent=2).encode()
    again = await send("POST", "/api/payments/intasend/initiate", spelled, Idempotency_Key=KEY)

    assert (again.status, again.text) == (201, first.text)


async def test_requests_with_one_key_at_the_same_moment_are_one_payment_and_one_answer(world: World):
    answers = await asyncio.gather(*(press(world) for _ in range(5)))

    assert {answer.status for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sorted(is_replay(answer) for answer in answers) == [False, True, True, True, True]
    assert len(world.intasend.pushes) == 1


async def test_links_with_one_key_at_the_same_moment_are_one_link(world: World):
    answers = await asyncio.gather(*(press(world, CREATE_LINK) for _ in range(3)))

    assert len({answer.text for answer in answers}) == 1
    assert len(world.intasend.links) == 1


async def test_a_request_that_was_invalid_gives_its_key_back(world: World):
    assert (await press(world, phone_number="12")).status == 400
    assert (await press(world)).status == 201


async def test_a_refusal_that_was_recorded_is_answered_again_and_recorded_once(world: World):
    first = await press(world, amount="1")
    again = await press(world, amount="1")

    assert (first.status, again.status, again.text, is_replay(again)) == (400, 400, first.text, True)
    assert len(await world.payments()) == 1


async def test_a_refusal_that_says_not_now_gives_its_key_back(world: World):
    await press(world, key="first")
    busy = await press(world, package_id=1, amount="5")
    await pay(world)
    later = await press(world, package_id=1, amount="5")

    assert (busy.status, later.status, is_replay(later)) == (409, 201, False)


async def test_a_link_whose_answer_could_not_be_stored_keeps_its_key(world: World, monkeypatch: pytest.MonkeyPatch):
    """The card takes nothing for a moment: there is a link, and the key stands for it."""
    write = world.running.db.write
    refused: list[object] = []

    async def write_but_once(work: Any) -> Any:
        if world.intasend.links and not refused:
            refused.append(work)
            raise NotStored("full")
        return await write(work)

    monkeypatch.setattr(world.running.db, "write", write_but_once)
    first = await press(world, CREATE_LINK)
    await world.pass_time(60, 5)
    again = await press(world, CREATE_LINK)

    assert (first.status, len(refused)) == (503, 1)
    assert (again.status, is_replay(again), len(world.intasend.links)) == (201, True, 1)


async def test_what_the_provider_refused_is_answered_again_and_not_sent_again(world: World):
    world.intasend.faults.once(Endpoint.PUSH, fails_with(400))
    first, again = await press(world), await press(world)

    assert (first.status, again.status, again.text, is_replay(again)) == (502, 502, first.text, True)


async def test_a_payment_whose_answer_was_never_given_is_answered_with_as_it_stands(world: World):
    first = await press(world)
    await world.running.db.write(lambda tx: tx.execute("UPDATE idempotency SET status = NULL, answer = NULL"))
    await pay(world)
    await world.restart()
    again = await press(world)

    assert (again.status, is_replay(again), again.json["payment"]["id"]) == (201, True, first.json["payment"]["id"])
    assert again.json["payment"]["status"] == "completed"
    assert len(await world.payments(PaymentState.PAID)) == 1


async def test_a_key_is_forgotten_after_a_day(world: World):
    first = await press(world)
    await pay(world)
    world.clock.advance(86_400)
    await world.quiet()
    again = await press(world)

    assert (again.status, is_replay(again)) == (201, False)
    assert again.json["payment"]["id"] != first.json["payment"]["id"]
    assert await world.running.db.read(lambda tx: tx.execute("SELECT count(*) FROM idempotency").fetchone()[0]) == 1


async def test_the_keys_of_two_owners_never_meet(world: World):
    world.edits.append(with_stranger)
    await world.reload()
    await press(world)
    his = await sender(world)("POST", INITIATE, purchase(router_id=9, package_id=90), key="0" * 32, Idempotency_Key=KEY)

    assert his.status != 422
    assert not is_replay(his)


@pytest.mark.parametrize("key", ["", "k" * 256, "caf\xe9", "tab\tbed"])
async def test_a_key_that_is_none_is_named(world: World, key: str):
    refused = await press(world, key=key)

    assert (refused.status, list(refused.json["fields"])) == (400, ["Idempotency-Key"])
    assert world.intasend.pushes == []


async def test_a_key_of_255_characters_is_taken(open_site: OpenSite):
    assert (await press(await open_site(), key="k" * 255)).status == 201
