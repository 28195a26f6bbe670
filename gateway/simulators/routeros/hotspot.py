"""The hotspot itself: who is seen, who is let in, and when it ends (facts, routeros 2.4-2.9, 3 and 7.1).

No bytes, no commands. There are no timers either: `settle` brings the model up to the clock, and everything that looks at it
settles first, so that a login that is over is over for whoever asks. Texts of refusals that no public source shows are marked.
"""

import ipaddress
import itertools
import math
from collections.abc import Callable

from gateway.clock import Clock
from gateway.simulators.routeros.entries import ActiveEntry, Allowance, Cookie, Counters, Host, Usage
from gateway.simulators.routeros.tables import Configuration, Row, Table, hex_id
from gateway.simulators.routeros.traps import Trap
from gateway.simulators.routeros.values import address_range, canonical_mac, parse_duration_s

COOKIE_KEEPERS = frozenset({"keepalive timeout", "idle timeout", "host removed"})
"""Ends after which the mac-cookie stays: bringing a sleeping phone back is its purpose (facts, routeros 3.6)."""

LICENSED_SESSIONS = {"1": 1, "3": 1, "4": 200, "5": 500}
"""Logins at a time by licence level; any other level has no limit (facts, routeros 6)."""

Note = Callable[[str, str], None]
"""Takes a log line: topics, message."""


