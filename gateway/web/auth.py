"""Who is asking: the owner behind the credentials of a request."""

import re

from aiohttp import web

from gateway.catalogue import Owner
from gateway.errors import Denied
from gateway.store.database import not_stored
from gateway.web.services import services

_PUBLIC_KEY = re.compile(r"[0-9a-fA-F]{32}")


def owner_of(request: web.Request) -> Owner:
    """The owner whose access token or public API key the request carries; of both, the token counts (specification, decision 3).

    Raises Denied; NotStored for a key that may be new in the configuration, which the disk has not taken yet.
    """
    if _bearer(request) is not None:
        return bearer_owner(request)
    key = request.headers.get("X-Public-Key")
    if key is None:
        raise Denied(
            "Authentication credentials were not provided: "
            "send your public API key as X-Public-Key, or an access token as Authorization: Bearer"
        )
    if not _PUBLIC_KEY.fullmatch(key.strip()):
        raise Denied("Invalid public API key: it has exactly 32 hexadecimal characters (0-9, a-f)")
    site = services(request).site
    owner = site.catalogue.owner_with_key(key.strip())
    if owner is None:
        raise Denied("Invalid public API key") if site.begun else not_stored()
    return owner


def bearer_owner(request: web.Request) -> Owner:
    """The owner whose access token the request carries. Raises Denied."""
    token = _bearer(request)
    if token is None:
        raise Denied("Authentication credentials were not provided: send an access token as Authorization: Bearer")
    return services(request).accounts.owner_of_token(token)


def is_the_owner(request: web.Request) -> bool:
    """Whether the request comes with an access token: then it is the owner who asks, and not somebody with the public key."""
    return _bearer(request) is not None


def _bearer(request: web.Request) -> str | None:
    """The token of the `Authorization` header; None for none, and for another scheme, which is not ours to read."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
