"""The page of one payment: waiting for the PIN, what became of it, and the news that bring the page along.

Whoever holds the payment's id may look, because it cannot be guessed; the phone's number is shown in part only. The page is made
from what the gateway knows: its poller asks the provider, and nobody waits for a slow one. Without scripts the page asks again by
itself; with them it is told (server-sent events), or asks, and then goes on by a full navigation, which is what makes iOS look
whether it is online by now (facts, platform D2 and D7).
"""

import asyncio
import contextlib
import math
from collections.abc import Iterable
from http import HTTPStatus

import msgspec
from aiohttp import hdrs, web

from gateway.access import Grant
from gateway.debts import Debt, DebtState
from gateway.errors import GatewayError, NotFound, Unavailable
from gateway.identity import PhoneNumber
from gateway.limits import Attempt
from gateway.payments import Payment
from gateway.settlement import Standing
from gateway.web.portal import STATUS_PAGE, Visit, portal_page, shillings
from gateway.web.portal_phases import Phase, failure_code, phase_of
from gateway.web.replies import reply
from gateway.web.services import services
from gateway.web.words import Language

REFRESH_S = 3
"""How often a page without scripts asks again: each time is a full navigation (facts, platform D5)."""

PROMPT_S = 120
"""How long a customer is told to have: prompts live one to three minutes, depending on the phone (facts, payments 2)."""

BEAT_S = 10.0
"""How often a page that nothing happens to hears that the connection lives, and is looked at: a router that went away is no event
of the payment."""

MOST_STREAMS = 500
"""Pages that are told at once: the phones of a full hotspot. The next one asks, as those do that cannot be told."""

ROOM = web.AppKey("room", asyncio.Semaphore)
"""For that many."""


class PhaseAnswer(msgspec.Struct):
    """Where a payment stands, for the page that shows it."""

    phase: str


@portal_page
async def show(visit: Visit) -> web.Response:
    """How a payment stands. Its own device is led on to its time as soon as that runs."""
    payment_id = visit.request.match_info["payment_id"]
    settlement = visit.services.settlement
    standing = await (settlement.look_up(payment_id) if "look" in visit.fields else settlement.standing(payment_id))
    phase = phase_now(visit.request, standing)
    if phase is Phase.ONLINE and await is_this_device(visit, standing.grant):
        return visit.lead_to(STATUS_PAGE, paid=payment_id)
    return payment_page(visit, standing, phase)


async def state(request: web.Request) -> web.Response:
    """The same in one word, for a page that cannot be told."""
    standing = await services(request).settlement.standing(request.match_info["payment_id"])
    return reply(PhaseAnswer(phase_now(request, standing).value), headers={hdrs.CACHE_CONTROL: "no-store"})


async def events(request: web.Request) -> web.StreamResponse:
    """The same word as a stream of server-sent events (HTML standard, section 9.2): at once, and again whenever it changes."""
    payment_id, room = request.match_info["payment_id"], request.app[ROOM]
    await services(request).settlement.standing(payment_id)
    if room.locked():
        raise Unavailable("Too many pages are being told at the moment: ask instead")
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "text/event-stream", hdrs.CACHE_CONTROL: "no-store"})
    async with room:
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):  # the page was left
            await _tell(request, response, payment_id)
    return response


def payment_page(visit: Visit, standing: Standing, phase: Phase, said: str | None = None) -> web.Response:
    """The page of that phase; `said` is the key of another text than the phase's own."""
    payment = standing.payment
    facts = _facts(visit, standing)
    topic = _topic(visit.language, standing, phase)
    texts = visit.language.texts
    return visit.page(
        "portal_payment.html",
        visit.services.site.catalogue.owners.get(payment.owner_id),
        status=HTTPStatus.OK,
        payment=payment,
        phase=phase,
        title=visit.language.say(f"{topic}.title", **facts),
        lines=[
            *(visit.language.say(key, **facts) for key in (said or f"{topic}.text", f"{topic}.next") if key in texts),
            *_pause(visit, payment, phase),
            *(visit.language.say(key) for key in refund_words(standing.debts)),
        ],
        facts=facts,
        claim_code=_claim_code(standing.grant),
        details=payment.failed_reason if topic in _UNEXPLAINED else None,
        left_s=_prompt_left_s(payment, visit.now_s) if phase.is_asked_about else None,
        here_path=visit.request.path,
        here=visit.link(visit.request.path),
        refresh_s=REFRESH_S if phase.moves else None,
    )


