"""Who is asking: `X-Public-Key`, and nothing that only looks like one."""

import pytest

from tests.e2e.world import PUBLIC_KEY, World
from tests.unit.web.requests import INITIATE, NO_PAYMENT, Send, purchase

MISSING = "Authentication credentials were not provided: send your public API key as X-Public-Key"
MALFORMED = "Invalid public API key: it has exactly 32 hexadecimal characters (0-9, a-f)"


@pytest.mark.parametrize("path", [INITIATE, NO_PAYMENT])
@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (None, MISSING),
        ("", MALFORMED),
        (PUBLIC_KEY[:-1], MALFORMED),
        (PUBLIC_KEY + "0", MALFORMED),
        ("g" * 32, MALFORMED),
        ("é" * 32, MALFORMED),
        ("0" * 32, "Invalid public API key"),
    ],
)
async def test_without_a_known_key_it_is_a_401(world: World, send: Send, path: str, key: str | None, sentence: str) -> None:
    answer = await send("POST", path, purchase(), key=key)
    assert (answer.status, answer.json) == (401, {"error": sentence})
    assert not world.intasend.pushes


async def test_a_key_in_upper_case_or_with_spaces_around_is_the_same_key(send: Send) -> None:
    for key in (PUBLIC_KEY, PUBLIC_KEY.upper(), f"  {PUBLIC_KEY} "):
        assert (await send("POST", NO_PAYMENT, key=key)).status == 404


async def test_who_is_asking_comes_before_what_is_asked(send: Send) -> None:
    assert (await send("POST", INITIATE, b"nonsense", key=None, Content_Type="text/plain")).status == 401


async def test_another_owner_sees_neither_the_routers_nor_the_payments_of_the_first(world: World, send: Send) -> None:
    other = "0123456789abcdef" * 2
    world.edits.append(lambda site: site["owners"].append({"id": 2, "username": "otieno", "public_key": other}))
    await world.reload()
    payment_id = (await send("POST", INITIATE, purchase())).json["payment"]["id"]

    bought = await send("POST", INITIATE, purchase(), key=other)
    assert (bought.status, bought.json) == (404, {"error": "Router not found or access denied"})
    checked = await send("POST", NO_PAYMENT.replace("00000000-0000-4000-8000-000000000000", payment_id), key=other)
    assert (checked.status, checked.json) == (404, {"error": "Payment not found or access denied"})
