"""The payment endpoints of the specification, field for field."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web

from gateway.access import expiry_s
from gateway.payments import Payment
from gateway.settlement import Standing
from gateway.web.auth import owner_of
from gateway.web.bodies import PurchaseBody, read
from gateway.web.services import services


async def initiate(request: web.Request) -> web.Response:
    """`POST /payments/intasend/initiate/` (specification, "Initiate STK Push Payment")."""
    owner = owner_of(request)
    body = await read(request, PurchaseBody)
    purchase = await services(request).sales.start_purchase(owner, body.parsed())
    status = HTTPStatus.OK if purchase.repeated else HTTPStatus.CREATED
    return web.json_response(_initiated(purchase.payment), status=status)


async def check_status(request: web.Request) -> web.Response:
    """`POST /payments/intasend/{payment_id}/check-status/` (specification, "Check Payment Status")."""
    owner = owner_of(request)
    standing = await services(request).settlement.check_status(owner, request.match_info["payment_id"])
    return web.json_response(_checked(standing))


def _initiated(payment: Payment) -> dict[str, Any]:
    asked = payment.invoice_id is not None
    return {
        "message": "STK push initiated successfully" if asked else "STK push sent; waiting for IntaSend to confirm it",
        "payment": _whole(payment),
        "intasend": {
            "payment_id": payment.provider_payment_id,
            "invoice_id": payment.invoice_id,
            "state": _state(payment),
            "message": "STK push sent successfully" if asked else "The answer was lost: check the status, do not pay twice",
        },
    }


def _checked(standing: Standing) -> dict[str, Any]:
    payment = standing.payment
    brief: dict[str, Any] = {
        "id": payment.id,
        "status": payment.status,
        "intasend_state": _state(payment),
        "updated_at": _time(payment.updated_at_s),
    }
    answer: dict[str, Any] = {
        "message": "Payment status checked successfully",
        "payment": brief,
        "status": payment.status,
        "state": _state(payment),
        "intasend_status": {"state": _state(payment), "invoice_id": payment.invoice_id},
    }
    if payment.paid_at_s is not None:
        answer["message"] = "Payment completed successfully!"
        brief["package_expiry_time"] = _time(expiry_s(standing.grant, payment.paid_at_s, payment.duration))
        brief["completed_at"] = _time(payment.paid_at_s)
        return answer
    if payment.status == "failed":
        brief |= {"failed_code": payment.failed_code, "failed_reason": payment.failed_reason}
    return answer | {"details": _details(payment)}


def _whole(payment: Payment) -> dict[str, Any]:
    return {
        "id": payment.id,
        "user": payment.owner_id,
        "router": payment.router_id,
        "package": payment.package_id,
        "phone_number": payment.phone.local,
        "amount": str(payment.amount),
        "currency": payment.amount.currency,
        "payment_method": payment.method,
        "payment_provider": payment.provider,
        "status": payment.status,
        "intasend_payment_id": payment.provider_payment_id,
        "intasend_invoice_id": payment.invoice_id,
        "intasend_state": _state(payment),
        "mac_address": str(payment.mac or ""),
        "ip_address": str(payment.ip or ""),
        "created_at": _time(payment.created_at_s),
        "updated_at": _time(payment.updated_at_s),
    }


def _details(payment: Payment) -> dict[str, Any]:
    """`mpesa_reference` is our reference at the provider until M-Pesa has given a receipt, as in the specification's sample."""
    return {
        "amount": str(payment.amount),
        "currency": payment.amount.currency,
        "provider": "M-PESA",
        "mpesa_reference": payment.receipt or payment.api_ref,
    }


def _state(payment: Payment) -> str:
    """The provider's word; a push whose answer was lost is as good as pending."""
    if payment.provider_state is not None:
        return payment.provider_state
    return "FAILED" if payment.status == "failed" else "PENDING"


def _time(epoch_s: float) -> str:
    return datetime.fromtimestamp(int(epoch_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
