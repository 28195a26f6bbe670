"""Who is asking: the device behind a request, by the word of the router that it is connected to.

What a query, form or body says about the device is written by whoever sends it, and MAC addresses are seen by everybody on an open
network. So the source address of the request is looked up in the routers' host tables (facts, platform C5), and what is named
counts only where no router knows better. Reads, grants nothing.
"""

import asyncio
import ipaddress
import logging
from dataclasses import dataclass
from typing import TypeAlias

from gateway.catalogue import Owner, Router, Site
from gateway.clock import Clock, done_within
from gateway.errors import Forbidden, NotFound, RouterUnreachable, Unavailable
from gateway.hotspot.base import Device
from gateway.identity import IpAddress, MacAddress
from gateway.scheduler import Scheduler

log = logging.getLogger(__name__)

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

FRESH_S = 5.0
"""How long a router's word about an address counts. A waiting page asks every 2 to 3 s, and a small router must not feel that; and
no DHCP server gives an address to another phone so soon after its last packet, so money may be bound to a word of that age."""

PATIENCE_S = 4.0
"""How long a visitor waits for a router's word: a page that takes longer is left, and a busy router still answers within a second.
The question itself goes on, for a deadline on it would break the connection that others are let in over."""

RETRY_S = 15
"""What a visitor is told to wait for a silent router: an outage is noticed and healed in that time (contract, "Bounds")."""


@dataclass(frozen=True, slots=True)
class Named:
    """What the query, form or body of a request says about the device that it is for."""

    router_id: int | None = None
    mac: MacAddress | None = None
    ip: IpAddress | None = None


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever asks, and where."""

    owner: Owner
    router: Router
    mac: MacAddress | None
    ip: IpAddress | None
    is_on_hotspot: bool
    """Whether this is the router's word. If not it is the visitor's own, good for buying and for nothing that a device has."""


@dataclass(frozen=True, slots=True)
class _Question:
    """One router, asked about one address."""

    asked_at_s: float
    answer: "asyncio.Task[Device | None]"


@dataclass(frozen=True, slots=True)
class _Sighting:
    """A device that a router sees at the address in question."""

    router: Router
    device: Device

    def agrees_with(self, named: Named, asked_from: IpAddress) -> bool:
        """Whether nothing that is named contradicts it; after universal NAT a device has two addresses (facts, routeros 2.7)."""
        return (
            named.router_id in {None, self.router.id}
            and named.mac in {None, self.device.mac}
            and named.ip in {None, self.device.ip, asked_from}
        )


class Visitors:
    """Tells who is behind an address."""

    def __init__(self, site: Site, clock: Clock, scheduler: Scheduler) -> None:
        self._site = site
        self._clock = clock
        self._scheduler = scheduler
        self._questions: dict[tuple[int, IpAddress], _Question] = {}
        """The recent ones, by router id and address."""
        self._hidden_by: set[int] = set()
        """Routers that were found to hide the phones' addresses."""

    async def who(self, address: Address | None, named: Named) -> Visitor:
        """The visitor who asks from that address and names these things.

        On a hotspot the router's word counts; what is named decides only between routers that both see a device at that address,
        and where it leaves several, or where no router sees one, it is taken as it is, unverified.

        Raises Forbidden when it contradicts the routers, NotFound when it names a router that is not there, and RouterUnreachable
        when the router in question does not answer.
        """
        ip = self._as_a_phone_s(address)
        seen, silent = ([], set()) if ip is None else await self._ask_all(ip)
        if ip is not None and seen:
            fitting = [sighting for sighting in seen if sighting.agrees_with(named, ip)]
            if not fitting:
                raise Forbidden(
                    "The WiFi router sees another device at your address than the one named. "
                    "To pay for another device, use a payment link."
                )
            if len(fitting) == 1:
                return self._on_hotspot(fitting[0])
        elif silent and (named.router_id is None or named.router_id in silent):
            raise no_answer()
        return self._as_named(named)

    def _as_a_phone_s(self, address: Address | None) -> IpAddress | None:
        """The address if it can be a phone's: the hotspot is IPv4 only, and the router itself is no phone (facts, routeros 4.4)."""
        try:
            ip = IpAddress.parse(str(address))
        except ValueError:
            return None
        for router in self._site.catalogue.routers.values():
            if router.login.host == ip.text:
                self._note_hidden(router)
                return None
        return ip

    def _note_hidden(self, router: Router) -> None:
        if router.id not in self._hidden_by:
            log.warning(
                "router %s hides the phones' addresses behind its own, so that they cannot be told apart: "
                "add the srcnat accept rule of the router script",
                router.name,
                extra={"action": "phones_hidden", "router": router.id},
            )
            self._hidden_by.add(router.id)

    async def _ask_all(self, ip: IpAddress) -> tuple[list[_Sighting], set[int]]:
        """Who is seen at that address, on every router in service; and the routers that could not be asked, by id."""
        routers = [router for router in self._site.catalogue.routers.values() if router.id in self._site.hotspots]
        answers = {router.id: self._ask(router, ip) for router in routers}
        asked = [answer for answer in answers.values() if answer is not None]
        if asked:
            await done_within(PATIENCE_S, asked, self._clock)
        silent = {router_id for router_id, answer in answers.items() if answer is None or not _has_answered(answer)}
        found = ((router, answers[router.id]) for router in routers if router.id not in silent)
        return [_Sighting(router, device) for router, answer in found if answer and (device := answer.result())], silent

    def _ask(self, router: Router, ip: IpAddress) -> "asyncio.Task[Device | None] | None":
        """The question that was asked a moment ago, or a new one; None for a router that is known to be out of reach."""
        hotspot, now_s = self._site.hotspots[router.id], self._clock.monotonic_s()
        self._questions = {key: asked for key, asked in self._questions.items() if now_s - asked.asked_at_s < FRESH_S}
        known = self._questions.get((router.id, ip))
        if known is not None and not _leads_nowhere(known.answer):
            return known.answer
        if hotspot.reachable is False:
            return None
        question = self._questions[router.id, ip] = _Question(now_s, self._scheduler.in_hand(hotspot.locate(None, ip)))
        return question.answer

    def _on_hotspot(self, seen: _Sighting) -> Visitor:
        owner = self._site.catalogue.owners[seen.router.owner_id]
        return Visitor(owner, seen.router, seen.device.mac, seen.device.ip, is_on_hotspot=True)

    def _as_named(self, named: Named) -> Visitor:
        routers = self._site.catalogue.routers
        router = routers.get(min(routers, default=0) if named.router_id is None else named.router_id)
        if router is None:
            raise NotFound("Router not found or access denied")
        return Visitor(self._site.catalogue.owners[router.owner_id], router, named.mac, named.ip, is_on_hotspot=False)


def no_answer() -> RouterUnreachable:
    """What a customer is told of a router that does not answer."""
    return RouterUnreachable(
        "The WiFi router does not answer at the moment. You have not been charged: try again soon.", retry_after_s=RETRY_S
    )


def _leads_nowhere(answer: "asyncio.Task[Device | None]") -> bool:
    """Whether the answer is not worth keeping: a phone that the router did not see may have joined the WiFi since."""
    return answer.done() and (answer.cancelled() or answer.exception() is not None or answer.result() is None)


def _has_answered(answer: "asyncio.Task[Device | None]") -> bool:
    """Whether the router has said something, yes or no; one that broke down said nothing."""
    if not answer.done() or answer.cancelled():
        return False
    fault = answer.exception()
    if fault is not None and not isinstance(fault, Unavailable):
        raise fault
    return fault is None
