"""The sweeper in the simulated router's own interpreter: whom it ends, whom it leaves alone, and what it makes of the date."""

import datetime as dt
from typing import Any

import pytest

from gateway.hotspot.setup import sweeper
from gateway.hotspot.words import Mark
from gateway.simulators.routeros import SimulatedRouter
from tests.fakeclock import FakeClock

PHONE, OTHER = "AA:BB:CC:00:00:01", "AA:BB:CC:00:00:02"
ADDRESS, OTHER_ADDRESS = "10.5.50.21", "10.5.50.22"
NOW_S = int(dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.UTC).timestamp())
LATE_S = NOW_S - sweeper.GRACE_S - 1
VERSIONS = ("6.49.18", "7.9.2", "7.20.8")


def site(version: str = "7.20.8", now_s: float = NOW_S) -> SimulatedRouter:
    simulated = SimulatedRouter(FakeClock(), version=version)
    simulated.set_clock(now_s)
    for mac, ip in ((PHONE, ADDRESS), (OTHER, OTHER_ADDRESS)):
        simulated.join(mac, ip)
    return simulated


def user(simulated: SimulatedRouter, until_s: int | None, mac: str = PHONE, ip: str = ADDRESS, **changes: str) -> None:
    """A customer who is online."""
    row = {"name": mac, "mac-address": mac, "comment": Mark("7", until_s).comment} | changes
    simulated.hotspot.users.add(row)
    simulated.hotspot.login(row["name"], "", ip, mac)


def binding(simulated: SimulatedRouter, until_s: int | None, mac: str = PHONE, **changes: str) -> None:
    row = {"mac-address": mac, "type": "bypassed", "comment": Mark("7", until_s).comment} | changes
    simulated.hotspot.bindings.add(row)
    simulated.traffic(mac)


async def sweep(simulated: SimulatedRouter) -> None:
    await simulated.run_script(f"{{\n{sweeper.source()}\n}}")


def names(simulated: SimulatedRouter) -> set[str]:
    return {row["name"] for row in simulated.hotspot.users} - {"default-trial"}


@pytest.mark.parametrize("version", VERSIONS)
async def test_who_is_overdue_is_out_and_who_is_not_stays(version: str):
    simulated = site(version)
    user(simulated, LATE_S)
    user(simulated, NOW_S + 60, OTHER, OTHER_ADDRESS)
    await sweep(simulated)
    assert names(simulated) == {OTHER}
    assert (simulated.passes(PHONE), simulated.passes(OTHER)) == (False, True)
    assert not simulated.traffic(PHONE)
    assert any("did not end the time of AA:BB:CC:00:00:01" in row["message"] for row in simulated.machine.log)


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_overdue_binding_is_gone_and_its_device_cut_off(version: str):
    simulated = site(version)
    binding(simulated, LATE_S)
    binding(simulated, NOW_S + 60, OTHER)
    assert simulated.passes(PHONE)
    await sweep(simulated)
    assert [row["mac-address"] for row in simulated.hotspot.bindings] == [OTHER]
    assert (simulated.passes(PHONE), simulated.passes(OTHER)) == (False, True)


@pytest.mark.parametrize(("overdue_s", "is_ended"), [(0, False), (sweeper.GRACE_S, False), (sweeper.GRACE_S + 1, True)])
async def test_the_gateway_has_a_minute_to_do_it_itself(overdue_s: int, is_ended: Any):
    simulated = site()
    user(simulated, NOW_S - overdue_s)
    await sweep(simulated)
    assert (names(simulated) == set()) is is_ended


@pytest.mark.parametrize(
    "comment",
    [
        "the owner's own",
        "hotspot-gateway portal",
        "hotspot-gateway until=1767225600",
        "old hotspot-gateway:7 until=1767225600",
        "hotspot-gateway:7",
        "hotspot-gateway:7 until=",
        "hotspot-gateway:7 until=soon",
        "hotspot-gateway:7 until=1767225600 or later",
        f"hotspot-gateway:7 until={NOW_S * 1000}",
        "hotspot-gateway:7 until=3600",  # written by a gateway whose own clock stood in 1970
    ],
)
async def test_rows_that_are_not_ours_or_say_no_end_that_can_be_believed_stay(comment: str):
    simulated = site()
    user(simulated, None, comment=comment)
    binding(simulated, None, OTHER, comment=comment)
    writes = simulated.writes
    await sweep(simulated)
    assert simulated.writes == writes
    assert (simulated.passes(PHONE), simulated.passes(OTHER)) == (True, True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("now_s", [0, 86_400, sweeper.BELIEVED_FROM_S - 1])
async def test_a_clock_that_is_not_set_ends_nobody(version: str, now_s: int):
    simulated = site(version, now_s)
    user(simulated, LATE_S)
    binding(simulated, 1, OTHER)
    writes = simulated.writes
    await sweep(simulated)
    assert simulated.writes == writes


async def test_a_guest_of_the_owner_on_the_same_device_stays_online():
    simulated = site()
    simulated.hotspot.users.add({"name": "voucher-1", "mac-address": PHONE, "comment": "the owner's own"})
    simulated.hotspot.users.add({"name": PHONE, "mac-address": PHONE, "comment": Mark("7", LATE_S).comment})
    simulated.hotspot.login("voucher-1", "", ADDRESS, PHONE)
    await sweep(simulated)
    assert names(simulated) == {"voucher-1"}
    assert simulated.passes(PHONE)


async def test_a_bypass_of_the_owner_for_the_same_device_still_lets_it_through():
    simulated = site()
    binding(simulated, LATE_S, PHONE)
    simulated.hotspot.bindings.add({"address": ADDRESS, "type": "bypassed", "comment": "the owner's own"})
    await sweep(simulated)
    assert [row["comment"] for row in simulated.hotspot.bindings] == ["the owner's own"]
    assert simulated.traffic(PHONE)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("zone", ["UTC", "Africa/Nairobi", "America/New_York", "Asia/Kathmandu"])
@pytest.mark.parametrize(
    "moment",
    [
        "2025-01-02 00:00:00",
        "2026-01-31 23:59:59",
        "2026-08-09 08:09:08",
        "2028-02-29 12:00:00",
        "2028-03-01 00:00:00",
        "2032-12-31 20:59:59",
    ],
)
async def test_every_date_is_read_right_to_the_second_in_every_zone(version: str, zone: str, moment: str):
    now_s = int(dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC).timestamp())
    simulated = site(version, now_s)
    simulated.machine.wall.set_zone(zone)
    user(simulated, now_s - sweeper.GRACE_S)
    user(simulated, now_s - sweeper.GRACE_S - 1, OTHER, OTHER_ADDRESS)
    await sweep(simulated)
    assert names(simulated) == {PHONE}
