"""Whatever is sent, the answer is JSON, and never our fault."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.e2e.world import World
from tests.unit.web.requests import INITIATE, Send, purchase, sender

MEANT = {502, 503}
"""The only answers of the 500s that say something about the world and not about us."""

TEXT = st.text(st.characters(codec="utf-8"), max_size=80)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
LIKELY = st.sampled_from([1, 2, "1", 50, "50.00", "0712345678", "mpesa", "kopokopo", "", "AA:BB:CC:DD:EE:FF", "192.168.1.100"])
PURCHASE = st.fixed_dictionaries({}, optional=dict.fromkeys(purchase(), LIKELY | ANYTHING))
NEARLY = st.builds(lambda changes: purchase() | changes, PURCHASE)
BODIES = st.binary(max_size=200) | ANYTHING | PURCHASE | NEARLY

EXAMPLES = 400


def with_a_gateway(work: Callable[[Send], Awaitable[None]]) -> None:
    """Run the work against a daemon of its own: an example of hypothesis has no fixtures."""

    async def run(folder: Path) -> None:
        async with World(folder) as world:
            await world.start()
            await work(sender(world))

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


async def is_sane(send: Send, method: str, path: str, body: object = None) -> None:
    answer = await send(method, path, body)
    assert answer.status < 500 or answer.status in MEANT, answer.text
    if method != "HEAD" and not (answer.status == 200 and "text/html" in answer.headers["Content-Type"]):
        is_page = answer.headers["Content-Type"] == "text/html; charset=utf-8"  # the portal's; nobody there reads JSON
        assert answer.status < 400 or is_page or set(answer.json) <= {"error", "fields", "payment_id", "retry_after_s"}


@pytest.mark.parametrize("path", [INITIATE, "/payments/webhook/"])
def test_any_body_gets_a_sane_answer(path: str) -> None:
    bodies: list[object] = []

    @settings(max_examples=EXAMPLES, database=None)
    @given(BODIES)
    def collect(body: object) -> None:
        bodies.append(body)

    collect()

    async def send_all(send: Send) -> None:
        for body in bodies:
            await is_sane(send, "POST", path, body)

    with_a_gateway(send_all)


def test_any_path_and_query_get_a_sane_answer() -> None:
    pieces: list[bytes] = []

    @settings(max_examples=EXAMPLES, database=None)
    @given(st.binary(min_size=1, max_size=60))
    def collect(piece: bytes) -> None:
        pieces.append(piece)

    collect()

    async def send_all(send: Send) -> None:
        for piece in pieces:
            quoted = quote_from_bytes(piece, safe="")
            await is_sane(send, "POST", f"/payments/intasend/{quoted}/check-status/")
            await is_sane(send, "GET", f"/?mac={quoted}&ip={quoted}&router={quoted}")
            await is_sane(send, "GET", f"/portal/payments/{quoted}?lang={quoted}&orig={quoted}&look={quoted}")
            await is_sane(send, "POST", f"/portal/buy?lang={quoted}", piece)
            await is_sane(send, "GET", f"/{quoted}")

    with_a_gateway(send_all)
