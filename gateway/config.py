"""The configuration: config.yaml read once into frozen types (contract, "config.yaml").

Owns which keys there are, what each may hold, and which contradict each other. It does no more than that: nothing here touches
the database, the router or the provider, and how the file is walked is `gateway.config_reader`'s business. All faults are
reported together, and a secret never prints.

Reading goes in three steps: read (each value by itself, by the tables below), check (values against each other), build.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway import config_values as value
from gateway.config_payments import PAYMENTS, PaymentsConfig, payments_config
from gateway.config_portal import PLAIN, PORTAL, PortalLook, portal_look
from gateway.config_reader import (
    ConfigError,
    Key,
    ListKey,
    PathKey,
    Reader,
    SecretKey,
    Section,
    SectionKey,
    SectionsKey,
    Table,
    read_tree,
)
from gateway.hotspot.base import RouterLogin, Way
from gateway.identity import Duration, Secret
from gateway.packages import Package
from gateway.providers.base import Environment, ProviderAccount

__all__ = [
    "Config",
    "ConfigError",
    "IntaSendConfig",
    "OwnerConfig",
    "PaymentsConfig",
    "RouterConfig",
    "SecurityConfig",
    "ServerConfig",
    "load",
]


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Where the daemon listens, what it is called from outside, and who may see what."""

    listen_host: str
    listen_port: int
    public_url: str
    """How phones on the hotspot reach the daemon; no slash at the end."""
    data_dir: Path
    trusted_proxies: tuple[value.Network, ...]
    """Whose `X-Forwarded-For` is believed."""
    cors_origins: tuple[str, ...]
    metrics_allow: tuple[value.Network, ...]
    admin_allow: tuple[value.Network, ...]
    uplink_probe: tuple[value.Listen, ...]
    """What is dialled to learn whether the Internet can be reached; without any nobody finds out."""


@dataclass(frozen=True, slots=True)
class SecurityConfig:
    """Fernet keys, newest first; empty when the daemon shall make one in its data directory."""

    encryption_keys: tuple[Secret, ...]


@dataclass(frozen=True, slots=True)
class IntaSendConfig:
    """One owner's IntaSend: keys, another place than IntaSend's own (a simulator, ending in a slash), or both.

    `base_url` holds for every IntaSend credential of the owner, also for those made through the API; `account` carries it too.
    """

    base_url: str | None
    account: ProviderAccount | None


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """One router and what is sold there."""

    id: int
    name: str
    login: RouterLogin
    packages: tuple[Package, ...]


@dataclass(frozen=True, slots=True)
class OwnerConfig:
    """Somebody who sells WiFi. Without password and hash nobody can log in as this owner."""

    id: int
    username: str
    name: str
    password: Secret | None
    password_hash: Secret | None
    public_key: str | None
    """32 lower-case hex digits; None when the daemon shall make one."""
    intasend: IntaSendConfig | None
    routers: tuple[RouterConfig, ...]
    portal: PortalLook = PLAIN


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that config.yaml says."""

    server: ServerConfig
    payments: PaymentsConfig
    security: SecurityConfig
    owners: tuple[OwnerConfig, ...]


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read, check and build the configuration. ConfigError with every fault that was found."""
    reader = Reader(path.parent, environ)
    root = reader.section("", read_tree(path), CONFIG)
    _check(root)
    if reader.faults:
        raise ConfigError(reader.faults)
    return _config(root)


# ------------------------------------------------------------------------------------------------- what may stand in the file

MAX_ID = 2**31 - 1
"""Ids travel through JavaScript, SQLite and other people's programs; all of them hold 32 bits."""
MAX_DATA_MB = 10_000_000
"""Ten terabytes: whoever means more means no limit."""
MAX_DEVICES = 100
"""One buyer's phones, not a village's: above it, it is a typing error."""
MIN_CHALLENGE_CHARS = 16
"""The challenge is all that a webhook proves itself with (facts, payments 4 "Authenticity")."""
API_PORT, API_TLS_PORT = 8728, 8729
"""RouterOS' own ports for `api` and `api-ssl` (facts, routeros 1.1)."""
LOOPBACK = "127.0.0.0/8"

_ID = Key(value.integer(1, MAX_ID), required=True)

