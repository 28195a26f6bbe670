"""The device in hand: what it has, as the captive portal shows it, and its user's wish to be outside or let through again.

Whose device it is has been found out before, by the router's word (`gateway.visitors`); nothing here is told to, or done for,
anybody else. What is done about access is `gateway.gate`'s.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from gateway.access import Grant, GrantState, current, horizon_s, is_let_through
from gateway.clock import Clock
from gateway.errors import Forbidden, GatewayError
from gateway.gate import Gate
from gateway.hotspot.base import Way
from gateway.identity import MacAddress
from gateway.payments import PUSH_OPEN_S, Payment
from gateway.settlement import Standing
from gateway.store import access as grant_rows
from gateway.store import payments as payment_rows
from gateway.store.database import Database, Transaction
from gateway.visitors import Visitor

log = logging.getLogger(__name__)

RECENT_S = 600
"""How long the newest payment of a device is shown to it again: who comes back from the SIM's prompt, or from another window, is
back within minutes; after that a page about an old failure would stand in the way of the next purchase."""


@dataclass(frozen=True, slots=True)
class DeviceStanding:
    """What one device has on the router that it is on."""

    payment: Payment | None
    """Its newest payment whose prompt is or may be on a phone."""
    last: Standing | None
    """Its newest payment of the last ten minutes, and what that bought."""
    queue: list[Grant]
    """Its active grants, in the order in which they end."""
    owed: list[Grant]
    """What it has paid for and the router has not let through yet, oldest first."""
    logged_out: bool
    """It has time, and stays outside by its user's own wish."""
    ends_s: float | None
    """When its access ends altogether, in seconds since 1970; None when it has none that runs."""


class Portal:
    """What the portal asks and does about a device. Every method raises Forbidden for a visitor who is not on a hotspot."""

    def __init__(self, db: Database, clock: Clock, gate_of: Callable[[int], Gate]) -> None:
        self._db = db
        self._clock = clock
        self._gate_of = gate_of

    async def device(self, visitor: Visitor) -> DeviceStanding:
        """What the device has."""
        mac = device_in_hand(visitor)
        return await self._db.read(lambda tx: _standing(tx, visitor.router.id, mac, self._clock.wall_s()))

    async def bytes_left(self, visitor: Visitor, device: DeviceStanding) -> int | None:
        """What is left of the data of the grant whose turn it is; None for no limit, and where it cannot be found out now."""
        if not device.queue or visitor.router.login.way is Way.BINDING:  # a binding counts nothing
            return None
        try:
            return await self._gate_of(visitor.router.id).bytes_left(current(device.queue))
        except GatewayError as fault:
            log.info("how much data is left cannot be said now: %s", fault, extra={"action": "data_unknown"})
            return None

    async def log_out(self, visitor: Visitor) -> None:
        """Shut the device out until `log_in`, a purchase or a claim; its time runs on. Raises what `Gate.log_out` raises."""
        await self._gate_of(visitor.router.id).log_out(device_in_hand(visitor))

    async def log_in(self, visitor: Visitor) -> None:
        """Let the device through again after `log_out`."""
        await self._gate_of(visitor.router.id).log_in(device_in_hand(visitor))


def device_in_hand(visitor: Visitor) -> MacAddress:
    """The device by which a visitor came, as the router sees it. Raises Forbidden for a visitor who is not on a hotspot."""
    if not visitor.is_on_hotspot or visitor.mac is None:
        raise Forbidden("Open this page on the WiFi, with the device that is to have the time")
    return visitor.mac


def _standing(tx: Transaction, router_id: int, mac: MacAddress, now_s: float) -> DeviceStanding:
    recent = payment_rows.of_device(tx, router_id, mac, now_s - max(RECENT_S, PUSH_OPEN_S))
    newest = next((payment for payment in recent if payment.created_at_s > now_s - RECENT_S), None)
    queue = grant_rows.queue(tx, router_id, mac)
    return DeviceStanding(
        payment=next((payment for payment in recent if payment.is_undecided and not payment.is_link), None),
        last=None if newest is None else Standing(newest, grant_rows.of_payment(tx, newest.id)),
        queue=queue,
        owed=grant_rows.of_device(tx, router_id, mac, GrantState.OWED, GrantState.UNCLAIMED),
        logged_out=bool(queue) and not is_let_through(queue),
        ends_s=horizon_s(queue) if queue else None,
    )
