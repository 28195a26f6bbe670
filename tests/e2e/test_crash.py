"""The daemon dies between every two steps of a purchase and is started again: the right end, and the customer charged once."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway import daemon
from gateway.access import Grant, GrantState
from gateway.identity import IpAddress, MacAddress
from gateway.payments import PaymentState
from gateway.simulators.phones import SimulatedPhone
from gateway.store.database import Transaction
from gateway.visitors import Visitor
from tests.e2e.crash import Customer, Fuse, Moment, MortalWorld, die_everywhere, live_once
from tests.e2e.world import World

pytestmark = pytest.mark.long

FINAL = {PaymentState.PAID, PaymentState.FAILED, PaymentState.LAPSED, PaymentState.REFUSED}

WATCHED_S = 8.0
"""How long before an end the daemon may die again: a look at the router falls into it."""

WATCH_STEP_S = 60.0
"""Every job runs at least once in a minute."""

both_moments = pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.value)


@pytest.fixture(autouse=True)
def killed_without_grace(brief_grace: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "GRACE_S", 0.001)


# ── what customers do ──


async def two_minutes(world: MortalWorld) -> None:
    world.fuse.armed = True
    payment = await Customer(world, world.amina, 1, "5").get_a_prompt()
    world.amina.enter_pin()
    await world.pass_time_until(lambda: world.amina.online, within_s=20)
    await stay_online_until_the_end(world, payment.id)
    await expect_all_over(world, pushes=1, paid=1)


async def more_time_while_online(world: MortalWorld) -> None:
    await Customer(world, world.amina, 6, "15").get_a_prompt()
    world.amina.enter_pin()
    await world.pass_time_until(lambda: world.amina.online, within_s=20)
    world.fuse.armed = True
    payment = await Customer(world, world.amina, 1, "5").get_a_prompt()
    world.amina.enter_pin()
    await world.pass_time(20)
    first, second = sorted(await world.grants(), key=lambda grant: grant.created_at_s)
    assert second.starts_at_s == first.ends_at_s
    await stay_online_until(world, first.ends_s + 5)
    await stay_online_until_the_end(world, payment.id)
    await expect_all_over(world, pushes=2, paid=2)


async def a_cancelled_prompt(world: MortalWorld) -> None:
    world.fuse.armed = True
    await Customer(world, world.amina, 1, "5").get_a_prompt()
    world.amina.cancel()
    await world.pass_time(60, 5)
    assert not world.amina.online
    await expect_all_over(world, pushes=1, paid=0)


async def a_phone_with_another_mac(world: MortalWorld) -> None:
    payment = await Customer(world, world.amina, 1, "5").get_a_prompt()
    world.amina.enter_pin()
    await world.pass_time_until(lambda: world.amina.online, within_s=20)
    receipt = (await world.payment(payment.id)).receipt or ""
    wanjiku = world.guest()
    await world.pass_time(30)
    world.fuse.armed = True
    await claim(world, wanjiku, receipt)
    await world.pass_time_until(lambda: wanjiku.online and not world.amina.online, within_s=20)
    moved = await confirmed(world, payment.id)
    world.fuse.armed = False  # how it ends is the business of a purchase
    assert 30 <= moved.used_s < 60
    assert moved.used_s + moved.ends_s - (moved.starts_at_s or 0) == 120
    while world.clock.wall_s() < moved.ends_s:
        assert (world.amina.online, wanjiku.online) == (False, True)
        await world.pass_time(min(10.0, moved.ends_s - world.clock.wall_s()), 10.0)
    await world.pass_time_until(lambda: not wanjiku.online, within_s=3)
    await expect_all_over(world, pushes=1, paid=1)


async def claim(world: MortalWorld, phone: SimulatedPhone, code: str) -> None:
    """Enter the code until there is an answer."""
    while True:
        await world.quiet()
        entered = asyncio.create_task(_enter(world, phone, code))
        death = asyncio.create_task(world.fuse.blown.wait())
        await asyncio.wait({entered, death}, return_when=asyncio.FIRST_COMPLETED)
        death.cancel()
        if entered.done():
            return entered.result()
        entered.cancel()


async def _enter(world: World, phone: SimulatedPhone, code: str) -> None:
    catalogue = world.running.site.catalogue
    device = MacAddress.parse(phone.mac), IpAddress.parse(phone.ip)
    visitor = Visitor(catalogue.owners[1], catalogue.routers[1], *device, is_on_hotspot=True)
    await world.running.claims.claim(visitor, code, None, phone.ip)


async def stay_online_until_the_end(world: MortalWorld, payment_id: str) -> None:
    """The phone is online until the second at which the grant ends, and out soon after."""
    grant = await confirmed(world, payment_id)
    assert grant.ends_s - (grant.starts_at_s or 0) == grant.duration.seconds
    await stay_online_until(world, grant.ends_s - 1)
    await world.pass_time_until(lambda: not world.amina.online, within_s=3)


async def confirmed(world: World, payment_id: str) -> Grant:
    """The grant, once the router's answer has started its time; that answer may be read on a second try."""
    for _ in range(5):
        grant = await world.grant(payment_id)
        if grant is not None and grant.ends_at_s is not None:
            return grant
        await world.pass_time(1)
    raise AssertionError(f"its time was not started: {grant}")


