"""The page of those who have paid already: a code moves the time to the device in hand."""

from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from gateway.errors import Conflict, GatewayError
from gateway.web.errors import STATUS
from gateway.web.peers import client_address
from gateway.web.portal import Visit, payment_path, portal_page, wait_of
from gateway.web.portal_status import elsewhere

_LONGEST_CODE = 400
"""A whole message of M-Pesa may be pasted in; its receipt is the first word."""

_LONGEST_PHONE = 32
"""Far beyond the longest number, in characters."""


@dataclass(frozen=True, slots=True)
class ClaimFault:
    """What is said about a code that was refused."""

    said: str
    status: HTTPStatus
    wait_s: int | None = None
    details: str | None = None
    is_about_phone: bool = False


@portal_page
async def show(visit: Visit) -> web.Response:
    """Where a code is entered, on the device that is to have the time."""
    visitor = await visit.who()
    return _form(visit) if visitor.is_on_hotspot else elsewhere(visit)


@portal_page
async def claim(visit: Visit) -> web.Response:
    """Move what the code stands for to this device, and lead its user to the payment."""
    visitor = await visit.who()
    if not visitor.is_on_hotspot:
        return elsewhere(visit)
    code, phone = visit.fields.get("code", "")[:_LONGEST_CODE], visit.fields.get("phone", "")[:_LONGEST_PHONE]
    try:
        grant = await visit.services.claims.claim(visitor, code, phone or None, client_address(visit.request))
    except GatewayError as refusal:
        return _form(visit, _fault(visit, refusal))
    return visit.lead_to(payment_path(grant.payment_id))


def _form(visit: Visit, fault: ClaimFault | None = None) -> web.Response:
    return visit.page(
        "portal_claim.html",
        visit.visitor.owner if visit.visitor else None,
        status=fault.status if fault else HTTPStatus.OK,
        wait_s=fault.wait_s if fault else None,
        wait=visit.language.wait(fault.wait_s) if fault and fault.wait_s else None,
        fault=fault,
        code=visit.fields.get("code", "")[:_LONGEST_CODE],
        phone=visit.fields.get("phone", "")[:_LONGEST_PHONE],
    )


def _fault(visit: Visit, refusal: GatewayError) -> ClaimFault:
    is_about_phone = "phone_number" in (refusal.fields or {})
    said = visit.language.say("refusal.buy.phone") if is_about_phone else visit.language.refusal(refusal, "claim")
    details = refusal.message if isinstance(refusal, Conflict) else None  # there are several, and the flow says which
    return ClaimFault(said, STATUS[refusal.code], wait_of(refusal), details, is_about_phone)
