"""What is wrong with a router, and what to do: one function for each pitfall of facts, routeros 6 (and platform C10).

Pure: what was seen and what is wanted in, a judgement out. What could not be seen is said to be unseen, never to be well. The
pitfalls of addresses, firewall and names are in `inspection_network`.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from gateway.hotspot import inspection_network as network
from gateway.hotspot.capacity import SESSION_LIMITS
from gateway.hotspot.inspection import Judgement, Right, Sight, Site, Unseen, Verdict, html_directory, server_profiles
from gateway.hotspot.inspection_network import SCRIPT
from gateway.hotspot.profiles import wanted_of
from gateway.hotspot.setup import sweeper
from gateway.hotspot.setup.steps import Is, words_in
from gateway.hotspot.words import Row, Unintelligible, flag_at, number_at

Rule = Callable[[Sight, Site], Judgement]
"""Judges one pitfall. Raises Unseen and Unintelligible."""

NARROW = frozenset({"api", "read", "write", "test"})
"""What the gateway's login may have: selling needs the first three; `test` is for pings (facts, routeros 2.12)."""

FULL_AT = 0.8
"""From this share of the licence's logins on there may be no room on a busy evening (platform C10)."""

CLOCK_S = sweeper.GRACE_S
"""How far the router's clock may be off: the sweeper gives this grace, so a clock that is ahead by more ends paid time early."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def judge(sight: Sight, site: Site, pages: Mapping[str, str]) -> Iterator[Judgement]:
    """Every pitfall. `pages` are the files that the hotspot's folder should hold."""
    rules: Mapping[str, Rule] = {**_RULES, "pages of the hotspot": partial(_pages, pages)}
    for what, rule in rules.items():
        yield _seen(what, rule, sight, site)


def _seen(what: str, rule: Rule, sight: Sight, site: Site) -> Judgement:
    try:
        return rule(sight, site)
    except Unseen as unseen:
        return Judgement(what, Verdict.LOOK, f"could not be seen: the login has no right to read {unseen.path}")
    except Unintelligible as odd:
        return Judgement(what, Verdict.LOOK, f"could not be read: {odd}")


# The login


def _rights(sight: Sight, site: Site) -> Judgement:
    what = "login's rights"
    if sight.may_write is Right.NO:
        return Judgement(what, Verdict.WRONG, f"it may not write, so nobody can be let in: give its group `write`, or {SCRIPT}")
    if "/user" not in sight.tables:
        return Judgement(what, Verdict.OK, "it may write, and knows nothing of users, as it should be")
    own = next((row for row in sight.rows("/user") if row.get("name") == site.login.username), {})
    groups = {row.get("name"): row for row in sight.rows("/user/group")}
    given = {word for word in words_in(groups.get(own.get("group"), {}).get("policy", "")) if not word.startswith("!")}
    if given - NARROW:
        return Judgement(what, Verdict.WRONG, f"far too many ({', '.join(sorted(given - NARROW))}): {SCRIPT} and use that login")
    return Judgement(what, Verdict.OK, ", ".join(sorted(given)))


def _login_address(sight: Sight, site: Site) -> Judgement:
    what = "login's address"
    own = next((row for row in sight.rows("/user") if row.get("name") == site.login.username), {})
    if own.get("address"):
        return Judgement(what, Verdict.OK, own["address"])
    return Judgement(
        what, Verdict.WRONG, f"{site.login.username} may log in from anywhere: set address= to the gateway, or {SCRIPT}"
    )


def _service(sight: Sight, site: Site) -> Judgement:
    what = "API service"
    services = {row.get("name"): row for row in sight.rows("/ip/service")}
    secure, clear = services.get("api-ssl", {}), services.get("api", {})
    if not site.login.tls:
        return Judgement(what, Verdict.LOOK, "in clear: the password can be read on the way; set tls: true unless it is one cable")
    if secure.get("certificate", "none") == "none":
        return Judgement(what, Verdict.WRONG, f"api-ssl has no certificate, so anybody can stand in the middle: {SCRIPT}")
    if clear and not flag_at(clear, "disabled") and not clear.get("address"):
        return Judgement(what, Verdict.LOOK, "api-ssl is used, but api in clear is open to all: `/ip service disable api`")
    return Judgement(what, Verdict.OK, "api-ssl with a certificate")


