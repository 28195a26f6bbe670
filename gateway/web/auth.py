"""Who is asking: the owner behind the credentials of a request."""

import re

from aiohttp import web

from gateway.catalogue import Owner
from gateway.errors import Denied
from gateway.web.services import services

_PUBLIC_KEY = re.compile(r"[0-9a-fA-F]{32}")


def owner_of(request: web.Request) -> Owner:
    """The owner whose public API key the request carries (specification, "Public Key Authentication"). Raises Denied."""
    key = request.headers.get("X-Public-Key")
    if key is None:
        raise Denied("Authentication credentials were not provided: send your public API key as X-Public-Key")
    if not _PUBLIC_KEY.fullmatch(key.strip()):
        raise Denied("Invalid public API key: it has exactly 32 hexadecimal characters (0-9, a-f)")
    owner = services(request).site.catalogue.owner_with_key(key.strip())
    if owner is None:
        raise Denied("Invalid public API key")
    return owner


def bearer_owner(request: web.Request) -> Owner:
    """The owner whose access token the request carries. Raises Denied."""
    raise Denied("Authentication credentials were not provided: send an access token as Authorization: Bearer")
