"""One router's gate: brings the router to what the database says about a device, and the database to what the router confirmed.

Every change of access goes through `_show`, the one place that authorises or shuts out. Opening, closing and repairing differ only
in which grants they show. The intent is written before the deed, its confirmation after it; a crash in between is healed by doing
the same again.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from gateway.access import Grant, GrantEvent, GrantState, confirmed, current, extended, horizon_s, moved_up, plus
from gateway.catalogue import Site
from gateway.clock import Clock
from gateway.errors import Conflict, DeviceAbsent, GatewayError
from gateway.hotspot.base import Device, Hotspot, WantedAccess
from gateway.identity import Duration, IpAddress, MacAddress
from gateway.store import access as grant_rows
from gateway.store.database import Database, Transaction

log = logging.getLogger(__name__)

ACTIVATION_ALLOWANCE_S = 5
"""What the router's own limits allow beyond the end. They are written before the router confirms and the customer's time starts
after it; without the allowance the second lock would close before the first."""


_OVER = frozenset({GrantState.ENDING, GrantState.ENDED, GrantState.REVOKED})


class Gate:
    """Opens, closes and repairs access on one router, one device at a time."""

    def __init__(self, router_id: int, site: Site, db: Database, clock: Clock, wake: Callable[[str], None]) -> None:
        self.router_id = router_id
        self._site = site
        self._db = db
        self._clock = clock
        self._wake = wake
        self._locks: WeakValueDictionary[MacAddress, asyncio.Lock] = WeakValueDictionary()

    @property
    def hotspot(self) -> Hotspot:
        """The router's hotspot. Raises Unavailable for a router that is not in service any more."""
        return self._site.hotspot(self.router_id)

    async def open(self, grant: Grant) -> Grant:
        """Let the device of an owed grant through, and start its time when the router has confirmed it.

        A device that the router does not see leaves the grant unclaimed; a grant that is not owed any more stays as it is.
        Raises RouterUnreachable and RouterRefused; the grant stays owed.
        """
        mac = grant.mac or await self._locate(grant)
        if mac is None:
            return await self._unclaimed(grant)
        async with self._lock(mac):
            grant = await self._db.read(lambda tx: grant_rows.get(tx, grant.id))
            if grant.state is not GrantState.OWED:
                return grant  # somebody was quicker
            now_s = self._clock.wall_s()
            queue = await self._queue(mac)
            try:
                device = await self._show(mac, grant.ip, [*queue, confirmed(grant, queue, now_s)], now_s)
            except DeviceAbsent:
                return await self._unclaimed(grant)
            opened = await self._db.write(lambda tx: self._confirm(tx, grant.id, mac, device))
        self._wake(f"close:{self.router_id}")
        log.info("online: %s until %s", mac, _clock_time(opened.ends_s), extra=_ids(opened, "online"))
        return opened

    async def end(self, grant: Grant, because: str) -> Grant:
        """End a grant whose time or data is used up: shut its device out, or carry it on under the next grant.

        Raises RouterUnreachable and RouterRefused; the grant then stays in `ending` and is ended again later.
        """
        mac = _device_of(grant)
        async with self._lock(mac):
            ending = await self._db.write(lambda tx: self._due(tx, grant, because))
            if ending.state is not GrantState.ENDING:
                return ending  # the operator was quicker: revoked, or given more time
            if grant.state is GrantState.ACTIVE:
                log.info("over: the %s of %s is used up", because, mac, extra=_ids(ending, "due"))
            queue = await self._queue(mac)
            await self._repair(mac, queue)
            ended = await self._db.write(lambda tx: self._change(tx, grant.id, GrantEvent.SHUT))
        out = f"offline: {mac} is shut out" if not queue else f"online: {mac} goes on until {_clock_time(horizon_s(queue))}"
        log.info("%s", out, extra=_ids(ended, "continued" if queue else "offline"))
        return ended

    async def revoke(self, grant: Grant) -> Grant:
        """Take back what was bought and shut its device out now, or carry it on under the next grant.

        A router that does not answer is brought along by the comparison as soon as it does. Raises Conflict for a grant that is
        over; one that was revoked before stays as it is.
        """
        async with self._alone_with(grant) as present:
            if present.state is GrantState.REVOKED:
                return present
            revoked = await self._db.write(lambda tx: self._take_back(tx, present))
            log.warning("revoked by the operator: the time of %s", present.mac or present.ip, extra=_ids(revoked, "revoked"))
            await self._bring_along(present)
        return revoked

    async def extend(self, grant: Grant, extra: Duration) -> Grant:
        """Give a grant more time; the grants behind it on its device begin later, and the router is brought along as in `revoke`.

        Raises Conflict for a grant that is over. ValueError when it would last longer than a duration can be.
        """
        async with self._alone_with(grant) as present:
            longer = await self._db.write(lambda tx: self._lengthen(tx, present, extra))
            log.info("given %s more by the operator: %s", extra.display, present.mac or present.ip, extra=_ids(longer, "extended"))
            await self._bring_along(present)
        return longer

    async def repair(self, mac: MacAddress) -> None:
        """Bring the router to what the database says about this device. Raises RouterUnreachable and RouterRefused."""
        async with self._lock(mac):
            await self._repair(mac, await self._queue(mac))

    async def claim(self, grant: Grant) -> None:
        """The device of an unclaimed grant is there again."""
        await self._db.write(lambda tx: self._change(tx, grant.id, GrantEvent.CLAIM))
        self._wake(f"open:{self.router_id}")

    # ── the router ──

    async def _show(self, mac: MacAddress, ip: IpAddress | None, queue: Sequence[Grant], now_s: float) -> Device | None:
        if not queue:
            await self.hotspot.shut_out(mac)
            return None
        return await self.hotspot.authorize(self._wanted(mac, ip, queue, now_s))

    async def _repair(self, mac: MacAddress, queue: Sequence[Grant]) -> None:
        try:
            await self._show(mac, None, queue, self._clock.wall_s())  # wherever it is by now
        except DeviceAbsent:
            log.debug("%s is not there at the moment", mac, extra={"action": "absent"})

    async def _bring_along(self, grant: Grant) -> None:
        """Show the router what an operator changed about a grant that it knows."""
        if grant.state is not GrantState.ACTIVE:
            return
        mac = _device_of(grant)
        try:
            await self._repair(mac, await self._queue(mac))
        except GatewayError as fault:
            log.warning("router %s hears of %s later: %s", self.router_id, mac, fault, extra=_ids(grant, "repair_later"))
        self._wake(f"close:{self.router_id}")

    def _wanted(self, mac: MacAddress, ip: IpAddress | None, queue: Sequence[Grant], now_s: float) -> WantedAccess:
        grant, until_s = current(queue), horizon_s(queue)
        package = self._site.catalogue.package(grant.package_id)
        return WantedAccess(
            grant_id=grant.id,
            mac=mac,
            ip=ip,
            profile=package.profile,
            until_epoch_s=math.ceil(until_s) + ACTIVATION_ALLOWANCE_S,
            remaining_s=math.ceil(until_s - now_s) + ACTIVATION_ALLOWANCE_S,
            data_limit_bytes=package.data_limit_bytes,
        )

    async def _locate(self, grant: Grant) -> MacAddress | None:
        """Whose address it is now. Kept at once: an address may be another phone's in a minute."""
        device = await self.hotspot.locate(None, grant.ip) if grant.ip else None
        if device is None:
            return None
        await self._db.write(lambda tx: self._change(tx, grant.id, GrantEvent.CLAIM, mac=device.mac))
        return device.mac

    @asynccontextmanager
    async def _alone_with(self, grant: Grant) -> AsyncIterator[Grant]:
        """The grant as it is by now, while nothing else is done about its device."""
        if grant.mac is None:
            yield grant
            return
        async with self._lock(grant.mac):
            yield await self._db.read(lambda tx: grant_rows.get(tx, grant.id))

    def _lock(self, mac: MacAddress) -> asyncio.Lock:
        lock = self._locks.get(mac)
        if lock is None:
            self._locks[mac] = lock = asyncio.Lock()
        return lock

    # ── the database ──

    async def _queue(self, mac: MacAddress) -> list[Grant]:
        return await self._db.read(lambda tx: grant_rows.queue(tx, self.router_id, mac))

    async def _unclaimed(self, grant: Grant) -> Grant:
        log.warning("paid, but the router does not see the device %s", grant.mac or grant.ip, extra=_ids(grant, "unclaimed"))
        return await self._db.write(lambda tx: self._change(tx, grant.id, GrantEvent.NO_DEVICE))

    def _confirm(self, tx: Transaction, grant_id: str, mac: MacAddress, device: Device | None) -> Grant:
        now_s, grant = self._clock.wall_s(), grant_rows.get(tx, grant_id)
        window = confirmed(grant, grant_rows.queue(tx, self.router_id, mac), now_s)
        ip = device.ip if device else grant.ip
        return grant_rows.change(
            tx, grant, GrantEvent.CONFIRM, now_s, starts_at_s=window.starts_at_s, ends_at_s=window.ends_at_s, ip=ip
        )

    def _due(self, tx: Transaction, asked: Grant, because: str) -> Grant:
        grant = grant_rows.get(tx, asked.id)
        was_extended = (grant.ends_at_s or 0) > (asked.ends_at_s or 0)
        if grant.state in _OVER or was_extended:
            return grant
        return self._leave(tx, grant, GrantEvent.DUE, because)

    def _take_back(self, tx: Transaction, grant: Grant) -> Grant:
        _refuse_if_over(grant)
        return self._leave(tx, grant, GrantEvent.REVOKE, "revoked")

    def _leave(self, tx: Transaction, grant: Grant, event: GrantEvent, because: str) -> Grant:
        """The grant lets nobody pass any more; those behind it move up. Raises Conflict when somebody changed it meanwhile."""
        now_s = self._clock.wall_s()
        left = grant_rows.change(tx, grant, event, now_s, ended_because=because)
        if grant.state is GrantState.ACTIVE:
            queue = grant_rows.queue(tx, self.router_id, _device_of(grant))
            self._move(tx, queue, moved_up(queue, now_s), now_s)
        return left

    def _lengthen(self, tx: Transaction, grant: Grant, extra: Duration) -> Grant:
        """Raises Conflict for one that is over, and when somebody changed it meanwhile."""
        _refuse_if_over(grant)
        now_s = self._clock.wall_s()
        if grant.state is not GrantState.ACTIVE:
            return grant_rows.extend(tx, grant, replace(grant, duration=plus(grant.duration, extra)), now_s)
        queue = grant_rows.queue(tx, self.router_id, _device_of(grant))
        longer = {other.id: other for other in extended(queue, grant, extra)}
        followers = [other for other in queue if other.id != grant.id]
        self._move(tx, followers, [longer[other.id] for other in followers], now_s)
        return grant_rows.extend(tx, grant, longer[grant.id], now_s)

    def _move(self, tx: Transaction, queue: Sequence[Grant], moved: Sequence[Grant], now_s: float) -> None:
        for before, after in zip(queue, moved, strict=True):
            if after != before:
                grant_rows.move(tx, before, after, now_s)

    def _change(self, tx: Transaction, grant_id: str, event: GrantEvent, mac: MacAddress | None = None) -> Grant:
        grant = grant_rows.get(tx, grant_id)
        return grant_rows.change(tx, grant, event, self._clock.wall_s(), mac=mac or grant.mac)


def _refuse_if_over(grant: Grant) -> None:
    if grant.state in _OVER:
        raise Conflict("This grant is over already")


def _device_of(grant: Grant) -> MacAddress:
    if grant.mac is None:
        raise ValueError(f"grant {grant.id} was let through without a device")
    return grant.mac


def _clock_time(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).astimezone().strftime("%H:%M:%S")


def _ids(grant: Grant, action: str) -> dict[str, str]:
    return {"action": action, "payment": grant.payment_id, "grant": grant.id}