PACKAGE: Table = {
    "id": _ID,
    "name": Key(value.line, required=True),
    "price": Key(value.price, required=True),
    "duration": Key(Duration.parse, required=True),
    "download_mbps": Key(value.kilobits),
    "upload_mbps": Key(value.kilobits),
    "data_limit_mb": Key(value.integer(1, MAX_DATA_MB)),
    "devices": Key(value.integer(1, MAX_DEVICES), default="1"),
    "description": Key(value.paragraph, default=""),
    "active": Key(value.boolean, default="true"),
}

ROUTER: Table = {
    "id": _ID,
    "name": Key(value.line, required=True),
    "host": Key(value.host, required=True),
    "port": Key(value.integer(1, 65_535)),
    "tls": Key(value.boolean, default="true"),
    "tls_fingerprint": Key(value.fingerprint),
    "tls_ca_file": PathKey(must_be_file=True),
    "username": Key(value.line, required=True),
    "password": SecretKey(value.secret(), required=True),
    "hotspot_server": Key(value.line, default="all"),
    "authorize": Key(value.one_of(Way), default="user"),
    "packages": SectionsKey(PACKAGE),
}

INTASEND: Table = {
    "environment": Key(value.one_of(Environment)),
    # Not a secret, but where a secret key lands when the two are mixed up.
    "publishable_key": Key(value.token, shown=False),
    "secret_key": SecretKey(value.secret()),
    "webhook_challenge": SecretKey(value.secret(MIN_CHALLENGE_CHARS)),
    "base_url": Key(value.folder_url),
}

OWNER: Table = {
    "id": _ID,
    "username": Key(value.token, required=True),
    "name": Key(value.line),
    "password": SecretKey(value.secret()),
    "password_hash": SecretKey(value.password_hash),
    "public_key": Key(value.public_key),
    "intasend": SectionKey(INTASEND, optional=True),
    "portal": SectionKey(PORTAL),
    "routers": SectionsKey(ROUTER),
}

SERVER: Table = {
    "listen": Key(value.listen, default="0.0.0.0:8080"),
    "public_url": Key(value.site_url),
    "data_dir": PathKey(default="/var/lib/hotspot-gateway"),
    "trusted_proxies": ListKey(value.network),
    "cors_origins": ListKey(value.origin, default=("*",)),
    "metrics_allow": ListKey(value.network, default=(LOOPBACK,)),
    "admin_allow": ListKey(value.network, default=(LOOPBACK,)),
    "uplink_probe": ListKey(value.place),
}

SECURITY: Table = {"encryption_key": SecretKey(value.encryption_keys)}

CONFIG: Table = {
    "server": SectionKey(SERVER),
    "payments": SectionKey(PAYMENTS),
    "security": SectionKey(SECURITY),
    "owners": SectionsKey(OWNER),
}


# ------------------------------------------------------------------------------------------------- what contradicts each other


def _check(root: Section) -> None:
    owners = root.sections("owners")
    routers = [router for owner in owners for router in owner.sections("routers")]
    packages = [package for router in routers for package in router.sections("packages")]
    if not owners and "owners" in root.values:
        root.fault("owners", "must declare at least one owner")
    if server := root.get("server"):
        _check_public_url(server)
    for sections, name in ((owners, "id"), (owners, "username"), (owners, "public_key"), (routers, "id"), (packages, "id")):
        _check_unique(sections, name)
    for owner in owners:
        _check_owner(owner)
    for router in routers:
        _check_tls(router)


def _check_unique(sections: Iterable[Section], name: str) -> None:
    first: dict[object, str] = {}
    for section in sections:
        given = section.get(name)
        if given is not None and given in first:
            section.fault(name, f"must be unique, and {first[given]} is the same")
        first.setdefault(given, section.place(name))


def _check_public_url(server: Section) -> None:
    address: value.Listen | None = server.get("listen")
    if not server.states("public_url") and address is not None and not address.is_concrete:
        server.fault(
            "public_url", f"is required with listen {address}: phones need to know the address, such as http://10.5.50.2:8080"
        )


def _check_owner(owner: Section) -> None:
    if owner.states("password") and owner.states("password_hash"):
        owner.fault("password", "give either password or password_hash, not both", secret=True)
    if intasend := owner.get("intasend"):
        _check_account(intasend)


