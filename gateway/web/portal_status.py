"""What a device has: how long it is online, logging out and in again. For the device itself, by the router's word, nobody else."""

from http import HTTPStatus

from aiohttp import web

from gateway.access import current
from gateway.errors import NotFound
from gateway.portal import DeviceStanding
from gateway.visitors import Visitor
from gateway.web.portal import STATUS_PAGE, Visit, payment_path, portal_page, terms
from gateway.web.words import Language


@portal_page
async def status(visit: Visit) -> web.Response:
    """How long this device is online, and what can be done about it. The router's own status page leads here."""
    visitor = await visit.who()
    if not visitor.is_on_hotspot:
        return elsewhere(visit)
    device = await visit.services.portal.device(visitor)
    left_s = None if device.ends_s is None else max(0, round(device.ends_s - visit.now_s))
    return visit.page(
        "portal_status.html",
        visitor.owner,
        device=device,
        opening=payment_path(device.owed[0].payment_id) if device.owed else None,
        until=None if device.ends_s is None else visit.language.moment(device.ends_s, visit.now_s),
        left_s=left_s,
        given_back=_given_back(visit, device),
        terms=_terms(visit, device),
        megabytes_left=await _megabytes_left(visit, visitor, device),
        words=_countdown_words(visit.language),
        has_paid="paid" in visit.fields,
        receipt=_receipt(device),
        wanted=visit.wanted_page,
    )


@portal_page
async def log_out(visit: Visit) -> web.Response:
    """Shut this device out until its user logs in again, buys or claims; its time runs on."""
    await visit.services.portal.log_out(await visit.who())
    return visit.lead_to(STATUS_PAGE)


@portal_page
async def log_in(visit: Visit) -> web.Response:
    """Let this device through again."""
    await visit.services.portal.log_in(await visit.who())
    return visit.lead_to(STATUS_PAGE)


def elsewhere(visit: Visit) -> web.Response:
    """What a visitor reads whom no router knows: nothing that belongs to a device."""
    owner = visit.visitor.owner if visit.visitor else None
    return visit.page("portal_elsewhere.html", owner, status=HTTPStatus.FORBIDDEN)


def _terms(visit: Visit, device: DeviceStanding) -> list[str]:
    """What the package allows that is used now."""
    try:
        package = visit.services.site.catalogue.package(current(device.queue).package_id)
    except (NotFound, ValueError):
        return []
    return terms(package, visit.language)


async def _megabytes_left(visit: Visit, visitor: Visitor, device: DeviceStanding) -> str | None:
    """What is left of the data, in millions of bytes, as packages name it."""
    left_bytes = await visit.services.portal.bytes_left(visitor, device)
    return None if left_bytes is None else f"{left_bytes / 1_000_000:,.0f}"


def _given_back(visit: Visit, device: DeviceStanding) -> str | None:
    """How much of the time that is shown was added after outages, in whole minutes."""
    minutes = int(sum(grant.compensated_s for grant in device.queue) // 60)
    return visit.language.length(minutes * 60) if minutes else None


def _countdown_words(language: Language) -> dict[str, str]:
    """With which the page goes on counting by itself."""
    words = {name: language.texts[f"time.{name}"] for name in ("day", "days", "hour", "hours", "minute", "minutes")}
    return words | {"soon": language.say("status.soon")}


def _receipt(device: DeviceStanding) -> str | None:
    """Of the payment that was just made: it moves the time to another device, and is worth keeping."""
    return device.last.payment.receipt if device.last and device.last.grant else None
