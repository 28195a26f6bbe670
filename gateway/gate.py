"""One router's gate: brings the router to what the database says about a device, and the database to what the router confirmed.

Every change of access goes through `_show`, the one place that authorises or shuts out. Opening, closing and repairing differ only
in which grants they show. The intent is written before the deed, its confirmation after it; a crash in between is healed by doing
the same again.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from weakref import WeakValueDictionary

from gateway.access import (
    Grant,
    GrantEvent,
    GrantState,
    confirmed,
    current,
    extended,
    handed_over,
    horizon_s,
    is_let_through,
    is_used_up,
    moved_up,
    plus,
)
from gateway.catalogue import Site
from gateway.clock import Clock, within
from gateway.errors import Conflict, DeviceAbsent, GatewayError, NotStored
from gateway.hotspot.base import Device, Hotspot, WantedAccess
from gateway.identity import Duration, IpAddress, MacAddress
from gateway.logs import clock_time
from gateway.store import access as grant_rows
from gateway.store.database import Database, Transaction, not_stored

log = logging.getLogger(__name__)

ACTIVATION_ALLOWANCE_S = 5
"""What the router's own limits allow beyond the end. They are written before the router confirms and the customer's time starts
after it; without the allowance the second lock would close before the first."""

STALL_S = 0.5
"""How long a due grant waits for the card before its device is shut out unwritten: two writes (facts, reliability A5: 250 ms)."""

OVER_ALREADY = "This grant is over already"


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

        A device that the router does not see leaves the grant unclaimed; one that is not owed any more, or waits for `books`,
        stays as it is. Raises RouterUnreachable and RouterRefused; the grant stays owed.
        """
        if self._site.may_have_run(grant):
            return grant
        mac = grant.mac or await self._locate(grant)
        if mac is None:
            return await self._unclaimed(grant)
        async with self._lock(mac):
            grant = await self._db.read(lambda tx: grant_rows.get(tx, grant.id))
            if grant.state is not GrantState.OWED or grant.mac != mac:
                return grant  # somebody was quicker, or has moved it: to the other device it is opened by itself
            now_s = self._clock.wall_s()
            queue = await self._queue(mac)
            try:
                device = await self._show(mac, grant.ip, [*queue, confirmed(grant, queue, now_s)], now_s)
            except DeviceAbsent:
                return await self._unclaimed(grant)
            opened = await self._db.write(lambda tx: self._confirm(tx, grant.id, mac, device))
        self._wake(f"close:{self.router_id}")
        log.info("online: %s until %s", mac, clock_time(opened.ends_s), extra=_ids(opened, "online"))
        return opened

    async def end(self, grant: Grant, because: str) -> Grant:
        """End a grant whose time or data is used up: shut its device out, or carry it on under the next grant.

        Raises RouterUnreachable and RouterRefused; the grant then stays in `ending` and is ended again later.
        """
        mac = grant.device
        async with self._lock(mac):
            ending = await self._note_due(mac, grant, because)
            if ending.state is not GrantState.ENDING:
                return ending  # somebody was quicker: revoked, given more time, or moved to another device
            if grant.state is GrantState.ACTIVE:
                log.info("over: the %s of %s is used up", because, mac, extra=_ids(ending, "due"))
            queue = await self._queue(mac)
            await self._repair(mac, queue)
            ended = await self._db.write(lambda tx: self._change(tx, grant.id, GrantEvent.SHUT))
        if is_let_through(queue):
            log.info("online: %s goes on until %s", mac, clock_time(horizon_s(queue)), extra=_ids(ended, "continued"))
        else:
            log.info("offline: %s is shut out", mac, extra=_ids(ended, "offline"))
        return ended

    async def revoke(self, grant: Grant, *, unless_served: bool = False) -> Grant:
        """Take back what was bought and shut its device out now, or carry it on under the next grant.

        A router that does not answer is brought along by the comparison as soon as it does. Raises Conflict for a grant that is
        over, and if asked so for one that somebody has used; one that was revoked before stays as it is.
        """
        async with self._alone_with(grant) as present:
            if present.state is GrantState.REVOKED:
                return present
            if unless_served and present.was_served:
                raise Conflict("The time of this payment has just begun")
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
            if present.state is GrantState.ACTIVE:
                await self._bring_along(present)
        return longer

    async def move(self, grant: Grant, mac: MacAddress, ip: IpAddress | None) -> Grant:
        """Give what is left of a grant to the device in hand; the device that had it is shut out, or carried on under its next.

        To the device that has it already it means: let it through again. Raises Conflict for a grant that is over, and
        RouterUnreachable where the bytes of a limited grant cannot be read.
        """
        async with self._alone_with(grant, mac) as present:
            if present.mac == mac:
                return await self._brought_back(present, mac)
            used_bytes = await self._used_bytes(present)
            moved = await self._db.write(lambda tx: self._hand_over(tx, present, mac, ip, used_bytes))
            log.info("moved: what is left goes from %s to %s", present.mac or "nobody", mac, extra=_ids(moved, "moved"))
            await self._bring_along(present)
        self._wake(f"open:{self.router_id}")
        return moved

    async def log_out(self, mac: MacAddress) -> None:
        """Keep a device outside, by its user's own wish, until `log_in`, a purchase or a claim; its time runs on.

        A router that does not answer is brought along as in `revoke`. Raises RouterUnreachable where the bytes of a limited grant
        cannot be read.
        """
        async with self._lock(mac):
            queue = await self._queue(mac)
            if not is_let_through(queue):
                return
            turn = current(queue)
            used_bytes = await self._used_bytes(turn)
            await self._db.write(lambda tx: self._leave_outside(tx, queue, turn, used_bytes))
            log.info("logged out: %s, its time runs on", mac, extra=_ids(turn, "logged_out"))
            await self._bring_along(turn)

    async def log_in(self, mac: MacAddress) -> None:
        """Let a device that has logged out through again; a router that does not answer is brought along as in `revoke`."""
        async with self._lock(mac):
            await self._log_in(mac)

    async def bytes_left(self, grant: Grant) -> int | None:
        """What is left of a grant's data limit as the router counts; None without one. Raises RouterUnreachable, RouterRefused."""
        limit_bytes = self._site.catalogue.package(grant.package_id).data_limit_bytes
        return None if limit_bytes is None else max(0, limit_bytes - await self._used_bytes(grant))

    async def repair(self, mac: MacAddress) -> None:
        """Bring the router to what the database says about this device. Raises RouterUnreachable and RouterRefused."""
        async with self._lock(mac):
            await self._show_now(mac)

    async def claim(self, grant: Grant) -> None:
        """The device of an unclaimed grant is there again."""
        await self._db.write(lambda tx: self._change(tx, grant.id, GrantEvent.CLAIM))
        self._wake(f"open:{self.router_id}")

    # ── the router ──

    async def _note_due(self, mac: MacAddress, grant: Grant, because: str) -> Grant:
        """Write that the grant is due. Where the card takes nothing, or stalls, NotStored is raised, and its device is out."""
        try:
            return await within(STALL_S, self._db.write(lambda tx: self._due(tx, grant, because)), self._clock)
        except (NotStored, TimeoutError):
            await self._repair(mac, await self._queue(mac))
            raise not_stored() from None

    async def _show(self, mac: MacAddress, ip: IpAddress | None, queue: Sequence[Grant], now_s: float) -> Device | None:
        if not is_let_through(queue):
            await self.hotspot.shut_out(mac)
            return None
        return await self.hotspot.authorize(self._wanted(mac, ip, queue, now_s))

    async def _repair(self, mac: MacAddress, queue: Sequence[Grant]) -> None:
        now_s = self._clock.wall_s()
        lasting = [grant for grant in queue if grant.ends_s > now_s]  # an end that the disk does not take is an end all the same
        try:
            await self._show(mac, None, lasting, now_s)  # wherever it is by now
        except DeviceAbsent:
            log.debug("%s is not there at the moment", mac, extra={"action": "absent"})

    async def _show_now(self, mac: MacAddress) -> None:
        """Bring the router to what the database says, and note that it is there."""
        await self._repair(mac, await self._queue(mac))
        if mac in await self._db.read(lambda tx: grant_rows.unconfirmed(tx, self.router_id)):
            await self._db.write(lambda tx: grant_rows.confirm(tx, self.router_id, mac))

    async def _bring_along(self, grant: Grant) -> None:
        """Show the router what somebody changed about a grant; for one that it has not confirmed it may hold a row all the same."""
        if (mac := grant.mac) is None:
            return
        try:
            await self._show_now(mac)
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
            data_limit_bytes=None if package.data_limit_bytes is None else max(1, package.data_limit_bytes - grant.used_bytes),
        )

    async def _used_bytes(self, grant: Grant) -> int:
        """How much of its data a grant has used by now, by what its row leaves it: one not removed counts nothing twice."""
        limit_bytes = self._site.catalogue.package(grant.package_id).data_limit_bytes
        if grant.state is not GrantState.ACTIVE or limit_bytes is None:
            return grant.used_bytes
        rows = [row for row in (await self.hotspot.observe()).rows if (row.mac, row.grant_id) == (grant.mac, grant.id)]
        return max([grant.used_bytes, *(limit_bytes - row.left_bytes for row in rows if row.left_bytes is not None)])

    async def _brought_back(self, grant: Grant, mac: MacAddress) -> Grant:
        """A grant for whose device it is asked by that device itself."""
        _refuse_if_used_up(grant, self._clock.wall_s())
        if grant.is_unclaimed:
            await self.claim(grant)
        await self._log_in(mac)
        return await self._db.read(lambda tx: grant_rows.get(tx, grant.id))

    async def _log_in(self, mac: MacAddress) -> None:
        back = await self._db.write(lambda tx: grant_rows.log_in_all(tx, self.router_id, mac, self._clock.wall_s()))
        if back:
            log.info("logged in again: %s", mac, extra=_ids(back[0], "logged_in"))
            await self._bring_along(back[0])

    async def _locate(self, grant: Grant) -> MacAddress | None:
        """Whose address it is now. Kept at once: an address may be another phone's in a minute."""
        device = await self.hotspot.locate(None, grant.ip) if grant.ip else None
        if device is None:
            return None
        return (await self._db.write(lambda tx: self._note_device(tx, grant.id, device.mac))).mac

    @asynccontextmanager
    async def _alone_with(self, grant: Grant, *others: MacAddress) -> AsyncIterator[Grant]:
        """The grant as it is by now, while nothing else is done about its device or the others.

        Locks are taken in the order of the addresses, so that no two callers wait for each other. Raises Conflict for a grant that
        has gone to a device which is not locked.
        """
        async with AsyncExitStack() as held:
            for mac in sorted({mac for mac in (grant.mac, *others) if mac is not None}):
                await held.enter_async_context(self._lock(mac))
            present = await self._db.read(lambda tx: grant_rows.get(tx, grant.id))
            if present.mac != grant.mac:
                raise Conflict("This time has just gone to another device; ask again")
            yield present

    def _lock(self, mac: MacAddress) -> asyncio.Lock:
        return self._locks.setdefault(mac, asyncio.Lock())

    # ── the database ──

    async def _queue(self, mac: MacAddress) -> list[Grant]:
        return await self._db.read(lambda tx: grant_rows.queue(tx, self.router_id, mac))

    async def _unclaimed(self, grant: Grant) -> Grant:
        device = grant.mac or grant.ip or "which is not known yet"
        log.warning("paid, but the router does not see the device %s", device, extra=_ids(grant, "unclaimed"))
        return await self._db.write(lambda tx: self._lose(tx, grant))

    def _confirm(self, tx: Transaction, grant_id: str, mac: MacAddress, device: Device | None) -> Grant:
        now_s, grant = self._clock.wall_s(), grant_rows.get(tx, grant_id)
        window = confirmed(grant, grant_rows.queue(tx, self.router_id, mac), now_s)
        grant_rows.log_in_all(tx, self.router_id, mac, now_s)  # whoever buys, or claims, wants to be online
        begins_s, ends_s, ip = window.starts_at_s, window.ends_at_s, device.ip if device else grant.ip
        return grant_rows.change(tx, grant, GrantEvent.CONFIRM, now_s, starts_at_s=begins_s, ends_at_s=ends_s, ip=ip)

    def _due(self, tx: Transaction, asked: Grant, because: str) -> Grant:
        grant = grant_rows.get(tx, asked.id)
        was_extended = (grant.ends_at_s or 0) > (asked.ends_at_s or 0)
        was_moved = grant.mac != asked.mac or (grant.is_on_its_way and not asked.is_on_its_way)
        if grant.is_spent or was_extended or was_moved:
            return grant
        return self._leave(tx, grant, GrantEvent.DUE, because)

    def _take_back(self, tx: Transaction, grant: Grant) -> Grant:
        if grant.is_spent:
            raise Conflict(OVER_ALREADY)
        if grant.mac is not None:
            grant_rows.expect(tx, self.router_id, grant.mac)
        return self._leave(tx, grant, GrantEvent.REVOKE, "revoked")

    def _leave(self, tx: Transaction, grant: Grant, event: GrantEvent, because: str) -> Grant:
        """The grant lets nobody pass any more; those behind it move up. Raises Conflict when somebody changed it meanwhile."""
        now_s = self._clock.wall_s()
        left = grant_rows.change(tx, grant, event, now_s, ended_because=because)
        self._move_up(tx, grant, now_s)
        return left

    def _hand_over(self, tx: Transaction, grant: Grant, mac: MacAddress, ip: IpAddress | None, used_bytes: int) -> Grant:
        """The grant is the other device's; those behind it move up. Raises Conflict for one that is over."""
        now_s = self._clock.wall_s()
        _refuse_if_used_up(grant, now_s)
        moved = replace(handed_over(grant, mac, ip, now_s), used_bytes=used_bytes)
        owed = grant_rows.hand_over(tx, grant, moved, now_s)
        if grant.mac is not None:
            grant_rows.expect(tx, self.router_id, grant.mac)
        self._move_up(tx, grant, now_s)
        return owed

    def _leave_outside(self, tx: Transaction, queue: Sequence[Grant], turn: Grant, used_bytes: int) -> None:
        grant_rows.expect(tx, self.router_id, turn.device)
        for grant in queue:
            counted = replace(grant, used_bytes=used_bytes) if grant.id == turn.id else grant
            grant_rows.log_out(tx, grant, counted, self._clock.wall_s())

    def _note_device(self, tx: Transaction, grant_id: str, mac: MacAddress) -> Grant:
        """It was looked for by its address; who has moved it meanwhile knows better."""
        grant = grant_rows.get(tx, grant_id)
        return grant_rows.change(tx, grant, GrantEvent.CLAIM, self._clock.wall_s(), mac=grant.mac or mac)

    def _lose(self, tx: Transaction, sought: Grant) -> Grant:
        grant = grant_rows.get(tx, sought.id)
        if grant.mac != sought.mac:
            return grant  # it was moved while its device was looked for
        return grant_rows.change(tx, grant, GrantEvent.NO_DEVICE, self._clock.wall_s())

    def _lengthen(self, tx: Transaction, grant: Grant, extra: Duration) -> Grant:
        """Raises Conflict for one that is over, and when somebody changed it meanwhile."""
        if grant.is_spent:
            raise Conflict(OVER_ALREADY)
        now_s = self._clock.wall_s()
        if grant.state is not GrantState.ACTIVE:
            return grant_rows.extend(tx, grant, replace(grant, duration=plus(grant.duration, extra)), now_s)
        queue = grant_rows.queue(tx, self.router_id, grant.device)
        longer = {other.id: other for other in extended(queue, grant, extra)}
        followers = [other for other in queue if other.id != grant.id]
        grant_rows.move_all(tx, followers, [longer[other.id] for other in followers], now_s)
        return grant_rows.extend(tx, grant, longer[grant.id], now_s)

    def _move_up(self, tx: Transaction, left: Grant, now_s: float) -> None:
        if left.state is GrantState.ACTIVE:
            queue = grant_rows.queue(tx, self.router_id, left.device)
            grant_rows.move_all(tx, queue, moved_up(queue, now_s), now_s)

    def _change(self, tx: Transaction, grant_id: str, event: GrantEvent) -> Grant:
        return grant_rows.change(tx, grant_rows.get(tx, grant_id), event, self._clock.wall_s())


def _refuse_if_used_up(grant: Grant, now_s: float) -> None:
    if grant.is_spent or is_used_up(grant, now_s):
        raise Conflict("This time is over")


def _ids(grant: Grant, action: str) -> dict[str, str]:
    return {"action": action, "payment": grant.payment_id, "grant": grant.id}
