"""The payment links of the specification ("Create Payment Link"), field for field."""

from dataclasses import replace
from http import HTTPStatus

import msgspec
from aiohttp import web

from gateway.payments import Payment
from gateway.store.idempotency import Claim
from gateway.web.auth import owner_of
from gateway.web.idempotent import answer_once
from gateway.web.payments import purchase_in, state_of
from gateway.web.replies import reply
from gateway.web.services import services


class LinkedPayment(msgspec.Struct):
    """A payment as the specification's sample of `create-link` shows it."""

    id: str
    status: str
    intasend_invoice_id: str | None
    """The link's id until somebody has paid through it: before that IntaSend has no invoice."""
    intasend_state: str


class LinkAnswer(msgspec.Struct):
    """Where to pay."""

    payment_url: str | None
    invoice_id: str | None
    state: str


class LinkCreated(msgspec.Struct):
    """The answer to `create-link`."""

    message: str
    payment: LinkedPayment
    intasend: LinkAnswer


async def create_link(request: web.Request) -> web.Response:
    """Make a link for one package that anybody can pay, once, within a day (specification, "Create Payment Link")."""
    owner = owner_of(request)
    wanted = await purchase_in(request)
    return_base = services(request).config.payments.success_url_base

    async def start(claim: Claim | None) -> web.Response:
        payment = await services(request).links.start_link(owner, replace(wanted, claim=claim), return_base)
        return reply(_created(payment), HTTPStatus.CREATED)

    return await answer_once(request, owner, start, lambda payment: reply(_created(payment), HTTPStatus.CREATED))


def _created(payment: Payment) -> LinkCreated:
    reference, state = payment.provider_reference, state_of(payment)
    return LinkCreated(
        message="Payment link created successfully",
        payment=LinkedPayment(payment.id, payment.status, reference, state),
        intasend=LinkAnswer(payment.link_url, reference, state),
    )
