"""Credentials that change while money is under way: the newest sell, and each payment is settled with its own."""

import logging
from typing import Any

import pytest

from gateway.payments import PaymentState
from tests.e2e.conftest import OpenSite
from tests.e2e.world import PASSWORD_HASH, World

HERE = "/payments/credentials/"
SANDBOX = {
    "provider": "instasend",
    "api_key": "ISPubKey_test_demo",
    "private_key": "ISSecretKey_test_demo",
    "environment": "sandbox",
}
LIVE = {
    "provider": "instasend",
    "api_key": "ISPubKey_live_1",
    "private_key": "ISSecretKey_live_canary",
    "environment": "live",
    "webhook_challenge": "challenge-canary-0123",
}


def without_keys(document: dict[str, Any]) -> None:
    """Only the place where the simulated IntaSend is stands in the file."""
    intasend = document["owners"][0]["intasend"]
    document["owners"][0]["intasend"] = {"base_url": intasend["base_url"]}


async def ask(world: World, method: str, path: str, body: Any = None, username: str = "njeri") -> tuple[int, dict[str, Any]]:
    headers = await world.login(username)
    async with world.http.request(method, world.url + HERE + path, json=body, headers=headers) as response:
        return response.status, await response.json()


async def added(world: World, keys: dict[str, str]) -> int:
    status, answer = await ask(world, "POST", "", keys)
    assert status == 201, answer
    return int(answer["id"])


@pytest.fixture
async def bare(open_site: OpenSite) -> World:
    """A site whose owner has no keys yet."""
    world = await open_site()
    await world.stop()
    world.edits.append(without_keys)
    await world.start()
    return world


async def test_from_no_keys_to_selling_through_the_api_alone(bare: World):
    status, answer = await bare.initiate(bare.amina)
    assert (status, answer["error"]) == (
        404,
        "No active IntaSend credentials found. Please add your IntaSend API credentials first.",
    )
    await added(bare, SANDBOX)
    await bare.buy(bare.amina)


async def test_credentials_of_the_api_outlive_restart_and_reload(bare: World):
    await added(bare, SANDBOX)
    await bare.restart()
    await bare.reload()
    await bare.buy(bare.amina)


async def test_the_newest_active_credentials_sell(world: World):
    newest = await added(world, SANDBOX | {"api_key": "ISPubKey_test_newest"})
    payment_id = await world.ask(world.amina)
    assert (await world.payment(payment_id)).credential_id == newest
    await ask(world, "POST", f"{newest}/toggle-status/")
    payment_id = await world.ask(world.otieno)
    assert (await world.payment(payment_id)).credential_id == 1


async def test_out_of_use_is_not_sold_with_and_back_in_use_is(bare: World):
    only = await added(bare, SANDBOX)
    assert (await ask(bare, "POST", f"{only}/toggle-status/"))[1]["is_active"] is False
    assert (await bare.initiate(bare.amina))[0] == 404
    assert (await ask(bare, "POST", f"{only}/toggle-status/"))[1]["is_active"] is True
    await bare.buy(bare.amina)


@pytest.mark.parametrize("webhooks", [False, True])
async def test_a_sandbox_payment_is_settled_with_sandbox_keys_after_the_owner_went_live(open_site: OpenSite, webhooks: Any):
    world = await open_site(webhooks=webhooks)
    payment_id = await world.ask(world.amina)
    await added(world, LIVE)
    world.amina.enter_pin()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    assert (await world.payment(payment_id)).state is PaymentState.PAID
    assert ("webhook.received" in await world.story(payment_id)) is webhooks


async def test_what_was_paid_with_credentials_that_were_deleted_meanwhile_is_granted(bare: World):
    only = await added(bare, SANDBOX)
    payment_id = await bare.ask(bare.amina)
    assert await ask(bare, "DELETE", f"{only}/") == (200, {"message": "Credentials deleted successfully"})
    assert (await ask(bare, "GET", f"{only}/"))[0] == 404
    assert (await bare.initiate(bare.otieno))[0] == 404
    await bare.restart()
    bare.amina.enter_pin()
    await bare.pass_time_until(lambda: bare.amina.online, within_s=15)
    assert (await bare.payment(payment_id)).state is PaymentState.PAID


async def test_credentials_with_payments_do_not_change_their_environment(bare: World):
    only = await added(bare, SANDBOX)
    await bare.ask(bare.amina)
    status, answer = await ask(bare, "PUT", f"{only}/", LIVE)
    assert (status, answer["error"]) == (
        409,
        "Payments were made with these credentials: add new ones for the other environment",
    )
    assert (await ask(bare, "GET", f"{only}/"))[1]["environment"] == "sandbox"


async def test_going_live_in_the_file_leaves_what_is_under_way_in_the_sandbox(world: World):
    payment_id = await world.ask(world.amina)
    world.edits.append(
        lambda document: document["owners"][0]["intasend"].update(
            environment="live", publishable_key="ISPubKey_live_1", secret_key="ISSecretKey_live_1"
        )
    )
    await world.reload()
    world.amina.enter_pin()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    assert (await world.payment(payment_id)).credential_id == 1
    assert [(one["id"], one["is_active"]) for one in (await ask(world, "GET", ""))[1]["results"]] == [(2, True), (1, False)]


async def test_another_owner_sees_and_touches_nothing(bare: World):
    bare.edits.append(
        lambda document: document["owners"].append(
            {"id": 2, "username": "otieno", "name": "Otieno", "password_hash": PASSWORD_HASH, "public_key": "0" * 32}
        )
    )
    await bare.reload()
    only = await added(bare, SANDBOX)
    assert (await ask(bare, "GET", "", username="otieno"))[1]["results"] == []
    for method, path, body in (("GET", "", None), ("PUT", "", SANDBOX), ("DELETE", "", None), ("POST", "toggle-status/", None)):
        answer = await ask(bare, method, f"{only}/{path}", body, username="otieno")
        assert answer == (404, {"error": "Credentials not found or access denied"})
    assert (await ask(bare, "GET", f"{only}/"))[1]["is_active"] is True


async def test_no_secret_is_in_the_log_or_in_any_file(world: World, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    live = await added(world, LIVE)
    await ask(world, "POST", f"{live}/verify/", {"private_key": "ISSecretKey_live_canary_tried"})
    await ask(world, "POST", f"{live}/verify/", {"private_key": "ISSecretKey_test_canary_tried"})
    await ask(world, "POST", f"{live}/update-private-key/", {"private_key": "ISSecretKey_live_canary_new"})
    await ask(world, "DELETE", f"{live}/")
    written = b"".join(path.read_bytes() for path in (world.folder / "data").iterdir())
    assert b"ISPubKey_live_1" in written
    assert b"canary" not in written
    assert "canary" not in caplog.text
