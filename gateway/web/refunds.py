"""Money that is owed back, over HTTP: how it stands, and asking for it."""

from collections.abc import Iterable

import msgspec
from aiohttp import web

from gateway.debts import Debt
from gateway.web.auth import bearer_owner
from gateway.web.replies import reply, timestamp
from gateway.web.services import services


class RefundAnswer(msgspec.Struct):
    """Money of one invoice that is, or was, to be given back."""

    status: str
    """`due` (nobody has asked IntaSend for it), `lifted` (the customer is online after all), `requesting`, `unknown` (no answer:
    ask again to look it up), `requested` (IntaSend decides), `returned` or `declined`."""
    why: str
    """`undelivered`, `revoked` (before anybody used it), `disputed` or `surplus` (a link that was paid twice)."""
    invoice_id: str | None
    amount: str | None
    """What was asked back; null until then."""
    due_since: str
    requested_at: str | None
    refund_id: str | None
    """IntaSend's name for the request."""
    refund_state: str | None
    """IntaSend's own word for it."""
    refusal: str | None
    """Why IntaSend took no request, the last time it was asked."""


class RefundList(msgspec.Struct):
    """Everything that is, or was, owed back for one payment."""

    payment_id: str
    refunds: list[RefundAnswer]


async def request_refund(request: web.Request) -> web.Response:
    """Ask IntaSend to give back what is owed for a payment, once. Takes no body.

    What nobody has used yet is taken back first. Asked again, it says how the first request stands. 409 where nothing is owed.
    """
    owner, payment_id = bearer_owner(request), request.match_info["payment_id"]
    debts = await services(request).refunds.request(owner, payment_id)
    return reply(RefundList(payment_id, [shown_refund(debt) for debt in debts]))


def main_refund(debts: Iterable[Debt]) -> RefundAnswer | None:
    """Of what is owed for a payment, what matters most: the first that is open, else the last."""
    found = list(debts)
    chosen = next((debt for debt in found if debt.is_open), found[-1] if found else None)
    return None if chosen is None else shown_refund(chosen)


def shown_refund(debt: Debt) -> RefundAnswer:
    """A debt as it is answered."""
    return RefundAnswer(
        status=debt.state.value,
        why=debt.why.value,
        invoice_id=debt.invoice_id,
        amount=None if debt.amount is None else str(debt.amount),
        due_since=timestamp(debt.due_since_s),
        requested_at=None if debt.requested_at_s is None else timestamp(debt.requested_at_s),
        refund_id=debt.refund_id,
        refund_state=debt.provider_state,
        refusal=debt.refusal,
    )
