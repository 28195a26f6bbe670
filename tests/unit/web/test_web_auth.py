"""Who is asking: `X-Public-Key` or an access token, and nothing that only looks like one."""

import pytest

from tests.e2e.world import PUBLIC_KEY, World
from tests.unit.web.requests import INITIATE, NO_PAYMENT, Send, purchase

MISSING = (
    "Authentication credentials were not provided: "
    "send your public API key as X-Public-Key, or an access token as Authorization: Bearer"
)
TOKEN_MISSING = "Authentication credentials were not provided: send an access token as Authorization: Bearer"
ROTATE = "/users/rotate-api-keys/"
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
    assert answer.headers["WWW-Authenticate"] == "Bearer"
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


async def test_an_access_token_stands_for_the_public_key(world: World, send: Send) -> None:
    bought = await send("POST", INITIATE, purchase(), key=None, **await world.login())
    assert bought.status == 201
    checked = await send("POST", NO_PAYMENT, key=None, **await world.login())
    assert checked.status == 404


@pytest.mark.parametrize("spelling", ["Bearer {}", "bearer {}", "BEARER   {}", " Bearer {} "])
async def test_the_scheme_is_read_as_http_spells_it(world: World, send: Send, spelling: str) -> None:
    token = (await world.login())["Authorization"].removeprefix("Bearer ")
    assert (await send("POST", NO_PAYMENT, key=None, Authorization=spelling.format(token))).status == 404


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "Bearer é.é.é", "Bearer a b", "Bearer " + "a" * 4_000]
)
@pytest.mark.parametrize("path", [NO_PAYMENT, ROTATE])
async def test_what_is_no_access_token_is_a_401_also_beside_a_good_public_key(send: Send, path: str, header: str) -> None:
    answer = await send("POST", path, Authorization=header)
    assert (answer.status, answer.json) == (401, {"error": "Invalid access token: log in again"})


async def test_a_public_key_opens_nothing_that_belongs_to_the_owner_alone(send: Send) -> None:
    for headers in ({}, {"Authorization": "Basic bmplcmk6a2FyaWJ1"}):
        answer = await send("POST", ROTATE, **headers)
        assert (answer.status, answer.json) == (401, {"error": TOKEN_MISSING})


async def test_another_scheme_does_not_hide_a_public_key(send: Send) -> None:
    assert (await send("POST", NO_PAYMENT, Authorization="Basic bmplcmk6a2FyaWJ1")).status == 404


async def test_of_a_token_and_another_owners_key_the_token_counts(world: World, send: Send) -> None:
    other = "0123456789abcdef" * 2
    world.edits.append(lambda site: site["owners"].append({"id": 2, "username": "otieno", "public_key": other}))
    await world.reload()
    assert (await send("POST", INITIATE, purchase(), key=other, **await world.login())).status == 201


async def test_a_token_expires_after_a_quarter_of_an_hour(world: World, send: Send) -> None:
    headers = await world.login()
    await world.pass_time(14 * 60, step_s=60)
    assert (await send("POST", NO_PAYMENT, key=None, **headers)).status == 404
    await world.pass_time(3 * 60, step_s=60)
    answer = await send("POST", NO_PAYMENT, key=None, **headers)
    assert (answer.status, answer.json) == (401, {"error": "The access token has expired"})
