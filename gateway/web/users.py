"""Logging in, and what follows from it."""

from typing import Annotated

import msgspec
from aiohttp import web

from gateway.accounts import Session
from gateway.identity import Secret
from gateway.web.auth import bearer_owner
from gateway.web.bodies import ShortText, read
from gateway.web.peers import client_address
from gateway.web.replies import reply
from gateway.web.services import services

NameText = Annotated[str, msgspec.Meta(max_length=200)]
"""A user name: no longer than one in the configuration file can be."""
SecretText = Annotated[str, msgspec.Meta(max_length=1024)]
"""A password or a private key: what is longer would only cost time."""
TokenText = Annotated[str, msgspec.Meta(max_length=4096)]
"""A token: ours have some 400 characters."""


class LoginBody(msgspec.Struct, frozen=True):
    """User name and password, as the configuration file declares them."""

    username: NameText
    password: SecretText


class ApiKeyLoginBody(msgspec.Struct, frozen=True):
    """The pair of keys that `rotate-api-keys` gave."""

    public_key: ShortText
    private_key: SecretText


class RefreshBody(msgspec.Struct, frozen=True):
    """A refresh token that was not used yet."""

    refresh_token: TokenText


class SessionAnswer(msgspec.Struct):
    """The answer to a log-in: who it was, and tokens to prove it with."""

    access_token: str
    """Send it as `Authorization: Bearer`; it lives 15 minutes."""
    refresh_token: str
    """Good for one call of `refresh` within 30 days."""
    user_id: int
    username: str


class ApiKeysAnswer(msgspec.Struct):
    """New API keys. The private one is shown this once."""

    public_key: str
    private_key: str


async def login(request: web.Request) -> web.Response:
    """Log in with user name and password. After five failures within 15 minutes the name has to wait."""
    body = await read(request, LoginBody)
    session = await services(request).accounts.login(body.username, Secret(body.password), client_address(request))
    return _admitted(session)


async def api_key_login(request: web.Request) -> web.Response:
    """Log in with a pair of API keys, as programs do."""
    body = await read(request, ApiKeyLoginBody)
    session = await services(request).accounts.api_key_login(body.public_key, Secret(body.private_key), client_address(request))
    return _admitted(session)


async def refresh(request: web.Request) -> web.Response:
    """Exchange a refresh token for a new pair of tokens. A token that comes a second time ends the whole log-in."""
    body = await read(request, RefreshBody)
    return _admitted(await services(request).accounts.refresh(body.refresh_token))


async def rotate_api_keys(request: web.Request) -> web.Response:
    """Replace both API keys. The old ones and every token end at once; the new private key is shown this once."""
    keys = await services(request).accounts.rotate_api_keys(bearer_owner(request))
    return _unstored(ApiKeysAnswer(keys.public_key, keys.private_key.reveal()))


def _admitted(session: Session) -> web.Response:
    return _unstored(SessionAnswer(session.access_token, session.refresh_token, session.owner_id, session.username))


def _unstored(answer: msgspec.Struct) -> web.Response:
    """An answer that nobody on the way may keep (RFC 6749, section 5.1)."""
    return reply(answer, headers={"Cache-Control": "no-store"})