# The router itself


def _clock(sight: Sight, site: Site) -> Judgement:
    what = "router's clock"
    moment = router_time(sight.one("/system/clock"))
    off_s = round(moment.timestamp() - site.wall_s)
    client = sight.one("/system/ntp/client")
    advice = "set a time server (`/system ntp client`)"
    if moment.timestamp() < sweeper.BELIEVED_FROM_S:
        return Judgement(what, Verdict.WRONG, f"not set ({moment:%Y-%m-%d}), so the sweeper does not act: {advice}")
    if abs(off_s) > CLOCK_S:
        return Judgement(what, Verdict.WRONG, f"{abs(off_s)} s {'ahead of' if off_s > 0 else 'behind'} ours: {advice}")
    if not flag_at(client, "enabled"):
        return Judgement(what, Verdict.LOOK, f"right, but lost at the next power cut: {advice}")
    if client.get("status", "synchronized") != "synchronized":
        return Judgement(what, Verdict.LOOK, f"right, but its time server does not answer ({client['status']})")
    return Judgement(what, Verdict.OK, "right, and a time server keeps it so")


def router_time(row: Row) -> datetime:
    """The moment that `/system/clock` shows, in either spelling of the date (facts, routeros 5). Raises Unintelligible."""
    date, time, offset = row.get("date", ""), row.get("time", ""), row.get("gmt-offset", "+00:00")
    try:
        if "/" in date:
            month, day, year = date.split("/")
            date = f"{year}-{_MONTHS.index(month.lower()) + 1:02}-{day}"
        local = datetime.fromisoformat(f"{date}T{time}").replace(tzinfo=UTC)
        hours, minutes = offset.lstrip("+-").split(":")[:2]
        ahead = timedelta(hours=int(hours), minutes=int(minutes))
    except ValueError:
        raise Unintelligible(f"{date} {time} {offset} is no time") from None
    return local + ahead if offset.startswith("-") else local - ahead


def _device_mode(sight: Sight, _site: Site) -> Judgement:
    what = "device-mode"
    row = sight.one("/system/device-mode")
    forbidden = [name for name in ("hotspot", "scheduler") if row.get(name, "yes") not in {"yes", "true"}]
    if forbidden:
        advice = f"`/system device-mode update {' '.join(f'{name}=yes' for name in forbidden)}`, then press the button"
        return Judgement(what, Verdict.WRONG, f"forbids {' and '.join(forbidden)}: {advice}")
    return Judgement(what, Verdict.OK, row.get("mode", "this version has none"))


def _licence(sight: Sight, _site: Site) -> Judgement:
    what = "licence"
    row = sight.one("/system/license")
    level, online = row.get("nlevel") or row.get("level", ""), len(sight.rows("/ip/hotspot/active"))
    limit = SESSION_LIMITS.get(level)
    if limit is None:
        return Judgement(what, Verdict.OK, f"level {level or 'unknown'}, {online} online")
    if online >= limit:
        return Judgement(what, Verdict.WRONG, f"level {level} is full: {online} of {limit} online; nobody else can be let in")
    if online >= limit * FULL_AT or limit == 1:
        return Judgement(what, Verdict.LOOK, f"level {level} allows {limit} online at a time; {online} are")
    return Judgement(what, Verdict.OK, f"level {level}, {online} of {limit} online")


# The hotspot


