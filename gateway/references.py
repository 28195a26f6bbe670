"""What ties together the records of one purchase in three places: our database, IntaSend's list, the router's rows.

Payment id, reference and grant id are made of each other, so that a database that was lost can be made again from what the other
two still have (`gateway.books`). A payment's id begins with the tag of the gateway that made it: several gateways may sell with
the same keys, and none must take another's customers for its own.
"""

import re
import uuid

TAG_CHARS = 8
"""Hex digits of a tag: hundreds of gateways on one account never meet by chance; what is left of the id has 90 random bits."""

_REFERENCE = re.compile(r"HG-([0-9A-F]{32})", re.ASCII)
_AT_THE_END = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.ASCII)
_GRANTS = uuid.UUID("6f0c1c3e-6b9c-4d55-9f0f-0f3a5c1f2b7d")
"""The name space of grant ids (RFC 9562, section 6.6). Changing it would disown every row on every router."""


def new_payment_id(tag: str) -> str:
    """An id that nobody can guess, with the tag of the gateway at its head; without a tag in tests only."""
    return str(uuid.UUID(tag + uuid.uuid4().hex[len(tag) :]))


def reference_of(payment_id: str) -> str:
    """Under which the provider reports the payment: `HG-` and the id, in the letters that IntaSend takes."""
    return f"HG-{uuid.UUID(payment_id).hex.upper()}"


def payment_id_in(reference: str | None) -> str | None:
    """The payment's id in a reference that a gateway made, ours or another's; None for anybody else's."""
    made = _REFERENCE.fullmatch(reference or "")
    return str(uuid.UUID(made[1])) if made else None


def payment_id_at_end_of(return_url: str | None) -> str | None:
    """The payment's id in the address to which a link of a gateway's sends its payer back; None for anybody else's link."""
    ending = _AT_THE_END.search(return_url or "")
    return ending[0] if ending else None


def is_of(payment_id: str, tag: str) -> bool:
    """Whether the gateway with that tag made the payment."""
    return bool(tag) and payment_id.startswith(tag)


def grant_id_of(payment_id: str) -> str:
    """The id of the one grant that a payment buys."""
    return str(uuid.uuid5(_GRANTS, payment_id))
