"""One router's gate: brings the router to what the database says about a device, and the database to what the router confirmed.

Every change of access goes through `_show`, the one place that authorises or shuts out. Opening, closing and repairing differ only
in which grants they show. The intent is written before the deed, its confirmation after it; a crash in between is healed by doing
the same again.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from gateway.access import Grant, GrantEvent, GrantState, confirmed, current, horizon_s, moved_up
from gateway.catalogue import Site
from gateway.clock import Clock
from gateway.errors import DeviceAbsent
from gateway.hotspot.base import Device, Hotspot, WantedAccess
from gateway.identity import IpAddress, MacAddress
from gateway.store import access as grant_rows
from gateway.store.database import Database, Transaction

log = logging.getLogger(__name__)

ACTIVATION_ALLOWANCE_S = 5
"""What the router's own limits allow beyond the end. They are written before the router confirms and the customer's time starts
after it; without the allowance the second lock would close before the first."""


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
            grant = await self._db.read(lambda tx: grant_rows.get(tx, grant.id))
            if grant.state in {GrantState.ENDED, GrantState.REVOKED}:
                return grant  # somebody was quicker
            if grant.state is not GrantState.ENDING:
                ending = await self._db.write(lambda tx: self._due(tx, grant.id, because))
                log.info("over: the %s of %s is used up", because, mac, extra=_ids(ending, "due"))
            queue = await self._queue(mac)
            await self._repair(mac, queue)
            ended = await self._db.write(lambda tx: self._change(tx, grant.id, GrantEvent.SHUT))
        out = f"offline: {mac} is shut out" if not queue else f"online: {mac} goes on until {_clock_time(horizon_s(queue))}"
        log.info("%s", out, extra=_ids(ended, "continued" if queue else "offline"))
        return ended

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

    def _due(self, tx: Transaction, grant_id: str, because: str) -> Grant:
        now_s, grant = self._clock.wall_s(), grant_rows.get(tx, grant_id)
        ending = grant_rows.change(tx, grant, GrantEvent.DUE, now_s, ended_because=because)
        queue = grant_rows.queue(tx, self.router_id, _device_of(grant))
        for before, after in zip(queue, moved_up(queue, now_s), strict=True):
            if after != before:
                grant_rows.move(tx, before, after, now_s)
        return ending

    def _change(self, tx: Transaction, grant_id: str, event: GrantEvent, mac: MacAddress | None = None) -> Grant:
        grant = grant_rows.get(tx, grant_id)
        return grant_rows.change(tx, grant, event, self._clock.wall_s(), mac=mac or grant.mac)


def _device_of(grant: Grant) -> MacAddress:
    if grant.mac is None:
        raise ValueError(f"grant {grant.id} was let through without a device")
    return grant.mac


def _clock_time(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).astimezone().strftime("%H:%M:%S")


def _ids(grant: Grant, action: str) -> dict[str, str]:
    return {"action": action, "payment": grant.payment_id, "grant": grant.id}
