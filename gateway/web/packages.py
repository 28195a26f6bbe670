"""Packages over HTTP: what the portal sells, and the owner's hand on it."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from gateway import config_values as value
from gateway.config import MAX_DATA_MB, MAX_DEVICES
from gateway.errors import NotFound
from gateway.identity import Duration
from gateway.packages import Package
from gateway.store.inventory import PackageEntry
from gateway.web.auth import bearer_owner, owner_of
from gateway.web.bodies import Amount, id_in, invalid, parsed_fields, read
from gateway.web.queries import query_of
from gateway.web.replies import reply
from gateway.web.routers import Line, router_id_of
from gateway.web.services import services

_LONGEST_S = 10 * 366 * 86_400  # ten years, the longest Duration

Length = Annotated[str, msgspec.Meta(max_length=64, examples=["1h"])]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=_LONGEST_S)]
Mbps = Annotated[float, msgspec.Meta(gt=0, le=value.MAX_MBPS)]
Megabytes = Annotated[int, msgspec.Meta(ge=1, le=MAX_DATA_MB)]
Devices = Annotated[int, msgspec.Meta(ge=1, le=MAX_DEVICES)]
Paragraph = Annotated[str, msgspec.Meta(max_length=2_000)]


class PackageChange(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be different about a package; what is left out stays as it is. The length is `duration` or `duration_s`."""

    name: Line | UnsetType = UNSET
    price: Amount | UnsetType = UNSET
    """Whole shillings."""
    duration: Length | UnsetType = UNSET
    """As in config.yaml: `90s`, `30m`, `1h`, `7d`, `1d12h`."""
    duration_s: Seconds | UnsetType = UNSET
    download_mbps: Mbps | UnsetType | None = UNSET
    upload_mbps: Mbps | UnsetType | None = UNSET
    data_limit_mb: Megabytes | UnsetType | None = UNSET
    devices: Devices | UnsetType = UNSET
    description: Paragraph | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET

    def settings(self) -> dict[str, Any]:
        """The settings in the gateway's own types and names. Raises Invalid."""
        found = parsed_fields(self, _RULES)
        lengths = {found[name] for name in ("duration", "duration_s") if name in found}
        if len(lengths) > 1:
            raise invalid({"duration": ["says something else than duration_s"]})
        return {_NAMES.get(name, name): setting for name, setting in found.items()}


class PackageBody(PackageChange, frozen=True, kw_only=True):
    """A new package."""

    name: Line
    price: Amount

    def settings(self) -> dict[str, Any]:
        """See `PackageChange`."""
        found = super().settings()
        if "duration" not in found:
            raise invalid({"duration": ["this field is required"]})
        return found


def _kilobits(mbps: float) -> int:
    return value.kilobits(f"{mbps:.10f}".rstrip("0").rstrip("."))


_RULES: dict[str, Callable[[Any], Any]] = {
    "name": value.line,
    "price": lambda price: value.price(str(price)),
    "duration": Duration.parse,
    "duration_s": Duration,
    "download_mbps": _kilobits,
    "upload_mbps": _kilobits,
    "description": value.paragraph,
}
_NAMES = {
    "duration_s": "duration",
    "download_mbps": "download_kbps",
    "upload_mbps": "upload_kbps",
    "is_active": "active",
}


class PackagesQuery(msgspec.Struct, frozen=True):
    """Which packages."""

    include_inactive: bool = False
    """Also those that are not on sale; needs a Bearer token."""


class PackageAnswer(msgspec.Struct):
    """One thing on sale; speeds and data limit are null where there is no limit."""

    id: int
    name: str
    price: str
    currency: str
    duration_s: int
    duration_display: str
    download_mbps: int | float | None
    upload_mbps: int | float | None
    data_limit_mb: int | None
    devices: int
    description: str
    is_active: bool


class PackageList(msgspec.Struct):
    """What one router sells."""

    router_id: int
    router_name: str
    packages: list[PackageAnswer]


class PackageDetail(PackageAnswer, kw_only=True):
    """A package as its owner sees it."""

    router_id: int
    managed_by: str
    """`api`, or `config` for what config.yaml declares: that can be changed there only."""


async def list_packages(request: web.Request) -> web.Response:
    """What the portal sells at a router."""
    query = query_of(request, PackagesQuery)
    if query.include_inactive:
        router, entries = await services(request).inventory.packages(bearer_owner(request), router_id_of(request))
        return reply(PackageList(router.id, router.name, [_shown(entry.package) for entry in entries]))
    on_sale = services(request).site.catalogue.router(owner_of(request).id, router_id_of(request))
    packages = [_shown(package) for package in on_sale.packages.values() if package.active]
    return reply(PackageList(on_sale.id, on_sale.name, packages))


async def create_package(request: web.Request) -> web.Response:
    """Put a package on sale at one of your routers."""
    owner, body = bearer_owner(request), await read(request, PackageBody)
    entry = await services(request).inventory.add_package(owner, router_id_of(request), body.settings())
    return reply(_detail(entry), HTTPStatus.CREATED)


async def read_package(request: web.Request) -> web.Response:
    """One of your packages."""
    owner = bearer_owner(request)
    return reply(_detail(await services(request).inventory.package(owner, _id(request))))


async def change_package(request: web.Request) -> web.Response:
    """Change a package for whoever buys from now on. What is left out stays as it is."""
    owner, body = bearer_owner(request), await read(request, PackageChange)
    return reply(_detail(await services(request).inventory.change_package(owner, _id(request), body.settings())))


async def retire_package(request: web.Request) -> web.Response:
    """Take a package off the shelf. It stays on record with its payments; `is_active` brings it back."""
    owner = bearer_owner(request)
    return reply(_detail(await services(request).inventory.change_package(owner, _id(request), {"active": False})))


def _id(request: web.Request) -> int:
    try:
        return id_in(request.match_info["package_id"])
    except ValueError:
        raise NotFound("Package not found or access denied") from None


def _shown(package: Package) -> PackageAnswer:
    return PackageAnswer(
        id=package.id,
        name=package.name,
        price=str(package.price),
        currency=package.price.currency,
        duration_s=package.duration.seconds,
        duration_display=package.duration.display,
        download_mbps=_mbps(package.download_kbps),
        upload_mbps=_mbps(package.upload_kbps),
        data_limit_mb=package.data_limit_mb,
        devices=package.devices,
        description=package.description,
        is_active=package.active,
    )


def _detail(entry: PackageEntry) -> PackageDetail:
    shown = msgspec.structs.asdict(_shown(entry.package))
    return PackageDetail(**shown, router_id=entry.package.router_id, managed_by=entry.managed_by)


def _mbps(kbps: int | None) -> int | float | None:
    if kbps is None:
        return None
    return kbps // 1000 if kbps % 1000 == 0 else kbps / 1000
