"""The pages on which a person is the customer."""

from decimal import Decimal

import pytest
from aiohttp import web

from gateway.simulators.intasend import Order, Outcome

PHONE = "254712345678"


async def _page(http, url):
    async with http.get(url) as response:
        assert (response.status, response.content_type) == (200, "text/html")
        return await response.text()


async def test_the_ledger_shows_payments_and_offers_buttons_while_a_prompt_is_open(http, sim, clock):
    assert "No payment has been asked for yet" in await _page(http, sim.origin)
    invoice = sim.accept_push(Order(PHONE, Decimal(50), "HG-<1>"), "127.0.0.1")
    assert "Enter PIN" not in await _page(http, sim.origin)
    clock.advance(2)
    page = await _page(http, sim.origin)
    assert "Enter PIN" in page
    assert "HG-&lt;1&gt;" in page
    assert invoice.invoice_id in page


async def test_a_button_of_the_ledger_answers_the_prompt(http, sim, clock):
    invoice = sim.accept_push(Order(PHONE, Decimal(50), "HG-1"), "127.0.0.1")
    clock.advance(2)
    async with http.post(f"{sim.origin}/answer/{invoice.invoice_id}/", data={"outcome": "wrong_pin"}) as response:
        page = await response.text()
    assert sim.state(invoice.invoice_id) == "FAILED"
    assert "2001" in page
    assert "Enter PIN" not in page


@pytest.mark.parametrize(("invoice_id", "outcome"), [("NOSUCH1", "complete"), (None, "sublime")])
async def test_a_button_that_does_not_exist_is_not_found(http, sim, invoice_id, outcome):
    invoice = sim.accept_push(Order(PHONE, Decimal(50), "HG-1"), "127.0.0.1")
    url = f"{sim.origin}/answer/{invoice_id or invoice.invoice_id}/"
    async with http.post(url, data={"outcome": outcome}) as response:
        assert response.status == 404


async def test_a_payer_pays_a_link_on_its_page_and_is_sent_back(http, sdk, sim):
    link = await sdk(sdk.api.payment_links.create, "1 hour", "KES", 50, usage_limit=1, redirect_url="https://wifi.example/done")
    assert "1 hour" in await _page(http, link["url"])
    async with http.post(link["url"], data={"phone_number": PHONE}) as response:
        assert "Look at your phone" in await response.text()
    (invoice,) = sim.invoices.values()
    sim.answer(invoice.invoice_id, Outcome.COMPLETE)
    assert 'url=https://wifi.example/done"' in await _page(http, link["url"])
    async with http.post(link["url"], data={"phone_number": PHONE}) as response:
        assert response.status == 409


async def test_a_payer_whose_payment_failed_may_try_again(http, sdk, sim):
    link = await sdk(sdk.api.payment_links.create, "1 hour", "KES", 50)
    sim.answer(sim.pay_page(link["id"], PHONE).invoice_id, Outcome.CANCELLED)
    page = await _page(http, link["url"])
    assert "did not go through" in page
    assert "phone_number" in page


async def test_a_checkout_sends_the_payer_back_with_three_parameters_more(http, sdk, sim):
    checkout = await sdk(sdk.api.collect.checkout, None, 50, "KES", api_ref="HG-9", redirect_url="https://wifi.example/done?p=1")
    invoice = sim.pay_page(checkout["id"], PHONE)
    sim.answer(invoice.invoice_id, Outcome.COMPLETE)
    page = (await _page(http, checkout["url"])).replace("&amp;", "&")
    expected = f"https://wifi.example/done?p=1&tracking_id={invoice.invoice_id}&signature={checkout['signature']}&checkout_id={checkout['id']}"
    assert expected in page


async def test_a_number_that_is_none_gets_no_prompt(http, sdk, sim):
    link = await sdk(sdk.api.payment_links.create, "1 hour", "KES", 50)
    async with http.post(link["url"], data={"phone_number": "hello"}) as response:
        assert response.status == 400
    assert sim.invoices == {}


async def test_an_unknown_page_is_not_found(http, sim):
    async with http.get(f"{sim.origin}/pay/nowhere/") as response:
        assert response.status == 404


async def test_other_pages_can_be_mounted(http, sim):
    async def hello(_):
        return web.Response(text="hello")

    await sim.stop()
    sim.mount([web.get("/hello", hello)])
    await sim.start(port=sim.port)
    async with http.get(f"{sim.origin}/hello") as response:
        assert await response.text() == "hello"
