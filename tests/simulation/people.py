"""Customers: their phones, their browsers, how they pay, and what they were told. What they come for is in `visits`."""

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

from gateway.simulators.intasend import Outcome
from gateway.simulators.intasend.invoices import Prompt
from tests.e2e.world import PUBLIC_KEY
from tests.simulation.browser import browse, listen, post
from tests.simulation.loop import Machine

if TYPE_CHECKING:
    from tests.simulation.world import World

DURATION_S = {1: 120, 2: 1_200, 3: 3_600, 4: 3_600, 5: 21_600}
"""Of each package."""

KEY = {"X-Public-Key": PUBLIC_KEY}

ANSWERS = {200, 201, 400, 409, 429, 502, 503}
"""What pressing Pay may be answered with: 400 when the price was changed under the customer's finger."""

PAGES = {200, 303, 403, 404, 503}
"""What a page of the portal may be: 403 and 404 where the router knows the phone otherwise or not, 503 while it does not answer."""

ENDINGS = {
    Outcome.COMPLETE: 60, Outcome.CANCELLED: 6, Outcome.WRONG_PIN: 4, Outcome.NO_FUNDS: 3, Outcome.COMPLETE_LATE: 3,
    Outcome.COMPLETE_WITHOUT_RECEIPT: 3, Outcome.FAILED_THEN_COMPLETE: 4, Outcome.WRONG_VALUE: 1, Outcome.WRONG_CURRENCY: 1,
    Outcome.WRONG_API_REF: 1, Outcome.UNKNOWN_WORD: 1, Outcome.STUCK: 1,
}  # fmt: skip
"""What becomes of a prompt, and how often in comparison; some are ignored besides."""

IGNORED_SHARE = 0.06
FORGETTING_S = 40.0
"""How long the router may hold on to a phone's last address, and keep the phone out at its new one: the ten minutes of
our keepalive-timeout, and the look that finds it out."""
TRAFFIC_BYTES = (5_000, 50_000)


@dataclass(frozen=True, slots=True)
class Told:
    """A payment that the gateway gave a customer: it may never be forgotten."""

    payment_id: str
    package_id: int
    mac: str
    at_s: float


