"""Routers over HTTP. Their passwords come in here and never go out."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from gateway import config_values as value
from gateway.errors import NotFound
from gateway.hotspot.base import Way
from gateway.inventory import Trial
from gateway.store.inventory import RouterEntry
from gateway.web.auth import bearer_owner
from gateway.web.bodies import id_in, parsed_fields, read
from gateway.web.replies import reply
from gateway.web.services import services

Line = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
"""One line of text."""
Host = Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
Fingerprint = Annotated[str, msgspec.Meta(min_length=64, max_length=95)]
"""SHA-256 in hex, with or without colons."""

_ANY_SERVER = "all"


class RouterChange(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be different about a router; what is left out stays as it is."""

    name: Line | UnsetType = UNSET
    host: Host | UnsetType = UNSET
    username: Line | UnsetType = UNSET
    """Of the API user on the router."""
    password: Line | UnsetType = UNSET
    """Write-only."""
    port: Port | UnsetType = UNSET
    """8729 if left out of a new router, without TLS 8728."""
    tls: bool | UnsetType = UNSET
    tls_fingerprint: Fingerprint | UnsetType | None = UNSET
    """Of the router's certificate, to pin it."""
    hotspot_server: Line | UnsetType | None = UNSET
    """`all` or null for every one."""
    authorize: Literal["user", "binding"] | UnsetType = UNSET
    """How a client is let through."""
    is_active: bool | UnsetType = UNSET

    def settings(self) -> dict[str, Any]:
        """The settings in the gateway's own types and names. Raises Invalid."""
        found = parsed_fields(self, _RULES)
        return {_NAMES.get(name, name): setting for name, setting in found.items()}


class RouterBody(RouterChange, frozen=True, kw_only=True):
    """A new router."""

    name: Line
    host: Host
    username: Line
    password: Line


_RULES = {
    "name": value.line,
    "host": value.host,
    "username": value.line,
    "password": value.secret(),
    "tls_fingerprint": value.fingerprint,
    "hotspot_server": lambda text: None if text == _ANY_SERVER else value.line(text),
    "authorize": Way,
}
_NAMES = {"authorize": "way", "is_active": "active"}


class RouterAnswer(msgspec.Struct):
    """A router without its password."""

    id: int
    name: str
    host: str
    port: int
    tls: bool
    tls_fingerprint: str | None
    username: str
    hotspot_server: str
    authorize: str
    is_active: bool
    managed_by: str
    """`api`, or `config` for what config.yaml declares: that can be changed there only."""


class RouterList(msgspec.Struct):
    """Every router of the owner; there are never so many that a second page is needed."""

    results: list[RouterAnswer]
    next: None = None


class TrialAnswer(msgspec.Struct):
    """What came of trying a router."""

    reachable: bool
    version: str | None
    """Of RouterOS."""
    hotspot_servers: list[str]
    error: str | None
    """What is wrong; null when the router can be sold on."""


async def list_routers(request: web.Request) -> web.Response:
    """Your routers, in service or not."""
    entries = await services(request).inventory.routers(bearer_owner(request))
    return reply(RouterList([_shown(entry) for entry in entries]))


async def create_router(request: web.Request) -> web.Response:
    """Take a router into service. The gateway connects to it at once; `test-connection` says how that went."""
    owner, body = bearer_owner(request), await read(request, RouterBody)
    return reply(_shown(await services(request).inventory.add_router(owner, body.settings())), HTTPStatus.CREATED)


async def read_router(request: web.Request) -> web.Response:
    """One of your routers."""
    owner = bearer_owner(request)
    return reply(_shown(await services(request).inventory.router(owner, router_id_of(request))))


async def change_router(request: web.Request) -> web.Response:
    """Change a router. What is left out stays as it is, the password too."""
    owner, body = bearer_owner(request), await read(request, RouterChange)
    return reply(_shown(await services(request).inventory.change_router(owner, router_id_of(request), body.settings())))


async def retire_router(request: web.Request) -> web.Response:
    """Take a router out of service. It stays on record with its payments; `is_active` brings it back."""
    owner = bearer_owner(request)
    retired = await services(request).inventory.change_router(owner, router_id_of(request), {"active": False})
    return reply(_shown(retired))


async def test_connection(request: web.Request) -> web.Response:
    """Log in to the router now, and look which hotspots it runs. Changes nothing; takes no body."""
    owner = bearer_owner(request)
    return reply(_tried(await services(request).inventory.test_connection(owner, router_id_of(request))))


def router_id_of(request: web.Request) -> int:
    """The router that the path names. Raises NotFound for what can be no id."""
    try:
        return id_in(request.match_info["router_id"])
    except ValueError:
        raise NotFound("Router not found or access denied") from None


def _shown(entry: RouterEntry) -> RouterAnswer:
    return RouterAnswer(
        id=entry.id,
        name=entry.name,
        host=entry.host,
        port=entry.port,
        tls=entry.tls,
        tls_fingerprint=entry.tls_fingerprint,
        username=entry.username,
        hotspot_server=entry.hotspot_server or _ANY_SERVER,
        authorize=entry.way.value,
        is_active=entry.active,
        managed_by=entry.managed_by,
    )


def _tried(trial: Trial) -> TrialAnswer:
    return TrialAnswer(trial.reachable, trial.version, list(trial.hotspot_servers), trial.error)
