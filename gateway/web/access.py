"""Access grants over HTTP: who is let through until when, and the owner's hand on it."""

from typing import Annotated, Literal

import msgspec
from aiohttp import web

from gateway.access import Grant, GrantState
from gateway.identity import Duration, MacAddress
from gateway.store.access import GrantFilter
from gateway.web.auth import bearer_owner
from gateway.web.bodies import ShortText, id_in, parsed_fields, read
from gateway.web.queries import SpanQuery, cursor, query_of
from gateway.web.replies import reply, timestamp
from gateway.web.services import services


class GrantQuery(SpanQuery, frozen=True, kw_only=True):
    """Which grants; what is left out filters nothing."""

    status: Literal["owed", "unclaimed", "active", "ending", "ended", "revoked"] | None = None
    router_id: ShortText | None = None
    mac_address: ShortText | None = None

    def wanted(self) -> GrantFilter:
        """The filters in the gateway's own types. Raises Invalid."""
        given = parsed_fields(self, {"status": GrantState, "router_id": id_in, "mac_address": MacAddress.parse})
        return GrantFilter(given["status"], given["router_id"], given["mac_address"])


class ExtendBody(msgspec.Struct, frozen=True):
    """How much more."""

    duration: Annotated[str, msgspec.Meta(max_length=64, examples=["30m", "1h", "1d12h"])]
    """As in config.yaml: `90s`, `30m`, `1h`, `7d`, `1d12h`."""

    def parsed(self) -> Duration:
        """The duration. Raises Invalid."""
        duration: Duration = parsed_fields(self, {"duration": Duration.parse})["duration"]
        return duration


class GrantAnswer(msgspec.Struct):
    """What was bought: this device may pass until then. Both times are null until the router has confirmed the device."""

    id: str
    payment_id: str
    router_id: int
    package_id: int
    status: str
    """`owed` (the router has not let the device through yet), `unclaimed` (no device in sight), `active`, `ending` (over, and the
    router has not confirmed it), `ended` or `revoked`."""
    mac_address: str
    ip_address: str
    duration_s: int
    starts_at: str | None
    ends_at: str | None
    ended_because: str | None
    """`time`, `data` or `revoked`."""
    claim_code: str | None
    """With which somebody who paid through a link names the device."""
    compensated_s: int
    """Seconds in which it could not be used because the router or the uplink was down, and which were given back at its end."""
    created_at: str
    updated_at: str


class GrantPage(msgspec.Struct):
    """Some grants, newest first."""

    results: list[GrantAnswer]
    next: str | None
    """The `cursor` of the next page; null behind the last one."""


async def list_grants(request: web.Request) -> web.Response:
    """Who is, was or will be let through, newest first. Filters can be combined; `cursor` is `next` of the page before."""
    owner, query = bearer_owner(request), query_of(request, GrantQuery)
    page = await services(request).grants.page(owner, query.wanted(), query.span())
    return reply(GrantPage([shown_grant(grant) for grant in page.entries], cursor(page.next)))


async def read_grant(request: web.Request) -> web.Response:
    """One of your grants."""
    owner = bearer_owner(request)
    return reply(shown_grant(await services(request).grants.get(owner, _id(request))))


async def revoke(request: web.Request) -> web.Response:
    """Take access back: the device is shut out now, or as soon as the router answers. Takes no body."""
    owner = bearer_owner(request)
    return reply(shown_grant(await services(request).grants.revoke(owner, _id(request))))


async def extend(request: web.Request) -> web.Response:
    """Give more time. What the same device bought behind it begins later; nobody loses a second."""
    owner, body = bearer_owner(request), await read(request, ExtendBody)
    return reply(shown_grant(await services(request).grants.extend(owner, _id(request), body.parsed())))


def shown_grant(grant: Grant) -> GrantAnswer:
    """The grant as it is answered."""
    return GrantAnswer(
        id=grant.id,
        payment_id=grant.payment_id,
        router_id=grant.router_id,
        package_id=grant.package_id,
        status=grant.state.value,
        mac_address=str(grant.mac or ""),
        ip_address=str(grant.ip or ""),
        duration_s=grant.duration.seconds,
        starts_at=None if grant.starts_at_s is None else timestamp(grant.starts_at_s),
        ends_at=None if grant.ends_at_s is None else timestamp(grant.ends_at_s),
        ended_because=grant.ended_because,
        claim_code=grant.claim_code,
        compensated_s=round(grant.compensated_s),
        created_at=timestamp(grant.created_at_s),
        updated_at=timestamp(grant.updated_at_s),
    )


def _id(request: web.Request) -> str:
    return request.match_info["grant_id"]
