"""Logging in over HTTP: what is asked, what is answered, and what is not kept."""

import logging
from typing import Any

import pytest

from tests.e2e.world import PASSWORD, World
from tests.unit.web.requests import NO_PAYMENT, Answer, Send

LOGIN, KEY_LOGIN, REFRESH, ROTATE = (f"/users/{name}/" for name in ("login", "api-key-login", "refresh", "rotate-api-keys"))
NJERI = {"username": "njeri", "password": PASSWORD}


def keyless(site: dict[str, Any]) -> None:
    """The file leaves the API keys to the gateway."""
    del site["owners"][0]["public_key"]


async def rotated(world: World, send: Send) -> dict[str, str]:
    """A new pair of keys for an owner whose keys are the gateway's business."""
    if keyless not in world.edits:
        world.edits.append(keyless)
        await world.reload()
    answer = await send("POST", ROTATE, key=None, **await world.login())
    assert answer.status == 200, answer.text
    return dict(answer.json)


def is_session(answer: Answer) -> bool:
    return answer.status == 200 and list(answer.json) == ["access_token", "refresh_token", "user_id", "username"]


@pytest.mark.parametrize("path", [LOGIN, LOGIN.rstrip("/"), "/api" + LOGIN, "/api" + LOGIN.rstrip("/")])
async def test_a_log_in_answers_tokens_and_whose_they_are(send: Send, path: str) -> None:
    answer = await send("POST", path, NJERI, key=None)
    assert is_session(answer)
    assert (answer.json["user_id"], answer.json["username"]) == (1, "njeri")
    assert answer.headers["Cache-Control"] == "no-store"
    assert (await send("POST", NO_PAYMENT, key=None, Authorization=f"Bearer {answer.json['access_token']}")).status == 404


async def test_a_wrong_password_is_a_401_and_the_sixth_a_429(world: World, send: Send) -> None:
    for _ in range(5):
        answer = await send("POST", LOGIN, NJERI | {"password": "karibu"}, key=None)
        assert (answer.status, answer.json) == (401, {"error": "Invalid username or password"})
    answer = await send("POST", LOGIN, NJERI, key=None)
    wait = {"error": "Too many failed log-ins: try again later", "retry_after_s": 900}
    assert (answer.status, answer.json, answer.headers["Retry-After"]) == (429, wait, "900")
    await world.pass_time(900, step_s=60)
    assert is_session(await send("POST", LOGIN, NJERI, key=None))


async def test_log_ins_through_a_trusted_proxy_are_counted_by_who_stands_behind_it(world: World, send: Send) -> None:
    world.edits.append(lambda site: site["server"].update(trusted_proxies=["127.0.0.0/8"]))
    await world.reload()
    for number in range(20):
        assert (
            await send("POST", KEY_LOGIN, {"public_key": str(number), "private_key": "x"}, X_Forwarded_For="10.0.0.1")
        ).status == 401
    assert (await send("POST", LOGIN, NJERI, X_Forwarded_For="10.0.0.1")).status == 429
    assert is_session(await send("POST", LOGIN, NJERI, X_Forwarded_For="10.0.0.2"))


async def test_who_is_not_behind_a_trusted_proxy_cannot_pretend_to_be(world: World, send: Send) -> None:
    world.edits.append(lambda site: site["server"].update(trusted_proxies=[]))
    await world.reload()
    statuses = [
        (await send("POST", KEY_LOGIN, {"public_key": str(number), "private_key": "x"}, X_Forwarded_For=f"10.0.0.{number}")).status
        for number in range(21)
    ]
    assert statuses == [401] * 20 + [429]


async def test_a_refresh_gives_a_new_session_once(send: Send) -> None:
    first = (await send("POST", LOGIN, NJERI, key=None)).json
    second = await send("POST", REFRESH, {"refresh_token": first["refresh_token"]}, key=None)
    assert is_session(second)
    for token in (first["refresh_token"], second.json["refresh_token"]):
        answer = await send("POST", REFRESH, {"refresh_token": token}, key=None)
        assert (answer.status, answer.json) == (401, {"error": "The refresh token was used before or revoked: log in again"})


