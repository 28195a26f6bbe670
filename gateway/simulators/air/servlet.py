"""The router's own pages: which one a request gets, and the values that RouterOS puts into it (facts, routeros 4.1-4.3).

The order of pages is that of MikroTik's "HotSpot customisation", section "Serving servlet pages". Left out: CHAP (its page needs
MD5 in the browser), trial users, advertisements, sub-directories for languages and RFC 8908's `api.json`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from gateway.simulators.air.factory import FILES
from gateway.simulators.air.firewall import own_names, server_profile
from gateway.simulators.air.pages import Page, fill_in
from gateway.simulators.routeros import SimulatedRouter
from gateway.simulators.routeros.entries import ActiveEntry
from gateway.simulators.routeros.tables import Row
from gateway.simulators.routeros.traps import Trap
from gateway.simulators.routeros.values import canonical_mac, parse_duration_s

NO_CHALLENGE = "web browser did not send challenge response (try again, enable JavaScript)"
"""`chap-missing` of the router's errors.txt: what a plain password gets where only CHAP is allowed."""

_TYPES = {"css": "text/css", "html": "text/html", "js": "application/javascript", "json": "application/json", "xml": "text/xml"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a browser asks the router for."""

    mac: str
    ip: str
    url: str
    """Absolute, and exactly as the browser wrote it: it becomes `link-orig`."""
    parameters: Mapping[str, str]
    """Of the query and the form."""
    headers: Mapping[str, str]


def to_login(router: SimulatedRouter, asked: Asked) -> Page:
    """What a stranger gets in place of the page that he wanted."""
    return _Servlet(router, asked, asked.url).strange()


def own_page(router: SimulatedRouter, asked: Asked) -> Page:
    """What the router answers under its own name. A login is tried, a logout is done."""
    servlet = _Servlet(router, asked, asked.parameters.get("dst", ""))
    name = urlsplit(asked.url).path.strip("/")
    match name:
        case "":
            return servlet.front()
        case "login":
            return servlet.login()
        case "status":
            return servlet.status()
        case "logout":
            return servlet.logout()
    return servlet.file(name)


class _Servlet:
    """One request in hand."""

    def __init__(self, router: SimulatedRouter, asked: Asked, wanted: str) -> None:
        self._router = router
        self._asked = asked
        self._wanted = wanted
        """The page that the browser really wants."""
        self._profile = server_profile(router)
        self._entry = router.hotspot.active.get(asked.ip)

    def strange(self) -> Page:
        """The page that leads a stranger to the login page."""
        return self._page("rlogin.html", "redirect.html", leads_to="link-login")

    def front(self) -> Page:
        """`/`."""
        return self._page("rstatus.html", "redirect.html", leads_to="link-status") if self._entry else self.strange()

    def login(self) -> Page:
        """`/login`: lets in whoever gives a name, and never shows the form to somebody who is in."""
        error = self._try() if self._entry is None and "username" in self._asked.parameters else ""
        if self._entry is not None:
            return self._page("alogin.html", "redirect.html", leads_to="link-orig" if self._wanted else "link-status")
        names = ("flogin.html", "login.html") if error else ("login.html",)
        return self._page(*names, leads_to="link-login", error=error)

    def status(self) -> Page:
        """`/status`."""
        if self._entry is None:
            return self._page("fstatus.html", "redirect.html", leads_to="link-login")
        return self._page("status.html", leads_to="link-status")

    def logout(self) -> Page:
        """`/logout`."""
        if self._entry is None:
            return self._page("flogout.html", "redirect.html", leads_to="link-login")
        page = self._page("logout.html", leads_to="link-login")
        self._router.hotspot.end(self._entry, "user request")
        return page

    def file(self, name: str) -> Page:
        """Any other file of the directory; variables work in the HTML and text files."""
        text = self._text(name)
        if text is None:
            return Page(404, "Not Found", {"Content-Type": "text/html"}, "Error 404: Not Found")
        kind = name.rpartition(".")[2]
        is_page = kind in {"html", "htm", "txt"}
        page = fill_in(text, self._variables("link-redirect")) if is_page else Page(body=text)
        page.headers.setdefault("Content-Type", _TYPES.get(kind, "text/plain"))
        return page

    def _page(self, *names: str, leads_to: str, error: str = "") -> Page:
        """The first of these files that there is."""
        for name in names:
            text = self._text(name)
            if text is not None:
                page = fill_in(text, self._variables(leads_to, error))
                page.headers = {"Content-Type": "text/html", "Cache-Control": "no-cache"} | page.headers
                return page
        return self.file(names[-1])

    def _text(self, name: str) -> str | None:
        for directory in (self._profile.get("html-directory-override", ""), self._profile["html-directory"]):
            text = self._router.machine.files.get(f"{directory}/{name}") if directory else None
            if text is not None:
                return text
        return FILES.get(name)

    def _try(self) -> str:
        """Log in with the name and password that the form sent; what the router says when it refuses."""
        if "http-pap" not in self._profile["login-by"].split(","):
            return NO_CHALLENGE
        given = self._asked.parameters
        try:
            self._entry = self._router.hotspot.login(
                given["username"], given.get("password", ""), self._asked.ip, self._asked.mac, by="http-pap"
            )
        except Trap as refusal:
            return refusal.message
        return ""

    def _variables(self, leads_to: str, error: str = "") -> dict[str, str]:
        """Every variable of facts, routeros 4.2; what a header is called in a request is one as well."""
        given = self._asked.parameters
        known = {name.lower(): text for name, text in self._asked.headers.items()}
        known |= self._server() | self._links() | self._client() | _usage(self._router, self._entry)
        known |= {"error": error, "error-orig": error, "popup": given.get("popup", ""), "advert-pending": "no"}
        known |= {"var": given.get("var", ""), "session-id": given.get("session-id", "")}
        return known | {"link-redirect": known.get(leads_to, "")}

    def _server(self) -> dict[str, str]:
        hotspot = self._router.hotspot
        server = hotspot.servers.named(hotspot.server)
        return {
            "hostname": own_names(self._router)[0],
            "identity": self._router.machine.identity,
            "interface-name": server["interface"] if server else "",
            "login-by": self._entry.login_by if self._entry else "",
            "plain-passwd": _yes("http-pap" in self._profile["login-by"].split(",")),
            "server-address": f"{self._profile['hotspot-address']}:80",
            "server-name": hotspot.server,
            "ssl-login": "no",
        }

    def _links(self) -> dict[str, str]:
        """Links are plain HTTP, whatever the router has been set to (facts, routeros 4.2)."""
        root = f"http://{own_names(self._router)[0]}"
        return {
            "link-login": f"{root}/login?dst={quote(self._wanted, safe='')}" if self._wanted else f"{root}/login",
            "link-login-only": f"{root}/login",
            "link-logout": f"{root}/logout",
            "link-status": f"{root}/status",
            "link-orig": self._wanted,
        }

    def _client(self) -> dict[str, str]:
        return {
            "mac": canonical_mac(self._asked.mac),
            "ip": self._asked.ip,
            "host-ip": self._asked.ip,
            "username": self._entry.user if self._entry else self._asked.parameters.get("username", ""),
            "domain": "",
            "logged-in": _yes(self._entry is not None),
            "trial": "no",
        }


def _usage(router: SimulatedRouter, entry: ActiveEntry | None) -> dict[str, str]:
    """How long and how much, of a client that is logged in; all of it is empty for others."""
    if entry is None:
        return {}
    row = next(row for row in router.hotspot.active_rows() if row["address"] == entry.ip)
    profile = _user_profile(router, entry)
    times = {
        "uptime": row["uptime"],
        "idle-timeout": row.get("idle-timeout", ""),
        "session-timeout": row.get("session-time-left", ""),
        "session-time-left": row.get("session-time-left", ""),
        "refresh-timeout": profile.get("status-autorefresh", ""),
    }
    seconds = {f"{name}-secs": f"{parse_duration_s(text):.0f}" if text else "0" for name, text in times.items()}
    counters = {name: row[name] for name in ("bytes-in", "bytes-out", "packets-in", "packets-out")}
    nice = {f"{name}-nice": _nice(int(row[name])) for name in ("bytes-in", "bytes-out")}
    return times | seconds | counters | nice | _limits(row)


def _limits(row: Row) -> dict[str, str]:
    """Byte limits and what is left of them; `---` says that there is none."""
    limits = {way: row.get(f"limit-bytes-{way}") for way in ("in", "out")}
    left = {way: str(int(limit) - int(row[f"bytes-{way}"])) if limit else "---" for way, limit in limits.items()}
    return {f"limit-bytes-{way}": limit or "---" for way, limit in limits.items()} | {
        f"remain-bytes-{way}": text for way, text in left.items()
    }


def _user_profile(router: SimulatedRouter, entry: ActiveEntry) -> Row:
    users, profiles = router.hotspot.users, router.hotspot.user_profiles
    name = users.get(entry.user_id)["profile"] if entry.user_id in users else "default"
    return profiles.named(name) or next(iter(profiles))


def _nice(size_bytes: int) -> str:
    """`1.5 KiB`."""
    size, units = float(size_bytes), ["B", "KiB", "MiB", "GiB"]
    while size >= 1024 and len(units) > 1:  # noqa: PLR2004 - the step from unit to unit
        size, units = size / 1024, units[1:]
    return f"{size_bytes} B" if units[0] == "B" else f"{size:.1f} {units[0]}"


def _yes(value: bool) -> str:  # noqa: FBT001
    return "yes" if value else "no"
