"""One router's gate: time that goes to another device, and devices whose users log out, whatever the router does meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.access import Grant, GrantState
from gateway.errors import Conflict, RouterUnreachable
from gateway.gate import ACTIVATION_ALLOWANCE_S
from gateway.identity import Duration, MacAddress
from tests.gatepost import DOWN, OTHER_IP, Post, window
from tests.ledger import IP, MAC, NOW_S, OTHER_MAC, in_folder


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    db = await in_folder(tmp_path)
    yield Post(db)
    await db.close()


# ── moving to another device ──


async def test_what_is_left_of_a_grant_goes_to_the_other_device_and_the_old_one_is_out(post: Post):
    opened = await post.opened()
    post.woken.clear()
    post.clock.advance(600)
    moved = await post.gate.move(opened, OTHER_MAC, OTHER_IP)
    assert (moved.state, moved.mac, moved.ip) == (GrantState.OWED, OTHER_MAC, OTHER_IP)
    assert (moved.used_s, window(moved)) == (600, (None, None))
    assert await post.stored() == moved
    assert (post.hotspot.deeds[-1], MAC in post.hotspot.shown) == (("shut_out", MAC), False)
    assert post.woken == ["close:1", "open:1"]


async def test_the_other_device_has_exactly_what_is_left_however_late_the_router_confirms_it(post: Post):
    opened = await post.opened()
    post.clock.advance(600)
    moved = await post.gate.move(opened, OTHER_MAC, None)
    post.clock.advance(40)
    again = await post.gate.open(moved)
    assert window(again) == (NOW_S + 640, NOW_S + 3_640)
    assert post.hotspot.shown[OTHER_MAC].until_epoch_s == NOW_S + 3_640 + ACTIVATION_ALLOWANCE_S


async def test_a_grant_that_moves_behind_what_the_other_device_has_follows_it(post: Post):
    own = await post.opened(1, mac=OTHER_MAC)
    moved = await post.gate.move(await post.opened(2), OTHER_MAC, None)
    assert window(await post.gate.open(moved)) == (own.ends_s, own.ends_s + 3_600)
    assert list(post.hotspot.shown) == [OTHER_MAC]


async def test_the_old_device_goes_on_under_what_it_has_besides(post: Post):
    first = await post.opened(1)
    await post.opened(2)
    post.clock.advance(600)
    await post.gate.move(first, OTHER_MAC, None)
    assert window(await post.stored(2)) == (NOW_S + 600, NOW_S + 4_200)
    assert post.hotspot.shown[MAC].grant_id == "grant-2"


async def test_a_grant_of_no_device_goes_to_the_one_in_hand(post: Post):
    moved = await post.gate.move(await post.owed(mac=None, ip=None, state=GrantState.UNCLAIMED), MAC, IP)
    assert (moved.state, moved.mac, moved.used_s) == (GrantState.OWED, MAC, 0)
    assert (await post.gate.open(moved)).ends_s == NOW_S + 3_600


@pytest.mark.parametrize("state", [GrantState.OWED, GrantState.UNCLAIMED])
async def test_the_router_forgets_the_old_device_though_it_never_confirmed_it(post: Post, state):
    """It may hold a row for it, by which the device would be let in (facts, routeros 2.6)."""
    await post.gate.move(await post.owed(state=state), OTHER_MAC, None)
    assert post.hotspot.deeds == [("shut_out", MAC)]
    assert await post.unconfirmed() == frozenset()


async def test_a_router_that_could_not_be_told_to_forget_the_old_device_is_told_by_the_comparison(post: Post):
    post.hotspot.fault = DOWN
    await post.gate.move(await post.owed(state=GrantState.UNCLAIMED), OTHER_MAC, None)
    assert await post.unconfirmed() == {MAC}


async def test_a_move_is_written_before_the_router_hears_of_it_and_stands_when_it_does_not(post: Post):
    opened = await post.opened()
    post.hotspot.fault = DOWN
    moved = await post.gate.move(opened, OTHER_MAC, None)
    assert await post.stored() == moved
    assert MAC in post.hotspot.shown  # until the comparison mends it


@pytest.mark.parametrize("state", [GrantState.ENDING, GrantState.ENDED, GrantState.REVOKED])
@pytest.mark.parametrize("mac", [MAC, OTHER_MAC])
async def test_what_is_over_moves_nowhere(post: Post, state, mac):
    over = await post.owed(state=state, starts_at_s=NOW_S, ends_at_s=NOW_S + 3_600)
    with pytest.raises(Conflict, match="This time is over"):
        await post.gate.move(over, mac, None)
    assert await post.stored() == over


async def test_what_is_used_up_moves_nowhere_though_nobody_has_ended_it_yet(post: Post):
    opened = await post.opened()
    post.clock.advance(3_600)
    with pytest.raises(Conflict, match="This time is over"):
        await post.gate.move(opened, OTHER_MAC, None)
    assert await post.stored() == opened


async def test_a_move_to_the_device_that_has_it_changes_nothing(post: Post):
    opened = await post.opened()
    assert await post.gate.move(opened, MAC, IP) == opened == await post.stored()
    assert post.hotspot.deeds == [("authorize", MAC)]


async def test_a_move_to_its_own_device_lets_a_lost_or_logged_out_one_in_again(post: Post):
    unclaimed = await post.owed(1, state=GrantState.UNCLAIMED)
    assert (await post.gate.move(unclaimed, MAC, IP)).state is GrantState.OWED
    assert post.woken == ["open:1"]
    opened = await post.opened(2, mac=OTHER_MAC)
    await post.gate.log_out(OTHER_MAC)
    assert (await post.gate.move(opened, OTHER_MAC, None)).logged_out is False
    assert OTHER_MAC in post.hotspot.shown


async def test_who_still_thinks_of_the_old_device_neither_opens_ends_nor_loses_what_has_moved(post: Post):
    opened = await post.opened()
    post.clock.advance(600)
    moved = await post.gate.move(opened, OTHER_MAC, None)
    assert await post.gate.end(opened, "time") == moved
    again = await post.gate.open(replace(opened, state=GrantState.OWED))
    assert (again, MAC in post.hotspot.shown) == (moved, False)


async def test_a_grant_that_is_moved_while_its_device_is_looked_for_is_the_other_devices(post: Post):
    post.hotspot.pause = asyncio.Event()
    owed = await post.owed(mac=None)
    opening = asyncio.create_task(post.gate.open(owed))
    await post.hotspot.asked.wait()
    moved = await post.gate.move(owed, OTHER_MAC, None)
    post.hotspot.pause.set()
    assert (await opening).mac == moved.mac == OTHER_MAC
    assert MAC not in post.hotspot.shown


async def test_a_grant_that_is_moved_while_nobody_is_found_stays_owed(post: Post):
    post.hotspot.pause = asyncio.Event()
    post.hotspot.devices.clear()
    owed = await post.owed(mac=None)
    opening = asyncio.create_task(post.gate.open(owed))
    await post.hotspot.asked.wait()
    moved = await post.gate.move(owed, OTHER_MAC, None)
    post.hotspot.pause.set()
    assert await opening == moved == await post.stored()


async def test_a_grant_that_moves_while_it_is_opened_ends_on_the_other_device(post: Post):
    post.hotspot.pause = asyncio.Event()
    owed = await post.owed()
    opening = asyncio.create_task(post.gate.open(owed))
    await post.hotspot.asked.wait()
    moving = asyncio.create_task(post.gate.move(owed, OTHER_MAC, None))
    await asyncio.sleep(0)
    post.hotspot.pause.set()
    assert (await opening).mac == MAC
    assert (await moving).mac == OTHER_MAC
    assert MAC not in post.hotspot.shown


async def test_of_two_who_move_the_same_grant_at_once_one_has_it_and_the_other_is_told(post: Post):
    opened = await post.opened()
    third_mac = MacAddress("A2:00:00:00:00:03")
    outcomes = await asyncio.gather(
        post.gate.move(opened, OTHER_MAC, None), post.gate.move(opened, third_mac, None), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [Grant, Conflict]
    assert str(outcomes[1]) == "This time has just gone to another device; ask again"
    assert (await post.stored()).mac == OTHER_MAC


async def test_two_grants_that_cross_do_not_wait_for_each_other(post: Post):
    mine, theirs = await post.opened(1), await post.opened(2, mac=OTHER_MAC)
    held = [post.gate._lock(mac) for mac in (MAC, OTHER_MAC)]
    for lock in held:
        await lock.acquire()
    crossing = asyncio.gather(post.gate.move(mine, OTHER_MAC, None), post.gate.move(theirs, MAC, None))
    await asyncio.sleep(0)
    for lock in held:
        lock.release()
    async with asyncio.timeout(5):
        await crossing
    assert ((await post.stored(1)).mac, (await post.stored(2)).mac) == (OTHER_MAC, MAC)


async def test_data_that_was_used_moves_along_so_that_nobody_gains_by_moving(post: Post):
    opened = await post.opened(package_id=2, duration=Duration(86_400))
    post.hotspot.used_bytes[MAC] = 400_000_000
    moved = await post.gate.move(opened, OTHER_MAC, None)
    assert moved.used_bytes == 400_000_000
    await post.gate.open(moved)
    assert post.hotspot.shown[OTHER_MAC].data_limit_bytes == 100_000_000
    post.hotspot.used_bytes[OTHER_MAC] = 100_000_000
    back = await post.gate.move(await post.stored(), MAC, None)
    await post.gate.open(back)
    assert post.hotspot.shown[MAC].data_limit_bytes == 1  # zero would mean: no limit


async def test_limited_data_moves_only_while_the_router_can_say_how_much_was_used(post: Post):
    opened = await post.opened(package_id=2, duration=Duration(86_400))
    post.hotspot.fault = DOWN
    with pytest.raises(RouterUnreachable):
        await post.gate.move(opened, OTHER_MAC, None)
    with pytest.raises(RouterUnreachable):
        await post.gate.log_out(MAC)
    assert await post.stored() == opened


@pytest.mark.parametrize(
    "lose",
    [
        lambda gate, grant: gate.move(grant, OTHER_MAC, None),
        lambda gate, grant: gate.log_out(grant.mac),
        lambda gate, grant: gate.revoke(grant),
    ],
    ids=["move", "log_out", "revoke"],
)
async def test_what_a_device_loses_is_expected_of_the_router_until_it_has_confirmed_it(post: Post, lose):
    opened = await post.opened()
    post.hotspot.fault = DOWN
    await lose(post.gate, opened)
    assert await post.unconfirmed() == {MAC}
    post.hotspot.fault = None
    await post.gate.repair(MAC)
    assert await post.unconfirmed() == set()


async def test_what_the_router_confirms_at_once_is_not_expected_of_it_any_more(post: Post):
    await post.gate.move(await post.opened(), OTHER_MAC, None)
    assert await post.unconfirmed() == set()


# ── logging out and in ──


async def test_who_logs_out_is_out_and_the_time_runs_on(post: Post):
    opened = await post.opened()
    await post.gate.log_out(MAC)
    assert await post.stored() == replace(opened, logged_out=True, version=opened.version + 1)
    assert post.hotspot.deeds[-1] == ("shut_out", MAC)


async def test_a_repair_keeps_who_logged_out_outside(post: Post):
    await post.opened()
    await post.gate.log_out(MAC)
    await post.gate.repair(MAC)
    assert MAC not in post.hotspot.shown


async def test_who_logs_in_again_has_what_is_left(post: Post):
    opened = await post.opened()
    await post.gate.log_out(MAC)
    post.clock.advance(600)
    await post.gate.log_in(MAC)
    assert window(await post.stored()) == window(opened)
    assert post.hotspot.shown[MAC].remaining_s == 3_000 + ACTIVATION_ALLOWANCE_S


async def test_everything_that_a_device_has_is_logged_out_and_in_together(post: Post):
    await post.opened(1)
    await post.opened(2)
    await post.gate.log_out(MAC)
    assert [(await post.stored(number)).logged_out for number in (1, 2)] == [True, True]
    await post.gate.log_in(MAC)
    assert [(await post.stored(number)).logged_out for number in (1, 2)] == [False, False]


async def test_a_purchase_lets_who_logged_out_in_again(post: Post):
    await post.opened(1)
    await post.gate.log_out(MAC)
    second = await post.opened(2)
    assert second.starts_at_s == NOW_S + 3_600
    assert (await post.stored(1)).logged_out is False
    assert post.hotspot.shown[MAC].grant_id == "grant-1"


async def test_a_grant_ends_in_time_though_its_device_is_logged_out(post: Post):
    opened = await post.opened(1)
    await post.opened(2)
    await post.gate.log_out(MAC)
    post.clock.advance(3_600)
    assert (await post.gate.end(await post.stored(1), "time")).state is GrantState.ENDED
    assert (opened.ends_s, MAC in post.hotspot.shown) == (NOW_S + 3_600, False)


async def test_logging_out_or_in_twice_or_without_anything_changes_nothing(post: Post):
    await post.gate.log_out(MAC)
    await post.gate.log_in(MAC)
    await post.opened()
    await post.gate.log_in(MAC)
    assert post.hotspot.deeds == [("authorize", MAC)]
    for _ in range(2):
        await post.gate.log_out(MAC)
    assert post.hotspot.deeds == [("authorize", MAC), ("shut_out", MAC)]


async def test_who_logs_out_of_a_router_that_does_not_answer_is_out_as_soon_as_it_does(post: Post):
    await post.opened()
    post.hotspot.fault = DOWN
    await post.gate.log_out(MAC)
    assert (await post.stored()).logged_out
    post.hotspot.fault = None
    await post.gate.repair(MAC)
    assert MAC not in post.hotspot.shown


async def test_data_that_was_used_before_logging_out_is_used(post: Post):
    await post.opened(package_id=2, duration=Duration(86_400))
    post.hotspot.used_bytes[MAC] = 400_000_000
    await post.gate.log_out(MAC)
    await post.gate.log_in(MAC)
    assert post.hotspot.shown[MAC].data_limit_bytes == 100_000_000
