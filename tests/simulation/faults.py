"""What can go wrong, at every level: the router, the provider, the network, the process, the disk, the clock.

Each kind is a coroutine that lets it happen and, when it lasts, puts it right again: as it is when all is well, and not as it was
found, because the same may be wrong twice at a time. None knows what it will do to the gateway: that is what a run finds out.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import aiohttp

from gateway.simulators.intasend import Endpoint, drips, empty, fails_with, hang, hang_after, reset_after, reset_before, wrong_types
from gateway.simulators.intasend.faults import Fault as ProviderFault
from tests.simulation.disk import Trouble
from tests.simulation.network import Pair

if TYPE_CHECKING:
    from tests.simulation.world import World

ROUTER, UPLINK, AIR = frozenset({"gateway", "router"}), frozenset({"gateway", "intasend"}), frozenset({"gateway", "phones"})
ELSEWHERE = frozenset({"gateway", "internet"})
"""Through the same uplink, to what is asked whether it is up."""

LATENCIES_S = {ROUTER: 0.004, UPLINK: 0.25, AIR: 0.03, frozenset({"intasend", "stranger"}): 0.2}
"""When all is well: a cable, an uplink in a small town, and the air."""

POLICIES = frozenset({"api", "read", "write"})
"""What our user on the router may do when all is well."""

Deed = Callable[["World", random.Random, float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault."""

    deed: Deed
    longest_s: float
    """0 for one that is over as soon as it has happened."""
    weight: int


KINDS: dict[str, Kind] = {}


def kind(name: str, *, longest_s: float = 0.0, weight: int = 2) -> Callable[[Deed], Deed]:
    def add(deed: Deed) -> Deed:
        KINDS[name] = Kind(deed, longest_s, weight)
        return deed

    return add


# ── the router ──


@kind("router: silent", longest_s=120)
async def _silent(world: "World", _rng: random.Random, for_s: float) -> None:
    world.router.faults.silent = True
    await world.pass_time(for_s)
    world.router.faults.silent = False


@kind("router: slow", longest_s=300)
async def _slow(world: "World", rng: random.Random, for_s: float) -> None:
    world.router.faults.delay_s = rng.choice((0.3, 2.0, 6.0, 12.0))
    await world.pass_time(for_s)
    world.router.faults.delay_s = 0.0


@kind("router: drops the connection after executing", weight=4)
async def _drops(world: "World", rng: random.Random, _: float) -> None:
    paths = ("user/add", "user/remove", "user/set", "user/print", "active/login", "active/print", "active/remove", "host/print")
    world.router.faults.drop_after.add(f"/ip/hotspot/{rng.choice(paths)}")


@kind("router: refuses one command")
async def _traps(world: "World", rng: random.Random, _: float) -> None:
    paths = ("user/add", "user/remove", "active/login", "user/profile/add", "host/print")
    world.router.faults.trap_next[f"/ip/hotspot/{rng.choice(paths)}"] = rng.choice(("interrupted", "failure: out of memory (6)"))


@kind("router: power cut", longest_s=900)
async def _power_cut(world: "World", _rng: random.Random, for_s: float) -> None:
    if world.router.hotspot.powered:
        await world.power(on=False)
        await world.pass_time(for_s)
        await world.power(on=True)
        await world.radio_returns()


@kind("router: reboot")
async def _reboot(world: "World", rng: random.Random, _: float) -> None:
    await _power_cut(world, rng, rng.uniform(3, 90))


@kind("router: password changed", longest_s=600)
async def _password(world: "World", _rng: random.Random, for_s: float) -> None:
    world.router.faults.refuse_login = True
    for connection in list(world.router.connections):
        connection.abort()
    await world.pass_time(for_s)
    world.router.faults.refuse_login = False


@kind("router: permission lost", longest_s=600)
async def _permission(world: "World", _rng: random.Random, for_s: float) -> None:
    world.router.user = replace(world.router.user, policies=frozenset({"api", "read"}))
    await world.pass_time(for_s)
    world.router.user = replace(world.router.user, policies=POLICIES)


@kind("router: a row of ours is removed by hand")
async def _row_removed(world: "World", rng: random.Random, _: float) -> None:
    tables = world.router.machine.configuration.tables
    table = tables["/ip/hotspot/user" if world.plan.way == "user" else "/ip/hotspot/ip-binding"]
    ours = [row[".id"] for row in table if row.get("comment", "").startswith("hotspot-gateway:")]
    if ours:
        mark = rng.choice(ours)
        world.unmarked |= {row["mac-address"] for row in table if row[".id"] == mark}
        table.remove(mark)


@kind("router: a client is logged out by hand")
async def _kicked(world: "World", rng: random.Random, _: float) -> None:
    entries = list(world.router.hotspot.active.values())
    if entries:
        world.router.hotspot.end(rng.choice(entries), "admin reset")


@kind("router: a client's host row is removed by hand")
async def _forgotten(world: "World", rng: random.Random, _: float) -> None:
    hosts = list(world.router.hotspot.hosts.values())
    if hosts:
        world.router.hotspot.forget_host(rng.choice(hosts))


