"""What is kept of an exchange with IntaSend: request and answer without secrets, and whose payment it is about.

Pure but for its debug line. Who stores it is handed in as a `Recorder`; the adapter knows no database.
"""

import logging
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gateway.providers.base import Exchange
from gateway.providers.intasend_answers import BARE_ARRAY, as_text, invoice_of, redact, scrub

_log = logging.getLogger(__name__)


def exchange_of(method: str, endpoint: str, payload: Any, outcome: int | str, document: dict[str, Any] | None) -> Exchange:
    """The record of one exchange; `document` is the answer's JSON object, None when there was none."""
    sent = payload if isinstance(payload, dict) else {}
    answer = document or {}
    invoice = {} if _entries(answer) is not None else invoice_of(answer)
    asked_for = parse_qs(urlsplit(endpoint).query).get("api_ref", [None])[0]
    return Exchange(
        request=scrub(f"{method} {endpoint}"),
        sent=redact(sent),
        outcome=outcome,
        answer=_kept(answer),
        api_ref=as_text(sent.get("api_ref")) or asked_for or as_text(invoice.get("api_ref")),
        invoice_id=as_text(sent.get("invoice_id")) or as_text(invoice.get("invoice_id")),
        word=as_text(invoice.get("state")),
    )


def note(exchange: Exchange) -> None:
    """Tell the debug log."""
    _log.debug(
        "IntaSend %s: %s",
        exchange.request,
        exchange.outcome,
        extra={"action": "intasend_exchange", "request": exchange.request, "outcome": exchange.outcome},
    )


def _kept(answer: dict[str, Any]) -> dict[str, Any]:
    """Of a list its length: it may speak of other customers, and a page of it has 100 kB."""
    entries = _entries(answer)
    return redact(answer) if entries is None else {"results": len(entries)}


def _entries(answer: dict[str, Any]) -> list[Any] | None:
    results = answer.get("results", answer.get(BARE_ARRAY))
    return results if isinstance(results, list) else None
