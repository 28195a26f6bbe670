"""Reading payments: the list of an owner, and one of them, as we know them without asking the provider."""

from typing import Literal

import msgspec
from aiohttp import web

from gateway.access import expiry_s
from gateway.numbering import parse_phone
from gateway.settlement import Standing
from gateway.store.payments import PaymentFilter
from gateway.web.auth import bearer_owner
from gateway.web.bodies import ShortText, id_in, parsed_fields
from gateway.web.payments import PaymentAnswer, whole
from gateway.web.queries import SpanQuery, cursor, query_of
from gateway.web.refunds import RefundAnswer, main_refund
from gateway.web.replies import reply, timestamp
from gateway.web.services import services


class PaymentQuery(SpanQuery, frozen=True, kw_only=True):
    """Which payments; what is left out filters nothing."""

    status: Literal["pending", "processing", "completed", "failed"] | None = None
    phone_number: ShortText | None = None
    """In any usual spelling."""
    router_id: ShortText | None = None
    reference: ShortText | None = None
    """Our own, IntaSend's invoice or link, or M-Pesa's receipt."""

    def wanted(self) -> PaymentFilter:
        """The filters in the gateway's own types. Raises Invalid."""
        given = parsed_fields(self, {"phone_number": parse_phone, "router_id": id_in})
        return PaymentFilter(self.status, given["phone_number"], given["router_id"], self.reference)


class PaymentDetail(PaymentAnswer, kw_only=True):
    """A payment with everything that became of it; what does not apply is null."""

    mpesa_reference: str | None
    """M-Pesa's receipt."""
    failed_code: str | None
    failed_reason: str | None
    completed_at: str | None
    package_expiry_time: str | None
    refund: RefundAnswer | None
    """Of money that is, or was, owed back for it; null for nearly every payment."""


class PaymentPage(msgspec.Struct):
    """Some payments, newest first."""

    results: list[PaymentDetail]
    next: str | None
    """The `cursor` of the next page; null behind the last one."""


async def list_payments(request: web.Request) -> web.Response:
    """Your payments, newest first. Filters can be combined; `cursor` is `next` of the page before."""
    owner, query = bearer_owner(request), query_of(request, PaymentQuery)
    page = await services(request).records.payments(owner, query.wanted(), query.span())
    return reply(PaymentPage([detail(standing) for standing in page.entries], cursor(page.next)))


async def read_payment(request: web.Request) -> web.Response:
    """One of your payments as it is stored; `check-status` asks IntaSend first."""
    owner = bearer_owner(request)
    return reply(detail(await services(request).records.payment(owner, request.match_info["payment_id"])))


def detail(standing: Standing) -> PaymentDetail:
    """A payment with everything that became of it."""
    payment, paid_at_s = standing.payment, standing.payment.paid_at_s
    expiry = None if paid_at_s is None else timestamp(expiry_s(standing.grant, paid_at_s, payment.duration))
    return PaymentDetail(
        **msgspec.structs.asdict(whole(payment)),
        mpesa_reference=payment.receipt,
        failed_code=payment.failed_code,
        failed_reason=payment.failed_reason,
        completed_at=None if paid_at_s is None else timestamp(paid_at_s),
        package_expiry_time=expiry,
        refund=main_refund(standing.debts),
    )