@kind("router: a foreign row named as a customer's device")
async def _foreign(world: "World", rng: random.Random, _: float) -> None:
    mac = rng.choice(world.customers).mac
    table = world.router.machine.configuration.tables["/ip/hotspot/user"]
    if not any(row["name"] == mac for row in table):
        table.add({"name": mac, "comment": "staff, do not touch", "password": "x"})
        world.foreign.add(mac)


@kind("router: its clock is in 1970", longest_s=7_200)
async def _ancient(world: "World", _rng: random.Random, for_s: float) -> None:
    world.router_clock.wrong_by_s = -world.router_clock.wall_s()
    await world.pass_time(for_s)
    world.router_clock.wrong_by_s = 0.0


# ── the provider ──


def _answers(world: "World") -> list[ProviderFault]:
    clock = world.intasend.clock
    return [
        hang, hang_after, reset_before, reset_after, empty, wrong_types, drips(clock), fails_with(500), fails_with(502, html=True),
        fails_with(503, retry_after_s=20), fails_with(429), fails_with(429, retry_after_s=45), fails_with(500, processed=True),
        fails_with(504, html=True, processed=True), fails_with(403, html=True), fails_with(404),
    ]  # fmt: skip


@kind("provider: one push answered badly", weight=6)
async def _one_push(world: "World", rng: random.Random, _: float) -> None:
    world.intasend.faults.once(Endpoint.PUSH, rng.choice(_answers(world)))


@kind("provider: the next answers are bad", weight=4)
async def _next_answers(world: "World", rng: random.Random, _: float) -> None:
    for _number in range(rng.randint(1, 8)):
        world.intasend.faults.once(rng.choice((Endpoint.ANY, Endpoint.STATUS, Endpoint.INVOICES)), rng.choice(_answers(world)))


@kind("provider: one refund answered badly")
async def _one_refund(world: "World", rng: random.Random, _: float) -> None:
    world.intasend.faults.once(Endpoint.CHARGEBACKS, rng.choice(_answers(world)))


@kind("provider: answers badly", longest_s=3_600)
async def _bad_answers(world: "World", rng: random.Random, for_s: float) -> None:
    world.intasend.faults.always(rng.choice((Endpoint.ANY, Endpoint.PUSH, Endpoint.STATUS)), rng.choice(_answers(world)))
    await world.pass_time(for_s)
    world.intasend.faults.clear()


@kind("provider: down", longest_s=3_600)
async def _down(world: "World", _rng: random.Random, for_s: float) -> None:
    if world.intasend_is_up:
        await world.stop_intasend()
        await world.pass_time(for_s)
        await world.start_intasend()


@kind("provider: its list ignores our reference", longest_s=3_600)
async def _unfiltered(world: "World", _rng: random.Random, for_s: float) -> None:
    world.intasend.ignores_api_ref_filter = True
    await world.pass_time(for_s)
    world.intasend.ignores_api_ref_filter = False


@kind("webhooks: five times each", longest_s=3_600)
async def _copies(world: "World", _rng: random.Random, for_s: float) -> None:
    world.intasend.webhooks.copies = 5
    await world.pass_time(for_s)
    world.intasend.webhooks.copies = 1


@kind("webhooks: ten minutes late", longest_s=3_600)
async def _late(world: "World", _rng: random.Random, for_s: float) -> None:
    world.intasend.webhooks.delay_s = 600
    await world.pass_time(for_s)
    world.intasend.webhooks.delay_s = 0


@kind("webhooks: out of order", longest_s=3_600)
async def _reordered(world: "World", _rng: random.Random, for_s: float) -> None:
    world.intasend.webhooks.reorder = True
    await world.pass_time(for_s)
    world.intasend.webhooks.reorder = False


@kind("webhooks: none", longest_s=7_200)
async def _no_webhooks(world: "World", _rng: random.Random, for_s: float) -> None:
    world.intasend.webhook_url = None
    await world.pass_time(for_s)
    world.intasend.webhook_url = world.webhook_url


@kind("webhooks: forged", weight=3)
async def _forged(world: "World", rng: random.Random, _: float) -> None:
    """Somebody says that open payments are paid: with our challenge, which proves little, or with another."""
    open_ones = list(world.intasend.invoices.values())[-4:]
    for invoice in rng.sample(open_ones, min(2, len(open_ones))):
        body = {
            "invoice_id": rng.choice((invoice.invoice_id, "FORGED1")), "state": "COMPLETE", "value": "1.00", "currency": "KES",
            "api_ref": invoice.order.api_ref, "challenge": rng.choice(("demo-challenge-0123456789", "guessed")),
        }  # fmt: skip
        try:
            async with world.stranger.post(f"{world.url}/payments/webhook/", json=body) as response:
                world.expect_status("webhook", response.status, {200, 401, 503})
        except (aiohttp.ClientError, TimeoutError):
            world.tell("a forged webhook met a closed door")


