"""Simulated phones: a device on the hotspot and a SIM card that M-Pesa prompts reach, and a page for each that looks like one.

Owns what a customer does: join, send traffic, answer the prompt. What comes of it is the business of router and M-Pesa.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from gateway.clock import Clock
from gateway.simulators.intasend import Outcome, Prompt, SimulatedIntaSend
from gateway.simulators.intasend.pages import render

BYTES_UP_PER_S, BYTES_DOWN_PER_S = 5_000, 50_000
"""Somebody reads and scrolls: the router sees a client that is not idle."""


class SimulatedRouter(Protocol):
    """The air side of the simulated router."""

    def join(self, mac: str, ip: str, /) -> object:
        """The device appears on the hotspot's network."""
        ...

    def leave(self, mac: str, /) -> object:
        """The device disappears."""
        ...

    def traffic(self, mac: str, /, bytes_in: int = 0, bytes_out: int = 0) -> bool:
        """The device sends and receives, as the router counts it; False when it was not let through."""
        ...

    def passes(self, mac: str, /) -> bool:
        """Whether the router lets the device through."""
        ...


class Connection(Protocol):
    """The phone's way out, through the router."""

    @property
    def origin(self) -> str:
        """Where a browser is on this phone: the portal, and an HTTP proxy."""
        ...

    @property
    def sees(self) -> str:
        """What an app on the phone takes the network for."""
        ...


@dataclass(slots=True)
class SimulatedPhone:
    """One customer's phone.

    With `pin_after_s` it enters the PIN by itself that many seconds after a prompt has appeared, as long as `run` runs.
    """

    name: str
    mac: str
    ip: str
    number: str
    """In digits, as M-Pesa knows it: `254712345678`."""
    router: SimulatedRouter
    intasend: SimulatedIntaSend
    clock: Clock
    pin_after_s: float | None = None
    connection: Connection | None = None
    """What its browser goes through, once there is one."""
    joined: bool = field(default=False, init=False)
    _ignored: set[str] = field(default_factory=set, init=False)

    @property
    def online(self) -> bool:
        """Whether the internet works on it."""
        return self.joined and self.router.passes(self.mac)

    @property
    def prompt(self) -> Prompt | None:
        """The prompt on its screen."""
        return next((prompt for prompt in self.intasend.prompts(self.number) if prompt.invoice_id not in self._ignored), None)

    def join(self) -> None:
        """Come onto the hotspot's network."""
        self.router.join(self.mac, self.ip)
        self.joined = True

    def leave(self) -> None:
        """Go out of range."""
        self.joined = False
        self.router.leave(self.mac)

    def enter_pin(self) -> bool:
        """Pay. False, like the other answers, when there is no prompt to answer."""
        return self._answer(Outcome.COMPLETE)

    def wrong_pin(self) -> bool:
        """Mistype the PIN."""
        return self._answer(Outcome.WRONG_PIN)

    def cancel(self) -> bool:
        """Press cancel."""
        return self._answer(Outcome.CANCELLED)

    def ignore(self) -> bool:
        """Put the phone away: the prompt is never answered and expires."""
        prompt = self.prompt
        if prompt:
            self._ignored.add(prompt.invoice_id)
        return prompt is not None

    def tick(self) -> None:
        """One second of its life."""
        if self.joined:
            self.router.traffic(self.mac, BYTES_UP_PER_S, BYTES_DOWN_PER_S)
        prompt = self.prompt
        if prompt and self.pin_after_s is not None and self.clock.monotonic_s() >= prompt.shown_s + self.pin_after_s:
            self.enter_pin()

    async def run(self) -> None:
        """Live until cancelled."""
        while True:
            self.tick()
            await self.clock.sleep(1)

    def _answer(self, outcome: Outcome) -> bool:
        prompt = self.prompt
        if prompt:
            self.intasend.answer(prompt.invoice_id, outcome)
        return prompt is not None


_ACTS: dict[str, Callable[[SimulatedPhone], object]] = {
    "enter-pin": SimulatedPhone.enter_pin,
    "wrong-pin": SimulatedPhone.wrong_pin,
    "cancel": SimulatedPhone.cancel,
    "join": SimulatedPhone.join,
    "leave": SimulatedPhone.leave,
}


def phone_routes(phones: Iterable[SimulatedPhone]) -> list[web.RouteDef]:
    """The phones' pages, to be mounted into a server: `/phones` and `/phones/<name>`; they refresh themselves."""
    by_name = {phone.name: phone for phone in phones}

    def named(request: web.Request) -> SimulatedPhone:
        phone = by_name.get(request.match_info["name"])
        if phone is None:
            raise web.HTTPNotFound
        return phone

    async def index(_: web.Request) -> web.Response:
        return render("phones.html", phones=by_name.values())

    async def show(request: web.Request) -> web.Response:
        return render("phone.html", phone=named(request))

    async def act(request: web.Request) -> web.Response:
        phone, perform = named(request), _ACTS.get(request.match_info["act"])
        if perform is None:
            raise web.HTTPNotFound
        perform(phone)
        raise web.HTTPSeeOther(f"/phones/{phone.name}")

    return [
        web.get("/phones", index),
        web.get("/phones/{name}", show),
        web.post("/phones/{name}/{act}", act),
    ]


def phones_app(phones: Iterable[SimulatedPhone]) -> web.Application:
    """The phones' pages as an application by themselves."""
    app = web.Application()
    app.add_routes(phone_routes(phones))
    return app
