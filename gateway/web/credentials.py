"""The endpoints of an owner's keys at IntaSend. Private keys and challenges come in here and never go out."""

from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from gateway.catalogue import Credential
from gateway.credentials import CredentialDraft
from gateway.errors import NotFound
from gateway.identity import Secret
from gateway.providers.base import Environment
from gateway.web.auth import bearer_owner
from gateway.web.bodies import ShortText, id_in, read
from gateway.web.replies import Done, reply, timestamp
from gateway.web.services import services

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
"""IntaSend's keys have about fifty characters."""
Challenge = Annotated[str, msgspec.Meta(min_length=16, max_length=200)]
"""All that a webhook proves itself with: nothing short enough to be guessed."""


class CredentialChange(msgspec.Struct, frozen=True, kw_only=True):
    """What credentials shall be from now on; secrets that are left out stay as they are."""

    provider: ShortText
    api_key: Key
    environment: Literal["sandbox", "live"]
    private_key: Key | None = None
    webhook_challenge: Challenge | None = None

    def parsed(self) -> CredentialDraft:
        """The credentials in the gateway's own types."""
        return CredentialDraft(
            provider=self.provider,
            environment=Environment(self.environment),
            api_key=self.api_key,
            private_key=Secret(self.private_key) if self.private_key else None,
            webhook_challenge=Secret(self.webhook_challenge) if self.webhook_challenge else None,
        )


class CredentialBody(CredentialChange, frozen=True, kw_only=True):
    """New credentials, as the specification sends them."""

    private_key: Key


class PrivateKeyBody(msgspec.Struct, frozen=True):
    """A private key."""

    private_key: Key


class CredentialAnswer(msgspec.Struct):
    """Credentials without what is secret about them."""

    id: int
    provider: str
    api_key: str
    environment: str
    is_active: bool
    managed_by: str
    has_webhook_challenge: bool
    created_at: str
    updated_at: str


class CredentialList(msgspec.Struct):
    """Every credential of the owner, newest first; there are never so many that a second page is needed."""

    results: list[CredentialAnswer]
    next: None = None


class Verified(msgspec.Struct):
    """What is to be said of a private key; `accepted_by_provider` is null when IntaSend could not be asked."""

    message: str
    matches_stored: bool
    accepted_by_provider: bool | None
    detail: str | None


async def create(request: web.Request) -> web.Response:
    """Add credentials. The newest active ones are used for everything that is sold from then on."""
    owner, body = bearer_owner(request), await read(request, CredentialBody)
    return reply(shown(await services(request).credentials.create(owner, body.parsed())), HTTPStatus.CREATED)


async def list_all(request: web.Request) -> web.Response:
    """Your credentials, newest first."""
    found = await services(request).credentials.all(bearer_owner(request))
    return reply(CredentialList([shown(credential) for credential in found]))


async def show(request: web.Request) -> web.Response:
    """One of your credentials."""
    owner = bearer_owner(request)
    return reply(shown(await services(request).credentials.one(owner, _id(request))))


async def update(request: web.Request) -> web.Response:
    """Replace credentials; a private key or a webhook challenge that is left out stays."""
    owner, body = bearer_owner(request), await read(request, CredentialChange)
    return reply(shown(await services(request).credentials.update(owner, _id(request), body.parsed())))


async def remove(request: web.Request) -> web.Response:
    """Take credentials away for good. What was paid with them is settled all the same."""
    await services(request).credentials.remove(bearer_owner(request), _id(request))
    return reply(Done("Credentials deleted successfully"))


async def update_private_key(request: web.Request) -> web.Response:
    """Replace the private key alone: after a change of keys in IntaSend's dashboard."""
    owner, body = bearer_owner(request), await read(request, PrivateKeyBody)
    credential = await services(request).credentials.replace_private_key(owner, _id(request), Secret(body.private_key))
    return reply(shown(credential))


async def verify(request: web.Request) -> web.Response:
    """Say whether a private key is the stored one, and whether IntaSend accepts it. Changes nothing."""
    owner, body = bearer_owner(request), await read(request, PrivateKeyBody)
    verdict = await services(request).credentials.verify(owner, _id(request), Secret(body.private_key))
    return reply(Verified(verdict.message, verdict.matches_stored, verdict.accepted_by_provider, verdict.detail))


async def toggle_status(request: web.Request) -> web.Response:
    """Put credentials out of use, or into use again. Takes no body."""
    owner = bearer_owner(request)
    return reply(shown(await services(request).credentials.toggle(owner, _id(request))))


def shown(credential: Credential) -> CredentialAnswer:
    """The credentials as they are answered."""
    return CredentialAnswer(
        id=credential.id,
        provider=credential.provider,
        api_key=credential.publishable_key,
        environment=credential.environment.value,
        is_active=credential.active,
        managed_by=credential.managed_by,
        has_webhook_challenge=credential.has_challenge,
        created_at=timestamp(credential.created_at_s),
        updated_at=timestamp(credential.updated_at_s),
    )


def _id(request: web.Request) -> int:
    try:
        return id_in(request.match_info["credential_id"])
    except ValueError:
        raise NotFound("Credentials not found or access denied") from None