# ── the network ──


def _connections(rng: random.Random) -> Pair:
    return rng.choice((ROUTER, ROUTER, UPLINK, AIR))


@kind("network: connections cut")
async def _cut(world: "World", rng: random.Random, _: float) -> None:
    world.network.cut(_connections(rng))


@kind("network: cut in mid-sentence", weight=4)
async def _torn(world: "World", rng: random.Random, _: float) -> None:
    world.network.torn.add(_connections(rng))


@kind("network: slow", longest_s=900)
async def _laggard(world: "World", rng: random.Random, for_s: float) -> None:
    pair = _connections(rng)
    world.network.latency_s[pair] = rng.choice((0.5, 2.0, 6.0))
    await world.pass_time(for_s)
    world.network.latency_s[pair] = LATENCIES_S[pair]


@kind("network: the way to the router is dead", longest_s=600)
async def _cable(world: "World", _rng: random.Random, for_s: float) -> None:
    await _block(world, for_s, ROUTER)


@kind("network: the uplink is down", longest_s=3_600, weight=3)
async def _uplink(world: "World", _rng: random.Random, for_s: float) -> None:
    await _block(world, for_s, UPLINK, ELSEWHERE)


async def _block(world: "World", for_s: float, *pairs: Pair) -> None:
    for pair in pairs:
        world.network.block(pair)
    await world.pass_time(for_s)
    for pair in pairs:
        world.network.heal(pair)


# ── the process ──


@kind("process: killed", weight=5)
async def _killed(world: "World", rng: random.Random, _: float) -> None:
    await world.kill(down_s=rng.choice((0.1, 3.0, 60.0)))


@kind("process: stopped and started")
async def _stopped(world: "World", rng: random.Random, _: float) -> None:
    await world.stop(down_s=rng.choice((0.1, 30.0, 300.0)))


@kind("process: power cut", weight=3)
async def _pi_power_cut(world: "World", rng: random.Random, _: float) -> None:
    await world.kill(down_s=rng.choice((20.0, 60.0, 900.0)), power_cut=True)


@kind("process: five starts in a minute")
async def _starts(world: "World", rng: random.Random, _: float) -> None:
    for _number in range(5):
        await world.kill(down_s=0.1)
        await world.pass_time(rng.uniform(1, 12))


@kind("process: stands still", longest_s=90)
async def _frozen(world: "World", _rng: random.Random, for_s: float) -> None:
    await world.freeze(for_s)


# ── the disk ──


@kind("disk: pages damaged while nobody uses them")
async def _damaged(world: "World", rng: random.Random, _: float) -> None:
    """After a crash the log mends most of it; after an orderly end there is none."""
    if rng.random() < 0.5:
        await world.kill(down_s=rng.choice((3.0, 60.0)), power_cut=True)
    else:
        await world.stop(down_s=rng.choice((3.0, 60.0)))
    world.disk.damage(rng)


@kind("disk: pages damaged in use", longest_s=600)
async def _rotten(world: "World", rng: random.Random, for_s: float) -> None:
    life = world.lives
    world.disk.damage(rng)
    await world.pass_time(for_s)
    if world.lives == life:  # nobody has noticed: the next start has to
        await world.kill(down_s=3.0)


@kind("disk: its log is lost in a crash")
async def _log_lost(world: "World", rng: random.Random, _: float) -> None:
    await world.kill(down_s=rng.choice((3.0, 60.0)), power_cut=True)
    world.disk.lose_log()


def _disk(trouble: Trouble, longest_s: float) -> None:
    @kind(f"disk: {trouble.value}", longest_s=longest_s)
    async def deed(world: "World", _rng: random.Random, for_s: float) -> None:
        world.disk.trouble = trouble
        await world.pass_time(for_s)
        world.disk.trouble = None


for _trouble in Trouble:
    _disk(_trouble, 600)


@kind("disk: stalls", longest_s=120)
async def _stalls(world: "World", rng: random.Random, for_s: float) -> None:
    world.disk.stall_s = rng.choice((1.0, 4.0, 10.0))
    await world.pass_time(for_s)
    world.disk.stall_s = 0.0


# ── the clock ──


@kind("clock: a small step")
async def _small_step(world: "World", rng: random.Random, _: float) -> None:
    world.gateway_clock.wrong_by_s += rng.uniform(-3, 3)


@kind("clock: a year ahead, and back", longest_s=7_200)
async def _ahead(world: "World", _rng: random.Random, for_s: float) -> None:
    world.gateway_clock.wrong_by_s += 365 * 86_400
    await world.pass_time(for_s)
    world.gateway_clock.wrong_by_s = 0.0


@kind("clock: boots hours behind, and is set minutes later")
async def _behind(world: "World", rng: random.Random, _: float) -> None:
    world.gateway_clock.wrong_by_s -= rng.uniform(600, 8 * 3_600)
    await world.kill(down_s=30.0, power_cut=True)
    await world.pass_time(rng.uniform(60, 600))
    world.gateway_clock.wrong_by_s = 0.0