class HotspotModel:
    """One hotspot server and the phones around it."""

    def __init__(
        self, clock: Clock, configuration: Configuration, server: str, *, note: Note, limit_change_moves_running_session: bool
    ) -> None:
        tables = configuration.tables
        self.server = server
        self.servers: Table = tables["/ip/hotspot"]
        self.server_profiles: Table = tables["/ip/hotspot/profile"]
        self.users: Table = tables["/ip/hotspot/user"]
        self.user_profiles: Table = tables["/ip/hotspot/user/profile"]
        self.bindings: Table = tables["/ip/hotspot/ip-binding"]
        self.phones: dict[str, str] = {}
        """Phones that are in range, MAC to address; they outlive a reboot of the router."""
        self.hosts: dict[str, Host] = {}
        """By address."""
        self.active: dict[str, ActiveEntry] = {}
        """By address."""
        self.cookies: list[Cookie] = []
        self.usage: dict[str, Usage] = {}
        """Used up in ended sessions, by the user's id."""
        self.limit_change_moves_running_session = limit_change_moves_running_session
        self.licence = "4"
        """The level: what a hAP is sold with."""
        self.powered = True
        """Off, nothing passes and no phone is seen."""
        self._clock = clock
        self._note = note
        self._ids = itertools.count(1)

    # The phones

    def join(self, mac: str, ip: str) -> None:
        """A phone associates, takes that address and sends its first packet."""
        mac = canonical_mac(mac)
        self.settle()
        if self.phones.get(mac, ip) != ip:
            self.leave(mac)
        self.phones = {other: address for other, address in self.phones.items() if address != ip} | {mac: ip}
        present = self.hosts.get(ip)
        if present is not None and present.mac != mac:
            self.forget_host(present)
        elif present is not None:
            present.absent_since_s, present.bypassed = None, False
        self.traffic(mac)

    def leave(self, mac: str) -> None:
        """A phone goes out of range. Its host row and its login stay until their time-outs."""
        mac = canonical_mac(mac)
        self.settle()
        host = self.hosts.get(self.phones.pop(mac, ""))
        if host is not None and host.mac == mac:
            host.absent_since_s = self._now()

    def traffic(self, mac: str, bytes_in: int = 0, bytes_out: int = 0) -> bool:
        """A phone sends; may let it in by cookie or MAC. True if it passes."""
        mac = canonical_mac(mac)
        host = self._seen(mac)
        self.settle()
        if host is None or self._binding(host.mac, host.ip) == "blocked":
            return False
        host.last_traffic_s = self._now()
        if host.ip not in self.active and not host.bypassed:
            self._let_in_by_itself(host)
        if not self._is_let_through(mac):
            return False
        self._count(host, bytes_in, bytes_out)
        return True

    def passes(self, mac: str) -> bool:
        """Whether the phone's traffic would pass at this moment as things stand."""
        self.settle()
        return self._is_let_through(canonical_mac(mac))

    def is_blocked(self, mac: str) -> bool:
        """Whether a binding drops everything that the phone sends."""
        mac = canonical_mac(mac)
        return mac in self.phones and self._binding(mac, self.phones[mac]) == "blocked"

    # Login and logout

    def login(self, name: str, password: str, ip: str, mac: str | None = None, *, by: str = "admin") -> ActiveEntry:
        """Let a client in as a user. Raises the traps of facts, routeros 2.6."""
        self.settle()
        return self._log_in(name, password, ip, mac, by=by)

    def _log_in(self, name: str, password: str, ip: str, mac: str | None, *, by: str) -> ActiveEntry:
        host = self.hosts.get(ip)
        if host is None:
            raise Trap(f"unknown host IP {ip}")
        if mac is not None and canonical_mac(mac) != host.mac:
            raise Trap("wrong MAC provided")
        user = self._credentials(name, password, host.mac)
        profile = self._profile_of(user)
        allowance = self._allowance(user, profile)
        self._refuse_crowd(user, profile, ip)
        entry = ActiveEntry(
            user[".id"], user["name"], host.mac, ip, by, self._now(), allowance, _seconds(profile, "keepalive-timeout"),
            _seconds(profile, "idle-timeout"),
        )  # fmt: skip
        host.last_traffic_s = self._now()
        self.active[ip] = entry
        self._hand_out_cookies(entry, profile)
        self._log(entry, "logged in")
        return entry

    def end(self, entry: ActiveEntry, cause: str, at_s: float | None = None) -> None:
        """Log a client out: what it used goes to the user's row, and the mac-cookie goes unless it is made for that end."""
        if self.active.get(entry.ip) is not entry:
            return
        del self.active[entry.ip]
        if entry.user_id in self.users:
            usage = self.usage.setdefault(entry.user_id, Usage())
            usage.uptime_s += max(0.0, (self._now() if at_s is None else at_s) - entry.started_s)
            usage.counters.count(entry.counters.bytes_in, entry.counters.bytes_out)
        if cause not in COOKIE_KEEPERS:
            self.cookies = [cookie for cookie in self.cookies if not (cookie.is_mac_cookie and cookie.mac == entry.mac)]
        self._log(entry, f"logged out: {cause}")

    def forget_host(self, host: Host) -> None:
        """Drop a host row, and with it the login behind it; the phone appears anew with its next packet."""
        self.hosts.pop(host.ip, None)
        if host.ip in self.active:
            self.end(self.active[host.ip], "host removed")

    def used(self, user: Row) -> Usage:
        """What the user has used up in ended sessions."""
        return self.usage.setdefault(user[".id"], Usage())

    # Time

    def settle(self) -> None:
        """Bring everything up to the clock: end what is over, drop what has gone, latch who is bypassed."""
        now_s = self._now()
        for entry in list(self.active.values()):
            end_s, cause = self._end_of(entry)
            if end_s <= now_s:
                self.end(entry, cause, end_s)
        self.cookies = [cookie for cookie in self.cookies if cookie.expires_s > now_s]
        self._latch_bypassed()
        self._drop_absent(now_s)

    def reboot(self) -> None:
        """Lose what is only in memory: hosts, logins, and the uptime and bytes of running logins (facts, routeros 6)."""
        self.settle()
        self.hosts.clear()
        self.active.clear()

    def left_s(self, entry: ActiveEntry) -> float | None:
        """Seconds until a limit ends this login, None without a limit: `session-time-left`."""
        limits = [limit for limit in (self._uptime_left_s(entry), entry.allowance.session_s) if limit is not None]
        return max(0.0, entry.started_s + min(limits) - self._now()) if limits else None

    # Rows as printed

    def active_rows(self) -> list[Row]:
        """`/ip/hotspot/active`."""
        self.settle()
        now_s = self._now()
        return [
            entry.row(
                server=self.server, now_s=now_s, idle_s=now_s - self.hosts[entry.ip].last_traffic_s, left_s=self.left_s(entry)
            )
            for entry in self.active.values()
        ]

    def host_rows(self) -> list[Row]:
        """`/ip/hotspot/host`."""
        self.settle()
        now_s = self._now()
        return [host.row(server=self.server, authorized=host.ip in self.active, now_s=now_s) for host in self.hosts.values()]

    def cookie_rows(self) -> list[Row]:
        """`/ip/hotspot/cookie`."""
        self.settle()
        return [cookie.row(self._now()) for cookie in self.cookies]

    # Inside

    def _now(self) -> float:
        return self._clock.monotonic_s()

    def _log(self, entry: ActiveEntry, what: str) -> None:
        self._note("hotspot,account,info,debug", f"->: {entry.user} ({entry.ip}): {what}")

    def _server_profile(self) -> Row:
        server = self.servers.named(self.server)
        profile = self.server_profiles.named(server["profile"]) if server else None
        return profile or next(iter(self.server_profiles))

    def _profile_of(self, user: Row) -> Row:
        return self.user_profiles.named(user["profile"]) or next(iter(self.user_profiles))

    def _binding(self, mac: str, ip: str) -> str:
        """The type of the first binding that fits (facts, routeros 2.8)."""
        for row in self.bindings:
            applies = row["disabled"] == "false" and row["server"] in {"all", self.server}
            if applies and row.get("mac-address", mac) == mac and _within(ip, row.get("address")):
                return row["type"]
        return "regular"

    def _seen(self, mac: str) -> Host | None:
        """The host row of a phone in range, made with its first packet."""
        ip = self.phones.get(mac) if self.powered else None
        if ip is None:
            return None
        if ip not in self.hosts:
            now_s = self._now()
            self.hosts[ip] = Host(hex_id(next(self._ids)), mac, ip, now_s, now_s)
        return self.hosts[ip]

    def _is_let_through(self, mac: str) -> bool:
        ip = self.phones.get(mac) if self.powered else None
        if ip is None:
            return False
        binding = self._binding(mac, ip)
        if binding == "blocked":
            return False
        host, entry = self.hosts.get(ip), self.active.get(ip)
        return binding == "bypassed" or (host is not None and host.bypassed) or (entry is not None and entry.mac == mac)

    def _latch_bypassed(self) -> None:
        if any(row["type"] == "bypassed" for row in self.bindings):
            for host in self.hosts.values():
                host.bypassed = host.bypassed or self._binding(host.mac, host.ip) == "bypassed"

    def _drop_absent(self, now_s: float) -> None:
        absent = [host for host in self.hosts.values() if host.absent_since_s is not None and host.ip not in self.active]
        server = self.servers.named(self.server) if absent else None
        idle_s = _seconds(server, "idle-timeout") if server else None
        for host in absent:
            if idle_s is not None and host.absent_since_s is not None and host.absent_since_s + idle_s <= now_s:
                del self.hosts[host.ip]

    def _count(self, host: Host, bytes_in: int, bytes_out: int) -> None:
        host.counters.count(bytes_in, bytes_out)
        entry = self.active.get(host.ip)
        if entry is not None:
            entry.counters.count(bytes_in, bytes_out)
            if entry.allowance.spent(entry.counters):
                self.end(entry, "traffic limit reached")

    def _credentials(self, name: str, password: str, mac: str) -> Row:
        fitting = [row for row in self.users if row["name"] == name and row["server"] in {"all", self.server}]
        user = next(iter(sorted(fitting, key=lambda row: row["server"] == "all")), None)
        if user is None or user["disabled"] == "true" or user["password"] != password:
            raise Trap("invalid username or password")
        bound = user.get("mac-address", "")
        if bound not in {"", "00:00:00:00:00:00", mac}:
            raise Trap(f"user {name} is not allowed to log in from this MAC address")  # the text is a guess (errors.txt)
        return user

    def _allowance(self, user: Row, profile: Row) -> Allowance:
        """What is left for this login. Raises the traps for a limit that is reached already."""
        used = self.used(user)
        uptime_s, bytes_used = _seconds(user, "limit-uptime"), used.counters
        if uptime_s is not None and used.uptime_s >= uptime_s:
            raise Trap("your uptime limit is reached")
        allowance = Allowance(
            None if uptime_s is None else uptime_s - used.uptime_s,
            _seconds(profile, "session-timeout"),
            _left(user, "limit-bytes-in", bytes_used.bytes_in),
            _left(user, "limit-bytes-out", bytes_used.bytes_out),
            _left(user, "limit-bytes-total", bytes_used.total),
        )
        if allowance.spent(Counters()):
            raise Trap("your traffic limit is reached")
        return allowance

    def _refuse_crowd(self, user: Row, profile: Row, ip: str) -> None:
        online = sum(entry.user_id == user[".id"] for entry in self.active.values())
        if profile["shared-users"] != "unlimited" and online >= int(profile["shared-users"]):
            raise Trap("no more sessions are allowed for user")
        if ip in self.active:
            raise Trap("already authorizing, retry later")  # the text is a guess (errors.txt)
        if len(self.active) >= LICENSED_SESSIONS.get(self.licence, math.inf):
            raise Trap("session limit reached")  # errors.txt, license-session-limit; as a trap it is a guess

    def _uptime_left_s(self, entry: ActiveEntry) -> float | None:
        """The uptime limit of this login; read anew from the user's row only if the switch says so (facts, routeros 9.1)."""
        if not self.limit_change_moves_running_session or entry.user_id not in self.users:
            return entry.allowance.uptime_s
        user = self.users.get(entry.user_id)
        limit_s = _seconds(user, "limit-uptime")
        return None if limit_s is None else limit_s - self.used(user).uptime_s

    def _end_of(self, entry: ActiveEntry) -> tuple[float, str]:
        """When this login ends as things stand, and why."""
        host = self.hosts[entry.ip]
        ends = [
            (entry.started_s + limit, "session timeout")
            for limit in (self._uptime_left_s(entry), entry.allowance.session_s)
            if limit is not None
        ]
        if host.absent_since_s is not None and entry.keepalive_s is not None:
            ends.append((host.absent_since_s + entry.keepalive_s, "keepalive timeout"))
        if entry.idle_s is not None:
            ends.append((host.last_traffic_s + entry.idle_s, "idle timeout"))
        return min(ends, default=(float("inf"), ""))

    def _let_in_by_itself(self, host: Host) -> None:
        """What the router tries when an unknown client sends: its cookies, then its MAC (facts, routeros 3.4, 3.6)."""
        profile = self._server_profile()
        methods = profile["login-by"].split(",")
        for cookie in [cookie for cookie in self.cookies if cookie.mac == host.mac]:
            method = "mac-cookie" if cookie.is_mac_cookie else "cookie"
            if method not in methods:
                continue
            if self._try(cookie.user, None, host, method):
                return
            if cookie.is_mac_cookie:
                self.cookies.remove(cookie)
        if "mac" in methods:
            with_password = profile["mac-auth-mode"] == "mac-as-username-and-password"
            self._try(host.mac, host.mac if with_password else profile.get("mac-auth-password", ""), host, "mac")

    def _try(self, name: str, password: str | None, host: Host, by: str) -> bool:
        """One attempt of the router's own; a cookie brings the password that the user has."""
        user = self.users.named(name)
        if password is None:
            password = user["password"] if user else ""
        try:
            self._log_in(name, password, host.ip, host.mac, by=by)
        except Trap as refusal:
            self._note("hotspot,info,debug", f"->: {name} ({host.ip}): login failed: {refusal.message}")
            return False
        return True

    def _hand_out_cookies(self, entry: ActiveEntry, profile: Row) -> None:
        """One cookie of each kind that the server and the user's profile ask for, in place of older ones."""
        server_profile = self._server_profile()
        methods = server_profile["login-by"].split(",")
        if "mac-cookie" in methods and profile["add-mac-cookie"] == "true":
            self._put_cookie(entry, parse_duration_s(profile["mac-cookie-timeout"]), is_mac_cookie=True)
        if "cookie" in methods:
            self._put_cookie(entry, parse_duration_s(server_profile["http-cookie-lifetime"]), is_mac_cookie=False)

    def _put_cookie(self, entry: ActiveEntry, lifetime_s: float, *, is_mac_cookie: bool) -> None:
        key = (entry.mac, is_mac_cookie)
        self.cookies = [cookie for cookie in self.cookies if (cookie.mac, cookie.is_mac_cookie) != key]
        expires_s = self._now() + lifetime_s
        self.cookies.append(Cookie(hex_id(next(self._ids)), entry.user, entry.mac, expires_s, is_mac_cookie))


def _seconds(row: Row, name: str) -> float | None:
    """A time limit of a row; None for none, whichever way the router writes that."""
    text = row.get(name, "none")
    return None if text in {"none", "0s"} else parse_duration_s(text)


def _within(ip: str, addresses: str | None) -> bool:
    """Whether an address is in a range; no range is every address."""
    if not addresses:
        return True
    first, last = address_range(addresses)
    return first <= int(ipaddress.IPv4Address(ip)) <= last


def _left(user: Row, name: str, used: int) -> int | None:
    limit = int(user.get(name, "0"))
    return limit - used if limit else None
