"""Payments and grants for tests, and databases that know their owner, router and packages."""

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from gateway.access import Grant, GrantState
from gateway.config import OwnerConfig, RouterConfig
from gateway.hotspot.base import RouterLogin, Way
from gateway.identity import Duration, IpAddress, MacAddress, Money, PhoneNumber, Secret
from gateway.packages import Package
from gateway.payments import INTASEND, Payment
from gateway.store import access as grant_rows
from gateway.store import catalogue as catalogue_rows
from gateway.store import payments as payment_rows
from gateway.store.database import Database
from gateway.vault import Vault
from tests import schema

NOW_S = 1_756_117_800.0
MAC = MacAddress("AA:BB:CC:DD:EE:FF")
OTHER_MAC = MacAddress("A2:00:00:00:00:02")
IP = IpAddress("192.168.1.100")
VAULT = Vault((Secret(Fernet.generate_key().decode()),))

LOGIN = RouterLogin(
    router_id=1,
    name="Kiosk",
    host="127.0.0.1",
    port=8728,
    tls=False,
    tls_fingerprint=None,
    tls_ca_file=None,
    username="gateway",
    password=Secret("router secret"),
    hotspot_server=None,
    way=Way.USER,
)
HOUR = Package(id=1, router_id=1, name="1 hour", price=Money(5_000), duration=Duration(3_600), download_kbps=5_000)
DAY = Package(id=2, router_id=1, name="1 day", price=Money(20_000), duration=Duration(86_400), data_limit_mb=500)
ROUTER = RouterConfig(1, "Kiosk", LOGIN, (HOUR, DAY))
OWNER = OwnerConfig(
    id=1,
    username="njeri",
    name="Njeri WiFi",
    password=None,
    password_hash=None,
    public_key="c1eb9fed9dabc57f61d56c26ef3870ae",
    intasend=None,
    routers=(ROUTER,),
)


def payment(number: int = 1, **changes: Any) -> Payment:
    """A new payment for an hour, numbered."""
    made = Payment(
        id=f"payment-{number}",
        owner_id=1,
        router_id=1,
        package_id=1,
        phone=PhoneNumber("+254712345678"),
        amount=Money(5_000),
        duration=Duration(3_600),
        method="mpesa",
        provider=INTASEND,
        api_ref=f"HG-{number}",
        mac=MAC,
        ip=IP,
        created_at_s=NOW_S,
        updated_at_s=NOW_S,
    )
    return replace(made, **changes)


def grant(number: int = 1, **changes: Any) -> Grant:
    """An owed hour, bought by the payment of the same number."""
    made = Grant(
        id=f"grant-{number}",
        payment_id=f"payment-{number}",
        owner_id=1,
        router_id=1,
        package_id=1,
        mac=MAC,
        ip=IP,
        duration=Duration(3_600),
        created_at_s=NOW_S,
        updated_at_s=NOW_S,
    )
    return replace(made, **changes)


def active(number: int = 1, **changes: Any) -> Grant:
    """An hour that runs since now."""
    return grant(number, **{"state": GrantState.ACTIVE, "starts_at_s": NOW_S, "ends_at_s": NOW_S + 3_600, **changes})


def in_memory(owners: Iterable[OwnerConfig] = (OWNER,)) -> sqlite3.Connection:
    """A database that lives as long as the connection."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    schema.lay(connection)
    catalogue_rows.declare(connection, owners, VAULT)
    return connection


async def in_folder(folder: Path) -> Database:
    """A database in a file, with everything around it."""
    db = await Database.open(folder / "gateway.db")
    await db.write(lambda tx: catalogue_rows.declare(tx, (OWNER,), VAULT))
    return db


async def record(db: Database, *entries: Payment | Grant) -> None:
    """Write payments and grants as they are."""

    def work(tx: sqlite3.Connection) -> None:
        for entry in entries:
            if isinstance(entry, Payment):
                payment_rows.insert(tx, entry)
            else:
                grant_rows.insert(tx, entry)

    await db.write(work)
