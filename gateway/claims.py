"""Claiming: whoever has paid takes the time to the device in hand, with the M-Pesa receipt or the code of a payment link.

For phones that draw a new MAC address (facts, routeros 6), payers by link, and payments of which nothing was heard. Finds out which
grant a code belongs to and limits the tries; moving it is `gateway.gate`'s. Never grants anything by itself: a payment that turns
out paid was settled by the one path that there is.
"""

import itertools
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

from gateway.access import Grant
from gateway.catalogue import Owner, Site
from gateway.clock import Clock
from gateway.errors import Conflict, Invalid, NotFound, ProviderRefused, ProviderUnreachable, TooMany, Unavailable
from gateway.gate import Gate
from gateway.identity import MacAddress, PhoneNumber
from gateway.limits import CLAIM_TRIES_S, MOVES, Tries, Wait, in_words, wait_before_move, wait_before_try
from gateway.numbering import parse_phone
from gateway.payments import Payment, PaymentState
from gateway.portal import device_in_hand
from gateway.settlement import Settlement
from gateway.store import access as grant_rows
from gateway.store import claims as claim_rows
from gateway.store import payments as payment_rows
from gateway.store.database import Database, Transaction
from gateway.visitors import Visitor

log = logging.getLogger(__name__)

ASKED_ABOUT_S = 3 * 86_400
"""How old a payment may be of which the provider is asked again: three days cover a long weekend without uplink."""

ASKED_AT_MOST = 3
"""Of how many payments of one phone the provider is asked for one code: the newest; each is a question over a slow uplink."""

_CLAIM_CODE = re.compile(r"[2-9A-HJKMNP-Z]{8}")
_RECEIPT = re.compile(r"[A-Z][A-Z0-9]{9}")  # ten digits are a phone number in the wrong field
_BETWEEN = re.compile(r"[\s\-\u2010-\u2015._]+")  # how people, and what they paste from, break a code into parts
_TWINS = {"0": "0O", "O": "O0", "1": "1I", "I": "I1"}
_MOST_READINGS = 64  # six twins in ten characters; who has typed more of them is not copying a receipt

_UNREADABLE = "Enter the M-Pesa receipt, such as TJRHC8IET4, or the code that you were given, such as ABCD-EFGH"
_UNKNOWN_CODE = "We know no such code. Check it letter by letter"
_UNKNOWN_RECEIPT = (
    "We know no payment with that receipt. Check it letter by letter; if the SMS is new, wait a minute and try again, and enter "
    "the phone number that paid as well"
)
_NOT_NOW = "M-Pesa cannot be asked at the moment. Your money is safe: try again in a minute"


@dataclass(frozen=True, slots=True)
class Code:
    """What a customer typed, as it may be meant."""

    text: str
    is_receipt: bool

    @classmethod
    def parse(cls, typed: str) -> "Code":
        """Read a claim code, an M-Pesa receipt, or the SMS that begins with one; case, spaces and dashes do not matter.

        Raises Invalid for what is none of them.
        """
        whole, first = (_BETWEEN.sub("", part).upper() for part in (typed, (typed.split() or [""])[0]))
        if _CLAIM_CODE.fullmatch(whole):
            return cls(whole, is_receipt=False)
        for text in (whole, first):
            if _RECEIPT.fullmatch(text):
                return cls(text, is_receipt=True)
        raise Invalid(_UNREADABLE, fields={"code": [_UNREADABLE]})

    def readings(self) -> list[str]:
        """As it stands, then with what people confuse the other way: a receipt has 0 and O, 1 and I; a claim code has none."""
        if not self.is_receipt:
            return [self.text]
        choices = [_TWINS.get(letter, letter) for letter in self.text]
        return ["".join(letters) for letters in itertools.islice(itertools.product(*choices), _MOST_READINGS)]


