"""The contract of a hotspot when the router fails: after the fault everything converges."""

import asyncio
from dataclasses import replace

import pytest

from gateway.errors import RouterRefused, RouterUnreachable
from gateway.hotspot.base import Device
from gateway.hotspot.mikrotik import MikrotikHotspot
from gateway.identity import Secret
from tests.contract.hotspots import ADDRESS, HOUR_S, PHONE, authorize_against_traps, closing, eventually, paths_of


async def test_a_reboot_shows_in_the_uptime_and_the_phone_is_back_after_it(site):
    wanted = site.wanted()
    await site.hotspot.authorize(wanted)
    site.clock.advance(600)
    assert (await site.hotspot.pulse()).uptime_s == 600
    await site.router.reboot()
    site.clock.advance(10)
    site.router.traffic(PHONE.text)
    assert (await eventually(site, site.hotspot.pulse)).uptime_s <= 10
    await site.hotspot.authorize(replace(wanted, remaining_s=HOUR_S - 610))
    assert site.router.passes(PHONE.text)


async def test_a_router_without_power_is_unreachable_and_everything_works_when_it_is_back(site):
    await site.hotspot.authorize(site.wanted())
    await site.router.power_off()
    for ask in (site.hotspot.pulse, site.hotspot.observe, lambda: site.hotspot.shut_out(PHONE)):
        with pytest.raises(RouterUnreachable):
            await ask()
    assert site.hotspot.reachable is False
    await site.router.power_on()
    site.clock.advance(5)
    await site.hotspot.shut_out(PHONE)
    assert site.hotspot.reachable is True
    assert site.ours() == []


async def test_a_silent_router_is_unreachable_within_the_deadline(site):
    async with closing(MikrotikHotspot(site.login, site.clock, deadline_s=0.2, probe_s=0.1)) as hotspot:
        await hotspot.pulse()
        site.router.faults.silent = True
        async with asyncio.timeout(1):
            with pytest.raises(RouterUnreachable):
                await hotspot.pulse()
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


async def test_a_missing_right_is_said_in_a_sentence_and_the_router_is_not_sold_on(site):
    with pytest.raises(RouterRefused, match="lacks a right") as caught:
        await authorize_against_traps(site, "not enough permissions (9)")
    assert "Kiosk" in caught.value.message
    assert site.hotspot.reachable is False
    await site.hotspot.pulse()
    assert site.hotspot.reachable is True


async def test_a_refusal_in_words_that_nobody_knows_ends_in_those_words(site):
    with pytest.raises(RouterRefused, match="keine Lust"):
        await authorize_against_traps(site, "keine Lust")
