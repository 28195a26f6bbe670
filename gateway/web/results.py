"""Where a payment page sends the payer back to. Never proof of payment: what is shown is what the gateway knows by itself.

Whoever has the payment's id may look, because it cannot be guessed. The page is the portal's own; only what the payment page claims
is said besides. The provider is asked first: whoever comes back waits for the answer.
"""

from aiohttp import web

from gateway.web.portal import STATUS_PAGE, Visit, portal_page
from gateway.web.portal_payment import is_this_device, payment_page, phase_now
from gateway.web.portal_phases import Phase


@portal_page
async def success(visit: Visit) -> web.Response:
    """What is known about a payment whose payer comes back from the payment page."""
    return await _result(visit, "link.said_paid")


@portal_page
async def failed(visit: Visit) -> web.Response:
    """What is known about a payment whose payer gave up or could not pay."""
    return await _result(visit, "link.said_failed")


async def _result(visit: Visit, said: str) -> web.Response:
    payment_id = visit.request.match_info["payment_id"]
    standing = await visit.services.settlement.look_up(payment_id)
    phase = phase_now(visit.request, standing)
    if phase is Phase.ONLINE and await is_this_device(visit, standing.grant):
        return visit.lead_to(STATUS_PAGE, paid=payment_id)
    return payment_page(visit, standing, phase, said if phase is Phase.WAITING else None)
