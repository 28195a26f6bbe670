"""Routers to prepare: what the set-up tests have in common."""

from typing import Any

from gateway.hotspot.base import RouterLogin, Way
from gateway.hotspot.setup.plan import Installation
from gateway.identity import IpAddress, Secret
from gateway.packages import SpeedProfile

PASSWORD = Secret("a long random password")
ADMIN = Secret("admin's own")
SPEEDS = (SpeedProfile(None, None, 1), SpeedProfile(2_000, 5_000, 1))


def login(**changes: Any) -> RouterLogin:
    given: dict[str, Any] = {
        "router_id": 1,
        "name": "Kiosk",
        "host": "127.0.0.1",
        "port": 8729,
        "tls": True,
        "tls_fingerprint": None,
        "tls_ca_file": None,
        "username": "gateway",
        "password": PASSWORD,
        "hotspot_server": "hotspot1",
        "way": Way.USER,
    }
    return RouterLogin(**given | changes)


def installation(**changes: Any) -> Installation:
    given: dict[str, Any] = {
        "login": login(),
        "gateway": IpAddress("10.5.50.2"),
        "public_url": "http://10.5.50.2:8080",
        "speeds": SPEEDS,
    }
    return Installation(**given | changes)
