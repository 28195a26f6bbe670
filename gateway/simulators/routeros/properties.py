"""The settable properties of each menu: type, value from the factory, and what is left out of a printed row.

Data only, written down from the schemas of real routers (see `schema`) and the defaults of facts, routeros 2.2-2.11.
"""

from dataclasses import dataclass

from gateway.simulators.routeros.values import (
    TEXT,
    Address,
    AddressRange,
    Boolean,
    Choice,
    Choices,
    Integer,
    Kind,
    Mac,
    Rate,
    Reference,
    Time,
)


@dataclass(frozen=True, slots=True)
class Property:
    """One settable property."""

    name: str
    kind: Kind = TEXT
    default: str | None = None
    """The value of a row that was added without it; None leaves it out of the row."""
    hidden: tuple[str, ...] = ("",)
    """Values that are left out when the row is printed: a router omits what says nothing (facts, routeros 2.1)."""
    required: bool = False
    secret: bool = False
    """Printed only to users with the policy `sensitive`."""
    write_only: bool = False
    """Never printed at all."""
    since: tuple[int, ...] = (0,)
    until: tuple[int, ...] = (999,)
    """The first version that has it no more."""


FLAG = Boolean()
_NONE = Time(("none",))
_SERVER = Property("server", Reference("/ip/hotspot", ("all",)), "all", hidden=("all",))
COMMENT = Property("comment")
DISABLED = Property("disabled", FLAG, "false")
NAME = Property("name", required=True)

LOGIN_METHODS = ("mac", "cookie", "http-chap", "https", "http-pap", "trial", "mac-cookie")

POLICIES = (
    "ftp", "reboot", "read", "write", "policy", "test", "password", "sniff", "sensitive", "romon",
)  # fmt: skip

_HOTSPOT = (
    NAME,
    Property("interface", Reference("/interface"), required=True),
    Property("address-pool", default="none"),
    Property("profile", Reference("/ip/hotspot/profile"), "default"),
    Property("idle-timeout", _NONE, "5m"),
    Property("keepalive-timeout", _NONE, "none"),
    Property("login-timeout", _NONE, "none"),
    Property("addresses-per-mac", Integer(1, 65535, ("unlimited",)), "2"),
    DISABLED,
)

_SERVER_PROFILE = (
    NAME,
    Property("hotspot-address", Address(), "0.0.0.0"),
    Property("dns-name"),
    Property("html-directory", default="hotspot"),
    Property("html-directory-override"),
    Property("install-hotspot-queue", FLAG, "false"),
    Property("rate-limit", Rate()),
    Property("http-proxy", Address(ported=True), "0.0.0.0:0"),
    Property("smtp-server", Address(), "0.0.0.0"),
    Property("login-by", Choices(LOGIN_METHODS), "cookie,http-chap"),
    Property("mac-auth-mode", Choice(("mac-as-username", "mac-as-username-and-password")), "mac-as-username"),
    Property("mac-auth-password", secret=True),
    Property("http-cookie-lifetime", Time(), "3d"),
    Property("ssl-certificate", default="none"),
    Property("split-user-domain", FLAG, "false"),
    Property("trial-uptime-limit", Time(), "30m"),
    Property("trial-uptime-reset", Time(), "1d"),
    Property("trial-user-profile", Reference("/ip/hotspot/user/profile"), "default"),
    Property("use-radius", FLAG, "false"),
    Property("radius-accounting", FLAG, "true"),
    Property("radius-interim-update", Time(("received",)), "received"),
    Property("radius-default-domain"),
    Property("radius-location-id"),
    Property("radius-location-name"),
    Property("radius-mac-format", default="XX:XX:XX:XX:XX:XX"),
    Property("nas-port-type", default="wireless-802.11"),
)

_USER = (
    _SERVER,
    NAME,
    Property("password", default="", secret=True),
    Property("address", Address()),
    Property("mac-address", Mac(), hidden=("", "00:00:00:00:00:00")),
    Property("profile", Reference("/ip/hotspot/user/profile"), "default"),
    Property("routes"),
    Property("email"),
    Property("limit-uptime", Time(), hidden=("0s",)),
    Property("limit-bytes-in", Integer(), hidden=("0",)),
    Property("limit-bytes-out", Integer(), hidden=("0",)),
    Property("limit-bytes-total", Integer(), hidden=("0",)),
    Property("otp-secret", secret=True, since=(7, 21, 3)),
    DISABLED,
    COMMENT,
)

