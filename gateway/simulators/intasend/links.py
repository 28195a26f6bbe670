"""Payment links and hosted checkouts: the API that makes them (facts, payments 1.4, 1.5 and 5).

Owns when a page may be paid and under which reference; what the payer sees of it is `pages`. A page that is paid puts an ordinary
prompt on the payer's phone.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable
from decimal import Decimal

from aiohttp import web

from gateway.simulators.intasend.account import Account
from gateway.simulators.intasend.api import ROOT, page_of, require_key, require_secret
from gateway.simulators.intasend.faults import Endpoint
from gateway.simulators.intasend.invoices import Invoice, Order
from gateway.simulators.intasend.refusals import Fields, not_found, read_body
from gateway.simulators.intasend.shapes import Json, moment

SIGNATURE_LIFE_S = 3600
"""How long a checkout's signature stands for the publishable key (facts, payments 1.4)."""

_CURRENCIES = ("KES", "USD", "EUR", "GBP")
_TARIFFS = ("BUSINESS-PAYS", "CUSTOMER-PAYS")
_MOST = 1_000_000
"""The highest amount of a page. Not documented; above every limit of M-Pesa and cards (facts, payments 3 "Limits")."""

_PASSED_ON = ("email", "first_name", "last_name", "phone_number", "redirect_url", "callback_url", "comment", "method", "wallet_id")


class PageClosed(Exception):
    """The link or checkout cannot be paid: it is not active, or was used as often as it may be."""


class HostedPages:
    """Links and checkouts of one account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def routes(self) -> Iterable[web.RouteDef]:
        """What to serve; a route's name is its `Endpoint`."""
        link = f"{ROOT}paymentlinks/{{link_id}}/"
        return (
            web.post(f"{ROOT}paymentlinks/", self.create_link, name=Endpoint.LINKS.value),
            web.get(f"{ROOT}paymentlinks/", self.list_links, name=Endpoint.LINKS.value),
            web.get(link, self.show_link, name=Endpoint.LINK.value),
            web.put(link, self.change_link, name=Endpoint.LINK.value),
            web.post(f"{ROOT}checkout/", self.create_checkout, name=Endpoint.CHECKOUT.value),
        )

    async def create_link(self, request: web.Request) -> web.Response:
        """Make a payment link."""
        require_secret(request, self._account)
        link_id, now = self._account.mint.uuid(), moment(self._account.clock.wall_s())
        origin = str(request.url.origin())
        link = {
            "id": link_id,
            "usage_limit": None,
            "redirect_url": None,
            "qrcode_file": f"{origin}/pay/{link_id}/qrcode.png",
            "url": f"{origin}/pay/{link_id}/",
            "created_at": now,
            **read_link(await read_body(request)),
            "updated_at": now,
        }
        self._account.links[link_id] = link
        return web.json_response(link, status=201)

    async def list_links(self, request: web.Request) -> web.Response:
        """All links, newest first."""
        require_secret(request, self._account)
        return page_of(request, list(reversed(self._account.links.values())))

    async def show_link(self, request: web.Request) -> web.Response:
        """One link."""
        return web.json_response(self._link(request))

    async def change_link(self, request: web.Request) -> web.Response:
        """Change a link; what the body leaves out stays as it is. `is_active: false` closes it."""
        link = self._link(request)
        changed = read_link({**link, **await read_body(request)})
        link.update(changed, updated_at=moment(self._account.clock.wall_s()))
        return web.json_response(link)

    async def create_checkout(self, request: web.Request) -> web.Response:
        """Make a hosted page for one order; no invoice exists before the payer begins to pay."""
        body = await read_body(request)
        require_key(request, self._account, body)
        fields = Fields(body)
        amount = fields.amount("amount", 1, _MOST)
        currency = fields.choice("currency", _CURRENCIES)
        api_ref = fields.text("api_ref", default="API Request")
        fields.check()
        checkout_id, now_s = self._account.mint.uuid(), self._account.clock.wall_s()
        checkout = {
            **{name: body.get(name) for name in _PASSED_ON},
            "id": checkout_id,
            "url": f"{request.url.origin()}/checkout/{checkout_id}/express/",
            "signature": sign(checkout_id, int(now_s), self._account.secret_key),
            "amount": _number(amount),
            "currency": currency,
            "api_ref": api_ref,
            "paid": False,
            "created_at": moment(now_s),
            "updated_at": moment(now_s),
        }
        self._account.checkouts[checkout_id] = checkout
        return web.json_response(checkout, status=201)

    def find(self, page_id: str) -> Json | None:
        """The link or checkout with that id, as the API shows it."""
        return self._account.links.get(page_id) or self._account.checkouts.get(page_id)

    def invoices(self, page_id: str) -> list[Invoice]:
        """The payments through that page, in order."""
        return [invoice for invoice in self._account.invoices.values() if invoice.order.page_id == page_id]

    def pay(self, page_id: str, phone_digits: str, amount: Decimal | None = None) -> Invoice:
        """Somebody enters that number on the page: a prompt goes to it. `amount` where the page leaves it open.

        Raises KeyError when there is no such page and PageClosed when it cannot be paid.
        """
        page = self.find(page_id)
        if page is None:
            raise KeyError(page_id)
        self._must_be_open(page)
        order = Order(
            phone=phone_digits,
            amount=amount if page["amount"] is None and amount else Decimal(str(page["amount"])),
            api_ref=page.get("api_ref") or f"ISL_{page_id}",
            narrative=page.get("title") or "",
            currency=page["currency"],
            page_id=page_id,
        )
        return self._account.accept(order)

    def _must_be_open(self, page: Json) -> None:
        """A checkout is for one order; a link for as many completed payments as its `usage_limit` says."""
        limit = page.get("usage_limit") if "is_active" in page else 1
        used = sum(self._account.change(invoice).state == "COMPLETE" for invoice in self.invoices(page["id"]))
        if page.get("is_active") is False or (limit is not None and used >= limit):
            raise PageClosed(page["id"])

    def _link(self, request: web.Request) -> Json:
        require_secret(request, self._account)
        link = self._account.links.get(request.match_info["link_id"])
        if link is None:
            raise not_found()
        return link


