"""The credential endpoints over HTTP: the specification's request, no secret in any answer, and nobody else's."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.errors import EncryptionKeyMismatch
from gateway.identity import Secret
from gateway.store import credentials as rows
from tests.e2e.world import World
from tests.unit.web.requests import Answer, Send

HERE = "/payments/credentials/"
ADDED = {
    "provider": "instasend",
    "api_key": "ISPubKey_test_added",
    "private_key": "ISSecretKey_test_added",
    "environment": "sandbox",
}
CHALLENGE = "a-challenge-of-our-own"
SECRETS = ("ISSecretKey", CHALLENGE, "demo-challenge", "sealed", "gAAAA")

Ask = Callable[..., Awaitable[Answer]]


@pytest.fixture
async def ask(world: World, send: Send) -> Ask:
    """Asks with the owner's access token; no answer may ever show a secret."""
    bearer = await world.login()

    async def asked(method: str, path: str, body: Any = None) -> Answer:
        answer = await send(method, path, body, key=None, **bearer)
        assert not [secret for secret in SECRETS if secret in answer.text]
        return answer

    return asked


async def added(ask: Ask, **changes: Any) -> dict[str, Any]:
    answer = await ask("POST", HERE, ADDED | changes)
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


async def test_the_specifications_request_adds_credentials_and_shows_no_secret(world: World, ask: Ask):
    assert await added(ask, webhook_challenge=CHALLENGE) == {
        "id": 2,
        "provider": "instasend",
        "api_key": "ISPubKey_test_added",
        "environment": "sandbox",
        "is_active": True,
        "managed_by": "api",
        "has_webhook_challenge": True,
        "created_at": "2025-08-25T10:30:00Z",
        "updated_at": "2025-08-25T10:30:00Z",
    } | {name: (await ask("GET", f"{HERE}2/")).json[name] for name in ("created_at", "updated_at")}


async def test_intasend_is_the_same_as_instasend(ask: Ask):
    assert (await added(ask, provider="intasend"))["provider"] == "instasend"


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"provider": "kopokopo"}, "provider", 'KopoKopo is not supported yet: use "instasend"'),
        ({"provider": "paypal"}, "provider", 'there is no such provider: use "instasend"'),
        ({"environment": "live"}, "api_key", "the publishable key is of IntaSend's sandbox world, the environment is live"),
        ({"environment": "moon"}, "environment", "invalid enum value 'moon'"),
        ({"private_key": "ISPubKey_test_1"}, "private_key", "the secret key is a publishable key (ISPubKey_...)"),
        ({"private_key": "with space"}, "private_key", "IntaSend keys are printable ASCII without spaces"),
        ({"private_key": None}, "private_key", "expected str, got null"),
        ({"private_key": ""}, "private_key", "expected str of length >= 1"),
        ({"api_key": "x" * 501}, "api_key", "expected str of length <= 500"),
        ({"webhook_challenge": "too short"}, "webhook_challenge", "expected str of length >= 16"),
    ],
)
async def test_what_is_wrong_is_named_by_its_field(ask: Ask, change: dict[str, Any], field: str, rule: str):
    answer = await ask("POST", HERE, ADDED | change)
    assert (answer.status, answer.json["fields"]) == (400, {field: [rule]})
    assert len((await ask("GET", HERE)).json["results"]) == 1


async def test_a_missing_private_key_is_named(ask: Ask):
    answer = await ask("POST", HERE, {name: value for name, value in ADDED.items() if name != "private_key"})
    assert (answer.status, answer.json["fields"]) == (400, {"private_key": ["this field is required"]})


async def test_the_list_shows_the_newest_first_and_who_manages_them(ask: Ask):
    await added(ask)
    answer = (await ask("GET", HERE)).json
    assert [(one["id"], one["managed_by"]) for one in answer["results"]] == [(2, "api"), (1, "config")]
    assert answer["next"] is None


async def test_a_change_keeps_the_secrets_that_are_left_out(world: World, ask: Ask):
    made = await added(ask, webhook_challenge=CHALLENGE)
    world.clock.advance(60)
    changed = {name: value for name, value in ADDED.items() if name != "private_key"} | {"api_key": "ISPubKey_test_changed"}
    answer = await ask("PUT", f"{HERE}2/", changed)
    assert (answer.status, answer.json["api_key"], answer.json["has_webhook_challenge"]) == (200, "ISPubKey_test_changed", True)
    assert answer.json["created_at"] == made["created_at"] < answer.json["updated_at"]
    stored = await world.running.db.read(lambda tx: rows.opened(tx, 2, world.running._vault))
    assert (stored.secret_key, stored.webhook_challenge) == (Secret(ADDED["private_key"]), Secret(CHALLENGE))


async def test_a_change_to_another_environment_needs_keys_of_that_environment(ask: Ask):
    await added(ask)
    public_only = {"provider": "instasend", "api_key": "ISPubKey_live_1", "environment": "live"}
    answer = await ask("PUT", f"{HERE}2/", public_only)
    assert (answer.status, list(answer.json["fields"])) == (400, ["private_key"])
    assert (await ask("PUT", f"{HERE}2/", public_only | {"private_key": "ISSecretKey_live_1"})).json["environment"] == "live"


