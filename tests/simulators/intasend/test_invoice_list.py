"""The list of invoices: paging, filters, and the filter that may not be one."""

import pytest

from gateway.simulators.intasend import Outcome


@pytest.fixture
async def three(sdk, sim):
    ids = [await sdk.push_id(phone=f"25471234567{n}", api_ref=f"HG-{n}") for n in range(3)]
    sim.answer(ids[1], Outcome.COMPLETE)
    return ids


async def _list(http, secret, query=""):
    async with http.get(f"invoices/{query}", headers=secret) as response:
        assert response.status == 200
        return await response.json()


async def test_the_newest_invoice_comes_first(http, secret, three):
    listed = await _list(http, secret)
    assert listed["count"] == 3
    assert [row["invoice_id"] for row in listed["results"]] == three[::-1]


async def test_pages_link_to_each_other(http, secret, three):
    first = await _list(http, secret, "?page_size=2")
    assert (len(first["results"]), first["previous"]) == (2, None)
    async with http.get(first["next"], headers=secret) as response:
        second = await response.json()
    assert [row["invoice_id"] for row in second["results"]] == three[:1]
    assert second["next"] is None
    assert second["previous"].endswith("page_size=2&page=1")


@pytest.mark.parametrize("page", ["2", "0", "-1", "last"])
async def test_a_page_that_is_not_there_is_not_found(http, secret, three, page):
    async with http.get(f"invoices/?page={page}", headers=secret) as response:
        assert (response.status, (await response.json())["errors"][0]["detail"]) == (404, "Invalid page.")


async def test_an_empty_list_has_one_empty_page(http, secret):
    assert await _list(http, secret) == {"count": 0, "next": None, "previous": None, "results": []}


@pytest.mark.parametrize(
    ("query", "places"), [("?api_ref=HG-2", [2]), ("?state=COMPLETE", [1]), ("?currency=USD", []), ("?account=1", [2, 1, 0])]
)
async def test_filters_choose_and_unknown_ones_are_ignored(http, secret, three, query, places):
    listed = await _list(http, secret, query)
    assert [row["invoice_id"] for row in listed["results"]] == [three[place] for place in places]


async def test_the_filter_by_reference_can_be_one_that_the_server_ignores(http, secret, sim, three):
    sim.ignores_api_ref_filter = True
    assert (await _list(http, secret, "?api_ref=HG-2"))["count"] == 3


async def test_one_invoice_is_flat(http, secret, three):
    async with http.get(f"invoices/{three[1]}/", headers=secret) as response:
        assert (await response.json())["state"] == "COMPLETE"
    async with http.get("invoices/NOSUCH1/", headers=secret) as response:
        assert response.status == 404


async def test_the_list_needs_the_secret_key(http, sim):
    async with http.get("invoices/", headers={"X-IntaSend-Public-API-Key": sim.publishable_key}) as response:
        assert response.status == 403


async def test_the_sdk_can_be_used_for_what_it_lacks(sdk, three):
    listed = await sdk(sdk.api.collect.send_request, "GET", "invoices/?api_ref=HG-0", None)
    assert [row["invoice_id"] for row in listed["results"]] == [three[0]]


async def test_a_forgotten_slash_is_redirected_for_reads(http, secret, three):
    async with http.get(f"invoices/{three[0]}?x=1", headers=secret, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (301, f"/api/v1/invoices/{three[0]}/?x=1")
    async with http.post("payment/status", json={}, headers=secret) as response:
        assert response.status == 404


async def test_another_method_is_not_allowed_and_another_path_not_found(http, secret):
    async with http.delete("invoices/", headers=secret) as response:
        assert (response.status, (await response.json())["errors"][0]["detail"]) == (405, 'Method "DELETE" not allowed.')
    async with http.get("nonsense/", headers=secret) as response:
        assert (response.status, (await response.json())["type"]) == (404, "client_error")
