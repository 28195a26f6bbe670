"""The discipline of asking: what is repeated and what never, when the circuit opens, who finds out that it can close."""

import asyncio
import logging
from typing import Any

import pytest

from gateway.errors import GatewayError, KeysRejected, ProviderRefused, ProviderUnreachable, PushOutcomeUnknown
from gateway.providers.base import Circuit
from gateway.providers.upstream import (
    FAILURES_TO_OPEN,
    KEYS_REST_S,
    OPEN_CAP_S,
    OPEN_FIRST_S,
    READ_TRIES,
    REPEAT_WITHIN_S,
    Door,
    Upstream,
)
from tests.fakeclock import FakeClock

GONE = ProviderUnreachable("gone")
LOST = PushOutcomeUnknown("lost")


class ScriptedLine:
    """A provider that answers or fails as it is told."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.fault: GatewayError | None = None
        self.faults: list[GatewayError] = []
        self.takes_s = 0.0
        self.pause: asyncio.Event | None = None
        self.asked_at_s: list[float] = []

    async def exchange(self, *_request: Any) -> dict[str, Any]:
        self.asked_at_s.append(self.clock.monotonic_s())
        if self.pause is not None:
            await self.pause.wait()
        await self.clock.sleep(self.takes_s)
        fault = self.faults.pop(0) if self.faults else self.fault
        if fault is not None:
            raise fault
        return {"state": "COMPLETE"}


class Counter:
    """One account with a door for reads and one for pushes, and nobody in a hurry."""

    def __init__(self, share: float = 0.0) -> None:
        self.clock = FakeClock()
        self.line = ScriptedLine(self.clock)
        self.upstream = Upstream("IntaSend (owner 1)", self.clock, random_share=lambda: share)
        self.reads = Door(self.line, self.upstream, tries=READ_TRIES, closed="not asked")
        self.pushes = Door(self.line, self.upstream, tries=1, closed="not charged")

    @property
    def is_closed(self) -> bool:
        return self.upstream.circuit is Circuit.CLOSED

    async def through(self, door: Door) -> dict[str, Any]:
        """What comes of a question, however much time it takes."""
        asked = asyncio.create_task(door.exchange("GET", "x/", None, {}))
        while not asked.done():
            for _ in range(5):
                await asyncio.sleep(0)
            wake_s = self.clock.next_wake_s()
            if not asked.done() and wake_s is not None:
                self.clock.advance(wake_s)
        return asked.result()

    async def fails(self, door: Door) -> GatewayError:
        with pytest.raises(GatewayError) as failed:
            await self.through(door)
        return failed.value

    async def open(self) -> None:
        self.line.fault = GONE
        for _ in range(FAILURES_TO_OPEN):
            await self.fails(self.pushes)


@pytest.fixture
def counter() -> Counter:
    return Counter()


# Patience


async def test_a_read_that_fails_is_tried_again_after_growing_pauses(counter: Counter):
    counter.line.faults = [GONE, GONE]
    assert await counter.through(counter.reads) == {"state": "COMPLETE"}
    first, second, third = counter.line.asked_at_s
    assert (second - first, third - second) == (0.5, 1.0)


async def test_a_read_is_given_up_after_its_last_try(counter: Counter):
    counter.line.fault = GONE
    assert await counter.fails(counter.reads) is GONE
    assert len(counter.line.asked_at_s) == READ_TRIES


async def test_the_pauses_are_shortened_by_chance():
    counter = Counter(share=0.5)
    counter.line.faults = [GONE]
    await counter.through(counter.reads)
    first, second = counter.line.asked_at_s
    assert second - first == 0.375


async def test_a_read_that_hung_until_its_deadline_is_not_tried_again(counter: Counter):
    counter.line.fault, counter.line.takes_s = GONE, REPEAT_WITHIN_S
    await counter.fails(counter.reads)
    assert len(counter.line.asked_at_s) == 1


@pytest.mark.parametrize("fault", [GONE, LOST, ProviderRefused("no"), KeysRejected("no")])
async def test_a_push_is_never_repeated(fault: GatewayError, counter: Counter):
    counter.line.fault = fault
    assert await counter.fails(counter.pushes) is fault
    assert len(counter.line.asked_at_s) == 1


async def test_a_refusal_is_not_asked_for_twice(counter: Counter):
    counter.line.fault = ProviderRefused("no")
    await counter.fails(counter.reads)
    assert len(counter.line.asked_at_s) == 1


# The circuit


@pytest.mark.parametrize("fault", [GONE, LOST])
async def test_the_circuit_opens_after_five_failures_in_a_row(fault: GatewayError, counter: Counter):
    counter.line.fault = fault
    for _ in range(FAILURES_TO_OPEN):
        assert counter.upstream.circuit is Circuit.CLOSED
        await counter.fails(counter.pushes)
    assert counter.upstream.circuit is Circuit.OPEN


@pytest.mark.parametrize("fault", [None, ProviderRefused("no")])
async def test_an_answer_of_any_kind_starts_the_count_again(fault: GatewayError | None, counter: Counter):
    counter.line.fault = GONE
    for _ in range(FAILURES_TO_OPEN - 1):
        await counter.fails(counter.pushes)
    counter.line.fault = fault
    await asyncio.gather(counter.through(counter.pushes), return_exceptions=True)
    counter.line.fault = GONE
    await counter.fails(counter.pushes)
    assert counter.upstream.circuit is Circuit.CLOSED


async def test_while_the_circuit_is_open_nothing_is_asked(counter: Counter):
    await counter.open()
    asked = len(counter.line.asked_at_s)
    for door, sentence in ((counter.reads, "not asked"), (counter.pushes, "not charged")):
        fault = await counter.fails(door)
        assert (type(fault), fault.message, fault.retry_after_s) == (ProviderUnreachable, sentence, OPEN_FIRST_S)
    assert len(counter.line.asked_at_s) == asked


async def test_after_the_pause_one_question_finds_out_and_the_others_wait_for_it(counter: Counter):
    await counter.open()
    counter.clock.advance(OPEN_FIRST_S)
    assert counter.upstream.circuit is Circuit.HALF_OPEN
    counter.line.fault, counter.line.pause = None, asyncio.Event()
    asked = len(counter.line.asked_at_s)
    probe = asyncio.create_task(counter.reads.exchange("GET", "x/", None, {}))
    await asyncio.sleep(0)

    assert (await counter.fails(counter.pushes)).message == "not charged"
    counter.line.pause.set()
    await probe

    assert len(counter.line.asked_at_s) == asked + 1
    assert counter.is_closed
    assert await counter.through(counter.pushes)


async def test_each_probe_in_vain_doubles_the_pause_up_to_half_a_minute(counter: Counter):
    await counter.open()
    pauses = []
    for _ in range(6):
        pauses.append(counter.upstream.seconds_to_wait())
        counter.clock.advance(pauses[-1])
        await counter.fails(counter.reads)
    assert pauses == [15, 30, 30, 30, 30, OPEN_CAP_S]


async def test_after_an_outage_the_next_one_begins_with_a_short_pause(counter: Counter):
    await counter.open()
    counter.clock.advance(OPEN_FIRST_S)
    await counter.fails(counter.pushes)
    counter.clock.advance(2 * OPEN_FIRST_S)
    counter.line.fault = None
    await counter.through(counter.pushes)
    await counter.open()
    assert counter.upstream.seconds_to_wait() == OPEN_FIRST_S


async def test_a_probe_whose_asker_has_gone_lets_the_next_one_through(counter: Counter):
    await counter.open()
    counter.clock.advance(OPEN_FIRST_S)
    counter.line.fault, counter.line.pause = None, asyncio.Event()
    probe = asyncio.create_task(counter.reads.exchange("GET", "x/", None, {}))
    await asyncio.sleep(0)
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    counter.line.pause = None
    assert await counter.through(counter.pushes)


async def test_what_was_under_way_when_it_opened_does_not_lengthen_the_pause(counter: Counter):
    counter.line.pause = asyncio.Event()
    late = asyncio.create_task(counter.pushes.exchange("GET", "x/", None, {}))
    await asyncio.sleep(0)
    pause, counter.line.pause = counter.line.pause, None
    await counter.open()
    counter.clock.advance(5)
    pause.set()
    with pytest.raises(ProviderUnreachable):
        await late
    assert counter.upstream.seconds_to_wait() == OPEN_FIRST_S - 5


async def test_a_genuine_webhook_lets_the_next_question_through(counter: Counter):
    await counter.open()
    counter.line.fault = None
    counter.upstream.hear()
    assert counter.upstream.circuit is Circuit.HALF_OPEN
    assert await counter.through(counter.reads)
    assert counter.is_closed


async def test_opening_and_closing_are_told_once_each(counter: Counter, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "gateway")
    await counter.open()
    await counter.fails(counter.reads)
    counter.clock.advance(OPEN_FIRST_S)
    counter.line.fault = None
    await counter.through(counter.reads)
    assert [getattr(record, "action", None) for record in caplog.records] == ["circuit_opened", "circuit_closed"]


# What the provider asks for


@pytest.mark.parametrize("kind", [ProviderRefused, ProviderUnreachable, PushOutcomeUnknown])
async def test_the_time_that_the_provider_asks_for_is_kept(kind: type[GatewayError], counter: Counter):
    counter.line.fault = kind("later", retry_after_s=90)
    await counter.fails(counter.reads)
    counter.line.fault = None
    counter.clock.advance(89)
    counter.upstream.hear()
    for door in (counter.reads, counter.pushes):
        fault = await counter.fails(door)
        assert (type(fault), fault.retry_after_s) == (ProviderUnreachable, 1)
    assert (counter.upstream.circuit, len(counter.line.asked_at_s)) == (Circuit.OPEN, 1)
    counter.clock.advance(1)
    assert await counter.through(counter.pushes)


# Keys


async def test_rejected_keys_are_told_once_and_not_tried_for_a_minute(counter: Counter, caplog: pytest.LogCaptureFixture):
    counter.line.fault = KeysRejected("wrong keys")
    for _ in range(3):
        assert (await counter.fails(counter.pushes)).message == "wrong keys"
    assert len(counter.line.asked_at_s) == 1
    counter.clock.advance(KEYS_REST_S)
    await counter.fails(counter.pushes)
    assert len(counter.line.asked_at_s) == 2
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_keys_that_may_not_read_can_still_sell(counter: Counter):
    counter.line.fault = KeysRejected("no right to read")
    await counter.fails(counter.reads)
    counter.line.fault = None
    assert await counter.through(counter.pushes)


async def test_keys_that_are_accepted_again_and_rejected_again_are_told_again(counter: Counter, caplog: pytest.LogCaptureFixture):
    for fault in (KeysRejected("wrong keys"), None, KeysRejected("wrong keys")):
        counter.line.fault = fault
        await asyncio.gather(counter.through(counter.pushes), return_exceptions=True)
        counter.clock.advance(KEYS_REST_S)
    assert len(caplog.records) == 2
