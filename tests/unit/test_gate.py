"""One router's gate: opening, ending and carrying on, one device at a time, whatever the router does meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.access import GrantState
from gateway.errors import Conflict, DeviceAbsent, RouterUnreachable, Unavailable
from gateway.gate import ACTIVATION_ALLOWANCE_S
from gateway.hotspot.base import Device
from gateway.identity import Duration, IpAddress
from gateway.payments import IllegalTransition
from gateway.store import books as book_rows
from gateway.store.books import Lost
from tests.gatepost import DOWN, Post, window
from tests.ledger import DAY, HOUR, IP, MAC, NOW_S, OTHER_MAC, grant, in_folder, payment


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    db = await in_folder(tmp_path)
    yield Post(db)
    await db.close()


# ── opening ──


async def test_a_device_that_paid_is_let_through_and_its_time_starts_then(post: Post):
    owed = await post.owed()
    post.clock.advance(40)
    opened = await post.gate.open(owed)
    assert (opened.state, window(opened)) == (GrantState.ACTIVE, (NOW_S + 40, NOW_S + 3_640))
    assert await post.stored() == opened
    assert post.hotspot.deeds == [("authorize", MAC)]
    assert post.woken == ["close:1"]


async def test_the_router_is_shown_the_grant_its_speed_and_its_end_with_the_allowance(post: Post):
    await post.opened(package_id=2, duration=Duration(86_400))
    wanted = post.hotspot.shown[MAC]
    assert (wanted.grant_id, wanted.mac, wanted.ip, wanted.profile) == ("grant-1", MAC, IP, DAY.profile)
    assert wanted.until_epoch_s == NOW_S + 86_400 + ACTIVATION_ALLOWANCE_S
    assert wanted.remaining_s == 86_400 + ACTIVATION_ALLOWANCE_S
    assert wanted.data_limit_bytes == 500_000_000


async def test_the_address_that_the_router_confirmed_is_kept(post: Post):
    post.hotspot.devices[MAC] = Device(MAC, IpAddress("192.168.1.7"))
    assert (await post.opened()).ip == IpAddress("192.168.1.7")


async def test_time_runs_from_the_confirmation_not_from_the_question(post: Post):
    post.hotspot.pause = asyncio.Event()
    opening = asyncio.create_task(post.gate.open(await post.owed()))
    await post.hotspot.asked.wait()
    post.clock.advance(3)
    post.hotspot.pause.set()
    assert window(await opening) == (NOW_S + 3, NOW_S + 3_603)


async def test_a_router_that_does_not_answer_leaves_the_grant_owed(post: Post):
    post.hotspot.fault = DOWN
    owed = await post.owed()
    with pytest.raises(RouterUnreachable):
        await post.gate.open(owed)
    assert await post.stored() == owed


async def test_a_device_that_the_router_does_not_see_leaves_the_grant_unclaimed(post: Post):
    post.hotspot.faults[MAC] = DeviceAbsent("not in the host table")
    assert (await post.opened()).state is GrantState.UNCLAIMED
    assert window(await post.stored()) == (None, None)


async def test_a_device_that_is_known_by_its_address_only_is_looked_up_and_kept(post: Post):
    opened = await post.opened(mac=None)
    assert (opened.state, opened.mac) == (GrantState.ACTIVE, MAC)


async def test_a_device_that_was_looked_up_is_kept_also_when_the_router_fails_after_that(post: Post):
    post.hotspot.faults[MAC] = DOWN
    with pytest.raises(RouterUnreachable):
        await post.opened(mac=None)
    assert ((await post.stored()).mac, (await post.stored()).state) == (MAC, GrantState.OWED)


@pytest.mark.parametrize("state", [GrantState.ENDED, GrantState.REVOKED])
async def test_a_grant_that_is_over_by_now_lets_nobody_through(post: Post, state):
    over = await post.owed(state=state)
    assert await post.gate.open(replace(over, state=GrantState.OWED)) == over
    assert post.hotspot.deeds == []


@pytest.mark.parametrize("ip", [None, IpAddress("192.168.1.200")])
async def test_a_grant_of_nobody_that_the_router_sees_is_unclaimed(post: Post, ip):
    assert (await post.opened(mac=None, ip=ip)).state is GrantState.UNCLAIMED
    assert post.hotspot.deeds == []


async def test_opening_twice_changes_nothing_more(post: Post):
    owed = await post.owed()
    first = await post.gate.open(owed)
    post.clock.advance(10)
    assert await post.gate.open(owed) == first
    assert post.hotspot.shown[MAC].until_epoch_s == first.ends_s + ACTIVATION_ALLOWANCE_S


async def test_two_who_open_the_same_grant_at_once_give_its_time_once(post: Post):
    owed = await post.owed()
    first, second = await asyncio.gather(post.gate.open(owed), post.gate.open(owed))
    assert first == second == await post.stored()
    assert post.hotspot.deeds == [("authorize", MAC)]


async def test_paying_again_while_online_adds_the_time_and_keeps_the_first_grants_turn(post: Post):
    first = await post.opened(1)
    post.clock.advance(600)
    second = await post.opened(2, package_id=2, duration=Duration(86_400))
    assert window(second) == (first.ends_s, first.ends_s + 86_400)
    wanted = post.hotspot.shown[MAC]
    assert (wanted.grant_id, wanted.profile) == ("grant-1", HOUR.profile)
    assert wanted.until_epoch_s == second.ends_s + ACTIVATION_ALLOWANCE_S


async def test_two_grants_of_one_device_that_open_at_once_do_not_overlap(post: Post):
    one, other = await post.owed(1), await post.owed(2)
    opened = await asyncio.gather(post.gate.open(one), post.gate.open(other))
    early, late = sorted(opened, key=lambda grant: grant.ends_s)
    assert window(late) == (early.ends_s, NOW_S + 7_200)


async def test_one_slow_device_holds_up_no_other(post: Post):
    slow, quick = await post.owed(1), await post.owed(2, mac=OTHER_MAC)
    lock = post.gate._lock(MAC)
    await lock.acquire()
    waiting = asyncio.create_task(post.gate.open(slow))
    assert (await post.gate.open(quick)).state is GrantState.ACTIVE
    lock.release()
    assert (await waiting).state is GrantState.ACTIVE


# ── ending ──


async def test_a_grant_whose_time_is_over_is_shut_out(post: Post):
    opened = await post.opened()
    post.clock.advance(3_600)
    ended = await post.gate.end(opened, "time")
    assert (ended.state, ended.ended_because) == (GrantState.ENDED, "time")
    assert post.hotspot.deeds == [("authorize", MAC), ("shut_out", MAC)]
    assert await post.stored() == ended


async def test_the_intent_to_end_is_written_before_the_deed(post: Post):
    opened = await post.opened()
    post.hotspot.fault = DOWN
    with pytest.raises(RouterUnreachable):
        await post.gate.end(opened, "time")
    assert ((await post.stored()).state, (await post.stored()).ended_because) == (GrantState.ENDING, "time")


async def test_an_end_that_the_router_missed_is_finished_later(post: Post):
    opened = await post.opened()
    post.hotspot.fault = DOWN
    with pytest.raises(RouterUnreachable):
        await post.gate.end(opened, "data")
    post.hotspot.fault = None
    ended = await post.gate.end(await post.stored(), "data")
    assert (ended.state, ended.ended_because) == (GrantState.ENDED, "data")
    assert MAC not in post.hotspot.shown


async def test_a_device_with_another_grant_is_carried_on_under_it(post: Post):
    first = await post.opened(1)
    second = await post.opened(2, package_id=2, duration=Duration(86_400))
    post.clock.advance(3_600)
    await post.gate.end(first, "time")
    assert [deed for deed, _ in post.hotspot.deeds] == ["authorize"] * 3
    wanted = post.hotspot.shown[MAC]
    assert (wanted.grant_id, wanted.profile, wanted.remaining_s) == ("grant-2", DAY.profile, 86_400 + ACTIVATION_ALLOWANCE_S)
    assert window(await post.stored(2)) == window(second)


async def test_nobody_loses_a_second_when_the_data_of_the_first_grant_is_used_up(post: Post):
    first = await post.opened(1)
    await post.opened(2)
    await post.opened(3)
    post.clock.advance(100)
    await post.gate.end(first, "data")
    assert window(await post.stored(2)) == (NOW_S + 100, NOW_S + 3_700)
    assert window(await post.stored(3)) == (NOW_S + 3_700, NOW_S + 7_300)
    assert post.hotspot.shown[MAC].until_epoch_s == NOW_S + 7_300 + ACTIVATION_ALLOWANCE_S


async def test_a_device_that_has_left_ends_all_the_same(post: Post):
    first, _ = await post.opened(1), await post.opened(2)
    post.hotspot.faults[MAC] = DeviceAbsent("gone")
    assert (await post.gate.end(first, "time")).state is GrantState.ENDED


async def test_a_grant_that_never_began_cannot_end(post: Post):
    owed = await post.owed()
    with pytest.raises(IllegalTransition):
        await post.gate.end(owed, "time")
    assert await post.stored() == owed
    assert post.hotspot.deeds == []


async def test_a_grant_that_was_let_through_without_a_device_is_a_bug_that_is_told(post: Post):
    with pytest.raises(ValueError, match="grant grant-1 was let through without a device"):
        await post.gate.end(grant(mac=None, state=GrantState.ACTIVE), "time")


# ── the operator's hand ──


async def test_what_is_revoked_is_written_before_the_router_hears_of_it(post: Post):
    opened = await post.opened()
    post.hotspot.fault = DOWN
    revoked = await post.gate.revoke(opened)
    assert (revoked.state, revoked.ended_because) == (GrantState.REVOKED, "revoked")
    assert await post.stored() == revoked
    assert MAC in post.hotspot.shown  # until the comparison mends it


async def test_a_revoked_grant_shuts_its_device_out_and_wakes_the_closing_job(post: Post):
    opened = await post.opened()
    post.woken.clear()
    await post.gate.revoke(opened)
    assert post.hotspot.deeds[-1] == ("shut_out", MAC)
    assert post.woken == ["close:1"]


async def test_nobody_behind_a_revoked_grant_loses_a_second(post: Post):
    first = await post.opened(1)
    await post.opened(2)
    post.clock.advance(100)
    await post.gate.revoke(first)
    assert window(await post.stored(2)) == (NOW_S + 100, NOW_S + 3_700)
    assert post.hotspot.shown[MAC].grant_id == "grant-2"


async def test_a_grant_that_is_revoked_while_it_is_opened_ends_revoked_and_shut_out(post: Post):
    post.hotspot.pause = asyncio.Event()
    owed = await post.owed()
    opening = asyncio.create_task(post.gate.open(owed))
    await post.hotspot.asked.wait()
    revoking = asyncio.create_task(post.gate.revoke(owed))
    await asyncio.sleep(0)
    post.hotspot.pause.set()
    assert (await opening).state is GrantState.ACTIVE
    assert (await revoking).state is GrantState.REVOKED
    assert MAC not in post.hotspot.shown


async def test_a_grant_that_is_revoked_while_its_device_is_looked_for_lets_nobody_through(post: Post):
    post.hotspot.pause = asyncio.Event()
    owed = await post.owed(mac=None)
    opening = asyncio.create_task(post.gate.open(owed))
    await post.hotspot.asked.wait()
    await post.gate.revoke(owed)
    post.hotspot.pause.set()
    assert (await opening).state is GrantState.REVOKED
    assert post.hotspot.deeds == []


async def test_an_adopted_grant_that_has_run_by_now_stays_ended_when_nobody_finds_its_device(post: Post):
    owed = await post.owed(mac=None, ip=None)
    await post.db.write(lambda tx: book_rows.end(tx, Lost(owed, payment()), NOW_S + 7_200))
    assert (await post.gate.open(owed)).state is GrantState.ENDED


async def test_a_device_that_is_back_after_its_grant_was_revoked_changes_nothing(post: Post):
    unclaimed = await post.owed(state=GrantState.UNCLAIMED)
    await post.gate.revoke(unclaimed)
    await post.gate.claim(unclaimed)
    assert (await post.stored()).state is GrantState.REVOKED


async def test_what_was_extended_or_revoked_since_it_was_found_due_is_not_ended(post: Post):
    first, second = await post.opened(1), await post.opened(2, mac=OTHER_MAC)
    post.clock.advance(3_600)
    longer = await post.gate.extend(first, Duration(60))
    revoked = await post.gate.revoke(second)
    assert await post.gate.end(first, "time") == longer == await post.stored(1)
    assert await post.gate.end(second, "time") == revoked == await post.stored(2)
    assert MAC in post.hotspot.shown


async def test_an_extension_is_shown_to_the_router_with_its_new_end(post: Post):
    opened = await post.opened()
    longer = await post.gate.extend(opened, Duration(600))
    assert window(longer) == (NOW_S, NOW_S + 4_200)
    assert longer.duration == Duration(4_200)
    assert post.hotspot.shown[MAC].until_epoch_s == NOW_S + 4_200 + ACTIVATION_ALLOWANCE_S
    assert await post.stored() == longer


async def test_an_extension_that_the_router_cannot_hear_stands_all_the_same(post: Post):
    opened = await post.opened()
    post.hotspot.fault = DOWN
    assert (await post.gate.extend(opened, Duration(600))).ends_s == NOW_S + 4_200


@pytest.mark.parametrize("state", [GrantState.ENDING, GrantState.ENDED])
async def test_what_is_over_is_neither_revoked_nor_extended(post: Post, state):
    over = await post.owed(state=state, starts_at_s=NOW_S, ends_at_s=NOW_S + 3_600)
    with pytest.raises(Conflict, match="This grant is over already"):
        await post.gate.revoke(over)
    with pytest.raises(Conflict, match="This grant is over already"):
        await post.gate.extend(over, Duration(60))
    assert await post.stored() == over


# ── repairing, claiming ──


async def test_a_repair_shows_what_the_database_says_as_often_as_one_likes(post: Post):
    opened = await post.opened()
    before = post.hotspot.shown[MAC]
    post.hotspot.shown.clear()
    post.clock.advance(60)
    for _ in range(3):
        await post.gate.repair(MAC)
    assert post.hotspot.shown[MAC] == replace(before, ip=None, remaining_s=before.remaining_s - 60)
    assert await post.stored() == opened


async def test_a_repair_shuts_out_who_has_no_grant(post: Post):
    await post.gate.repair(OTHER_MAC)
    assert post.hotspot.deeds == [("shut_out", OTHER_MAC)]


async def test_a_repair_of_a_device_that_is_not_there_is_no_fault(post: Post):
    await post.opened()
    post.hotspot.faults[MAC] = DeviceAbsent("asleep")
    await post.gate.repair(MAC)


async def test_a_device_that_is_there_again_is_owed_its_time_at_once(post: Post):
    unclaimed = await post.owed(state=GrantState.UNCLAIMED)
    await post.gate.claim(unclaimed)
    assert (await post.stored()).state is GrantState.OWED
    assert post.woken == ["open:1"]


async def test_a_router_that_is_not_in_service_any_more_is_not_asked(post: Post):
    owed = await post.owed()
    post.site.hotspots = {}
    with pytest.raises(Unavailable, match="router 1 is not in service"):
        await post.gate.open(owed)
    assert await post.stored() == owed


async def test_the_locks_of_devices_are_forgotten_when_nobody_holds_them(post: Post):
    await post.opened()
    assert len(post.gate._locks) == 0


async def test_what_is_to_be_refunded_is_taken_back_only_while_nobody_has_used_it(post: Post):
    unused = await post.owed(1)
    assert (await post.gate.revoke(unused, unless_served=True)).state is GrantState.REVOKED
    assert (await post.gate.revoke(unused, unless_served=True)).state is GrantState.REVOKED
    used = await post.opened(2)
    with pytest.raises(Conflict, match="has just begun"):
        await post.gate.revoke(used, unless_served=True)
    assert (await post.stored(2)).state is GrantState.ACTIVE
    assert MAC in post.hotspot.shown
