"""Requests for a refund, which IntaSend's staff decides (facts, payments 1.6): here whoever sets `status`."""

from collections.abc import Iterable

from aiohttp import web

from gateway.simulators.intasend.account import Account
from gateway.simulators.intasend.api import ROOT, page_of, require_secret
from gateway.simulators.intasend.faults import Endpoint
from gateway.simulators.intasend.invoices import Invoice
from gateway.simulators.intasend.refusals import Fields, not_found, read_body
from gateway.simulators.intasend.shapes import Json, invoice_json, moment

REASONS = ("Unavailable service", "Delayed delivery", "Wrong service", "Duplicate payment", "Other")


class Chargebacks:
    """Refund requests of one account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def routes(self) -> Iterable[web.RouteDef]:
        """What to serve; a route's name is its `Endpoint`."""
        return (
            web.post(f"{ROOT}chargebacks/", self.create, name=Endpoint.CHARGEBACKS.value),
            web.get(f"{ROOT}chargebacks/", self.list_all, name=Endpoint.CHARGEBACKS.value),
            web.get(f"{ROOT}chargebacks/{{chargeback_id}}/", self.show, name=Endpoint.CHARGEBACK.value),
        )

    async def create(self, request: web.Request) -> web.Response:
        """Ask for money back on a payment that is complete, at most what was paid."""
        require_secret(request, self._account)
        fields = Fields(await read_body(request))
        invoice = self._complete_invoice(fields)
        amount = fields.amount("amount", 1, int(invoice.order.amount) if invoice else 0)
        reason = fields.choice("reason", REASONS)
        fields.check()
        now = moment(self._account.clock.wall_s())
        chargeback: Json = {
            "chargeback_id": self._account.mint.short_id(),
            "session_id": self._account.mint.uuid(),
            "transaction": {"invoice": self._shown(invoice)},
            "amount": f"{amount:.2f}",
            "reason": reason,
            "reason_details": fields.text("reason_details", default=""),
            "status": "PENDING",
            "resolution": None,
            "staff_created": False,
            "created_at": now,
            "updated_at": now,
        }
        self._account.chargebacks[chargeback["chargeback_id"]] = chargeback
        return web.json_response(chargeback, status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """All requests, newest first."""
        require_secret(request, self._account)
        return page_of(request, list(reversed(self._account.chargebacks.values())))

    async def show(self, request: web.Request) -> web.Response:
        """One request."""
        require_secret(request, self._account)
        chargeback = self._account.chargebacks.get(request.match_info["chargeback_id"])
        if chargeback is None:
            raise not_found()
        return web.json_response(chargeback)

    def _complete_invoice(self, fields: Fields) -> Invoice | None:
        invoice_id = fields.required("invoice")
        invoice = self._account.invoices.get(str(invoice_id))
        if invoice and self._account.change(invoice).state == "COMPLETE":
            return invoice
        if invoice_id is not None:
            fields.refuse("invoice", "does_not_exist", f'Invalid pk "{invoice_id}" - object does not exist.')
        return None

    def _shown(self, invoice: Invoice | None) -> Json | None:
        return invoice_json(invoice, self._account.change(invoice), self._account.types) if invoice else None
