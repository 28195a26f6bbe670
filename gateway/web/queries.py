"""What stands behind the question mark: filters and pages, with every fault named by its parameter."""

import base64
import math
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec
from aiohttp import web

from gateway.store.pages import Position, Span
from gateway.web.bodies import invalid, named

T = TypeVar("T")

Moment = Annotated[str, msgspec.Meta(max_length=40, description="RFC 3339, such as 2025-08-25T10:30:00Z, or a date in UTC")]


class SpanQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list, newest first."""

    cursor: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    """`next` of the page before; opaque."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50
    """How many at most."""
    from_: Moment | None = msgspec.field(name="from", default=None)
    """Created at this moment or later; a date alone means its beginning."""
    to: Moment | None = None
    """Created before this moment; a date alone means its end."""

    def span(self) -> Span:
        """The part in the gateway's own types. Raises Invalid."""
        return Span(
            self.limit,
            after=None if self.cursor is None else _position("cursor", self.cursor),
            from_s=None if self.from_ is None else _moment_s("from", self.from_, whole_day_s=0),
            to_s=None if self.to is None else _moment_s("to", self.to, whole_day_s=86_400),
        )


def query_of(request: web.Request, kind: type[T]) -> T:
    """The query as that type. Raises Invalid: a misspelt filter that was passed over would show other people's payments."""
    known = {field.encode_name for field in msgspec.structs.fields(kind)}  # type: ignore[arg-type]
    for name in request.query:
        if name not in known:
            raise invalid({name: [f"is not known here; known are {', '.join(sorted(known))}"]})
        if len(request.query.getall(name)) > 1:
            raise invalid({name: ["is given more than once"]})
        if request.query[name].lower() == "null":  # msgspec would read it as left out
            raise invalid({name: ["must have a value"]})
    try:
        return msgspec.convert(dict(request.query), kind, strict=False)
    except msgspec.ValidationError as fault:
        raise invalid(named(str(fault))) from None


def cursor(position: Position | None) -> str | None:
    """The position as text that means nothing to anybody else."""
    if position is None:
        return None
    return base64.urlsafe_b64encode(f"{position.created_at_s!r} {position.id}".encode()).decode().rstrip("=")


def _position(name: str, text: str) -> Position:
    try:
        created_at, _, row_id = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True).decode().partition(" ")
        position = Position(float(created_at), row_id)
    except ValueError:
        position = Position(math.nan, "")
    if not math.isfinite(position.created_at_s) or not position.id:
        raise invalid({name: ["must be `next` of the page before"]})
    return position


def _moment_s(name: str, text: str, *, whole_day_s: int) -> float:
    """Seconds since 1970; without an offset the moment is in UTC."""
    try:
        moment = datetime.fromisoformat(text)
        at_s = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise invalid({name: ["must be a moment such as 2025-08-25T10:30:00Z, or a date"]}) from None
    return at_s + whole_day_s if len(text) == len("2025-08-25") else at_s
