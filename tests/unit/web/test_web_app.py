"""The routes: every spelling of an API path, and what a reload changes."""

import pytest

from tests.e2e.world import World
from tests.unit.web.requests import INITIATE, NO_PAYMENT, Send, purchase


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize("ending", ["/", ""])
async def test_an_api_path_is_served_in_all_four_spellings(send: Send, prefix: str, ending: str) -> None:
    def spelt(path: str) -> str:
        return prefix + path.rstrip("/") + ending

    payment = (await send("POST", spelt(INITIATE), purchase())).json["payment"]
    checked = await send("POST", spelt(f"/payments/intasend/{payment['id']}/check-status/"))
    assert (checked.status, checked.json["payment"]["id"]) == (200, payment["id"])
    webhook = await send("POST", spelt("/payments/webhook/"), {"challenge": "wrong"})
    assert webhook.json == {"error": "The webhook's challenge is not the one that is configured"}


async def test_pages_for_people_are_not_under_api(send: Send) -> None:
    for path in ("/api/", "/api/portal/", "/api/healthz", "/api/metrics"):
        assert (await send("GET", path)).status == 404


@pytest.mark.parametrize("payment_id", ["x", "1", "%00", "%ff", "%F0%9F", "..%2f", "' OR 1=1 --".replace(" ", "%20"), "a" * 6_000])
async def test_a_malformed_payment_id_is_a_payment_that_is_not_there(send: Send, payment_id: str) -> None:
    answer = await send("POST", f"/payments/intasend/{payment_id}/check-status/")
    assert (answer.status, answer.json) == (404, {"error": "Payment not found or access denied"})


async def test_an_unknown_payment_is_not_there_either(send: Send) -> None:
    assert (await send("POST", NO_PAYMENT)).json == {"error": "Payment not found or access denied"}


async def test_a_reload_changes_who_may_read_the_metrics(world: World, send: Send) -> None:
    assert (await send("GET", "/metrics")).status == 200
    world.edits.append(lambda site: site["server"].update(metrics_allow=["10.0.0.0/8"]))
    await world.reload()
    assert (await send("GET", "/metrics")).status == 404
