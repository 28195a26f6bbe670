"""`/api/v1/`: pushes, status and invoices, and the ways in (facts, payments 1.1 to 1.3 and 1.9).

Owns reading requests and choosing answers; what happens is `account`'s, what it looks like is `shapes`'.
"""

import re
from collections.abc import Iterable

from aiohttp import web

from gateway.simulators.intasend.account import Account
from gateway.simulators.intasend.faults import Endpoint
from gateway.simulators.intasend.invoices import Order
from gateway.simulators.intasend.refusals import Fields, bad_key, not_found, read_body
from gateway.simulators.intasend.shapes import Json, invoice_json, push_json, status_json

ROOT = "/api/v1/"

MSISDN = re.compile(r"254[71]\d{8}", re.ASCII)
"""The only spelling of a phone number that is taken: `0712...` is not documented to be (facts, payments 3)."""

_LEAST_KES, _MOST_KES = 1, 150_000
_PAGE_SIZE, _MOST_PAGE_SIZE = 20, 100


def require_secret(request: web.Request, account: Account) -> None:
    """Let in whoever brings the secret key. Refusal 403 otherwise."""
    if request.headers.get("Authorization") != f"Bearer {account.secret_key}":
        raise bad_key()


def require_key(request: web.Request, account: Account, body: Json) -> None:
    """Let in whoever brings the secret key, or the publishable one in the body or in `X-IntaSend-Public-API-Key`.

    The header that the SDK sends, `INTASEND_PUBLIC_API_KEY`, does not count: front proxies drop names with underscores.
    """
    if "Authorization" in request.headers:
        require_secret(request, account)
    elif account.publishable_key not in (body.get("public_key"), request.headers.get("X-IntaSend-Public-API-Key")):
        raise bad_key()


def page_of(request: web.Request, rows: list[Json]) -> web.Response:
    """One page of a list, as Django REST framework cuts it. Refusal 404 for a page that is not there."""
    size = min(_positive(request.query.get("page_size")) or _PAGE_SIZE, _MOST_PAGE_SIZE)
    last = max(1, -(-len(rows) // size))
    number = _positive(request.query.get("page", "1"))
    if number is None or number > last:
        raise not_found("Invalid page.")
    body = {
        "count": len(rows),
        "next": _page_url(request, number + 1) if number < last else None,
        "previous": _page_url(request, number - 1) if number > 1 else None,
        "results": rows[(number - 1) * size : number * size],
    }
    return web.json_response(body)


def _positive(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and int(text) > 0 else None


def _page_url(request: web.Request, number: int) -> str:
    return str(request.url.update_query(page=str(number)))


class Collections:
    """The handlers of pushes, status and invoices."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def routes(self) -> Iterable[web.RouteDef]:
        """What to serve; a route's name is its `Endpoint`."""
        return (
            web.post(f"{ROOT}payment/mpesa-stk-push/", self.push, name=Endpoint.PUSH.value),
            web.post(f"{ROOT}payment/status/", self.status, name=Endpoint.STATUS.value),
            web.get(f"{ROOT}invoices/", self.invoices, name=Endpoint.INVOICES.value),
            web.get(f"{ROOT}invoices/{{invoice_id}}/", self.invoice, name=Endpoint.INVOICE.value),
        )

    async def push(self, request: web.Request) -> web.Response:
        """Put an STK prompt on a phone."""
        body = await read_body(request)
        require_key(request, self._account, body)
        invoice = self._account.accept_push(read_order(body), request.remote or "")
        return web.json_response(push_json(invoice, self._account.change(invoice), self._account.types))

    async def status(self, request: web.Request) -> web.Response:
        """The state of one invoice, by its id."""
        body = await read_body(request)
        if not self._holds_a_checkout(body):
            require_key(request, self._account, body)
        fields = Fields(body)
        invoice_id = fields.required("invoice_id")
        fields.check()
        invoice = self._account.invoices.get(str(invoice_id))
        if invoice is None:
            raise not_found()
        link = self._account.links.get(invoice.order.page_id or "")
        return web.json_response(status_json(invoice, self._account.change(invoice), self._account.types, link))

    async def invoices(self, request: web.Request) -> web.Response:
        """All invoices, newest first, by `state`, `currency` and `api_ref`."""
        require_secret(request, self._account)
        names = [name for name in ("state", "currency", "api_ref") if request.query.get(name)]
        if self._account.ignores_api_ref_filter and "api_ref" in names:
            names.remove("api_ref")
        rows = [self._flat(invoice_id) for invoice_id in reversed(self._account.invoices)]
        return page_of(request, [row for row in rows if all(row[name] == request.query[name] for name in names)])

    async def invoice(self, request: web.Request) -> web.Response:
        """One invoice, flat."""
        require_secret(request, self._account)
        invoice_id = request.match_info["invoice_id"]
        if invoice_id not in self._account.invoices:
            raise not_found()
        return web.json_response(self._flat(invoice_id))

    def _flat(self, invoice_id: str) -> Json:
        invoice = self._account.invoices[invoice_id]
        return invoice_json(invoice, self._account.change(invoice), self._account.types)

    def _holds_a_checkout(self, body: Json) -> bool:
        """Whether the request shows the signature of a checkout, which stands for the publishable key."""
        checkout = self._account.checkouts.get(str(body.get("checkout_id")))
        return checkout is not None and checkout["signature"] == body.get("signature")


def read_order(body: Json) -> Order:
    """What a push asks for. Refusal 400 with every field that is wrong."""
    fields = Fields(body)
    phone = str(fields.required("phone_number") or "")
    if phone and not MSISDN.fullmatch(phone):
        fields.refuse("phone_number", "invalid", "Enter a valid phone number.")
    amount = fields.amount("amount", _LEAST_KES, _MOST_KES)
    if amount % 1:
        fields.refuse("amount", "invalid", "A valid integer is required.")
    order = Order(
        phone=phone,
        amount=amount,
        currency=fields.choice("currency", ("KES",), default="KES"),
        api_ref=fields.text("api_ref", default="API Request"),
        narrative=fields.text("narrative", default=""),
    )
    fields.choice("method", ("M-PESA",), default="M-PESA")
    fields.check()
    return order
