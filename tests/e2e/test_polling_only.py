"""A gateway behind NAT never sees a webhook: asking must be enough, and must not become a burden."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from gateway.payments import PaymentState
from gateway.simulators.intasend import Endpoint, Outcome
from gateway.simulators.phones import SimulatedPhone
from tests.e2e.world import World


class Questions:
    """Every question about a payment's state that reaches IntaSend: when, in seconds since the first push."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.at_s: list[float] = []
        self.at_once = self.most_at_once = 0
        self.answered = asyncio.Event()
        self.answered.set()
        for endpoint in (Endpoint.STATUS, Endpoint.INVOICES):
            world.intasend.faults.always(endpoint, self._count)

    async def _count(self, request: web.Request, proceed: Any) -> web.StreamResponse:
        if request.method == "GET" and "api_ref" not in request.query:  # the books want the whole list, once an hour
            listed: web.StreamResponse = await proceed()
            return listed
        self.at_s.append(self._world.clock.monotonic_s() - self._world.intasend.pushes[0].created_s)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.answered.wait()
            answer: web.StreamResponse = await proceed()
            return answer
        finally:
            self.at_once -= 1


@pytest.fixture
def questions(world: World) -> Questions:
    return Questions(world)


async def test_the_questions_follow_the_customer(world: World, questions: Questions):
    world.intasend.script(world.amina.number, Outcome.STUCK)
    await world.initiate(world.amina)
    await world.pass_time(35, step_s=0.25)
    await world.pass_time(145)

    late_s = [asked_s - due_s for asked_s, due_s in zip(questions.at_s, (3, 6, 10, 15, 20, 30), strict=False)]
    assert min(late_s) >= 0
    assert max(late_s) <= 1
    gaps_s = [after - before for before, after in zip(questions.at_s[5:], questions.at_s[6:], strict=False)]
    assert max(gaps_s) <= 11
    assert min(gaps_s) >= 9


async def test_the_questions_become_seldom_and_end_after_a_day(world: World, questions: Questions):
    world.intasend.script(world.amina.number, Outcome.STUCK)
    _, answer = await world.initiate(world.amina)
    await world.pass_time(900, step_s=10)
    asked_at_first = len(questions.at_s)
    await world.pass_time(86_400 + 3_600, step_s=150)
    assert (await world.payment(answer["payment"]["id"])).state is PaymentState.LAPSED
    asked_in_a_day = len(questions.at_s)
    await world.pass_time(7_200, step_s=150)

    assert asked_at_first <= 50
    assert asked_in_a_day - asked_at_first <= 60
    assert len(questions.at_s) == asked_in_a_day


async def test_whoever_completes_within_three_minutes_is_online_within_fifteen_seconds(world: World):
    customers = [_customer(world, n) for n in range(1, 31)]
    for n, phone in enumerate(customers):
        phone.join()
        world.intasend.script(phone.number, Outcome.COMPLETE.after(6 * n))
        status, _ = await world.initiate(phone)
        assert status == 201
    online_s: dict[str, float] = {}
    for second in range(1, 200):
        await world.pass_time(1)
        for phone in customers:
            if phone.online:
                online_s.setdefault(phone.name, second)

    waits_s = [online_s[phone.name] - (2 + 6 * n) for n, phone in enumerate(customers)]
    assert max(waits_s) <= 15
    assert min(waits_s) >= 0


async def test_twenty_impatient_clients_make_one_question_in_two_seconds(world: World, questions: Questions):
    world.intasend.script(world.amina.number, Outcome.STUCK)
    _, answer = await world.initiate(world.amina)
    for _ in range(40):
        replies = await asyncio.gather(*(world.check(answer["payment"]["id"]) for _ in range(20)))
        assert {status for status, _ in replies} == {200}
        await world.pass_time(0.5, 0.5)

    gaps_s = [after - before for before, after in zip(questions.at_s, questions.at_s[1:], strict=False)]
    assert min(gaps_s) >= 2
    assert len(questions.at_s) >= 8


async def test_clients_that_ask_at_the_same_moment_share_one_answer(world: World, questions: Questions):
    payment_id = await world.ask(world.amina)
    await world.pass_time(10)
    before = len(questions.at_s)
    await world.pass_time(2)
    world.amina.enter_pin()

    replies = await asyncio.gather(*(world.check(payment_id) for _ in range(20)))

    assert {answer["status"] for _, answer in replies} == {"completed"}
    assert len(questions.at_s) - before == 1


async def test_a_settled_payment_is_not_asked_about_any_more(world: World, questions: Questions):
    payment_id = await world.buy(world.amina)
    asked = len(questions.at_s)
    for _ in range(5):
        await world.check(payment_id)
        await world.pass_time(30, 5)

    assert len(questions.at_s) == asked


async def test_no_more_than_four_questions_are_under_way_at_a_time(world: World, questions: Questions):
    for n in range(30):
        number, mac = f"2547000001{n:02}", f"A2:00:00:00:02:{n:02X}"
        world.intasend.script(number, Outcome.STUCK)
        await world.initiate(world.amina, phone_number=f"+{number}", mac_address=mac, ip_address=None)
    await world.quiet()
    questions.answered.clear()
    world.clock.advance(3)
    await world.until(lambda: questions.at_once == 4)
    for _ in range(100):
        await asyncio.sleep(0)

    assert questions.most_at_once == 4
    questions.answered.set()
    await world.quiet()
    assert len(questions.at_s) == 30
    assert questions.most_at_once == 4


async def test_when_intasend_is_down_the_customer_is_told_what_is_known(world: World):
    payment_id = await world.ask(world.amina)
    await world.intasend.stop()

    status, answer = await world.in_time(world.check(payment_id))
    assert (status, answer["status"]) == (200, "processing")

    await world.intasend.start(port=world.intasend.port)
    world.amina.enter_pin()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)


def _customer(world: World, n: int) -> SimulatedPhone:
    mac, ip, number = f"A2:00:00:00:01:{n:02X}", f"192.168.2.{n}", f"2547000000{n:02}"
    return SimulatedPhone(f"p{n}", mac, ip, number, world.router, world.intasend, world.clock)
