"""One exchange with IntaSend over HTTP, and the kind of its outcome.

Owns deadlines, the size limit, redirects and the table of outcomes (facts, payments 3, "SDK outcome matrix"). It knows nothing of
what is asked: paths, payloads and headers come from the SDK. It never repeats a request; whoever may repeat it knows why.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import aiohttp

from gateway.errors import GatewayError, KeysRejected, ProviderRefused, ProviderUnreachable
from gateway.providers.base import Recorder, Witness
from gateway.providers.intasend_answers import parse_answer, refusal
from gateway.providers.intasend_exchanges import exchange_of, note

CONNECT_DEADLINE_S = 8.0
"""Lets TCP repeat a lost SYN after 1, 3 and 7 s, and is shorter than either deadline: a dead uplink then shows as "nothing was
sent", not as an answer that was lost."""
CONNECT_SHARE = 0.8
"""Of a deadline shorter than that, for the same reason."""
ANSWER_MAX_BYTES = 1024 * 1024
"""A page of a hundred invoices has about 100 kB; a Pi's memory is not for whatever a broken server sends beyond."""
REDIRECTS_MAX = 3
"""A missing slash costs one (facts, payments 1.1)."""
RETRY_AFTER_MAX_S = 86_400
"""Nobody is told to come back later than tomorrow."""
RETRY_AFTER_S = 30
"""For a 429 that does not say how long: no figure of IntaSend is known (facts, payments 3); a prompt lives twice as long."""

_REFUSED = frozenset({400, 401, 403, 404, 409, 422, 429})
_KEYS_REJECTED = frozenset({401, 403})
_NOT_SENT = (
    aiohttp.ClientConnectorError,  # refused, no route, no such name, TLS handshake
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)
_NOT_VALID_NOW = frozenset({9, 10})
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED (openssl-verification-options(1))."""
_BROKEN = (aiohttp.ClientError, OSError)  # TimeoutError is an OSError
_AVAILABLE_IN = re.compile(r"available in (\d+) second", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the JSON object in the body, or None when the body is anything else."""

    status: int
    document: dict[str, Any] | None
    retry_after: str | None
    redirected_away: bool


@dataclass(frozen=True, slots=True)
class Transport:
    """Sends the SDK's requests through a pooled client.

    `deadline_s` bounds a whole exchange in seconds. `lost` makes the error for a request that was sent and got no usable answer,
    from a few words that say why: for a push that is another thing than for a read. `record` is told of each exchange,
    `witness` of the time that the other side knows.
    """

    http: aiohttp.ClientSession
    base_url: str
    deadline_s: float
    lost: Callable[[str], GatewayError]
    record: Recorder | None = None
    witness: Witness | None = None

    async def exchange(self, method: str, endpoint: str, payload: Any, headers: dict[str, str]) -> dict[str, Any]:
        """The JSON object of a 2xx answer.

        Raises ProviderUnreachable when nothing was sent, ProviderRefused when IntaSend said no, and `lost` for the rest.
        """
        # `from None` throughout: aiohttp's errors carry the request's headers, and with them the secret key.
        try:
            answer = await self._ask(method, endpoint, payload, headers)
        except _NOT_SENT as error:
            self._tell(method, endpoint, payload, type(error).__name__)
            raise self._not_sent(error) from None
        except _BROKEN as error:
            self._tell(method, endpoint, payload, type(error).__name__)
            raise self.lost(self._what_broke(error)) from None
        self._tell(method, endpoint, payload, answer.status, answer.document)
        return self._judge(answer)

    async def _ask(self, method: str, endpoint: str, payload: Any, headers: dict[str, str]) -> Answer:
        body = None if payload is None else json.dumps(payload, allow_nan=False).encode()
        async with self.http.request(
            method,
            self.base_url + endpoint,
            data=body,
            headers=headers if body is None else {**headers, "Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=self.deadline_s, connect=min(CONNECT_DEADLINE_S, self.deadline_s * CONNECT_SHARE)),
            allow_redirects=method == "GET",  # a POST that is followed turns into a GET, or is sent twice
            max_redirects=REDIRECTS_MAX,
            raise_for_status=False,
        ) as response:
            self._hear_date(response)
            return Answer(
                status=response.status,
                document=parse_answer(await _read(response)),
                retry_after=response.headers.get("Retry-After"),
                redirected_away=any(step.url.origin() != response.url.origin() for step in response.history),
            )

    def _not_sent(self, error: Exception) -> ProviderUnreachable:
        """A certificate that is not valid now tells of a wrong clock, most often ours, and looks like a dead uplink otherwise."""
        cause = getattr(error, "certificate_error", None)
        if getattr(cause, "verify_code", None) not in _NOT_VALID_NOW:
            return ProviderUnreachable("IntaSend cannot be reached at the moment; nothing was sent")
        if self.witness is not None:
            self.witness.hear_certificate()
        return ProviderUnreachable(
            "IntaSend's certificate is not valid at the time that this gateway's clock shows: the clock is wrong, see timedatectl; "
            "nothing was sent"
        )

    def _hear_date(self, response: aiohttp.ClientResponse) -> None:
        """Only over TLS: anybody in between can say what time it is."""
        if self.witness is None or response.url.scheme != "https":
            return
        try:
            date_s = parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
        except (ValueError, OverflowError):  # none, or nonsense: it says nothing
            return
        self.witness.hear_date(date_s)

    def _judge(self, answer: Answer) -> dict[str, Any]:
        if answer.redirected_away:
            raise self.lost("redirected to another host")
        if answer.status in _REFUSED:
            raise _refused(answer)
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            fault = self.lost(f"HTTP {answer.status}")
            fault.retry_after_s = _retry_after_s(answer, None)
            raise fault
        if answer.document is None:
            raise self.lost(f"HTTP {answer.status} without a JSON object")
        return answer.document

    def _tell(self, method: str, endpoint: str, payload: Any, outcome: int | str, document: dict[str, Any] | None = None) -> None:
        exchange = exchange_of(method, endpoint, payload, outcome, document)
        note(exchange)
        if self.record is not None:
            self.record(exchange)

    def _what_broke(self, error: BaseException) -> str:
        return f"no answer within {self.deadline_s:g} s" if isinstance(error, TimeoutError) else "the connection broke"


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, or nothing when it is larger than any answer of IntaSend."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > ANSWER_MAX_BYTES:
            response.close()
            return b""
    return bytes(body)


def _refused(answer: Answer) -> ProviderRefused:
    reason = refusal(answer.document)
    if answer.status in _KEYS_REJECTED and answer.document is not None:
        # Only if IntaSend itself says so: the HTML page of a firewall in between is no word about the keys.
        return KeysRejected(f"IntaSend rejects the owner's keys: {reason or 'no reason given'}")
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        wait_s = _retry_after_s(answer, reason) or RETRY_AFTER_S
        return ProviderRefused("IntaSend takes no more requests for now", retry_after_s=wait_s)
    return ProviderRefused(f"IntaSend refused: {reason or f'HTTP {answer.status}'}")


def _retry_after_s(answer: Answer, reason: str | None) -> int | None:
    """Seconds, from the header (RFC 9110, 10.2.3; its form as a date is left aside) or from Django's sentence."""
    header = (answer.retry_after or "").strip()
    sentence = _AVAILABLE_IN.search(reason or "")
    digits = header if header.isascii() and header.isdigit() else sentence[1] if sentence else ""
    return min(int(digits[:9]), RETRY_AFTER_MAX_S) if digits else None
