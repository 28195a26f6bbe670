"""What every `Hotspot` promises, written once: run for both ways in and for the router versions that people have."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gateway.errors import DeviceAbsent, RouterRefused, RouterUnreachable
from gateway.hotspot.base import Device, Hotspot, RouterLogin, WantedAccess, Way
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.identity import IpAddress, MacAddress, Secret
from gateway.packages import SpeedProfile
from gateway.simulators.routeros import SimulatedRouter
from tests.fakeclock import FakeClock

VERSIONS = ["6.49.18", "7.10.2", "7.20.8", "7.24"]
PHONE, ADDRESS = MacAddress.parse("AA:BB:CC:00:00:01"), IpAddress.parse("10.5.50.21")
OTHER, OTHER_ADDRESS = MacAddress.parse("AA:BB:CC:00:00:02"), IpAddress.parse("10.5.50.22")
ADD = {Way.USER: "/ip/hotspot/user/add", Way.BINDING: "/ip/hotspot/ip-binding/add"}
HOUR_S = 3_600


@dataclass
class Site:
    """A router with a hotspot, and the adapter that is to steer it."""

    clock: FakeClock
    router: SimulatedRouter
    login: RouterLogin
    hotspot: MikrotikHotspot

    @property
    def way(self) -> Way:
        return self.login.way

    def wanted(self, **changes: Any) -> WantedAccess:
        remaining_s = changes.get("remaining_s", HOUR_S)
        usual = WantedAccess(
            grant_id="7",
            mac=PHONE,
            ip=ADDRESS,
            profile=SpeedProfile(2_000, 5_000, 1),
            until_epoch_s=int(self.clock.wall_s()) + remaining_s,
            remaining_s=remaining_s,
            data_limit_bytes=None,
        )
        return replace(usual, **changes)

    def ours(self) -> list[dict[str, str]]:
        tables = (self.router.hotspot.users, self.router.hotspot.bindings)
        return [row for table in tables for row in table if row.get("comment", "").startswith("hotspot-gateway:")]

    def foreign(self) -> list[dict[str, str]]:
        tables = (self.router.hotspot.users, self.router.hotspot.bindings)
        return [dict(row) for table in tables for row in table if not row.get("comment", "").startswith("hotspot-gateway:")]

    def another(self, **changes: Any) -> MikrotikHotspot:
        return MikrotikHotspot(replace(self.login, **changes), self.clock)


@pytest.fixture(params=VERSIONS)
async def router(request, clock) -> AsyncIterator[SimulatedRouter]:
    simulated = SimulatedRouter(clock, version=request.param)
    await simulated.start()
    simulated.join(PHONE.text, ADDRESS.text)
    yield simulated
    await simulated.stop()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=[pytest.param(way, id=way.value) for way in Way])
async def site(request, clock, router) -> AsyncIterator[Site]:
    login = RouterLogin(
        router_id=1,
        name="Kiosk",
        host="127.0.0.1",
        port=router.port,
        tls=False,
        tls_fingerprint=None,
        tls_ca_file=None,
        username="gateway",
        password=Secret("gateway"),
        hotspot_server="hotspot1",
        way=request.param,
    )
    hotspot = MikrotikHotspot(login, clock)
    yield Site(clock, router, login, hotspot)
    await hotspot.close()


def test_the_mikrotik_adapter_is_a_hotspot(site):
    hotspot: Hotspot = site.hotspot
    assert hotspot.reachable is None


# Let in


async def test_a_phone_that_is_authorized_passes_and_another_one_does_not(site):
    site.router.join(OTHER.text, OTHER_ADDRESS.text)
    assert not site.router.passes(PHONE.text)
    assert await site.hotspot.authorize(site.wanted()) == Device(PHONE, ADDRESS)
    assert site.router.traffic(PHONE.text)
    assert not site.router.traffic(OTHER.text)
    assert site.hotspot.reachable is True


async def test_authorizing_again_writes_nothing_and_interrupts_nobody(site):
    await site.hotspot.authorize(site.wanted())
    site.router.traffic(PHONE.text)
    writes, sessions = site.router.writes, list(site.router.hotspot.active.values())
    assert await site.hotspot.authorize(site.wanted()) == Device(PHONE, ADDRESS)
    assert site.router.writes == writes
    assert list(site.router.hotspot.active.values()) == sessions
    assert site.router.passes(PHONE.text)


async def test_authorizing_again_later_writes_nothing_while_the_end_is_the_same(site):
    wanted = site.wanted()
    await site.hotspot.authorize(wanted)
    writes = site.router.writes
    for _ in range(5):
        site.clock.advance(300)
        site.router.traffic(PHONE.text)
        wanted = replace(wanted, remaining_s=wanted.until_epoch_s - int(site.clock.wall_s()))
        await site.hotspot.authorize(wanted)
    assert site.router.writes == writes
    assert site.router.passes(PHONE.text)


async def test_a_phone_that_the_router_does_not_see_is_absent_and_gets_in_when_it_comes(site):
    wanted = site.wanted(mac=OTHER, ip=OTHER_ADDRESS)
    with pytest.raises(DeviceAbsent, match=OTHER.text):
        await site.hotspot.authorize(wanted)
    site.router.join(OTHER.text, OTHER_ADDRESS.text)
    assert await site.hotspot.authorize(wanted) == Device(OTHER, OTHER_ADDRESS)
    assert site.router.traffic(OTHER.text)


@pytest.mark.parametrize("hint", [None, OTHER_ADDRESS], ids=["no address", "an old address"])
async def test_a_phone_is_found_by_its_mac_whatever_address_it_was_last_seen_at(site, hint):
    assert await site.hotspot.authorize(site.wanted(ip=hint)) == Device(PHONE, ADDRESS)
    assert site.router.traffic(PHONE.text)


async def test_an_address_that_belongs_to_another_phone_now_lets_that_one_not_in(site):
    site.router.join(OTHER.text, OTHER_ADDRESS.text)
    await site.hotspot.authorize(site.wanted(ip=OTHER_ADDRESS))
    assert site.router.traffic(PHONE.text)
    assert not site.router.traffic(OTHER.text)


async def test_an_extension_keeps_the_phone_online_beyond_its_first_end(site):
    await site.hotspot.authorize(site.wanted())
    site.clock.advance(HOUR_S / 2)
    await site.hotspot.authorize(site.wanted(grant_id="8", remaining_s=HOUR_S + HOUR_S // 2))
    site.clock.advance(HOUR_S)
    assert site.router.traffic(PHONE.text)
    assert [row["comment"].split()[0] for row in site.ours()] == ["hotspot-gateway:8"]


async def test_a_phone_whose_time_was_over_can_buy_again(site):
    await site.hotspot.authorize(site.wanted())
    site.clock.advance(HOUR_S)
    await site.hotspot.authorize(site.wanted(grant_id="8"))
    assert site.router.traffic(PHONE.text)


async def test_many_phones_are_let_in_at_the_same_time(site):
    phones = [(MacAddress.parse(f"AA:BB:CC:00:01:{n:02X}"), IpAddress.parse(f"10.5.50.{100 + n}")) for n in range(12)]
    for mac, ip in phones:
        site.router.join(mac.text, ip.text)
    await asyncio.gather(*(site.hotspot.authorize(site.wanted(mac=mac, ip=ip)) for mac, ip in phones))
    assert all(site.router.traffic(mac.text) for mac, _ in phones)


async def test_the_same_phone_twice_at_the_same_time_is_let_in_once(site):
    answers = await asyncio.gather(*(site.hotspot.authorize(site.wanted()) for _ in range(3)))
    assert set(answers) == {Device(PHONE, ADDRESS)}
    assert len(site.ours()) == 1


async def test_a_second_gateway_of_the_same_router_meets_the_first_ones_work_and_keeps_it(site):
    await site.hotspot.authorize(site.wanted())
    writes, second = site.router.writes, site.another()
    assert await second.authorize(site.wanted()) == Device(PHONE, ADDRESS)
    await second.close()
    assert site.router.writes == writes


async def test_access_for_every_server_of_the_router_is_let_in_and_not_written_twice(site):
    everywhere = site.another(hotspot_server=None)
    await everywhere.authorize(site.wanted())
    writes = site.router.writes
    await everywhere.authorize(site.wanted())
    await everywhere.close()
    assert site.router.traffic(PHONE.text)
    assert site.router.writes == writes


# Shut out


async def test_a_phone_that_is_shut_out_stays_out(site):
    await site.hotspot.authorize(site.wanted())
    site.router.traffic(PHONE.text)
    await site.hotspot.shut_out(PHONE)
    assert not site.router.passes(PHONE.text)
    assert not site.router.traffic(PHONE.text)
    assert site.ours() == []


async def test_shutting_out_is_right_however_often_it_is_done(site):
    await site.hotspot.shut_out(PHONE)
    await site.hotspot.authorize(site.wanted())
    await site.hotspot.shut_out(PHONE)
    writes = site.router.writes
    await site.hotspot.shut_out(PHONE)
    assert site.router.writes == writes
    assert not site.router.traffic(PHONE.text)


async def test_shutting_one_phone_out_leaves_the_others_in(site):
    site.router.join(OTHER.text, OTHER_ADDRESS.text)
    await site.hotspot.authorize(site.wanted())
    await site.hotspot.authorize(site.wanted(mac=OTHER, ip=OTHER_ADDRESS))
    await site.hotspot.shut_out(PHONE)
    assert not site.router.traffic(PHONE.text)
    assert site.router.traffic(OTHER.text)


async def test_a_phone_that_has_left_is_shut_out_all_the_same(site):
    await site.hotspot.authorize(site.wanted())
    site.router.leave(PHONE.text)
    await site.hotspot.shut_out(PHONE)
    site.router.join(PHONE.text, ADDRESS.text)
    assert not site.router.traffic(PHONE.text)


async def test_what_was_let_in_the_other_way_is_shut_out_too(site):
    other_way = site.another(way=Way.BINDING if site.way is Way.USER else Way.USER)
    await other_way.authorize(site.wanted())
    await other_way.close()
    await site.hotspot.shut_out(PHONE)
    assert not site.router.traffic(PHONE.text)
    assert site.ours() == []


async def test_an_extension_after_the_way_was_changed_moves_the_phone_to_the_new_way(site):
    other_way = site.another(way=Way.BINDING if site.way is Way.USER else Way.USER)
    await other_way.authorize(site.wanted())
    await other_way.close()
    extended = site.wanted(grant_id="8", remaining_s=2 * HOUR_S)
    try:
        await site.hotspot.authorize(extended)
    except DeviceAbsent:  # its host row was removed so that it is judged anew: it is back with its next packet
        site.router.traffic(PHONE.text)
        await site.hotspot.authorize(extended)
    assert site.router.traffic(PHONE.text)
    [row] = (await site.hotspot.observe()).rows
    assert (row.grant_id, row.profile_name is None) == ("8", site.way is Way.BINDING)
    writes = site.router.writes
    await site.hotspot.authorize(extended)
    assert site.router.writes == writes


async def test_hand_made_rows_are_never_touched(site):
    hotspot = site.router.hotspot
    hotspot.users.add({"name": "staff", "mac-address": PHONE.text, "comment": "my own phone"})
    hotspot.users.add({"name": PHONE.text, "comment": "made by hand"})
    hotspot.bindings.add({"mac-address": OTHER.text, "type": "bypassed", "comment": "hotspot-gateway"})
    before = site.foreign()
    await site.hotspot.authorize(site.wanted())
    assert site.foreign() == before
    await site.hotspot.shut_out(PHONE)
    await site.hotspot.shut_out(OTHER)
    assert site.foreign() == before


# Look


async def test_a_phone_is_located_by_its_mac_and_by_its_address(site):
    phone = Device(PHONE, ADDRESS)
    assert await site.hotspot.locate(PHONE, None) == phone
    assert await site.hotspot.locate(None, ADDRESS) == phone
    assert await site.hotspot.locate(PHONE, OTHER_ADDRESS) == phone
    assert await site.hotspot.locate(OTHER, ADDRESS) == phone


async def test_a_phone_that_is_not_there_is_not_located(site):
    assert await site.hotspot.locate(OTHER, None) is None
    assert await site.hotspot.locate(None, OTHER_ADDRESS) is None
    assert await site.hotspot.locate(None, None) is None


async def test_the_mac_wins_over_the_address(site):
    site.router.join(OTHER.text, OTHER_ADDRESS.text)
    assert await site.hotspot.locate(OTHER, ADDRESS) == Device(OTHER, OTHER_ADDRESS)


async def test_a_router_without_customers_shows_nothing_of_ours_and_the_phones_that_are_there(site):
    site.clock.advance(90)
    snapshot = await site.hotspot.observe()
    assert (snapshot.rows, snapshot.strays, snapshot.hosts) == ((), (), frozenset({PHONE}))
    assert snapshot.uptime_s == 90


async def test_who_was_let_in_is_observed_with_grant_end_and_mac(site):
    wanted = site.wanted()
    await site.hotspot.authorize(wanted)
    [row] = (await site.hotspot.observe()).rows
    assert (row.grant_id, row.until_epoch_s, row.mac) == ("7", wanted.until_epoch_s, PHONE)
    assert row.profile_name == (wanted.profile.name if site.way is Way.USER else None)
    assert row.online
    assert not row.used_up


async def test_other_peoples_rows_are_not_observed(site):
    site.router.hotspot.users.add({"name": "staff", "comment": "hotspot-gateway is great"})
    site.router.hotspot.bindings.add({"mac-address": OTHER.text, "type": "bypassed", "comment": "hotspot-gateway"})
    assert (await site.hotspot.observe()).rows == ()


async def test_a_table_that_cannot_be_read_is_an_error_and_not_an_empty_one(site):
    await site.hotspot.authorize(site.wanted())
    for path in ("/ip/hotspot/user/print", "/ip/hotspot/ip-binding/print", "/ip/hotspot/active/print", "/ip/hotspot/host/print"):
        site.router.faults.trap_next[path] = "failure: something"
        with pytest.raises(RouterRefused, match="something"):
            await site.hotspot.observe()


# Trouble


async def test_a_reboot_shows_in_the_uptime_and_the_phone_is_back_after_it(site):
    wanted = site.wanted()
    await site.hotspot.authorize(wanted)
    site.clock.advance(600)
    assert await site.hotspot.uptime_s() == 600
    await site.router.reboot()
    site.clock.advance(10)
    site.router.traffic(PHONE.text)
    assert await eventually(site, site.hotspot.uptime_s) <= 10
    await site.hotspot.authorize(replace(wanted, remaining_s=HOUR_S - 610))
    assert site.router.passes(PHONE.text)


async def test_a_router_without_power_is_unreachable_and_everything_works_when_it_is_back(site):
    await site.hotspot.authorize(site.wanted())
    await site.router.power_off()
    for ask in (site.hotspot.uptime_s, site.hotspot.observe, lambda: site.hotspot.shut_out(PHONE)):
        with pytest.raises(RouterUnreachable):
            await ask()
    assert site.hotspot.reachable is False
    await site.router.power_on()
    site.clock.advance(5)
    await site.hotspot.shut_out(PHONE)
    assert site.hotspot.reachable is True
    assert site.ours() == []


async def test_a_silent_router_is_unreachable_within_the_deadline(site):
    async with closing(MikrotikHotspot(site.login, site.clock, deadline_s=0.05, probe_s=0.02)) as hotspot:
        await hotspot.uptime_s()
        site.router.faults.silent = True
        async with asyncio.timeout(1):
            with pytest.raises(RouterUnreachable):
                await hotspot.uptime_s()
            with pytest.raises(RouterUnreachable):
                await hotspot.authorize(site.wanted())
        assert hotspot.reachable is False
        site.router.faults.silent = False
        site.clock.advance(5)
        await hotspot.authorize(site.wanted())
        assert site.router.traffic(PHONE.text)


async def test_a_connection_that_is_cut_after_any_command_of_authorizing_leaves_nothing_that_the_next_attempt_cannot_mend(site):
    async def authorize_anew(*cut: str):
        await site.hotspot.shut_out(PHONE)
        site.router.traffic(PHONE.text)
        site.router.commands.clear()
        site.router.faults.drop_after = set(cut)
        async with closing(site.another()) as fresh:
            return await fresh.authorize(site.wanted())

    await authorize_anew()  # the very first time makes the profile
    for path in await paths_of(site, authorize_anew):
        with pytest.raises(RouterUnreachable):
            await authorize_anew(path)
        site.router.traffic(PHONE.text)
        assert await eventually(site, lambda: site.hotspot.authorize(site.wanted())) == Device(PHONE, ADDRESS)
        assert site.router.traffic(PHONE.text), path
        assert len(site.ours()) == 1, path


async def test_a_connection_that_is_cut_after_any_command_of_shutting_out_leaves_nothing_that_the_next_attempt_cannot_mend(site):
    await site.hotspot.authorize(site.wanted())
    site.router.traffic(PHONE.text)
    for path in await paths_of(site, lambda: site.hotspot.shut_out(PHONE)):
        site.router.traffic(PHONE.text)
        await eventually(site, lambda: site.hotspot.authorize(site.wanted()))
        site.router.traffic(PHONE.text)
        site.router.faults.drop_after = {path}
        with pytest.raises(RouterUnreachable):
            await site.hotspot.shut_out(PHONE)
        site.router.traffic(PHONE.text)
        await eventually(site, lambda: site.hotspot.shut_out(PHONE))
        assert not site.router.traffic(PHONE.text), path
        assert site.ours() == [], path


async def test_a_wrong_password_is_said_in_a_sentence(site):
    stranger = site.another(password=Secret("guess"))
    with pytest.raises(RouterRefused, match="user name or password"):
        await stranger.authorize(site.wanted())
    assert stranger.reachable is False
    await stranger.close()


async def test_a_missing_right_is_said_in_a_sentence_and_the_router_counts_as_reachable(site):
    with pytest.raises(RouterRefused, match="lacks a right") as caught:
        await authorize_against_traps(site, "not enough permissions (9)")
    assert "Kiosk" in caught.value.message
    assert site.hotspot.reachable is True


async def test_a_refusal_in_words_that_nobody_knows_ends_in_those_words(site):
    with pytest.raises(RouterRefused, match="keine Lust"):
        await authorize_against_traps(site, "keine Lust")


async def authorize_against_traps(site: Site, text: str) -> Device:
    """Authorize while the router refuses to add the row, each time that it is asked."""

    class Stubborn(dict[str, str]):
        def pop(self, path, *default: Any):
            return self.get(path, *default)

    site.router.faults.trap_next = Stubborn({ADD[site.way]: text})
    return await site.hotspot.authorize(site.wanted())


@asynccontextmanager
async def closing(hotspot: MikrotikHotspot) -> AsyncIterator[MikrotikHotspot]:
    try:
        yield hotspot
    finally:
        await hotspot.close()


async def paths_of(site: Site, act) -> list[str]:
    """The commands that something takes, by path, each once."""
    site.router.commands.clear()
    await act()
    return list(dict.fromkeys(line.split()[0] for line in site.router.commands))


async def eventually(site: Site, act):
    """Do it as the reconciler does: again, after a pause, while the router is unreachable or the phone away."""
    for _ in range(3):
        try:
            return await act()
        except (RouterUnreachable, DeviceAbsent):
            site.clock.advance(5)
            site.router.traffic(PHONE.text)
    return await act()
