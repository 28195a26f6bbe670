"""A push whose answer is lost may be on a phone: it is looked up and granted, and never sent twice."""

import functools

import pytest
from aiohttp import web

from gateway import daemon
from gateway.payments import PaymentState
from gateway.providers.intasend import IntaSend
from gateway.simulators.intasend import Endpoint, Outcome, empty, fails_with, hang, hang_after, reset_after, reset_before
from gateway.simulators.intasend.faults import Fault, Proceed
from tests.e2e.world import World

LOST = {
    "the connection broke": reset_after,
    "no answer in time": hang_after,
    "a proxy's error page": fails_with(502, html=True, processed=True),
    "an error of IntaSend's": fails_with(500, processed=True),
    "an empty answer": empty,
}
NEVER_ARRIVED = {
    "the connection broke": reset_before,
    "no answer in time": hang,
    "a proxy's error page": fails_with(502, html=True),
}


@pytest.fixture
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "IntaSend", functools.partial(IntaSend, push_deadline_s=0.25))


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
async def test_a_push_whose_answer_is_lost_is_found_again_and_granted(short_deadline: None, world: World, fault: Fault):
    world.intasend.faults.once(Endpoint.PUSH, fault)
    status, answer = await world.initiate(world.amina)

    assert (status, answer["payment"]["status"]) == (201, "processing")
    assert answer["message"] == "STK push sent; waiting for IntaSend to confirm it"
    assert answer["payment"]["intasend_invoice_id"] is None
    assert answer["payment"]["intasend_state"] == "PENDING"
    await world.pass_time_until(lambda: world.amina.prompt, within_s=5)
    world.amina.enter_pin()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)

    payment = await world.payment(answer["payment"]["id"])
    assert (payment.state, payment.invoice_id) == (PaymentState.PAID, world.intasend.pushes[0].invoice_id)
    assert len(world.intasend.pushes) == 1


@pytest.mark.parametrize("paid_after_s", [60, 200, 500])
async def test_however_late_the_customer_pays_a_lost_push_is_granted_within_a_minute(world: World, paid_after_s: int):
    world.intasend.faults.once(Endpoint.PUSH, reset_after)
    world.intasend.script(world.amina.number, Outcome.COMPLETE.after(paid_after_s))
    await world.initiate(world.amina)
    await world.pass_time(paid_after_s + 2, step_s=2)

    await world.pass_time_until(lambda: world.amina.online, within_s=60)


async def test_a_lost_push_is_found_although_intasend_ignores_the_filter_of_its_list(world: World):
    world.intasend.ignores_api_ref_filter = True
    await world.buy(world.otieno)
    world.intasend.faults.once(Endpoint.PUSH, reset_after)

    payment_id = await world.buy(world.amina)

    assert (await world.payment(payment_id)).invoice_id == world.intasend.pushes[1].invoice_id


@pytest.mark.parametrize("fault", NEVER_ARRIVED.values(), ids=NEVER_ARRIVED)
async def test_a_push_that_never_arrived_is_given_up_after_ten_minutes(short_deadline: None, world: World, fault: Fault):
    world.intasend.faults.once(Endpoint.PUSH, fault)
    status, answer = await world.initiate(world.amina)
    assert status == 201
    await world.pass_time(590, step_s=5)
    assert (await world.payment(answer["payment"]["id"])).state is PaymentState.UNKNOWN

    await world.pass_time(40, step_s=5)

    assert (await world.payment(answer["payment"]["id"])).state is PaymentState.LAPSED
    assert world.intasend.pushes == []


async def test_while_a_push_is_lost_the_phone_gets_no_second_one(world: World):
    world.intasend.faults.once(Endpoint.PUSH, reset_after)
    _, first = await world.initiate(world.amina)

    status, second = await world.initiate(world.amina)
    assert (status, second["payment"]["id"]) == (200, first["payment"]["id"])
    status, other = await world.initiate(world.amina, package_id=1, amount="5")

    assert (status, other["payment_id"]) == (409, first["payment"]["id"])
    assert len(world.intasend.pushes) == 1


async def test_a_lost_push_is_looked_up_again_when_the_list_could_not_be_read(world: World):
    world.intasend.faults.once(Endpoint.PUSH, reset_after)
    world.intasend.faults.once(Endpoint.INVOICES, fails_with(503), empty, reset_before)

    await world.buy(world.amina)

    assert len(world.intasend.pushes) == 1


@pytest.mark.parametrize(("fault", "sentence"), [(fails_with(400), "IntaSend refused"), (fails_with(429), "no more requests")])
async def test_a_push_that_is_refused_fails_the_payment(world: World, fault: Fault, sentence: str):
    world.intasend.faults.once(Endpoint.PUSH, fault)
    status, answer = await world.initiate(world.amina)

    assert status == 502
    assert sentence in answer["error"]
    payment = await world.payment(answer["payment_id"])
    assert (payment.state, payment.failed_reason) == (PaymentState.REFUSED, answer["error"])
    _, told = await world.check(payment.id)
    assert (told["status"], told["payment"]["failed_reason"]) == ("failed", answer["error"])


async def test_intasend_says_how_long_to_wait_and_so_do_we(world: World):
    world.intasend.faults.once(Endpoint.PUSH, fails_with(429, retry_after_s=17))
    status, answer = await world.initiate(world.amina)

    assert (status, answer["retry_after_s"]) == (502, 17)


async def test_when_intasend_cannot_be_reached_nothing_is_sent_and_one_can_try_again(world: World):
    await world.intasend.stop()
    status, answer = await world.initiate(world.amina)

    assert status == 503
    assert (await world.payment(answer["payment_id"])).state is PaymentState.REFUSED
    await world.intasend.start(port=world.intasend.port)
    await world.buy(world.amina)
    assert len(world.intasend.pushes) == 1


async def test_a_customer_who_hangs_up_is_pushed_once_and_finds_the_payment_again(short_deadline: None, world: World):
    world.http._timeout = type(world.http._timeout)(total=0.05)
    world.intasend.faults.once(Endpoint.PUSH, hang_after)
    with pytest.raises(TimeoutError):
        await world.initiate(world.amina)
    world.http._timeout = type(world.http._timeout)(total=5)
    await world.quiet()

    status, answer = await world.initiate(world.amina)

    assert (status, answer["payment"]["status"]) == (200, "processing")
    assert len(world.intasend.pushes) == 1


@pytest.mark.parametrize(
    ("answers", "said", "state"),
    [(fails_with(404), 503, PaymentState.REFUSED), (fails_with(500), 201, PaymentState.UNKNOWN)],
    ids=["no", "nothing"],
)
async def test_an_answer_that_the_disk_does_not_take_is_written_when_it_does(
    world: World, answers: Fault, said: int, state: PaymentState
):
    """Where no prompt can be out the customer is told so; where one may be, he waits for it."""

    async def turn_read_only(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        await _let_write(world, "OFF")
        return await answers(request, proceed)

    world.intasend.faults.once(Endpoint.PUSH, turn_read_only)
    status, _ = await world.initiate(world.amina)
    assert status == said
    [payment] = await world.payments()
    assert payment.state is PaymentState.PUSHING
    await world.pass_time(60, step_s=5)

    await _let_write(world, "ON")
    await world.pass_time(31)

    assert (await world.payment(payment.id)).state is state
    assert len(world.intasend.pushes) == 0


async def _let_write(world: World, on_or_off: str) -> None:
    query_only = {"ON": "OFF", "OFF": "ON"}[on_or_off]
    await world.running.db._writer.run(lambda tx: tx.execute(f"PRAGMA query_only = {query_only}").fetchall())