def _check_account(intasend: Section) -> None:
    """Keys come together, and a key's prefix names its kind and its world (facts, payments 1.1)."""
    keys = ("environment", "publishable_key", "secret_key")
    if any(intasend.states(name) for name in (*keys, "webhook_challenge")):
        for name in keys:
            if not intasend.states(name):
                intasend.fault(name, "is required beside the other IntaSend keys")
    _check_key(intasend, "publishable_key", intasend.get("publishable_key"), "ISPubKey")
    secret_key: Secret | None = intasend.get("secret_key")
    _check_key(intasend, "secret_key", secret_key.reveal() if secret_key else None, "ISSecretKey")


_INTASEND_KEY = re.compile(r"(ISPubKey|ISSecretKey)_(test|live)_")
_WORLDS = {"test": Environment.SANDBOX, "live": Environment.LIVE}


def _check_key(intasend: Section, name: str, key: str | None, kind: str) -> None:
    match = _INTASEND_KEY.match(key or "")
    if not match:
        return
    environment = intasend.get("environment")
    if match[1] != kind:
        intasend.fault(name, f"must be the {kind}_... one, this is the {match[1]}_... one", secret=True)
    if environment and environment is not _WORLDS[match[2]]:
        intasend.fault(name, f"is a {match[2]} key, but environment is {environment.value}", secret=True)


def _check_tls(router: Section) -> None:
    for name in ("tls_fingerprint", "tls_ca_file"):
        if router.states(name) and router.get("tls") is False:
            router.fault(name, "has no effect with tls: false")
    if router.states("tls_fingerprint") and router.states("tls_ca_file"):
        router.fault("tls_ca_file", "give either tls_fingerprint or tls_ca_file, not both")


# ------------------------------------------------------------------------------------------------- building, when all is well


def _config(root: Section) -> Config:
    server = _server(root["server"])
    return Config(
        server=server,
        payments=payments_config(root["payments"], server.public_url),
        security=SecurityConfig(root["security"]["encryption_key"] or ()),
        owners=tuple(_owner(owner) for owner in root.sections("owners")),
    )


def _server(section: Section) -> ServerConfig:
    address: value.Listen = section["listen"]
    return ServerConfig(
        listen_host=address.host,
        listen_port=address.port,
        public_url=section["public_url"] or address.url,
        data_dir=section["data_dir"],
        trusted_proxies=section["trusted_proxies"],
        cors_origins=section["cors_origins"],
        metrics_allow=section["metrics_allow"],
        admin_allow=section["admin_allow"],
        uplink_probe=section["uplink_probe"],
    )


def _owner(section: Section) -> OwnerConfig:
    return OwnerConfig(
        id=section["id"],
        username=section["username"],
        name=section["name"] or section["username"],
        password=section["password"],
        password_hash=section["password_hash"],
        public_key=section["public_key"],
        intasend=_intasend(section["intasend"]),
        routers=tuple(_router(router) for router in section.sections("routers")),
        portal=portal_look(section["portal"]),
    )


def _intasend(section: Section | None) -> IntaSendConfig | None:
    if section is None or not any(section.values.values()):
        return None
    # The keys of the table are the fields of the account.
    return IntaSendConfig(section["base_url"], ProviderAccount(**section.values) if section["environment"] else None)


def _router(section: Section) -> RouterConfig:
    login = _login(section)
    packages = tuple(_package(package, login.router_id) for package in section.sections("packages"))
    return RouterConfig(login.router_id, login.name, login, packages)


def _login(section: Section) -> RouterLogin:
    server: str = section["hotspot_server"]
    return RouterLogin(
        router_id=section["id"],
        name=section["name"],
        host=section["host"],
        port=section["port"] or (API_TLS_PORT if section["tls"] else API_PORT),
        tls=section["tls"],
        tls_fingerprint=section["tls_fingerprint"],
        tls_ca_file=section["tls_ca_file"],
        username=section["username"],
        password=section["password"],
        hotspot_server=None if server == "all" else server,
        way=section["authorize"],
    )


def _package(section: Section, router_id: int) -> Package:
    return Package(
        id=section["id"],
        router_id=router_id,
        name=section["name"],
        price=section["price"],
        duration=section["duration"],
        download_kbps=section["download_mbps"],
        upload_kbps=section["upload_mbps"],
        data_limit_mb=section["data_limit_mb"],
        devices=section["devices"],
        description=section["description"],
        active=section["active"],
    )
