"""What people come for: each visit is a coroutine, and none of them knows what goes wrong meanwhile."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import aiohttp

from gateway.simulators.intasend import Outcome, PageClosed
from tests.e2e.world import PASSWORD
from tests.simulation.browser import post
from tests.simulation.people import Customer
from tests.simulation.replica import Violation

if TYPE_CHECKING:
    from tests.simulation.world import World

Visit = Callable[["World", random.Random, Customer], Awaitable[None]]


async def _buy(_: "World", rng: random.Random, customer: Customer) -> None:
    await customer.buy(rng)
    await customer.stay(rng)


async def _buy_and_poll(_: "World", rng: random.Random, customer: Customer) -> None:
    payment_id = await customer.buy(rng)
    for _number in range(rng.randint(3, 20)):
        if payment_id is None or await customer.ask_how_it_stands(payment_id) in {"completed", "failed"}:
            break
        await asyncio.sleep(rng.uniform(2.5, 8))
    await customer.stay(rng)


async def _double_tap(world: "World", rng: random.Random, customer: Customer) -> None:
    customer.join()
    coming = asyncio.ensure_future(customer.prompted(40))
    taps = await asyncio.gather(customer.pay(2), customer.pay(2))
    given = {payment_id for payment_id in taps if payment_id is not None}
    if len(given) > 1:
        world.expect_status(f"a double tap made two payments, {given}", 0, set())
    await customer.answer(rng, await coming)
    await customer.stay(rng)


async def _another_device(world: "World", rng: random.Random, customer: Customer) -> None:
    """The prompt is on the phone; somebody tries the same number from a laptop."""
    customer.join()
    coming = asyncio.ensure_future(customer.prompted(40))
    await customer.pay(3)
    await asyncio.sleep(rng.uniform(0.1, 20))
    await customer.pay(3, mac_address=f"A4:00:00:00:00:{customer.order:02X}")
    await customer.answer(rng, await coming)
    await customer.stay(rng)


async def _hang_up(world: "World", rng: random.Random, customer: Customer) -> None:
    """The window is closed while the request is under way; a minute later he tries again."""
    customer.join()
    coming = asyncio.ensure_future(customer.prompted(40))
    pressing = asyncio.ensure_future(customer.pay(2))
    await asyncio.sleep(rng.uniform(0.001, 1.5))
    pressing.cancel()
    await asyncio.gather(pressing, return_exceptions=True)
    world.tell(f"{customer} closed the window")
    await customer.answer(rng, await coming)
    await asyncio.sleep(rng.uniform(5, 90))
    if not world.router.passes(customer.mac):
        await customer.buy(rng, package_id=2)
    await customer.stay(rng)


async def _new_address(_: "World", rng: random.Random, customer: Customer) -> None:
    coming = asyncio.ensure_future(customer.buy(rng))
    await asyncio.sleep(rng.uniform(0.5, 30))
    customer.move(
        f"10.5.50.{100 + customer.order}" if customer.ip == f"10.5.50.{10 + customer.order}" else f"10.5.50.{10 + customer.order}"
    )
    await coming
    await customer.stay(rng)


async def _swapped_addresses(world: "World", rng: random.Random, customer: Customer) -> None:
    other = rng.choice(world.customers)
    coming = asyncio.ensure_future(customer.buy(rng))
    await asyncio.sleep(rng.uniform(0.5, 60))
    if other is not customer:
        mine, theirs = customer.ip, other.ip
        was_there = other.present
        other.leave()
        customer.move(theirs)
        other.move(mine)
        if was_there:
            other.join()
    await coming
    await customer.stay(rng)


async def _new_mac(_: "World", rng: random.Random, customer: Customer) -> None:
    coming = asyncio.ensure_future(customer.buy(rng))
    await asyncio.sleep(rng.uniform(0.5, 60))
    customer.rotate()
    await coming
    await customer.stay(rng)


async def _leave_and_return(world: "World", rng: random.Random, customer: Customer) -> None:
    await customer.buy(rng, package_id=3)
    for _number in range(rng.randint(1, 3)):
        await asyncio.sleep(rng.uniform(5, 900))
        world.tell(f"{customer} goes out of range")
        customer.leave()
        await asyncio.sleep(rng.uniform(5, 900))
        world.tell(f"{customer} is back")
        customer.join()
    await customer.stay(rng)


async def _extend(_: "World", rng: random.Random, customer: Customer) -> None:
    for _number in range(rng.randint(2, 3)):
        await customer.buy(rng, package_id=rng.choice((1, 2, 3)))
        await asyncio.sleep(rng.uniform(20, 600))
    await customer.stay(rng)


async def _use_up(_: "World", rng: random.Random, customer: Customer) -> None:
    await customer.buy(rng, package_id=4)
    customer.heavy = True
    await asyncio.sleep(rng.uniform(60, 1_800))
    customer.heavy = False
    await customer.stay(rng)


async def _pay_link(world: "World", rng: random.Random, customer: Customer) -> None:
    customer.join()
    payment_id = await customer.pay(3, path="create-link")
    if payment_id is None:
        return
    await asyncio.sleep(rng.uniform(5, 600))
    links = [link for link in world.intasend.links.values() if str(link.get("redirect_url", "")).endswith(payment_id)]
    for link in links[:1]:
        for _number in range(rng.choice((1, 1, 2))):
            coming = asyncio.ensure_future(customer.prompted(40))
            try:
                world.at_intasend(lambda: world.intasend.pay_page(link["id"], customer.number))  # noqa: B023 - called at once
            except PageClosed:
                world.tell(f"{customer} finds the link closed")
            await customer.answer(rng, await coming)
    await customer.stay(rng)


async def _without_mac(_: "World", rng: random.Random, customer: Customer) -> None:
    await customer.buy(rng, with_mac=False)
    await customer.stay(rng)


async def _portal(_: "World", rng: random.Random, customer: Customer) -> None:
    payment_id = await customer.buy_at_portal(rng, rng.choice((1, 2, 3)))
    for _number in range(rng.randint(2, 8)):
        if payment_id is not None:
            await customer.browse(f"/portal/payments/{payment_id}{rng.choice(('', '/state'))}")
        await asyncio.sleep(rng.uniform(2, 8))
    await customer.browse("/portal/status")
    await customer.stay(rng)


async def _claim(_: "World", rng: random.Random, customer: Customer) -> None:
    """The phone has made itself another MAC; its owner types in the receipt, in vain or not."""
    await customer.buy_at_portal(rng, 3)
    await asyncio.sleep(rng.uniform(1, 1_200))
    customer.rotate()
    for _number in range(rng.randint(1, 3)):
        await asyncio.sleep(rng.uniform(1, 120))
        receipts = customer.receipts()
        code = rng.choice((receipts[-1], receipts[-1].lower(), "TJRHC8IET4")) if receipts else "TJRHC8IET4"
        await customer.browse("/portal/claim", {"code": code, "phone": rng.choice(("", f"0{customer.number[3:]}"))})
    await customer.stay(rng)


async def _log_out(_: "World", rng: random.Random, customer: Customer) -> None:
    await customer.buy_at_portal(rng, 3)
    for page in ("/portal/log-out", "/portal/log-in", "/portal/log-out")[: rng.randint(1, 3)]:
        await asyncio.sleep(rng.uniform(5, 600))
        await customer.browse(page, {})
    await customer.stay(rng)


async def _watch(_: "World", rng: random.Random, customer: Customer) -> None:
    """The page of the payment is left open, and told what happens; sometimes it is closed before anything has."""
    payment_id = await customer.buy_at_portal(rng, rng.choice((1, 2, 3)))
    if payment_id is not None:
        await customer.watch(payment_id, rng.choice((5, 300, 7_200)))
    await customer.stay(rng)


async def _same_key(world: "World", rng: random.Random, customer: Customer) -> None:
    """A program that asks again when it has heard nothing, with the same key: one wish is one payment (9)."""
    customer.join()
    key, losses, given = f"wish {rng.random()}", world.disk.losses, set()
    price, where = f"{world.prices[2]}.00", (customer.mac, customer.ip)
    coming = asyncio.ensure_future(customer.prompted(300))
    for _number in range(rng.randint(2, 5)):
        if (customer.mac, customer.ip) != where:
            break  # it would be another wish
        pressing = asyncio.ensure_future(customer.pay(2, key=key, amount=price))
        await asyncio.wait((pressing,), timeout=rng.choice((0.2, 1.0, 100.0)))
        if not pressing.cancel() and (payment_id := pressing.result()) is not None:
            given.add(payment_id)
        await asyncio.sleep(rng.uniform(0.1, 40))
    if len(given) > 1 and world.disk.losses == losses:
        raise Violation(f"one key made the payments {given}", payment_id=min(given))
    await customer.answer(rng, await coming)
    await customer.stay(rng)


async def _refund(world: "World", rng: random.Random, customer: Customer) -> None:
    """Money that nobody asked for: the operator gives it back, and asks again and again what has become of it."""
    customer.join()
    coming = asyncio.ensure_future(customer.prompted(40))
    payment_id = await customer.pay(3)
    await customer.answer(rng, await coming, Outcome.WRONG_VALUE)
    for _number in range(rng.randint(2, 5)):
        await asyncio.sleep(rng.uniform(1, 200))
        if payment_id is not None and (headers := await _log_in(world)):
            answer = await post(world.stranger, f"{world.url}/payments/{payment_id}/refund/", None, headers)
            world.tell(f"the operator: refund {payment_id}: {answer}")
            if answer is not None:
                world.expect_status(f"refund ({answer[1]})", answer[0], {200, 404, 409, 429, 502, 503})
                world.count(f"refund {answer[0]}")


async def _log_in(world: "World") -> dict[str, str] | None:
    answer = await post(world.stranger, f"{world.url}/users/login/", {"username": "njeri", "password": PASSWORD}, {})
    return None if answer is None or answer[0] != 200 else {"Authorization": f"Bearer {answer[1]['access_token']}"}


async def _operator(world: "World", rng: random.Random, verb: str, body: Any) -> None:
    headers = await _log_in(world)
    if headers is None:
        return
    try:
        async with world.stranger.get(f"{world.url}/grants/?status=active", headers=headers) as response:
            grants = (await response.json()).get("grants", [])
    except (aiohttp.ClientError, TimeoutError, OSError):
        return
    if grants:
        grant = rng.choice(grants)
        done = await post(world.stranger, f"{world.url}/grants/{grant['id']}/{verb}/", body, headers)
        world.tell(f"the operator: {verb} {grant['id']} of {grant['mac_address']}: {done and done[0]}")
        if done is not None:
            world.expect_status(f"{verb} ({done[1]})", done[0], {200, 409, 503})


async def _revokes(world: "World", rng: random.Random, _: Customer) -> None:
    await _operator(world, rng, "revoke", None)


async def _extends(world: "World", rng: random.Random, _: Customer) -> None:
    await _operator(world, rng, "extend", {"duration": "30m"})


async def _reloads(world: "World", rng: random.Random, _: Customer) -> None:
    world.prices[rng.choice(list(world.prices))] = str(rng.randint(5, 200))
    await world.reload()


BEHAVIOURS: dict[str, Visit] = {
    "buy": _buy,
    "buy and poll": _buy_and_poll,
    "double tap": _double_tap,
    "another device": _another_device,
    "hang up": _hang_up,
    "new address": _new_address,
    "swapped addresses": _swapped_addresses,
    "new MAC": _new_mac,
    "leave and return": _leave_and_return,
    "extend": _extend,
    "use up data": _use_up,
    "pay link": _pay_link,
    "without MAC": _without_mac,
    "portal": _portal,
    "claim": _claim,
    "log out": _log_out,
    "watch": _watch,
    "same key": _same_key,
    "refund": _refund,
    "operator revokes": _revokes,
    "operator extends": _extends,
    "operator reloads": _reloads,
}