async def test_new_api_keys_are_shown_once_and_log_in(world: World, send: Send) -> None:
    keys = await rotated(world, send)
    assert (len(keys["public_key"]), len(keys["private_key"])) == (32, 64)
    answer = await send("POST", KEY_LOGIN, keys, key=None)
    assert is_session(answer)
    headers = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert (await send("POST", NO_PAYMENT, key=keys["public_key"])).status == 404
    assert (await send("POST", NO_PAYMENT, key=None, **headers)).status == 404


async def test_new_api_keys_end_tokens_and_keys_at_once(world: World, send: Send) -> None:
    keys = await rotated(world, send)
    headers = await world.login()
    await rotated(world, send)
    answer = await send("POST", NO_PAYMENT, key=None, **headers)
    assert (answer.status, answer.json) == (401, {"error": "The access token was revoked: log in again"})
    assert (await send("POST", NO_PAYMENT, key=keys["public_key"])).status == 401
    answer = await send("POST", KEY_LOGIN, keys, key=None)
    assert (answer.status, answer.json) == (401, {"error": "Invalid API keys"})


async def test_keys_that_stand_in_the_file_are_changed_there(world: World, send: Send) -> None:
    answer = await send("POST", ROTATE, key=None, **await world.login())
    assert (answer.status, answer.json) == (409, {"error": "The public key is managed by config.yaml: change it there"})


async def test_another_password_in_the_file_ends_the_sessions_at_the_reload(world: World, send: Send) -> None:
    headers = await world.login()
    world.edits.append(lambda site: site["owners"][0].pop("password_hash"))
    world.edits.append(lambda site: site["owners"][0].update(password="another password"))
    await world.reload()
    assert (await send("POST", NO_PAYMENT, key=None, **headers)).status == 401
    assert (await send("POST", LOGIN, NJERI, key=None)).status == 401
    await world.login(password="another password")


async def test_sessions_outlive_a_restart(world: World, send: Send) -> None:
    headers = await world.login()
    await world.restart()
    assert (await send("POST", NO_PAYMENT, key=None, **headers)).status == 404


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (LOGIN, {"username": "njeri"}, "password"),
        (LOGIN, {"username": 1, "password": "x"}, "username"),
        (LOGIN, {"username": "n" * 201, "password": "x"}, "username"),
        (LOGIN, {"username": "njeri", "password": "x" * 1_025}, "password"),
        (KEY_LOGIN, {"public_key": "x"}, "private_key"),
        (REFRESH, {"refresh_token": None}, "refresh_token"),
        (REFRESH, {"refresh_token": "x" * 4_097}, "refresh_token"),
        (LOGIN, [], "body"),
    ],
)
async def test_a_body_that_is_none_of_ours_is_a_400_that_names_the_field(send: Send, path: str, body: Any, field: str) -> None:
    answer = await send("POST", path, body, key=None)
    assert (answer.status, list(answer.json["fields"])) == (400, [field])


async def test_half_a_character_is_no_json(send: Send) -> None:
    assert (await send("POST", LOGIN, rb'{"username": "\ud800", "password": "\ud800"}', key=None)).status == 400


async def test_neither_log_nor_disk_shows_a_password_a_private_key_or_a_token(
    world: World, send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    keys = await rotated(world, send)
    session = (await send("POST", LOGIN, NJERI, key=None)).json
    await send("POST", LOGIN, NJERI | {"password": "karibu-mgeni"}, key=None)
    await send("POST", KEY_LOGIN, keys, key=None)
    await send("POST", REFRESH, {"refresh_token": session["refresh_token"]}, key=None)
    await send("POST", REFRESH, {"refresh_token": session["refresh_token"]}, key=None)
    await world.stop()
    kept = [path.read_bytes() for path in (world.folder / "data").iterdir() if path.is_file()]
    for secret in (PASSWORD, "karibu-mgeni", keys["private_key"], session["access_token"], session["refresh_token"]):
        assert secret not in caplog.text
        assert not [content for content in kept if secret.encode() in content]
