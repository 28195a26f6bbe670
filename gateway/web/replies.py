"""Answers: typed, encoded in one place."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus

import msgspec
from aiohttp import web


class Problem(msgspec.Struct, omit_defaults=True):
    """Every failure (contract, "HTTP")."""

    error: str
    """One sentence that says what is wrong and what to do."""
    payment_id: str | None = None
    """The record that the refusal left behind, where there is one."""
    fields: dict[str, list[str]] | None = None
    """What is wrong with each field of the body."""
    retry_after_s: int | None = None
    """In how many seconds to try again; the `Retry-After` header says the same."""


class Done(msgspec.Struct):
    """A success that has nothing to show but a sentence."""

    message: str


def reply(answer: msgspec.Struct, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> web.Response:
    """The answer as JSON in UTF-8."""
    return web.Response(
        body=msgspec.json.encode(answer), status=status, headers=headers, content_type="application/json", charset="utf-8"
    )


def timestamp(epoch_s: float) -> str:
    """Seconds since 1970 as the specification writes time: `2025-08-25T10:30:00Z`."""
    return datetime.fromtimestamp(int(epoch_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