async def stay_online_until(world: MortalWorld, moment_s: float) -> None:
    """The phone is online all the while. Nobody dies of the long watch in the middle: it is the same step over and over."""
    while (left_s := moment_s - world.clock.wall_s()) > 0:
        assert world.amina.online, f"cut {left_s} s early"
        world.fuse.armed = left_s <= WATCHED_S
        await world.pass_time(1.0 if left_s <= WATCHED_S else min(WATCH_STEP_S, left_s - WATCHED_S), WATCH_STEP_S)
    world.fuse.armed = True


# ── the right end ──


async def expect_all_over(world: World, *, pushes: int, paid: int) -> None:
    await world.pass_time(30, 5)
    assert len(world.intasend.pushes) == pushes
    assert {invoice.order.api_ref for invoice in world.intasend.pushes} <= {payment.api_ref for payment in await world.payments()}
    assert not marks_on(world)
    assert {payment.state for payment in await world.payments()} <= FINAL
    settled = {payment.id for payment in await world.payments(PaymentState.PAID)}
    grants = await world.grants()
    assert len(settled) == paid
    assert sorted(grant.payment_id for grant in grants) == sorted(settled)
    assert {grant.state for grant in grants} <= {GrantState.ENDED}
    await world.running.db.read(expect_the_events_to_tell_everything)


def marks_on(world: World) -> list[Any]:
    """Everything of ours that is left on the router."""
    hotspot = world.router.hotspot
    rows = [
        row for table in (hotspot.users, hotspot.bindings) for row in table if row.get("comment", "").startswith("hotspot-gateway")
    ]
    return [*rows, *hotspot.active.values(), *hotspot.cookies]


def expect_the_events_to_tell_everything(tx: Transaction) -> None:
    """No event is missing, and played from the first they make the tables as they are."""
    told: dict[tuple[str, str], dict[str, Any]] = {}
    rows = tx.execute("SELECT seq, kind, payment_id, grant_id, data FROM event ORDER BY seq").fetchall()
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        table = row["kind"].partition(".")[0]
        key = row["grant_id"] if table == "grant" else row["payment_id"]
        told.setdefault((table, key), {}).update(json.loads(row["data"]).get("set", {}))
    for table, name in (("payment", "payment"), ("grant", "access_grant")):
        for row in tx.execute(f"SELECT * FROM {name}").fetchall():
            assert told[table, row["id"]] == dict(row)


def expect_among(deaths: list[str], *steps: str) -> None:
    """A test that never died where it hurts would prove nothing."""
    for step in steps:
        assert any(death.endswith(step) for death in deaths), (step, deaths)


