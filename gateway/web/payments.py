"""The payment endpoints of the specification, field for field."""

from dataclasses import replace
from http import HTTPStatus

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from gateway.access import expiry_s
from gateway.errors import RouterUnreachable
from gateway.payments import Payment
from gateway.sales import PurchaseRequest
from gateway.settlement import Standing
from gateway.store.idempotency import Claim
from gateway.visitors import Named
from gateway.web.auth import is_the_owner, owner_of
from gateway.web.bodies import PurchaseBody, read
from gateway.web.idempotent import answer_once
from gateway.web.peers import address_of, client_address
from gateway.web.replies import reply, timestamp
from gateway.web.services import services


class PaymentAnswer(msgspec.Struct):
    """A payment as the specification's sample of `initiate` shows it; absent texts are empty, absent ids null."""

    id: str
    user: int
    router: int
    package: int
    phone_number: str
    amount: str
    currency: str
    payment_method: str
    payment_provider: str
    status: str
    intasend_payment_id: str | None
    intasend_invoice_id: str | None
    intasend_state: str
    mac_address: str
    ip_address: str
    created_at: str
    updated_at: str


class PushAnswer(msgspec.Struct):
    """What IntaSend said to the push."""

    payment_id: str | None
    invoice_id: str | None
    state: str
    message: str


class Initiated(msgspec.Struct):
    """The answer to `initiate`."""

    message: str
    payment: PaymentAnswer
    intasend: PushAnswer


class BriefPayment(msgspec.Struct):
    """A payment as `check-status` shows it; what does not apply to its state is left out."""

    id: str
    status: str
    intasend_state: str
    updated_at: str
    package_expiry_time: str | UnsetType = UNSET
    completed_at: str | UnsetType = UNSET
    failed_code: str | UnsetType | None = UNSET
    failed_reason: str | UnsetType | None = UNSET


class StateAnswer(msgspec.Struct):
    """Where the specification's examples look for the state (decision 4)."""

    state: str
    invoice_id: str | None


class Details(msgspec.Struct):
    """What was asked for; `mpesa_reference` is our reference at the provider until M-Pesa has given a receipt."""

    amount: str
    currency: str
    provider: str
    mpesa_reference: str


class Checked(msgspec.Struct):
    """The answer to `check-status`."""

    message: str
    payment: BriefPayment
    status: str
    state: str
    intasend_status: StateAnswer
    details: Details | UnsetType = UNSET


async def initiate(request: web.Request) -> web.Response:
    """Ask a phone for the money for a package (specification, "Initiate STK Push Payment").

    201 for a new push; 200 for a second tap, which gives the payment that is open already. Nobody is asked twice.
    """
    owner = owner_of(request)
    wanted = await for_the_device_in_hand(request, await purchase_in(request))

    async def start(claim: Claim | None) -> web.Response:
        purchase = await services(request).sales.start_purchase(owner, replace(wanted, claim=claim))
        return reply(_initiated(purchase.payment), HTTPStatus.OK if purchase.repeated else HTTPStatus.CREATED)

    return await answer_once(request, owner, start, lambda payment: reply(_initiated(payment), HTTPStatus.CREATED))


async def check_status(request: web.Request) -> web.Response:
    """Say how a payment stands, after asking IntaSend where that is not decided (specification, "Check Payment Status")."""
    owner = owner_of(request)
    standing = await services(request).settlement.check_status(owner, request.match_info["payment_id"])
    return reply(_checked(standing))


async def purchase_in(request: web.Request) -> PurchaseRequest:
    """The purchase in the body, with the address that asks for it, unless it is the owner's own program. Raises Invalid."""
    body = await read(request, PurchaseBody)
    return replace(body.parsed(), asked_from=None if is_the_owner(request) else client_address(request))


async def for_the_device_in_hand(request: web.Request, wanted: PurchaseRequest) -> PurchaseRequest:
    """The purchase for the device that asks, by its router's word; the owner's own program may name any.

    Raises Forbidden when another one is named, NotFound for an unknown router. A router that does not answer becomes the obstacle
    that the sale is refused for.
    """
    if is_the_owner(request):
        return wanted
    named = Named(wanted.router_id, wanted.mac, wanted.ip)
    try:
        visitor = await services(request).visitors.who(address_of(request), named)
    except RouterUnreachable as silence:
        return replace(wanted, obstacle=silence)
    return replace(wanted, mac=visitor.mac, ip=visitor.ip)


def _initiated(payment: Payment) -> Initiated:
    asked = payment.invoice_id is not None
    return Initiated(
        message="STK push initiated successfully" if asked else "STK push sent; waiting for IntaSend to confirm it",
        payment=whole(payment),
        intasend=PushAnswer(
            payment_id=payment.provider_payment_id,
            invoice_id=payment.invoice_id,
            state=state_of(payment),
            message="STK push sent successfully" if asked else "The answer was lost: check the status, do not pay twice",
        ),
    )


def _checked(standing: Standing) -> Checked:
    payment, state = standing.payment, state_of(standing.payment)
    brief = BriefPayment(payment.id, payment.status, state, timestamp(payment.updated_at_s))
    answer = Checked(
        message="Payment status checked successfully",
        payment=brief,
        status=payment.status,
        state=state,
        intasend_status=StateAnswer(state, payment.provider_reference),
    )
    if payment.paid_at_s is not None:
        answer.message = "Payment completed successfully!"
        brief.package_expiry_time = timestamp(expiry_s(standing.grant, payment.paid_at_s, payment.duration))
        brief.completed_at = timestamp(payment.paid_at_s)
        return answer
    if payment.status == "failed":
        brief.failed_code, brief.failed_reason = payment.failed_code, payment.failed_reason
    answer.details = Details(str(payment.amount), payment.amount.currency, "M-PESA", payment.receipt or payment.api_ref)
    return answer


def whole(payment: Payment) -> PaymentAnswer:
    """The payment with every field of the specification's sample."""
    return PaymentAnswer(
        id=payment.id,
        user=payment.owner_id,
        router=payment.router_id,
        package=payment.package_id,
        phone_number=payment.phone.local,
        amount=str(payment.amount),
        currency=payment.amount.currency,
        payment_method=payment.method,
        payment_provider=payment.provider,
        status=payment.status,
        intasend_payment_id=payment.provider_payment_id,
        intasend_invoice_id=payment.provider_reference,
        intasend_state=state_of(payment),
        mac_address=str(payment.mac or ""),
        ip_address=str(payment.ip or ""),
        created_at=timestamp(payment.created_at_s),
        updated_at=timestamp(payment.updated_at_s),
    )


def state_of(payment: Payment) -> str:
    """The provider's word; a push whose answer was lost is as good as pending."""
    if payment.provider_state is not None:
        return payment.provider_state
    return "FAILED" if payment.status == "failed" else "PENDING"