async def test_the_private_key_alone_can_be_replaced(world: World, ask: Ask):
    await added(ask)
    wrong = await ask("POST", f"{HERE}2/update-private-key/", {"private_key": "ISSecretKey_live_1"})
    assert (wrong.status, list(wrong.json["fields"])) == (400, ["private_key"])
    assert (await ask("POST", f"{HERE}2/update-private-key/", {"private_key": "ISSecretKey_test_new"})).status == 200
    stored = await world.running.db.read(lambda tx: rows.opened(tx, 2, world.running._vault))
    assert stored.secret_key == Secret("ISSecretKey_test_new")


@pytest.mark.parametrize(
    ("private_key", "matches", "accepted"),
    [("ISSecretKey_test_demo", True, True), ("ISSecretKey_test_other", False, False)],
)
async def test_verify_says_whether_a_key_is_the_stored_one_and_whether_intasend_takes_it(
    ask: Ask, private_key: str, matches: Any, accepted: Any
):
    answer = await ask("POST", f"{HERE}1/verify/", {"private_key": private_key})
    assert answer.status == 200
    assert (answer.json["matches_stored"], answer.json["accepted_by_provider"]) == (matches, accepted)
    assert ("IntaSend rejects the owner's keys" in (answer.json["detail"] or "")) is not accepted


async def test_verify_says_so_when_intasend_cannot_be_asked(world: World, ask: Ask):
    await world.intasend.stop()
    answer = await ask("POST", f"{HERE}1/verify/", {"private_key": "ISSecretKey_test_demo"})
    assert (answer.status, answer.json["matches_stored"], answer.json["accepted_by_provider"]) == (200, True, None)
    assert answer.json["message"] == "The private key is the stored one; IntaSend could not be asked"


async def test_a_stored_key_that_cannot_be_opened_is_told_in_the_specifications_sentence_and_can_be_replaced(
    world: World, ask: Ask, send: Send
):
    await added(ask)
    await world.running.db.write(lambda tx: rows.change(tx, 2, 0, secret_sealed="lost"))
    await world.running.open_accounts()
    answers = [
        await ask("POST", f"{HERE}2/verify/", {"private_key": "ISSecretKey_test_added"}),
        await ask("PUT", f"{HERE}2/", {name: value for name, value in ADDED.items() if name != "private_key"}),
    ]
    sentence = {"error": "Failed to decrypt private key: Invalid encryption key"}
    assert [(answer.status, answer.json) for answer in answers] == [(500, sentence)] * 2
    assert isinstance(world.running.site.providers[1], EncryptionKeyMismatch)
    assert (await ask("POST", f"{HERE}2/update-private-key/", {"private_key": "ISSecretKey_test_demo"})).status == 200
    assert not isinstance(world.running.site.providers[1], EncryptionKeyMismatch)


CHANGES = [
    ("PUT", "1/", ADDED),
    ("DELETE", "1/", None),
    ("POST", "1/update-private-key/", {"private_key": "ISSecretKey_test_1"}),
    ("POST", "1/toggle-status/", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_what_the_file_declares_is_changed_there(ask: Ask, method: str, path: str, body: Any):
    answer = await ask(method, HERE + path, body)
    assert (answer.status, answer.json) == (409, {"error": "These credentials are managed by config.yaml: change them there"})
    assert (await ask("GET", f"{HERE}1/")).json["is_active"] is True


EVERY = [("GET", "/", None), ("POST", "/verify/", {"private_key": "x"}), *((m, p[1:], b) for m, p, b in CHANGES)]


@pytest.mark.parametrize("number", ["99", "0", "x", "-1", "99999999999999999999", "%00"])
@pytest.mark.parametrize(("method", "path", "body"), EVERY)
async def test_what_is_not_there_is_not_found(ask: Ask, number: str, method: str, path: str, body: Any):
    answer = await ask(method, HERE + number + path, body)
    assert (answer.status, answer.json) == (404, {"error": "Credentials not found or access denied"})


@pytest.mark.parametrize(("method", "path", "body"), [*EVERY, ("GET", "", None), ("POST", "", ADDED)])
async def test_a_public_key_is_not_enough(world: World, send: Send, method: str, path: str, body: Any):
    answer = await send(method, f"{HERE}1{path}" if path else HERE, body)
    assert answer.status == 401


async def test_both_spellings_of_a_path_are_served(ask: Ask):
    for path in ("/api/payments/credentials", "/payments/credentials", "/api/payments/credentials/1/"):
        assert (await ask("GET", path)).status == 200


async def test_there_is_an_end_to_how_many(world: World, ask: Ask, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateway.credentials.CREDENTIALS_MAX", 2)
    await added(ask)
    assert (await ask("POST", HERE, ADDED)).status == 409