class Customer:
    """Somebody with a phone."""

    def __init__(self, world: "World", order: int) -> None:
        self.world = world
        self.order = order
        self.number = f"2547{order:08d}"
        self.mac = f"A2:00:00:00:00:{order:02X}"
        self.ip = f"10.5.50.{10 + order}"
        self.present = False
        self.heavy = False
        """Uses what it has as fast as it can."""
        self.unsettled_until_s = 0.0
        """Until when the router may believe that the phone is where it was."""
        self.told: list[Told] = []
        self.macs = [self.mac]
        """Every MAC that the phone ever had."""
        self._machine = Machine("phones", self.ip)
        self._http: aiohttp.ClientSession | None = None
        self._looking: list[asyncio.Future[Prompt]] = []
        """Who waits for a prompt: a customer who comes twice at the same time looks twice."""

    def __str__(self) -> str:
        return f"customer {self.order} ({self.mac} at {self.ip})"

    # ── the phone ──

    def join(self) -> None:
        self.present = True
        self.world.router.join(self.mac, self.ip)

    def leave(self) -> None:
        if self.present:
            self.present = False
            self.world.router.leave(self.mac)

    def send_something(self) -> None:
        """One packet, or many."""
        if self.present:
            factor = 40 if self.heavy else 1
            self.world.router.traffic(self.mac, *(amount * factor for amount in TRAFFIC_BYTES))

    def move(self, ip: str) -> None:
        """Another address, as DHCP gives it."""
        self.world.tell(f"{self} gets the address {ip}")
        self.ip = self._machine.address = ip
        self.unsettled_until_s = self.world.now_s + FORGETTING_S
        if self.present:
            self.world.router.join(self.mac, ip)

    def rotate(self) -> None:
        """Another MAC, as phones make them up."""
        self.leave()
        self.unsettled_until_s = self.world.now_s + FORGETTING_S
        self.mac = f"A6:{len(self.macs):02X}:00:00:00:{self.order:02X}"
        self.macs.append(self.mac)
        self.world.tell(f"customer {self.order} now has the MAC {self.mac}")
        self.join()

    def see(self, prompt: Prompt) -> None:
        """A prompt is on the screen."""
        looking, self._looking = self._looking, []
        for look in looking:
            if not look.done():
                look.set_result(prompt)

    async def prompted(self, within_s: float) -> Prompt | None:
        """The next prompt, if there is one soon enough."""
        look: asyncio.Future[Prompt] = asyncio.get_running_loop().create_future()
        self._looking.append(look)
        await asyncio.wait((look,), timeout=within_s)
        return look.result() if look.done() else None

    # ── the browser ──

    async def pay(
        self, package_id: int, *, with_mac: bool = True, path: str = "initiate", key: str | None = None, **changes: Any
    ) -> str | None:
        """Press Pay. The payment's id, if there is one to wait for. `key` is the same for the same wish."""
        world = self.world
        body = {
            "router_id": 1, "package_id": package_id, "phone_number": f"0{self.number[3:]}",
            "amount": f"{world.prices[package_id]}.00", "ip_address": self.ip, **({"mac_address": self.mac} if with_mac else {}),
        } | changes  # fmt: skip
        answer = await self._ask(f"/payments/intasend/{path}/", body, {} if key is None else {"Idempotency-Key": key})
        if answer is None:
            world.tell(f"{self} pressed Pay and got no answer")
            return None
        status, text = answer
        world.tell(f"{self} pressed Pay for package {package_id}: {status} {text.get('error', '')}")
        world.count(f"answered {status}")
        strange = body.get("mac_address", self.mac) != self.mac or world.now_s < self.unsettled_until_s
        world.expect_status(f"Pay ({text})", status, ANSWERS | ({403} if strange else set()))
        if status not in {200, 201}:
            return None
        payment_id = str(text["payment"]["id"])
        self.told.append(Told(payment_id, package_id, self.mac if with_mac else "", world.now_s))
        return payment_id

    async def buy_at_portal(self, rng: random.Random, package_id: int) -> str | None:
        """Come, look at the portal, press Pay there, answer the prompt; the payment's id, if there is one."""
        world = self.world
        self.join()
        await self.browse("/")
        price = {f"price-{package_id}": f"{world.prices[package_id]}.00"}
        coming = asyncio.ensure_future(self.prompted(40))
        answer = await self.browse("/portal/buy", {"package": str(package_id), "phone": f"0{self.number[3:]}"} | price)
        if answer is None or not answer[1].startswith("/portal/payments/"):
            coming.cancel()
            return None
        payment_id = answer[1].removeprefix("/portal/payments/").partition("?")[0]
        self.told.append(Told(payment_id, package_id, self.mac, world.now_s))
        await self.answer(rng, await coming)
        return payment_id

    async def browse(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str] | None:
        """Look at a page of the portal, or send a form: the status, and where it leads."""
        world, http = self.world, self._browser()
        looking = self._machine.run(lambda: asyncio.ensure_future(browse(http, world.url + path, form)))
        answer = await looking
        world.tell(f"{self} {'looks at' if form is None else 'sends'} {path}: {answer or 'no answer'}")
        if answer is not None:
            world.count(f"page {answer[0]}")
            world.expect_status(path, answer[0], PAGES if form is None else PAGES | ANSWERS | {403})
        return answer

    def receipts(self) -> list[str]:
        """What M-Pesa has sent to this phone, the newest last."""
        invoices = [invoice for invoice in self.world.intasend.invoices.values() if invoice.order.phone == self.number]
        return [invoice.receipt for invoice in invoices if self.world.intasend.change(invoice).state == "COMPLETE"]

    async def ask_how_it_stands(self, payment_id: str) -> str | None:
        """What the page shows."""
        answer = await self._ask(f"/payments/intasend/{payment_id}/check-status/", None, {})
        if answer is None:
            return None
        status, text = answer
        self.world.expect_status(f"check-status ({text})", status, {200, 503})
        return str(text.get("status"))

    async def watch(self, payment_id: str, for_s: float) -> None:
        """Let the page of a payment be told what becomes of it, as a browser does: again when the stream breaks off."""
        http, url = self._browser(), f"{self.world.url}/portal/payments/{payment_id}/events"
        until_s = self.world.now_s + for_s
        while self.world.now_s < until_s:
            listening = self._machine.run(lambda: asyncio.ensure_future(listen(http, url)))
            await asyncio.wait((listening,), timeout=until_s - self.world.now_s)
            if not listening.cancel() and (told := listening.result()) is not None:
                self.world.tell(f"{self} was told of {payment_id}: {told}")
                return
            await asyncio.sleep(3.0)

    async def _ask(self, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any] | None:
        http = self._browser()
        asking = self._machine.run(lambda: asyncio.ensure_future(post(http, self.world.url + path, body, KEY | headers)))
        try:
            return await asking
        finally:
            asking.cancel()

    def _browser(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = self._machine.run(aiohttp.ClientSession)
        return self._http

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    # ── buying ──

    async def answer(self, rng: random.Random, prompt: Prompt | None, ending: Outcome | None = None) -> None:
        """Look at the prompt, and do something about it, or nothing."""
        if prompt is None:
            return
        await asyncio.sleep(rng.choice((1.0, 8.0, 40.0)) * rng.uniform(0.3, 1.0))
        chosen = ending or rng.choices(list(ENDINGS), list(ENDINGS.values()))[0]
        if rng.random() < IGNORED_SHARE or not any(
            shown.invoice_id == prompt.invoice_id for shown in self.world.intasend.prompts(self.number)
        ):
            self.world.tell(f"{self} does not answer the prompt of {prompt.invoice_id}")
            return
        self.world.tell(f"{self} answers the prompt of {prompt.invoice_id}: {chosen.name}")
        self.world.count(f"ending: {chosen.name}")
        self.world.at_intasend(lambda: self.world.intasend.answer(prompt.invoice_id, chosen))

    async def buy(self, rng: random.Random, **changes: Any) -> str | None:
        """Come, pay, answer the prompt; a second try when nothing came of the first."""
        self.join()
        package_id = changes.pop("package_id", None) or rng.choice((1, 1, 2, 2, 3, 3, 5))
        for _ in range(2):
            coming = asyncio.ensure_future(self.prompted(40))
            payment_id = await self.pay(package_id, **changes)
            if payment_id is not None:
                await self.answer(rng, await coming)
                return payment_id
            coming.cancel()
            await asyncio.sleep(rng.uniform(20, 120))
        return None

    async def stay(self, rng: random.Random) -> None:
        """Use the time, then go."""
        longest_s = self.world.plan.size.hours * 1_200  # so that a run does not end long after the last fault
        await asyncio.sleep(min(rng.choice((300, 2_000, 8_000)) * rng.uniform(0.2, 1.0), longest_s))
        if rng.random() < 0.6:
            self.world.tell(f"{self} leaves")
            self.leave()
