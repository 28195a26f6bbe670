"""What may stand under `payments`: where payers are sent back to, and when the customer is owed something.

Owns the keys and their defaults; what is done about it is `gateway.refunds`' and `gateway.compensation`'s.
"""

from dataclasses import dataclass

from gateway import config_values as value
from gateway.config_reader import Key, Section, Table
from gateway.identity import Duration

SHORTEST_OUTAGE_S = 60
"""A router that restarts is away for about a minute, and the gateway notices within seconds only."""


@dataclass(frozen=True, slots=True)
class PaymentsConfig:
    """Where providers and payers are sent back to, and how patient customers have to be.

    The two bases end in a slash: a payment's id follows.
    """

    callback_url: str
    success_url_base: str
    fail_url_base: str
    refund_due_after: Duration
    """How long somebody who paid may wait for the WiFi before the money counts as owed back."""
    fair_outage_from: Duration | None
    """The shortest outage whose time is given back; None for none."""


def outage_length(text: str) -> Duration | None:
    """A duration of a minute or more, or `none`."""
    if text.strip().lower() in {"none", "0"}:
        return None
    found = Duration.parse(text)
    if found.seconds < SHORTEST_OUTAGE_S:
        raise ValueError("must be 1m or more, or none")
    return found


PAYMENTS: Table = {
    "callback_url": Key(value.url),
    "success_url_base": Key(value.folder_url),
    "fail_url_base": Key(value.folder_url),
    "refund_due_after": Key(Duration.parse, default="2h"),
    "fair_outage_from": Key(outage_length, default="5m"),
}


def payments_config(section: Section, public_url: str) -> PaymentsConfig:
    """The section as the gateway uses it; what is left out follows from the daemon's own address."""
    return PaymentsConfig(
        callback_url=section["callback_url"] or f"{public_url}/payments/webhook/",
        success_url_base=section["success_url_base"] or f"{public_url}/payment/success/",
        fail_url_base=section["fail_url_base"] or f"{public_url}/payment/failed/",
        refund_due_after=section["refund_due_after"],
        fair_outage_from=section["fair_outage_from"],
    )