class Claims:
    """Codes that are tried, and what comes of them."""

    def __init__(self, site: Site, db: Database, clock: Clock, settlement: Settlement, gate_of: Callable[[int], Gate]) -> None:
        self._site = site
        self._db = db
        self._clock = clock
        self._settlement = settlement
        self._gate_of = gate_of

    async def claim(self, visitor: Visitor, code: str, phone: str | None, asked_from: str) -> Grant:
        """Take what the code stands for to the device in hand; the device that had it is shut out.

        `phone` is the number that paid: with it, a payment of which nothing was heard is looked up at the provider. Every error is
        a sentence for the customer: Forbidden off the hotspot, Invalid, NotFound, Conflict (time over, another router, not this
        device's), TooMany, Unavailable (provider or router cannot be asked).
        """
        mac, tried, number = device_in_hand(visitor), Code.parse(code), _phone(phone)
        keys = (f"device:{mac}", f"address:{asked_from}", f"owner:{visitor.owner.id}")
        at_s = self._clock.wall_s()
        await self._db.write(lambda tx: _count(tx, keys, at_s))
        grant = await self._find(visitor.owner, tried, number, mac)
        await self._db.write(lambda tx: _forgive(tx, keys, at_s))
        self._demand_router(grant, visitor)
        await self._demand_rest(grant, mac)
        return await self._gate_of(grant.router_id).move(grant, mac, visitor.ip)

    # ── which grant ──

    async def _find(self, owner: Owner, code: Code, phone: PhoneNumber | None, mac: MacAddress) -> Grant:
        """The grant that the code stands for. Raises NotFound, Conflict and Unavailable."""
        grant = await self._db.read(lambda tx: _known(tx, owner.id, code))
        if grant is None and code.is_receipt and phone is not None:
            grant = await self._found_at_provider(owner, code, phone, mac)
        if grant is None:
            raise self._site.unknown(NotFound(_UNKNOWN_RECEIPT if code.is_receipt else _UNKNOWN_CODE))
        return grant

    async def _found_at_provider(self, owner: Owner, code: Code, phone: PhoneNumber, mac: MacAddress) -> Grant | None:
        """Ask the provider now about what this phone was to pay; a payment with that receipt has bought its grant after that."""
        after_s = self._clock.wall_s() - ASKED_ABOUT_S
        doubtful = await self._db.read(lambda tx: payment_rows.doubtful(tx, owner.id, phone, after_s, ASKED_AT_MOST))
        nameless = []
        for payment in doubtful:
            settled = await self._settled(payment)
            grant = await self._db.read(lambda tx: _known(tx, owner.id, code))
            if grant is not None:
                return grant
            if settled.state is PaymentState.PAID and settled.receipt is None:
                nameless.append(settled)
        return await self._without_receipt(nameless, mac) if nameless else None

    async def _settled(self, payment: Payment) -> Payment:
        try:
            return await self._settlement.settle(payment.id)
        except (NotFound, ProviderRefused, ProviderUnreachable) as fault:
            log.warning("a claim could not be looked up: %s", fault, extra={"action": "claim_unasked", "payment": payment.id})
            raise Unavailable(_NOT_NOW) from None

    async def _without_receipt(self, paid: list[Payment], mac: MacAddress) -> Grant | None:
        """Paid, and the provider does not know the receipt yet: the device that paid needs no proof, any other does."""
        own = next((payment for payment in paid if payment.mac == mac), None)
        if own is None:
            raise Conflict(
                "This payment has arrived, and its time is on the device that asked for it. To have it here, try again when "
                "M-Pesa has told us the receipt, in some minutes"
            )
        return await self._db.read(lambda tx: grant_rows.of_payment(tx, own.id))

    # ── may it move ──

    def _demand_router(self, grant: Grant, visitor: Visitor) -> None:
        """Raise Conflict for what was bought at another router: its time and its speed are that router's."""
        if grant.router_id != visitor.router.id:
            router = self._site.catalogue.routers.get(grant.router_id)
            where = f"at {router.name}" if router else "at a place that is closed now"
            raise Conflict(f"This time was bought {where}: it works there only")

    async def _demand_rest(self, grant: Grant, mac: MacAddress) -> None:
        """Raise TooMany for what goes back and forth between devices."""
        if grant.mac != mac:
            now_s = self._clock.wall_s()
            moved_at_s = await self._db.read(lambda tx: claim_rows.moved_at_s(tx, grant, now_s - MOVES.within_s, now_s))
            _refuse(wait_before_move(now_s, moved_at_s), now_s)


def _phone(text: str | None) -> PhoneNumber | None:
    try:
        return parse_phone(text) if text and text.strip() else None
    except ValueError as fault:
        raise Invalid(str(fault), fields={"phone_number": [str(fault)]}) from None


def _known(tx: Transaction, owner_id: int, code: Code) -> Grant | None:
    """What the code stands for, as far as we know. Raises Conflict for money that came and bought nothing."""
    if not code.is_receipt:
        return claim_rows.grant_with_code(tx, owner_id, code.text)
    payment = payment_rows.with_receipt(tx, owner_id, code.readings())
    if payment is not None and payment.state is PaymentState.DISPUTED:
        raise Conflict("This money has come, but it is not the price that was asked for. Show the SMS to the seller")
    if payment is None and claim_rows.is_surplus(tx, owner_id, code.readings()):
        raise Conflict("This money came a second time for the same time. Show the SMS to the seller: it is yours")
    return grant_rows.of_payment(tx, payment.id) if payment else None


def _count(tx: Transaction, keys: tuple[str, str, str], now_s: float) -> None:
    """Count the try as wrong before it is judged, so that many at once do not all pass. Raises TooMany."""
    of_device, of_address, of_owner = (claim_rows.tries(tx, key, now_s - CLAIM_TRIES_S, now_s) for key in keys)
    _refuse(wait_before_try(now_s, Tries(of_device, of_address, of_owner)), now_s)
    claim_rows.prune(tx, now_s - CLAIM_TRIES_S)
    claim_rows.add_try(tx, keys, now_s)


def _forgive(tx: Transaction, keys: tuple[str, str, str], at_s: float) -> None:
    claim_rows.forgive(tx, keys, at_s)


def _refuse(wait: Wait | None, now_s: float) -> None:
    if wait is not None:
        wait_s = wait.seconds(now_s)
        raise TooMany(f"{wait.reason}: try again in {in_words(wait_s)}", retry_after_s=wait_s)
