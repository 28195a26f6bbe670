"""The job that asks about payments: when, how many at a time, and until when."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.catalogue import Catalogue, Site
from gateway.errors import ProviderRefused, ProviderUnreachable
from gateway.payments import LISTEN_S, NOT_FOUND_S, Payment, PaymentState
from gateway.providers.base import Reported, WebhookHint
from gateway.reconciler import AT_ONCE, Settle
from gateway.scheduler import LONGEST_PAUSE_S, Scheduler
from gateway.settlement import ASK_GAP_S, Settlement
from gateway.store import payments as payment_rows
from gateway.store.database import Database
from gateway.troubles import UNREAD_S
from tests.fakeclock import FakeClock
from tests.fakeprovider import FakeProvider
from tests.ledger import NOW_S, in_folder, payment, record


class Desk:
    """The job with everything around it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = FakeClock(NOW_S)
        self.provider = FakeProvider()
        site = Site(Catalogue([], []), {1: self.provider}, {})
        self.scheduler = Scheduler(self.clock)
        self.settlement = Settlement(site, db, self.clock, self.scheduler)
        self.job = self.restarted()

    def restarted(self) -> Settle:
        """The job as after a start."""
        return Settle(self.settlement, self.db, self.clock, random.Random(7))

    async def pushed(self, *numbers: int, **changes: object) -> None:
        for number in numbers:
            made = payment(number, **{"state": PaymentState.PUSHED, "invoice_id": f"INV-{number}", "pushed_at_s": NOW_S, **changes})
            await record(self.db, made)
            self.provider.say(made, Reported.WAITING, invoice_id=made.invoice_id or f"LOST-{number}")

    async def stored(self, number: int = 1) -> Payment:
        return await self.db.read(lambda tx: payment_rows.get(tx, f"payment-{number}"))

    async def questions_s(self, until_s: float) -> list[float]:
        """Run the job whenever it wants to; the ages at which the provider was asked."""
        ages_s: list[float] = []
        while (age_s := self.clock.wall_s() - NOW_S) < until_s:
            before = len(self.provider.asked)
            pause_s = await self.job.run_once()
            ages_s += [age_s] * (len(self.provider.asked) - before)
            self.clock.advance(min(LONGEST_PAUSE_S if pause_s is None else pause_s, LONGEST_PAUSE_S) + 0.001)
        return ages_s


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(await in_folder(tmp_path))
    await made.job.run_once()  # the start is over
    yield made
    await made.scheduler.stop(20.0)
    await made.db.close()


async def test_a_fresh_payment_is_asked_about_in_the_rhythm_of_the_customer(desk: Desk):
    await desk.pushed(1)
    assert await desk.questions_s(32) == pytest.approx([3, 6, 10, 15, 20, 30], rel=0.06)


async def test_a_day_of_silence_takes_fewer_than_a_hundred_questions_and_then_it_lapses(desk: Desk):
    await desk.pushed(1)
    ages_s = await desk.questions_s(LISTEN_S + 3_700)
    assert len(ages_s) < 100
    assert max(after - before for before, after in zip([0, *ages_s], ages_s, strict=False) if before < 170) <= 10.6
    assert (await desk.stored()).state is PaymentState.LAPSED


async def test_a_payment_that_is_settled_is_not_asked_about_again(desk: Desk):
    await desk.pushed(1)
    desk.provider.say(await desk.stored(), Reported.PAID)
    assert len(await desk.questions_s(600)) == 1
    assert (await desk.stored()).state is PaymentState.PAID


async def test_a_payment_that_failed_is_asked_about_seldom_and_a_late_success_counts(desk: Desk):
    await desk.pushed(1)
    desk.provider.say(await desk.stored(), Reported.FAILED)
    assert len(await desk.questions_s(1_000)) in range(2, 6)
    desk.provider.say(await desk.stored(), Reported.PAID)
    await desk.questions_s(LISTEN_S)
    assert (await desk.stored()).state is PaymentState.PAID


async def test_a_lost_push_that_never_turns_up_is_given_up_after_ten_minutes(desk: Desk):
    await desk.pushed(1, state=PaymentState.UNKNOWN, invoice_id=None)
    desk.provider.reports.clear()
    await desk.questions_s(NOT_FOUND_S - 1)
    assert (await desk.stored()).state is PaymentState.UNKNOWN
    await desk.questions_s(NOT_FOUND_S + 40)
    assert (await desk.stored()).state is PaymentState.LAPSED


async def test_a_list_that_could_not_be_read_gives_up_nothing(desk: Desk):
    await desk.pushed(1, state=PaymentState.UNKNOWN, invoice_id=None)
    desk.provider.fault = ProviderUnreachable("no answer")
    await desk.questions_s(NOT_FOUND_S * 3)
    assert (await desk.stored()).state is PaymentState.UNKNOWN


async def test_what_could_not_be_read_is_asked_again_within_a_minute_however_old_it_is(desk: Desk):
    await desk.pushed(1, state=PaymentState.FAILED)
    desk.clock.advance(3_600)
    desk.job = desk.restarted()
    desk.provider.fault = ProviderUnreachable("no usable answer")
    assert await desk.job.run_once() == pytest.approx(UNREAD_S, rel=0.06)
    desk.clock.advance(UNREAD_S * 1.06)
    desk.provider.fault = None
    assert (await desk.job.run_once() or 0) > UNREAD_S
    assert desk.provider.asked == ["INV-1", "INV-1"]


async def test_after_a_start_everybody_is_asked_about_at_once(desk: Desk):
    await desk.pushed(1, 2, 3)
    desk.clock.advance(1_000)
    desk.job = desk.restarted()
    await desk.job.run_once()
    assert sorted(desk.provider.asked) == ["INV-1", "INV-2", "INV-3"]


