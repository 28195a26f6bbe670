"""What every page of the captive portal has in common: who looks at it, in which language, what is carried on, what goes wrong.

There are no cookies, because the assistants of iOS forget them (facts, platform D2): what has to be known on the next page travels
in its address or form: the language that was chosen, the page that the phone wanted, and what the visitor says of his device where
no router says it. Whatever goes wrong is a page in the visitor's language; nobody on a hotspot reads JSON.
"""

import functools
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import hdrs, web

from gateway.catalogue import Owner
from gateway.config_portal import PLAIN, PortalLook
from gateway.errors import GatewayError, Invalid, NotFound
from gateway.identity import IpAddress, MacAddress, Money
from gateway.packages import Package
from gateway.visitors import Named, Visitor
from gateway.web import pages
from gateway.web.bodies import id_in, raw
from gateway.web.errors import STATUS, note_failure
from gateway.web.peers import address_of
from gateway.web.routes import Handler
from gateway.web.services import Services, services
from gateway.web.words import LANGUAGES, Language, choose

SHOP, STATUS_PAGE = "/portal/", "/portal/status"
"""Where every other page leads to."""

_MOST_FIELDS = 1_000
"""In one form: the shop's has one for each package and half a dozen others, and a router may well have 200 packages."""

_LONGEST_ADDRESS = 1_000
"""Of the page that a phone wanted, in characters: it travels in every link of a page that is to fit into 14 KB."""

_RETRY_S = 15
"""How long a visitor is told to wait where the refusal itself does not say: an outage is noticed and healed in that time."""

T = TypeVar("T")

Answer = Callable[["Visit"], Awaitable[web.StreamResponse]]


class Visit:
    """One request for a page, and the ways to answer it."""

    def __init__(self, request: web.Request, fields: Mapping[str, str]) -> None:
        self.request = request
        self.fields = fields
        """The query's, and those of the form, which count more."""
        self.language = choose(fields.get("lang"), request.headers.get(hdrs.ACCEPT_LANGUAGE, ""))
        self.visitor: Visitor | None = None
        """Who asks, once `who` has found out."""

    @property
    def services(self) -> Services:
        """The flows."""
        return services(self.request)

    @property
    def now_s(self) -> float:
        """The time that the flows go by, in seconds since 1970."""
        return self.services.clock.wall_s()

    @property
    def named(self) -> Named:
        """What the visitor says of himself; what cannot be read says nothing. Raises NotFound for a router that cannot be."""
        router_id = _readable(id_in, self.fields.get("router"))
        if router_id is None and self.fields.get("router"):
            raise NotFound("There is no such router")
        return Named(router_id, *self._named_device())

    async def who(self) -> Visitor:
        """The visitor, by the router's word where there is one. Raises what `Visitors.who` raises."""
        self.visitor = await self.services.visitors.who(address_of(self.request), self.named)
        return self.visitor

    @property
    def wanted_page(self) -> tuple[str, str] | None:
        """The page that the phone wanted before it was led here, as address and host; None for none that may be linked to."""
        address = self.fields.get("orig", "")
        try:
            parts = urlsplit(address)
            host = parts.hostname or ""
        except ValueError:
            return None
        is_page = parts.scheme in {"http", "https"} and bool(host) and "@" not in parts.netloc and address.isprintable()
        return (address, host) if is_page and len(address) <= _LONGEST_ADDRESS else None

    def carried(self) -> dict[str, str]:
        """What the next page is to know as well."""
        lang, wanted = self.fields.get("lang"), self.wanted_page
        carried: dict[str, object] = {"lang": lang if lang in LANGUAGES else None, "orig": wanted and wanted[0]}
        if self.visitor is None or not self.visitor.is_on_hotspot:
            mac, ip = self._named_device()
            carried |= {"router": _readable(id_in, self.fields.get("router")), "mac": mac, "ip": ip}
        return {name: str(said) for name, said in carried.items() if said is not None}

    def link(self, path: str, **more: str) -> str:
        """The address of a page of ours, with what is carried."""
        query = urlencode(self.carried() | more)
        return f"{path}?{query}" if query else path

    def lead_to(self, path: str, **more: str) -> web.Response:
        """Send the visitor on to a page of ours: 303, so that a form that was sent is not sent again by looking twice."""
        return web.Response(
            status=HTTPStatus.SEE_OTHER, headers={hdrs.LOCATION: self.link(path, **more), hdrs.CACHE_CONTROL: "no-store"}
        )

    def page(
        self, template: str, owner: Owner | None, *, status: int = 200, wait_s: int | None = None, **facts: Any
    ) -> web.Response:
        """The template with these facts, in the visitor's language and the owner's look."""
        return pages.page(
            template,
            status=status,
            headers={} if wait_s is None else {hdrs.RETRY_AFTER: str(wait_s)},
            say=self.language.say,
            language=self.language,
            others=[(each, self._in(each)) for each in LANGUAGES.values() if each.code != self.language.code],
            link=self.link,
            carried=self.carried(),
            name="WiFi" if owner is None else owner.name,
            look=look_of(self.services, owner),
            **facts,
        )

    def refused(self, fault: GatewayError) -> web.Response:
        """The page that says what went wrong, and the way back."""
        return self.sorry(self.language.refusal(fault, "page"), STATUS[fault.code], wait_of(fault))

    def sorry(self, said: str, status: int, wait_s: int | None = None) -> web.Response:
        """A page that says no more than this, and the way back: without the names that may be what is wrong."""
        back = {name: value for name, value in self.carried().items() if name in {"lang", "orig"}}
        wait = None if wait_s is None else self.language.wait(wait_s)
        owner = _only_owner(self.services)
        return self.page("portal_sorry.html", owner, status=status, wait_s=wait_s, said=said, wait=wait, back=urlencode(back))

    def _named_device(self) -> tuple[MacAddress | None, IpAddress | None]:
        return _readable(MacAddress.parse, self.fields.get("mac")), _readable(IpAddress.parse, self.fields.get("ip"))

    def _in(self, language: Language) -> str:
        """This page in another language; a page that came in answer to a form cannot be asked for again, so the shop instead."""
        path = SHOP if self.request.method == hdrs.METH_POST else self.request.path
        asked = {} if self.request.method == hdrs.METH_POST else dict(self.request.query)
        return f"{path}?{urlencode(asked | self.carried() | {'lang': language.code})}"


