"""The settable properties of the menus beside the hotspot: users, certificates, firewall, DNS, DHCP, files, clock.

Data only, like `properties`: what a set-up script and a check of the router need. `/ip/dns`, `/ip/firewall/nat` and the IPv6 menus
are not in the public schemas; they hold what the documentation names.
"""

from gateway.simulators.routeros.properties import COMMENT, DISABLED, FLAG, NAME, Property
from gateway.simulators.routeros.values import Address, Choice, Choices, Integer, Mac, Reference, Time

POLICIES = (
    "local", "telnet", "ssh", "ftp", "reboot", "read", "write", "policy", "test", "winbox", "password", "web", "sniff",
    "sensitive", "api", "romon", "rest-api",
)  # fmt: skip
"""What a group of users may be given (facts, routeros 2.12)."""

ALL_POLICIES = frozenset(POLICIES)

_V7 = (7,)
_NEVER = (999,)


def _texts(names: str, *, since: tuple[int, ...] = (0,), until: tuple[int, ...] = _NEVER) -> tuple[Property, ...]:
    return tuple(Property(name, since=since, until=until) for name in names.split())


_GROUP = (NAME, Property("policy", Choices(POLICIES, negatable=True)), Property("skin", default="default"), COMMENT)

_USER = (
    NAME,
    Property("group", Reference("/user/group"), required=True),
    Property("password", default="", secret=True, write_only=True),
    Property("address", default=""),
    Property("inactivity-policy", since=(7, 16)),
    Property("inactivity-timeout", Time(), since=(7, 16)),
    DISABLED,
    COMMENT,
)

_CERTIFICATE = (
    NAME,
    Property("common-name", required=True),
    *_texts("country state locality organization unit subject-alt-name"),
    Property("key-size", default="2048"),
    Property("digest-algorithm", default="sha256"),
    Property("days-valid", Integer(1, 36_500), "365"),
    Property(
        "key-usage", default="digital-signature,key-encipherment,data-encipherment,key-cert-sign,crl-sign,tls-server,tls-client"
    ),
    Property("trusted", FLAG, "false"),
    Property("trust-store", since=(7, 24)),
)

_DNS = (
    Property("servers", default=""),
    Property("allow-remote-requests", FLAG, "true"),
    Property("max-udp-packet-size", Integer(50, 65_507), "4096"),
    Property("query-server-timeout", Time(), "2s"),
    Property("query-total-timeout", Time(), "10s"),
    Property("max-concurrent-queries", Integer(), "100"),
    Property("cache-size", default="2048KiB"),
    Property("cache-max-ttl", Time(), "1w"),
    Property("use-doh-server", default="", since=(6, 47)),
    Property("verify-doh-cert", FLAG, "false", since=(6, 47)),
)

_DNS_STATIC = (
    NAME,
    Property("address", Address()),
    Property("type", default="A", hidden=("", "A")),
    Property("ttl", Time(), "1d"),
    *_texts(
        "address-list cname forward-to match-subdomain mx-exchange mx-preference ns regexp srv-port srv-priority srv-target"
        " srv-weight text"
    ),
    DISABLED,
    COMMENT,
)

_DHCP_NETWORK = (
    Property("address", Address(prefixed=True), required=True),
    *_texts(
        "gateway netmask dns-server domain boot-file-name caps-manager dhcp-option dhcp-option-set dns-none next-server ntp-server"
        " wins-server"
    ),
    Property("ntp-none", since=(7, 16)),
    COMMENT,
)

_DHCP_OPTION = (
    NAME,
    Property("code", Integer(1, 254), required=True),
    Property("value"),
    Property("force", FLAG, "false", since=(7, 1)),
    Property("comment", since=(7, 16)),
)

_DHCP_SERVER = (
    NAME,
    Property("interface", Reference("/interface"), required=True),
    Property("address-pool", default="static-only"),
    Property("lease-time", Time(), "10m"),
    DISABLED,
)

_MATCHERS = (
    "address-list address-list-timeout connection-bytes connection-limit connection-mark connection-rate connection-type content"
    " dscp dst-address dst-address-list dst-address-type dst-limit dst-port fragment hotspot icmp-options in-bridge-port"
    " in-bridge-port-list in-interface in-interface-list ingress-priority ipsec-policy ipv4-options jump-target layer7-protocol"
    " limit log-prefix nth out-bridge-port out-bridge-port-list out-interface out-interface-list packet-mark packet-size"
    " per-connection-classifier port priority protocol psd random realm routing-mark src-address src-address-list"
    " src-address-type src-mac-address src-port tcp-mss time tls-host ttl"
)