async def test_an_outage_that_ends_is_no_burst(desk: Desk):
    await desk.pushed(*range(1, 13))
    desk.job = desk.restarted()
    desk.provider.pause = asyncio.Event()
    run = asyncio.create_task(desk.job.run_once())
    while len(desk.provider.asked) < AT_ONCE:  # noqa: ASYNC110 - a few turns are enough
        await asyncio.sleep(0)
    desk.provider.pause.set()
    await run
    assert (desk.provider.most_in_flight, len(desk.provider.asked)) == (AT_ONCE, 12)


async def test_what_failed_together_is_not_asked_together_again(desk: Desk):
    await desk.pushed(*range(1, 9))
    desk.job = desk.restarted()
    await desk.job.run_once()
    assert len(set(desk.job._due_at_s.values())) == 8


async def test_one_payments_trouble_does_not_stop_the_others(desk: Desk, caplog):
    await desk.pushed(1, 2)
    del desk.provider.reports["INV-1"]
    desk.provider.say(await desk.stored(2), Reported.PAID)
    await desk.questions_s(10)
    assert (await desk.stored(2)).state is PaymentState.PAID
    assert "settle_failed" in {record.__dict__["action"] for record in caplog.records if record.levelname == "ERROR"}


async def test_a_stepped_wall_clock_does_not_stop_the_questions(desk: Desk):
    await desk.pushed(1)
    await desk.job.run_once()
    desk.clock.step_wall(-86_400)
    desk.clock.advance(3)
    await desk.job.run_once()
    assert desk.provider.asked == ["INV-1"]


async def test_what_the_customer_has_just_asked_is_not_asked_again_within_two_seconds(desk: Desk):
    await desk.pushed(1)
    await desk.job.run_once()
    desk.clock.advance(2.5)
    await desk.settlement.settle("payment-1")
    desk.clock.advance(0.5)
    assert await desk.job.run_once() == pytest.approx(ASK_GAP_S - 0.5)
    assert desk.provider.asked == ["INV-1"]


async def test_with_nobody_to_ask_about_the_job_waits_to_be_woken(desk: Desk):
    await record(desk.db, payment(1), payment(2, state=PaymentState.PAID))
    assert await desk.job.run_once() is None
    assert desk.provider.asked == []


def told(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """Of which payments it was said at that level that they could not be settled, in order."""
    records = [vars(record) for record in caplog.records if record.levelno == level]
    return [record["payment"] for record in records if record.get("action") == "settle_failed"]


async def test_an_outage_is_told_once_for_everybody_until_it_is_over(desk: Desk, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, "gateway")
    await desk.pushed(1, 2, 3)
    desk.provider.fault = ProviderUnreachable("away")
    await desk.questions_s(120)
    assert len(told(caplog, logging.WARNING)) == 1
    assert set(told(caplog, logging.DEBUG)) == {"payment-1", "payment-2", "payment-3"}
    desk.provider.fault = None
    await desk.questions_s(180)
    desk.provider.fault = ProviderUnreachable("away again")
    await desk.questions_s(300)
    assert len(told(caplog, logging.WARNING)) == 2


async def test_a_payment_about_which_the_provider_says_no_is_told_once_and_by_its_id(desk: Desk, caplog: pytest.LogCaptureFixture):
    await desk.pushed(1, 2)
    desk.provider.fault = ProviderRefused("not found")
    await desk.questions_s(120)
    assert sorted(told(caplog, logging.WARNING)) == ["payment-1", "payment-2"]


async def test_an_unknown_word_is_told_once_for_each_payment_and_word(desk: Desk, caplog: pytest.LogCaptureFixture):
    await desk.pushed(1, 2)
    for word in ("MOON", "STAR"):
        for number in (1, 2):
            desk.provider.say(await desk.stored(number), Reported.UNRECOGNISED, word=word)
        await desk.questions_s(desk.clock.wall_s() - NOW_S + 120)
    said = [record.getMessage() for record in caplog.records if vars(record).get("action") == "unknown_state"]
    assert len(said) == 4
    assert (await desk.stored()).state is PaymentState.PUSHED


async def test_a_webhook_that_could_not_be_followed_up_is_not_left_to_the_pollers_rhythm(desk: Desk):
    await desk.pushed(1, state=PaymentState.FAILED)
    await desk.questions_s(3_600)
    desk.provider.hint = WebhookHint(invoice_id="INV-1", api_ref=None)
    desk.provider.fault = ProviderRefused("throttled", retry_after_s=45)
    began_s = desk.clock.wall_s() - NOW_S
    await desk.settlement.take_webhook(b"ours")
    await desk.scheduler.stop(20.0)
    asked = len(desk.provider.asked)
    await desk.questions_s(began_s + 50)
    assert len(desk.provider.asked) == asked + 1
    desk.provider.fault = None
    desk.provider.say(await desk.stored(), Reported.PAID)
    await desk.questions_s(began_s + 110)
    assert (await desk.stored()).state is PaymentState.PAID


async def test_a_webhook_that_cannot_be_followed_up_all_day_is_asked_about_ever_more_seldom(desk: Desk):
    await desk.pushed(1, state=PaymentState.FAILED)
    await desk.questions_s(600)
    desk.provider.hint = WebhookHint(invoice_id="INV-1", api_ref=None)
    desk.provider.fault = ProviderRefused("not found")
    await desk.settlement.take_webhook(b"ours")
    await desk.scheduler.stop(20.0)
    assert len(await desk.questions_s(20 * 3_600)) < 60