def _login_by(sight: Sight, site: Site) -> Judgement:
    what = "login-by"
    for profile in server_profiles(sight, site):
        name, methods = profile.get("name", ""), set(words_in(profile.get("login-by", "")))
        cookies = sorted(methods & {"cookie", "mac-cookie"})
        if cookies:
            return Judgement(what, Verdict.WRONG, f"{name} has {', '.join(cookies)}: phones come back after their time; {SCRIPT}")
        if "mac" not in methods:
            return Judgement(what, Verdict.WRONG, f"{name} lacks mac: phones stay out after a reboot or a nap; {SCRIPT}")
        if profile.get("mac-auth-mode", "mac-as-username") != "mac-as-username":
            return Judgement(what, Verdict.WRONG, f"{name} has mac-auth-mode={profile['mac-auth-mode']}; {SCRIPT}")
    return Judgement(what, Verdict.OK, "mac, without cookies")


def _speeds(sight: Sight, site: Site) -> Judgement:
    what = "speed profiles"
    shown = {row.get("name"): row for row in sight.rows("/ip/hotspot/user/profile")}
    for speed in site.speeds:
        row = shown.get(speed.name)
        if row is None:
            continue
        odd = [name for name, text in wanted_of(speed).items() if not Is(text).holds(row.get(name, ""))]
        if odd:
            return Judgement(what, Verdict.LOOK, f"{speed.name} has another {', '.join(odd)}: put right with its next sale")
    there = sum(speed.name in shown for speed in site.speeds)
    return Judgement(what, Verdict.OK, f"{there} of {len(site.speeds)} there; the others come with their first sale")


def _sweeper(sight: Sight, _site: Site) -> Judgement:
    what = "sweeper"
    script = next((row for row in sight.rows("/system/script") if row.get("name") == sweeper.NAME), None)
    timer = next((row for row in sight.rows("/system/scheduler") if row.get("name") == sweeper.NAME), None)
    if script is None or timer is None:
        return Judgement(what, Verdict.WRONG, f"missing, so nobody is shut out while the gateway is dead: {SCRIPT}")
    if flag_at(timer, "disabled"):
        return Judgement(what, Verdict.WRONG, f"stopped: `/system scheduler enable {sweeper.NAME}`")
    if script.get("source", "").strip() != sweeper.source().strip() or timer.get("on-event") != sweeper.NAME:
        return Judgement(what, Verdict.WRONG, f"not the one of this version: {SCRIPT}")
    runs = number_at(timer, "run-count")
    return Judgement(what, Verdict.OK, f"runs every {timer.get('interval', '')}; {runs} time(s) since the router started")


def _pages(pages: Mapping[str, str], sight: Sight, site: Site) -> Judgement:
    what = "pages of the hotspot"
    if sight.pages is None:
        raise Unseen("/file")
    folder = html_directory(sight, site)
    missing = sorted(pages.keys() - sight.pages.keys())
    if missing:
        return Judgement(what, Verdict.WRONG, f"{', '.join(missing)} missing in {folder}: {SCRIPT}")
    here = (site.public_url, f"router={site.login.router_id}&")  # another router's pages would have every phone refused
    foreign = sorted(name for name, text in sight.pages.items() if text is not None and not all(part in text for part in here))
    if foreign:
        where = f"{site.public_url} as router {site.login.router_id}"
        return Judgement(what, Verdict.WRONG, f"{', '.join(foreign)} in {folder} do not lead to {where}: {SCRIPT}")
    if None in sight.pages.values():
        return Judgement(what, Verdict.LOOK, f"there in {folder}, but the router does not show their text")
    return Judgement(what, Verdict.OK, f"ours, in {folder}")


_RULES: Mapping[str, Rule] = {
    "login's rights": _rights,
    "login's address": _login_address,
    "API service": _service,
    "router's clock": _clock,
    "device-mode": _device_mode,
    "licence": _licence,
    "login-by": _login_by,
    "address pool": network.address_pool,
    "walled garden": network.walled_garden,
    "connectivity probes": network.probes,
    "gateway's bypass": network.bypass,
    "phones' addresses": network.masquerade,
    "DNS for phones": network.dns,
    "fasttrack": network.fasttrack,
    "IPv6": network.ipv6,
    "speed profiles": _speeds,
    "sweeper": _sweeper,
}
"""In the order in which they are shown; the name is that of the line when the rule cannot see what it needs."""