def portal_page(answer: Answer) -> Handler:
    """A handler of the portal: it is given the visit, and what it raises becomes a page."""

    @functools.wraps(answer)
    async def handler(request: web.Request) -> web.StreamResponse:
        visit = Visit(request, dict(request.query))
        try:
            if request.method != hdrs.METH_POST:
                return await answer(visit)
            if is_foreign(request):
                return visit.sorry(visit.language.say("refusal.foreign"), HTTPStatus.FORBIDDEN)
            return await answer(Visit(request, dict(request.query) | await _form(request)))
        except GatewayError as fault:
            return visit.refused(fault)
        except web.HTTPException as fault:
            return visit.sorry(visit.language.say("refusal.large"), fault.status)
        except Exception as fault:  # noqa: BLE001 - noted with everything that is known
            return visit.sorry(
                visit.language.say("refusal.lost", error_id=note_failure(request, fault)), HTTPStatus.INTERNAL_SERVER_ERROR
            )

    return handler


def payment_path(payment_id: str) -> str:
    """The address of the page of a payment."""
    return f"/portal/payments/{payment_id}"


def shillings(amount: Money) -> str:
    """An amount as people read it: `KES 50`."""
    return f"{amount.currency} {amount.shillings if amount.is_whole else amount}"


def terms(package: Package, language: Language) -> list[str]:
    """What the name of a package may not say."""
    said = [package.description] if package.description else []
    if package.download_kbps:
        said.append(language.say("terms.speed", mbps=f"{package.download_kbps / 1000:g}"))
    if package.data_limit_mb:
        said.append(language.say("terms.data", mb=f"{package.data_limit_mb:,}"))
    return said


def is_foreign(request: web.Request) -> bool:
    """Whether a form was sent by somebody else's page, as far as the browser says.

    Nobody shall make a phone buy or log out by showing it a page. `Sec-Fetch-Site` comes over TLS only, `Origin` from nearly every
    browser; one that says neither is believed (facts, platform C6).
    """
    site, origin = request.headers.get("Sec-Fetch-Site", "same-origin"), request.headers.get(hdrs.ORIGIN)
    return site not in {"same-origin", "none"} or (origin is not None and origin.partition("://")[2] != request.host)


def wait_of(fault: GatewayError) -> int | None:
    """In how many seconds to try again, for a refusal that passes by itself."""
    if fault.retry_after_s is None and STATUS[fault.code] is HTTPStatus.SERVICE_UNAVAILABLE:
        return _RETRY_S
    return fault.retry_after_s


async def _form(request: web.Request) -> dict[str, str]:
    """The fields of the form. Raises Invalid for what is none."""
    try:
        return dict(parse_qsl((await raw(request)).decode(), max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise Invalid("The body is not a form") from None


def _readable(parse: Callable[[str], T], text: str | None) -> T | None:
    try:
        return parse(text) if text else None
    except ValueError:
        return None


def look_of(at: Services, owner: Owner | None) -> PortalLook:
    """As the configuration says now; an owner who is not in it any more looks like everybody."""
    return next((each.portal for each in at.config.owners if owner is not None and each.id == owner.id), PLAIN)


def _only_owner(at: Services) -> Owner | None:
    """Who is at home where it is not known whose page it is: the owner of the place, unless several share it."""
    owners = list(at.site.catalogue.owners.values())
    return owners[0] if len(owners) == 1 else None