_USER_PROFILE = (
    NAME,
    Property("address-pool", default="none", hidden=("none",)),
    Property("session-timeout", Time(), hidden=("0s",)),
    Property("idle-timeout", _NONE, "none"),
    Property("keepalive-timeout", _NONE, "2m"),
    Property("status-autorefresh", Time(), "1m"),
    Property("shared-users", Integer(1, 4_294_967_295, ("unlimited",)), "1"),
    Property("add-mac-cookie", FLAG, "true"),
    Property("mac-cookie-timeout", Time(), "3d"),
    Property("rate-limit", Rate()),
    Property("address-list"),
    Property("parent-queue", default="none", hidden=("none",)),
    Property("queue-type"),
    Property("insert-queue-before"),
    Property("incoming-filter"),
    Property("outgoing-filter"),
    Property("incoming-packet-mark"),
    Property("outgoing-packet-mark"),
    Property("transparent-proxy", FLAG, "false"),
    Property("open-status-page", Choice(("always", "http-login")), "always"),
    Property("advertise", FLAG, "false"),
    Property("advertise-interval"),
    Property("advertise-timeout"),
    Property("advertise-url"),
    Property("on-login"),
    Property("on-logout"),
)

_BINDING = (
    Property("mac-address", Mac()),
    Property("address", AddressRange()),
    Property("to-address", Address()),
    _SERVER,
    Property("type", Choice(("regular", "bypassed", "blocked")), "regular"),
    DISABLED,
    COMMENT,
)

_WALLED_GARDEN = (
    Property("action", Choice(("allow", "deny")), "allow"),
    _SERVER,
    Property("src-address", AddressRange()),
    Property("method"),
    Property("dst-host"),
    Property("dst-port"),
    Property("path"),
    DISABLED,
    COMMENT,
)

_WALLED_GARDEN_IP = (
    Property("action", Choice(("accept", "drop", "reject")), "accept"),
    _SERVER,
    Property("src-address"),
    Property("src-address-list"),
    Property("dst-address"),
    Property("dst-address-list"),
    Property("dst-host"),
    Property("dst-port"),
    Property("protocol"),
    DISABLED,
    COMMENT,
)

_SERVICE = (
    Property("port", Integer(1, 65535)),
    Property("address"),
    Property("certificate", default="none"),
    Property("tls-version", Choice(("any", "only-1.2")), "any"),
    Property("vrf", default="main"),
    Property("max-sessions", Integer(1, 1000), "20", since=(7, 16)),
    Property("available-from", since=(7, 24)),
    DISABLED,
)

_ADDRESS = (
    Property("address", Address(prefixed=True), required=True),
    Property("netmask", Address()),
    Property("network", Address()),
    Property("broadcast", Address()),
    Property("interface", Reference("/interface"), required=True),
    DISABLED,
    COMMENT,
)

_SCHEDULER = (
    NAME,
    Property("start-date"),
    Property("start-time"),
    Property("interval", Time(), "0s"),
    Property("on-event"),
    Property("policy", Choices(POLICIES)),
    Property("days", since=(7, 24)),
    DISABLED,
    COMMENT,
)

_SCRIPT = (
    NAME,
    Property("owner"),
    Property("policy", Choices(POLICIES)),
    Property("dont-require-permissions", FLAG, "false"),
    Property("source"),
    COMMENT,
)

SETTINGS: dict[str, tuple[Property, ...]] = {
    "/ip/hotspot": _HOTSPOT,
    "/ip/hotspot/profile": _SERVER_PROFILE,
    "/ip/hotspot/user": _USER,
    "/ip/hotspot/user/profile": _USER_PROFILE,
    "/ip/hotspot/ip-binding": _BINDING,
    "/ip/hotspot/walled-garden": _WALLED_GARDEN,
    "/ip/hotspot/walled-garden/ip": _WALLED_GARDEN_IP,
    "/ip/service": _SERVICE,
    "/ip/address": _ADDRESS,
    "/system/scheduler": _SCHEDULER,
    "/system/script": _SCRIPT,
    "/system/identity": (Property("name", default="MikroTik"),),
}

_COUNTS = ("bytes-in", "bytes-out", "packets-in", "packets-out", "run-count", "cpu-load", "free-memory", "write-sect-total", "mtu")
_TIMES = ("uptime", "idle-time", "idle-timeout", "keepalive-timeout", "session-time-left", "host-dead-time", "expires-in")
_FLAGS = (
    "default", "disabled", "dynamic", "static", "DHCP", "authorized", "bypassed", "blocked", "radius", "mac-cookie", "running",
    "invalid", "HTTPS",
)  # fmt: skip

READ_ONLY: dict[str, Kind] = {
    **dict.fromkeys(_COUNTS, Integer()),
    **dict.fromkeys(_TIMES, Time()),
    **dict.fromkeys(_FLAGS, FLAG),
    **dict.fromkeys(("limit-bytes-in", "limit-bytes-out", "limit-bytes-total"), Integer()),
    "mac-address": Mac(),
    "address": Address(prefixed=True),
    "to-address": Address(),
}
"""How queries compare what the router computes itself."""