def _pause(visit: Visit, payment: Payment, phase: Phase) -> list[str]:
    """How long the phone is left alone after its customer has cancelled: "Try again" is refused for so long (`gateway.limits`)."""
    asked = Attempt(payment.created_at_s, payment.phone.e164, failed_code=payment.failed_code, updated_at_s=payment.updated_at_s)
    wait_s = math.ceil(asked.quiet_until_s - visit.now_s)
    return [visit.language.say("failure.pause", wait=visit.language.wait(wait_s))] if phase is Phase.FAILED and wait_s > 0 else []


_UNEXPLAINED = {"refused", "failure.none", "failure.other"}
"""The pages whose words say less than the record does."""


_REFUND_WORDS = {
    DebtState.DUE: "refund.due",
    DebtState.REQUESTING: "refund.asked",
    DebtState.UNKNOWN: "refund.asked",
    DebtState.REQUESTED: "refund.asked",
    DebtState.RETURNED: "refund.returned",
    DebtState.DECLINED: "refund.declined",
}
"""What a customer reads of money that is owed back; of a debt that was lifted nothing."""


def refund_words(debts: Iterable[Debt]) -> list[str]:
    """The keys of the sentences that tell of it, each once."""
    states = (debt.state for debt in debts)
    return list(dict.fromkeys(_REFUND_WORDS[state] for state in states if state in _REFUND_WORDS))


def phase_now(request: web.Request, standing: Standing) -> Phase:
    """Where the payment stands now."""
    at = services(request)
    hotspot = at.site.hotspots.get(standing.payment.router_id)
    answers = hotspot is not None and hotspot.reachable is not False
    return phase_of(standing, at.clock.wall_s(), router_answers=answers)


async def is_this_device(visit: Visit, grant: Grant | None) -> bool:
    """Whether the visitor's device is the one that is online by this grant, as far as it can be found out now."""
    try:
        visitor = await visit.who()
    except GatewayError:
        return False
    return grant is not None and visitor.is_on_hotspot and (visitor.router.id, visitor.mac) == (grant.router_id, grant.mac)


def _topic(language: Language, standing: Standing, phase: Phase) -> str:
    """The part of the language file that tells this."""
    payment = standing.payment
    if phase is Phase.WAITING and payment.is_link:
        return "link"
    if phase is Phase.UNCLAIMED and _claim_code(standing.grant):
        return "unclaimed_code"
    if phase is not Phase.FAILED:
        return str(phase.value)
    code = failure_code(payment.failed_code, payment.failed_reason)
    known = f"failure.{code or 'none'}"
    return known if f"{known}.title" in language.texts else "failure.other"


def _facts(visit: Visit, standing: Standing) -> dict[str, str]:
    """What the texts of a payment may name."""
    payment, grant = standing.payment, standing.grant
    return {
        "amount": shillings(payment.amount),
        "package": _package_name(visit, payment),
        "phone": masked(payment.phone),
        "code": payment.failed_code or "",
        "until": visit.language.moment(grant.ends_at_s, visit.now_s) if grant and grant.ends_at_s else "",
    }


def _package_name(visit: Visit, payment: Payment) -> str:
    """Its name; of one that is gone, how long it lasts."""
    try:
        return visit.services.site.catalogue.package(payment.package_id).name
    except NotFound:
        return visit.language.length(payment.duration.seconds)


def masked(phone: PhoneNumber) -> str:
    """Enough of a number to know one's own, on one line: `07•• ••• 678`."""
    return f"{phone.local[:2]}••\N{NO-BREAK SPACE}•••\N{NO-BREAK SPACE}{phone.local[-3:]}"


def _prompt_left_s(payment: Payment, now_s: float) -> int | None:
    """How long the prompt is likely to stay; None for a link, which has none."""
    if payment.is_link or payment.pushed_at_s is None:
        return None
    return max(0, math.ceil(payment.pushed_at_s + PROMPT_S - now_s))


def _claim_code(grant: Grant | None) -> str | None:
    """In two halves, as people copy it."""
    if grant is None or not grant.is_unclaimed or grant.claim_code is None:
        return None
    half = len(grant.claim_code) // 2
    return f"{grant.claim_code[:half]}-{grant.claim_code[half:]}"


async def _tell(request: web.Request, response: web.StreamResponse, payment_id: str) -> None:
    """Say the phase at once and after each change, until nothing is going to happen any more."""
    at, said = services(request), None
    async with at.news.watch(payment_id) as watch:
        while True:
            phase = phase_now(request, await at.settlement.standing(payment_id))
            await response.write(b": \n\n" if phase is said else f"data: {phase.value}\n\n".encode())
            if not phase.moves:
                return
            said = phase
            await watch.wait(BEAT_S)