# ── death at every step in turn ──


@both_moments
async def test_a_purchase_ends_right_wherever_the_daemon_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: Moment):
    deaths = await die_everywhere(tmp_path, monkeypatch, moment, two_minutes)
    expect_among(deaths, "Sales.record", "IntaSend.push", "Sales._push", "IntaSend.report", "apply_provider_report")
    expect_among(deaths, "user/profile/add", "user/add", "active/login", "Gate.open", "Gate.end", "user/remove", "active/remove")


@both_moments
async def test_a_purchase_by_binding_ends_right_wherever_the_daemon_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: Moment
):
    deaths = await die_everywhere(tmp_path, monkeypatch, moment, two_minutes, way="binding")
    expect_among(deaths, "ip-binding/add", "host/remove", "Gate.open", "ip-binding/remove")


@both_moments
async def test_an_extension_ends_right_wherever_the_daemon_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: Moment):
    deaths = await die_everywhere(tmp_path, monkeypatch, moment, more_time_while_online)
    expect_among(deaths, "IntaSend.push", "user/set", "Gate.open", "Gate.end", "user/remove", "active/remove")


@both_moments
async def test_a_cancelled_prompt_ends_right_wherever_the_daemon_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: Moment
):
    deaths = await die_everywhere(tmp_path, monkeypatch, moment, a_cancelled_prompt)
    expect_among(deaths, "IntaSend.push", "IntaSend.report", "apply_provider_report")


@both_moments
async def test_a_purchase_with_webhooks_ends_right_wherever_the_daemon_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: Moment
):
    deaths = await die_everywhere(tmp_path, monkeypatch, moment, two_minutes, webhooks=True)
    expect_among(deaths, "Settlement.take_webhook")


@both_moments
@pytest.mark.parametrize(("way", "out"), [("user", "user/remove"), ("binding", "ip-binding/remove")])
async def test_a_claim_ends_right_wherever_the_daemon_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: Moment, way: str, out: str
):
    deaths = await die_everywhere(tmp_path, monkeypatch, moment, a_phone_with_another_mac, way=way)
    expect_among(deaths, "Claims.claim", "Gate.move", out, "Gate.open")


async def test_a_purchase_ends_right_when_the_daemon_dies_of_its_recovery_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    deaths = await die_everywhere(tmp_path, monkeypatch, Moment.BEFORE, two_minutes, times=4)
    expect_among(deaths, "IntaSend.push", "active/login", "active/remove")


# ── the router executes a command, and the connection is lost before its answer ──

CUTS = [
    ("user", "/ip/hotspot/user/profile/add"),
    ("user", "/ip/hotspot/user/add"),
    ("user", "/ip/hotspot/active/login"),
    ("user", "/ip/hotspot/user/remove"),
    ("user", "/ip/hotspot/active/remove"),
    ("binding", "/ip/hotspot/ip-binding/add"),
    ("binding", "/ip/hotspot/host/remove"),
    ("binding", "/ip/hotspot/ip-binding/remove"),
]


def nobody_dies() -> Fuse:
    return Fuse(Moment.BEFORE, lambda _step: False)


@pytest.mark.parametrize(("way", "path"), CUTS, ids=[path for _, path in CUTS])
async def test_a_purchase_ends_right_when_the_router_hangs_up_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, path: str
):
    async def cut(world: MortalWorld) -> None:
        world.router.faults.drop_after.add(path)
        await two_minutes(world)
        assert not world.router.faults.drop_after, "was never cut"

    await live_once(tmp_path / "site", monkeypatch, nobody_dies(), cut, way=way)


async def test_an_extension_ends_right_when_the_router_hangs_up_after_the_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def cut(world: MortalWorld) -> None:
        world.router.faults.drop_after.add("/ip/hotspot/user/set")
        await more_time_while_online(world)
        assert not world.router.faults.drop_after, "was never cut"

    await live_once(tmp_path / "site", monkeypatch, nobody_dies(), cut)
