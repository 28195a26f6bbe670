"""The page on which a customer buys, and the purchase.

Works with nothing but forms. Whatever is refused is said on the page itself, with what was filled in; a second tap, a window that
was closed and opened again, and a form that is sent twice all lead to the one payment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from aiohttp import web

from gateway.access import Grant
from gateway.catalogue import Router
from gateway.errors import Conflict, GatewayError, Invalid, NotFound, RouterUnreachable, Unavailable
from gateway.identity import Money
from gateway.payments import Payment
from gateway.portal import DeviceStanding
from gateway.sales import PurchaseRequest
from gateway.visitors import Visitor
from gateway.web.bodies import id_in
from gateway.web.errors import STATUS
from gateway.web.peers import client_address
from gateway.web.portal import Visit, payment_path, portal_page, shillings, terms, wait_of

LONGEST_PHONE = 32
"""Of a number as people type it, in characters: what is longer is cut and then refused for what it is."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What stands in the form."""

    package_id: int | None = None
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is said about a purchase that was refused."""

    said: str
    status: HTTPStatus
    wait_s: int | None = None
    is_about_phone: bool = False
    payment_id: str | None = None
    """The payment that stands in its way, if it is this device's own."""


@portal_page
async def shop(visit: Visit) -> web.Response:
    """The page on which a customer buys; a device with a payment under way is led to that, unless it asks for a new one."""
    visitor, silence = await _buyer(visit)
    obstacle = silence or visit.services.health.obstacle or visit.services.sales.closed_for(visitor.owner.id)
    if obstacle is not None:
        return _shop(visit, visitor.router, fault=_fault(visit, obstacle))
    device = await visit.services.portal.device(visitor) if visitor.is_on_hotspot else None
    payment_id = None if device is None or "new" in visit.fields else _under_way(device)
    if payment_id is not None:
        return visit.lead_to(payment_path(payment_id))
    return _shop(visit, visitor.router, device=device, filled=await _again(visit, visitor))


@portal_page
async def buy(visit: Visit) -> web.Response:
    """Ask the phone for the money, and lead the customer to the payment."""
    visitor, silence = await _buyer(visit)
    filled = _filled(visit.fields)
    try:
        request = _purchase(visit, visitor, filled, silence)
        purchase = await visit.services.sales.start_purchase(visitor.owner, request)
    except GatewayError as refusal:
        return _shop(visit, visitor.router, filled=filled, fault=await _explained(visit, visitor, refusal))
    return visit.lead_to(payment_path(purchase.payment.id))


def _shop(
    visit: Visit, router: Router, *, device: DeviceStanding | None = None, filled: Filled | None = None, fault: Fault | None = None
) -> web.Response:
    packages = [package for package in router.packages.values() if package.active]
    filled = filled or Filled()
    chosen = next((package.id for package in packages if package.id == filled.package_id), packages[0].id if packages else None)
    return visit.page(
        "portal_shop.html",
        visit.services.site.catalogue.owners[router.owner_id],
        status=fault.status if fault else HTTPStatus.OK,
        wait_s=fault.wait_s if fault else None,
        router=router,
        packages=packages,
        chosen=chosen,
        phone=filled.phone,
        fault=fault,
        wait=visit.language.wait(fault.wait_s) if fault and fault.wait_s else None,
        device=device,
        until=visit.language.moment(device.ends_s, visit.now_s) if device and device.ends_s else None,
        failed_id=_failed(device),
        is_away=visit.visitor is not None and not visit.visitor.is_on_hotspot,
        was_refused="error" in visit.fields and bool(visit.fields["error"]),
        terms=terms,
        shillings=shillings,
        payment_path=payment_path,
    )


def _under_way(device: DeviceStanding) -> str | None:
    """The payment that its customer waits for: the open prompt, else what is paid and not opened yet."""
    waiting: list[Payment | Grant | None] = [device.payment, *device.owed]
    first = next((each for each in waiting if each is not None), None)
    return first.payment_id if isinstance(first, Grant) else first.id if first is not None else None


def _failed(device: DeviceStanding | None) -> str | None:
    """The payment of a few minutes ago that came to nothing, of a device that is not online for another."""
    if device is None or device.queue or device.last is None:
        return None
    payment, grant = device.last.payment, device.last.grant
    return payment.id if grant is None and not payment.is_undecided else None


async def _again(visit: Visit, visitor: Visitor) -> Filled:
    """The form as it was for the payment that is tried again; the number is shown to the device that typed it, and to no other."""
    try:
        payment = (await visit.services.settlement.standing(visit.fields.get("again", ""))).payment
    except (NotFound, Unavailable):
        return Filled()
    return Filled(payment.package_id, payment.phone.local if _is_own(visitor, payment) else "")


def _is_own(visitor: Visitor, payment: Payment) -> bool:
    """Whether the visitor's device, by its router's word, is the one that asked for the payment."""
    return visitor.is_on_hotspot and (visitor.router.id, visitor.mac) == (payment.router_id, payment.mac)


async def _buyer(visit: Visit) -> tuple[Visitor, RouterUnreachable | None]:
    """The visitor; where his router does not answer, as he says himself, with the reason why nothing can be sold to him."""
    try:
        return await visit.who(), None
    except RouterUnreachable as silence:
        named, catalogue = visit.named, visit.services.site.catalogue
        router = catalogue.routers[named.router_id or min(catalogue.routers)]
        return Visitor(catalogue.owners[router.owner_id], router, named.mac, named.ip, is_on_hotspot=False), silence


def _filled(fields: Mapping[str, str]) -> Filled:
    try:
        package_id = id_in(fields.get("package", ""))
    except ValueError:
        package_id = None
    return Filled(package_id, fields.get("phone", "").strip()[:LONGEST_PHONE])


def _purchase(visit: Visit, visitor: Visitor, filled: Filled, obstacle: RouterUnreachable | None) -> PurchaseRequest:
    """The purchase at the price that the customer was shown: one that was changed meanwhile is refused. Raises Invalid."""
    if filled.package_id is None:
        raise Invalid("No package was chosen")
    try:
        price = Money.parse(visit.fields.get(f"price-{filled.package_id}", ""))
    except ValueError as fault:
        raise Invalid(str(fault)) from None
    return PurchaseRequest(
        router_id=visitor.router.id,
        package_id=filled.package_id,
        phone=filled.phone,
        amount=price,
        method="mpesa",
        mac=visitor.mac,
        ip=visitor.ip,
        asked_from=client_address(visit.request),
        obstacle=obstacle,
    )


async def _explained(visit: Visit, visitor: Visitor, refusal: GatewayError) -> Fault:
    """The refusal in the customer's words; where his own open payment stands in the way, with the way to it."""
    fault = _fault(visit, refusal)
    if not isinstance(refusal, Conflict) or refusal.payment_id is None:
        return fault
    held = (await visit.services.settlement.standing(refusal.payment_id)).payment
    return replace(fault, payment_id=held.id if _is_own(visitor, held) else None)


def _fault(visit: Visit, refusal: GatewayError) -> Fault:
    is_about_phone = "phone_number" in (refusal.fields or {})
    said = visit.language.say("refusal.buy.phone") if is_about_phone else visit.language.refusal(refusal, "buy")
    return Fault(said, STATUS[refusal.code], wait_of(refusal), is_about_phone)