def read_link(body: Json) -> Json:
    """The fields of a link that its owner decides. Refusal 400 with every one that is wrong."""
    fields = Fields(body)
    open_amount = body.get("amount") in (None, 0)
    link = {
        "title": str(fields.required("title")),
        "is_active": body.get("is_active", True),
        "redirect_url": body.get("redirect_url"),
        "amount": None if open_amount else _number(fields.amount("amount", 1, _MOST)),
        "usage_limit": body.get("usage_limit"),
        "currency": fields.choice("currency", _CURRENCIES),
        "mobile_tarrif": fields.choice("mobile_tarrif", _TARIFFS, default="BUSINESS-PAYS"),
        "card_tarrif": fields.choice("card_tarrif", _TARIFFS, default="BUSINESS-PAYS"),
    }
    if not isinstance(link["is_active"], bool):
        fields.refuse("is_active", "invalid", "Must be a valid boolean.")
    if link["usage_limit"] is not None and type(link["usage_limit"]) is not int:
        fields.refuse("usage_limit", "invalid", "A valid integer is required.")
    fields.check()
    return link


def sign(checkout_id: str, issued_at_s: int, secret: str) -> str:
    """The checkout's JWT: HS256, good for an hour (facts, payments 1.4, decoded from a sample)."""
    claims = {
        "scope": "express-checkout",
        "iss": "IntaSend Solutions Limited",
        "aud": [checkout_id],
        "iat": issued_at_s,
        "exp": issued_at_s + SIGNATURE_LIFE_S,
        "reference": checkout_id,
    }
    signed = b".".join(_base64url(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "HS256"}, claims))
    return b".".join((signed, _base64url(hmac.digest(secret.encode(), signed, hashlib.sha256)))).decode()


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _number(amount: Decimal) -> int | float:
    return int(amount) if amount % 1 == 0 else float(amount)