_FILTER = (
    Property("chain", required=True),
    Property(
        "action",
        Choice(
            ("accept", "add-dst-to-address-list", "add-src-to-address-list", "drop", "fasttrack-connection", "jump", "log",
             "passthrough", "reject", "return", "tarpit")
        ),
        "accept",
    ),
    Property("reject-with", default=None),
    Property("log", FLAG, "false"),
    *_texts(_MATCHERS + " connection-state connection-nat-state p2p tcp-flags"),
    Property("hw-offload", FLAG, until=(7, 24)),
    Property("tos", since=(7, 24)),
    DISABLED,
    COMMENT,
)  # fmt: skip

_NAT = (
    Property("chain", required=True),
    Property(
        "action",
        Choice(
            ("accept", "add-dst-to-address-list", "add-src-to-address-list", "dst-nat", "jump", "log", "masquerade", "netmap",
             "passthrough", "redirect", "return", "same", "src-nat")
        ),
        "accept",
    ),
    *_texts("to-addresses to-ports randomise-ports same-not-by-dst"),
    Property("log", FLAG, "false"),
    *_texts(_MATCHERS),
    DISABLED,
    COMMENT,
)  # fmt: skip

_ARP = (
    Property("address", Address(), required=True),
    Property("interface", Reference("/interface"), required=True),
    Property("mac-address", Mac()),
    Property("published", FLAG, "false"),
    DISABLED,
    COMMENT,
)

_IPV6_ADDRESS = (
    Property("address", required=True),
    Property("from-pool", default="", hidden=("",)),
    Property("interface", Reference("/interface"), required=True),
    Property("advertise", FLAG, "true"),
    Property("eui-64", FLAG, "false"),
    Property("no-dad", FLAG, "false"),
    DISABLED,
    COMMENT,
)

_IPV6_ND = (
    Property("interface", Reference("/interface", ("all",)), required=True),
    *_texts("hop-limit dns pref64"),
    Property("ra-interval", default="3m20s-10m"),
    Property("ra-delay", Time(), "3s"),
    Property("ra-lifetime", Time(("none",)), "30m"),
    Property("advertise-mac-address", FLAG, "true"),
    Property("advertise-dns", FLAG, "true"),
    DISABLED,
    COMMENT,
)

_IPV6_SETTINGS = (
    Property("disable-ipv6", FLAG, "false", since=_V7),
    Property("forward", FLAG, "true"),
    Property("accept-redirects", default="yes-if-forwarding-disabled"),
    Property("accept-router-advertisements", default="yes-if-forwarding-disabled"),
    Property("max-neighbor-entries", Integer(), "8192"),
)

_NTP_CLIENT = (
    Property("enabled", FLAG, "false"),
    Property("mode", default="unicast", since=_V7),
    Property("servers", default="", since=_V7),
    Property("vrf", default="main", since=_V7),
    Property("primary-ntp", Address(), "0.0.0.0", until=_V7),
    Property("secondary-ntp", Address(), "0.0.0.0", until=_V7),
    Property("server-dns-names", default="", until=_V7),
)

_CLOCK = (
    Property("date"),
    Property("time"),
    Property("time-zone-autodetect", FLAG, "true"),
    Property("time-zone-name", default="UTC"),
)

_FILE = (
    Property("name", required=True, since=(7, 16)),
    Property("type", since=(7, 16)),
    Property("contents"),
)
"""`name` cannot be changed before 7.16, but is given to `add`, from 7.10 on (facts, routeros 4.1)."""

APPLIANCE: dict[str, tuple[Property, ...]] = {
    "/user/group": _GROUP,
    "/user": _USER,
    "/certificate": _CERTIFICATE,
    "/ip/dns": _DNS,
    "/ip/dns/static": _DNS_STATIC,
    "/ip/dhcp-server": _DHCP_SERVER,
    "/ip/dhcp-server/network": _DHCP_NETWORK,
    "/ip/dhcp-server/option": _DHCP_OPTION,
    "/ip/firewall/filter": _FILTER,
    "/ip/firewall/nat": _NAT,
    "/ip/arp": _ARP,
    "/ip/pool": (NAME, Property("ranges", required=True), Property("next-pool", default="none"), COMMENT),
    "/ipv6/address": _IPV6_ADDRESS,
    "/ipv6/nd": _IPV6_ND,
    "/ipv6/settings": _IPV6_SETTINGS,
    "/system/ntp/client": _NTP_CLIENT,
}
"""Menus that are tables, or one row of settings."""

LIVE: dict[str, tuple[Property, ...]] = {"/system/clock": _CLOCK, "/file": _FILE}
"""Menus with properties that are no table: what they show is made when it is asked for."""
