"""Pages for people: the ledger of the simulated IntaSend, whose buttons are the customers, and the hosted payment pages.

Owns HTML only; works without JavaScript. Outside `/api/v1/`, so the client under test never sees it.
"""

from collections.abc import Iterable
from typing import Any

import jinja2
from aiohttp import web

from gateway.simulators.intasend.account import Account
from gateway.simulators.intasend.api import MSISDN
from gateway.simulators.intasend.invoices import Invoice
from gateway.simulators.intasend.links import HostedPages, PageClosed
from gateway.simulators.intasend.outcomes import OUTCOMES, Outcome
from gateway.simulators.intasend.shapes import Json, moment

BUTTONS = {
    "Enter PIN": Outcome.COMPLETE,
    "Enter PIN, told 5 min later": Outcome.COMPLETE_LATE,
    "Wrong PIN": Outcome.WRONG_PIN,
    "No money": Outcome.NO_FUNDS,
    "Cancel": Outcome.CANCELLED,
    "Unreachable": Outcome.UNREACHABLE,
}
"""What a person can do with a prompt on the ledger page."""

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("gateway.simulators"), autoescape=True, undefined=jinja2.StrictUndefined
)


def render(template: str, **values: Any) -> web.Response:
    """A page made from one of the simulators' templates; values are escaped."""
    return web.Response(text=_templates.get_template(template).render(values), content_type="text/html")


class Pages:
    """The handlers of the pages."""

    def __init__(self, account: Account, hosted: HostedPages) -> None:
        self._account = account
        self._hosted = hosted

    def routes(self) -> Iterable[web.RouteDef]:
        """What to serve."""
        return (
            web.get("/", self.ledger),
            web.post("/answer/{invoice_id}/", self.answer),
            web.get("/pay/{page_id}/", self.payment_page),
            web.post("/pay/{page_id}/", self.pay),
            web.get("/checkout/{page_id}/express/", self.payment_page),
            web.post("/checkout/{page_id}/express/", self.pay),
        )

    async def ledger(self, _: web.Request) -> web.Response:
        """Every invoice, newest first, and buttons for those whose customer has not decided."""
        rows = [self._row(invoice) for invoice in reversed(self._account.invoices.values())]
        return render("intasend_ledger.html", rows=rows, buttons=BUTTONS, webhooks=self._account.webhooks)

    async def answer(self, request: web.Request) -> web.Response:
        """A button of the ledger."""
        outcome = OUTCOMES.get(str((await request.post()).get("outcome")))
        invoice_id = request.match_info["invoice_id"]
        if outcome is None or invoice_id not in self._account.invoices:
            raise web.HTTPNotFound
        self._account.answer(invoice_id, outcome)
        raise web.HTTPSeeOther("/")

    async def payment_page(self, request: web.Request) -> web.Response:
        """What the payer sees of a link or a checkout; once it is paid, he is sent to its `redirect_url`."""
        page = self._page(request)
        invoices = self._hosted.invoices(page["id"])
        state = self._account.change(invoices[-1]).state if invoices else None
        target = self._redirect(page, invoices[-1]) if state == "COMPLETE" and page["redirect_url"] else None
        return render("payment_page.html", page=page, state=state, target=target)

    async def pay(self, request: web.Request) -> web.Response:
        """The payer's number is entered."""
        page = self._page(request)
        phone = str((await request.post()).get("phone_number"))
        if not MSISDN.fullmatch(phone):
            raise web.HTTPBadRequest(text="Enter a number such as 254712345678.")
        try:
            self._hosted.pay(page["id"], phone)
        except PageClosed:
            raise web.HTTPConflict(text="This page cannot be paid any more.") from None
        raise web.HTTPSeeOther(request.path)

    def _page(self, request: web.Request) -> Json:
        page = self._hosted.find(request.match_info["page_id"])
        if page is None:
            raise web.HTTPNotFound
        return page

    def _redirect(self, page: Json, invoice: Invoice) -> str:
        """A checkout adds three parameters to what is there; for links nothing is known to be added (facts, payments 5)."""
        if "signature" not in page:
            return str(page["redirect_url"])
        added = f"tracking_id={invoice.invoice_id}&signature={page['signature']}&checkout_id={page['id']}"
        return f"{page['redirect_url']}{'&' if '?' in page['redirect_url'] else '?'}{added}"

    def _row(self, invoice: Invoice) -> dict[str, Any]:
        now_s = self._account.clock.monotonic_s()
        return {
            "invoice_id": invoice.invoice_id,
            "time": moment(invoice.created_wall_s)[11:19],
            "order": invoice.order,
            "change": invoice.change_at(now_s),
            "prompted": invoice.prompt_at(now_s) is not None,
        }
