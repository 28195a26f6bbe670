"""The `Idempotency-Key` of a request: reading it, and answering through `gateway.idempotency`."""

import hashlib
import re
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from gateway.catalogue import Owner
from gateway.errors import Invalid
from gateway.idempotency import Answer, Voice
from gateway.payments import Payment
from gateway.store.idempotency import Claim
from gateway.web.bodies import raw
from gateway.web.errors import answer_to
from gateway.web.services import services

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"

_KEY = re.compile(r"[\x20-\x7e]{1,255}")


async def answer_once(
    request: web.Request,
    owner: Owner,
    work: Callable[[Claim | None], Awaitable[web.Response]],
    of_payment: Callable[[Payment], web.Response],
) -> web.Response:
    """The answer of `work`; for a key that came before, the answer of that time, with `Idempotent-Replayed: true`.

    `work` is given what it has to record its payment with; `of_payment` renders a payment whose answer was never given. Raises
    Invalid for a key that is none, Unprocessable for one that came with another body, and what `work` raises.
    """
    claim = await _claim(request, owner)
    if claim is None:
        return await work(None)
    voice = Voice(lambda payment: _kept(of_payment(payment)), lambda fault: _kept(answer_to(fault)))

    async def keyed() -> Answer:
        return _kept(await work(claim))

    return _given(await services(request).idempotency.once(claim, keyed, voice))


async def _claim(request: web.Request, owner: Owner) -> Claim | None:
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        rule = "must have 1 to 255 printable ASCII characters"
        raise Invalid(f"{HEADER}: {rule}", fields={HEADER: [rule]})
    path = request.path.removeprefix("/api").rstrip("/")  # the spellings of one operation are one operation
    return Claim(owner.id, key, path, await _digest(request))


async def _digest(request: web.Request) -> str:
    """Of what the JSON says: spaces and the order of the fields do not count."""
    meaning = msgspec.json.encode(msgspec.json.decode(await raw(request)), order="sorted")
    return hashlib.sha256(meaning).hexdigest()


def _kept(response: web.Response) -> Answer:
    return Answer(response.status, response.text or "")


def _given(answer: Answer) -> web.Response:
    headers = {REPLAYED: "true"} if answer.replayed else {}
    return web.Response(text=answer.body, status=answer.status, headers=headers, content_type="application/json", charset="utf-8")
