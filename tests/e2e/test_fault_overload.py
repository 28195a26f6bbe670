"""The uplink is back and hundreds of phones press Pay at once: each is asked for its money or told how long to wait.

What they are told is the owner's limit of pushes per minute (docs/limits.md): IntaSend would throttle the account otherwise.
"""

import asyncio
import contextlib
import gc
import resource
from collections import Counter
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from gateway.access import GrantState
from gateway.limits import OWNER
from gateway.simulators.intasend import Endpoint, Outcome, reset_before
from gateway.simulators.intasend.faults import Proceed
from tests.e2e.world import PUBLIC_KEY, World

pytestmark = pytest.mark.long

PHONES = 500
"""A full hotspot (issue 5); RouterOS serves no more with a licence of level 5."""

SOCKETS = 250

ANSWERED_S = 60.0
"""Real seconds: a press takes 5 ms here, on a machine that runs other tests many times that."""

GROWTH_BYTES = 16 * 2**20
"""How much memory a wave may cost once the first is over. Measured: 1 MB, the simulators' records among it; 32 KiB kept for each
phone would be as much as this."""

UNDECIDED = OWNER.count
"""How many prompts can be open at a time: the limit of a minute, asked for in the minute before the uplink went."""

A_SECOND_AT_MOST = 20
"""Questions to the provider within one second after an outage; all at once would be thirty. Measured: 7 to 15, over 6 to 30 s. The
real one takes a quarter of a second for an answer, and has four to give at a time."""


def memory_bytes() -> int:
    """What this process holds in memory: daemon, simulators and phones together."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize()


class Crowd:
    """Phones on the hotspot, each with its own address, device and number."""

    def __init__(self, world: World, phones: int) -> None:
        self.world = world
        self.phones = range(phones)
        self.macs = [f"A6:00:00:00:{number // 256:02X}:{number % 256:02X}" for number in self.phones]
        self.addresses = [f"192.168.{2 + number // 200}.{10 + number % 200}" for number in self.phones]
        for mac, ip in zip(self.macs, self.addresses, strict=True):
            world.router.join(mac, ip)

    async def press_pay(self) -> list[tuple[int, int | None]]:
        """Everybody at once: status, and the seconds to wait that were told."""
        connector = aiohttp.TCPConnector(limit=SOCKETS)
        async with aiohttp.ClientSession(connector=connector) as http, asyncio.timeout(ANSWERED_S):
            return await asyncio.gather(*(self._press(http, number) for number in self.phones))

    async def _press(self, http: aiohttp.ClientSession, number: int) -> tuple[int, int | None]:
        mac, ip = self.macs[number], self.addresses[number]
        order = {"router_id": 1, "package_id": 2, "phone_number": f"0713{number:06d}", "amount": "50"}
        headers = {"X-Public-Key": PUBLIC_KEY, "X-Forwarded-For": ip}
        url = f"{self.world.url}/payments/intasend/initiate/"
        async with http.post(url, json=order | {"mac_address": mac, "ip_address": ip}, headers=headers) as response:
            await response.read()
            wait = response.headers.get("Retry-After")
            return response.status, None if wait is None else int(wait)

    def enter_pins(self) -> None:
        """Everybody whose phone rings."""
        for push in self.world.intasend.pushes:
            if push.outcome is None:
                with contextlib.suppress(ValueError):
                    self.world.intasend.answer(push.invoice_id, Outcome.COMPLETE)


async def test_hundreds_of_phones_at_once_are_served_or_told_to_wait_and_nothing_piles_up(world: World):
    crowd = Crowd(world, PHONES)
    tasks, held_bytes = len(asyncio.all_tasks()), 0
    for wave in (1, 2):  # those who were told to wait press again
        answers = await crowd.press_pay()
        assert Counter(status for status, _ in answers)[201] == OWNER.count
        assert {status for status, _ in answers} <= {200, 201, 409, 429, 503}
        assert all(1 <= (wait_s or 0) <= OWNER.within_s for status, wait_s in answers if status in {429, 503})
        await world.pass_time(6)
        crowd.enter_pins()
        await world.pass_time(20)
        assert len(await world.grants(GrantState.ACTIVE)) == wave * OWNER.count
        await world.pass_time(OWNER.within_s)
        gc.collect()
        held_bytes = held_bytes or memory_bytes()
    assert len(world.intasend.pushes) == 2 * OWNER.count
    assert memory_bytes() - held_bytes < GROWTH_BYTES
    assert not world.running.db._waiting
    assert not world.running.scheduler._in_hand
    assert not world.running.settlement._asking
    assert len(world.running.visitors._questions) <= PHONES
    assert len(world.running.settlement._asked_at_s) <= 1_000
    assert len(asyncio.all_tasks()) <= tasks + 10


async def test_whoever_presses_pay_when_the_uplink_is_back_is_served_or_told_to_wait(world: World):
    """An hour without it, in which people tried: the circuit is open, and all timers have run out."""
    crowd = Crowd(world, PHONES // 4)
    world.intasend.faults.always(Endpoint.ANY, reset_before)
    before = await crowd.press_pay()
    assert {status for status, _ in before} <= {201, 429, 503}  # an answer that was lost may have been a prompt: 201, and looked up
    await world.pass_time(3_600, 10)
    world.intasend.faults.clear()
    for _ in range(3):  # the first is let through to find out; whoever was told to wait presses again
        answers = await crowd.press_pay()
        assert {status for status, _ in answers} <= {200, 201, 409, 429, 503}
        assert all(1 <= (wait_s or 0) <= OWNER.within_s for status, wait_s in answers if status in {429, 503})
        await world.pass_time(5)
        crowd.enter_pins()
        await world.pass_time(30)
    assert len(await world.grants(GrantState.ACTIVE)) >= OWNER.count
    references = [push.order.api_ref for push in world.intasend.pushes]
    assert len(references) == len(set(references))
    assert not world.running.scheduler._in_hand


async def test_after_an_outage_the_provider_is_asked_about_everybody_and_not_in_one_burst(world: World):
    crowd, asked_at_s = Crowd(world, UNDECIDED), []

    async def note(_: web.Request, proceed: Proceed) -> web.StreamResponse:
        asked_at_s.append(world.clock.monotonic_s())
        return await proceed()

    await crowd.press_pay()
    await world.pass_time(2)
    world.intasend.faults.always(Endpoint.ANY, reset_before)
    await world.pass_time(600)
    world.intasend.faults.clear()
    world.intasend.faults.always(Endpoint.STATUS, note)
    crowd.enter_pins()
    await world.pass_time_until(lambda: len(asked_at_s) >= UNDECIDED, within_s=120)
    await world.pass_time(20)
    assert len(await world.grants(GrantState.ACTIVE)) == OWNER.count
    assert max(Counter(map(int, asked_at_s)).values()) <= A_SECOND_AT_MOST
