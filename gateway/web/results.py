"""Where a payment page sends the payer back to. Never proof of payment: what is shown is what the gateway knows by itself.

Whoever has the payment's id may look, because it cannot be guessed; neither phone number nor device is shown.
"""

from http import HTTPStatus

from aiohttp import web

from gateway.access import Grant
from gateway.errors import NotFound
from gateway.settlement import Standing
from gateway.web.pages import page
from gateway.web.replies import timestamp
from gateway.web.services import services

REFRESH_S = 5
"""How often the page asks again while nothing is decided."""


async def success(request: web.Request) -> web.Response:
    """What is known about a payment whose payer comes back from the payment page."""
    return await _result(request, "The payment page says that you have paid. We are asking M-Pesa.")


async def failed(request: web.Request) -> web.Response:
    """What is known about a payment whose payer gave up or could not pay."""
    return await _result(request, "The payment page says that you have not paid. If you have, wait here: we are asking M-Pesa.")


async def _result(request: web.Request, said: str) -> web.Response:
    try:
        standing = await services(request).settlement.look_up(request.match_info["payment_id"])
    except NotFound:
        return page("result.html", status=HTTPStatus.NOT_FOUND, title="Unknown payment", lines=["We know nothing of this payment."])
    title, lines = _known(standing, said)
    code = _claim_code(standing.grant)
    moves = standing.payment.is_undecided or (standing.grant is not None and standing.grant.is_on_its_way)
    return page("result.html", title=title, lines=lines, code=code, refresh_s=REFRESH_S if moves else None)


def _known(standing: Standing, said: str) -> tuple[str, list[str]]:
    payment, grant = standing.payment, standing.grant
    if payment.paid_at_s is not None:
        return "Paid", [f"KES {payment.amount} has arrived. Thank you.", _access(grant)]
    if payment.is_undecided:
        return "One moment", [said]
    return "Not paid", [payment.failed_reason or "The payment failed.", "If you have been charged, show this page to the seller."]


def _access(grant: Grant | None) -> str:
    """What became of the time that was bought."""
    if grant is None or grant.is_on_its_way:
        return "Your WiFi opens in a moment."
    if grant.is_over:
        return "Your time is over."
    if grant.is_unclaimed:
        return "No device has the time yet. Join the WiFi on the device that is to have it and enter this code:"
    return f"Your WiFi is open until {timestamp(grant.ends_s)}."


def _claim_code(grant: Grant | None) -> str | None:
    """In two halves, as people copy it."""
    if grant is None or not grant.is_unclaimed or grant.claim_code is None:
        return None
    half = len(grant.claim_code) // 2
    return f"{grant.claim_code[:half]}-{grant.claim_code[half:]}"
