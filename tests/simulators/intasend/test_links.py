"""Payment links, hosted checkouts and refund requests."""

import base64
import json

import pytest
from intasend.exceptions import IntaSendBadRequest

from gateway.simulators.intasend import Outcome, PageClosed

PHONE = "254712345678"


@pytest.fixture
async def link(sdk):
    return await sdk(sdk.api.payment_links.create, "1 hour", "KES", 50, usage_limit=1, redirect_url="https://wifi.example/done")


async def test_a_link_is_what_was_asked_for(sdk, sim, link):
    told = {
        name: link[name] for name in ("title", "amount", "currency", "usage_limit", "is_active", "redirect_url", "mobile_tarrif")
    }
    assert told == {
        "title": "1 hour",
        "amount": 50,
        "currency": "KES",
        "usage_limit": 1,
        "is_active": True,
        "redirect_url": "https://wifi.example/done",
        "mobile_tarrif": "BUSINESS-PAYS",
    }
    assert link["url"] == f"{sim.origin}/pay/{link['id']}/"


async def test_links_are_listed_and_shown_although_the_sdk_forgets_the_slash(sdk, link):
    assert await sdk(sdk.api.payment_links.details, link["id"]) == link
    assert (await sdk(sdk.api.payment_links.retrieve))["results"] == [link]


async def test_a_link_can_be_closed(sdk, sim, http, secret, link):
    async with http.put(f"paymentlinks/{link['id']}/", json={"is_active": False}, headers=secret) as response:
        changed = await response.json()
    assert changed == {**link, "is_active": False}
    with pytest.raises(PageClosed):
        sim.pay_page(link["id"], PHONE)


async def test_a_change_is_dated_and_keeps_the_identity(sdk, http, secret, link, clock):
    clock.advance(1)
    async with http.put(f"paymentlinks/{link['id']}/", json={"id": "other", "title": "1 day"}, headers=secret) as response:
        changed = await response.json()
    assert changed == {**link, "title": "1 day", "updated_at": "2025-08-25T13:30:01.000000+03:00"}


async def test_a_paid_link_reports_under_its_own_reference(sdk, sim, link):
    invoice = sim.pay_page(link["id"], PHONE)
    sim.answer(invoice.invoice_id, Outcome.COMPLETE)
    status = await sdk(sdk.api.collect.status, invoice.invoice_id)
    assert (status["invoice"]["api_ref"], status["invoice"]["value"]) == (f"ISL_{link['id']}", 50.0)
    assert status["meta"]["payment_link"] == link


async def test_a_payment_through_a_link_is_no_push_of_ours(sim, link):
    sim.pay_page(link["id"], PHONE)
    assert (len(sim.invoices), sim.pushes) == (1, [])


async def test_a_link_for_one_use_is_used_up_by_a_success_only(sim, link):
    failed = sim.pay_page(link["id"], PHONE)
    sim.answer(failed.invoice_id, Outcome.CANCELLED)
    paid = sim.pay_page(link["id"], PHONE)
    sim.answer(paid.invoice_id, Outcome.COMPLETE)
    with pytest.raises(PageClosed):
        sim.pay_page(link["id"], PHONE)


async def test_a_link_without_a_limit_is_paid_again_and_again(sdk, sim):
    link = await sdk(sdk.api.payment_links.create, "tip", "KES")
    assert link["amount"] is None
    for amount in (20, 30):
        invoice = sim.pay_page(link["id"], PHONE, amount)
        sim.answer(invoice.invoice_id, Outcome.COMPLETE)
    assert [invoice.order.amount for invoice in sim.invoices.values()] == [20, 30]


async def test_a_page_that_does_not_exist_cannot_be_paid(sim):
    with pytest.raises(KeyError):
        sim.pay_page("nowhere", PHONE)


@pytest.mark.parametrize(
    ("changed", "attr"),
    [
        ({"title": ""}, "title"),
        ({"currency": "BTC"}, "currency"),
        ({"amount": "x"}, "amount"),
        ({"usage_limit": "1"}, "usage_limit"),
        ({"is_active": 1}, "is_active"),
        ({"mobile_tarrif": "NOBODY-PAYS"}, "mobile_tarrif"),
    ],
)
async def test_an_impossible_link_is_refused_by_field(http, secret, changed, attr):
    body = {"title": "1 hour", "currency": "KES", "amount": 50, **changed}
    async with http.post("paymentlinks/", json=body, headers=secret) as response:
        assert (response.status, [fault["attr"] for fault in (await response.json())["errors"]]) == (400, [attr])


async def test_links_need_the_secret_key(http, sim, link):
    for path in ("paymentlinks/", f"paymentlinks/{link['id']}/"):
        async with http.get(path, headers={"X-IntaSend-Public-API-Key": sim.publishable_key}) as response:
            assert response.status == 403


async def _checkout(sdk):
    return await sdk(sdk.api.collect.checkout, None, 50, "KES", api_ref="HG-9", redirect_url="https://wifi.example/done?p=1")


async def test_a_checkout_has_no_invoice_before_somebody_pays(sdk, sim):
    checkout = await _checkout(sdk)
    assert (checkout["url"], checkout["paid"]) == (f"{sim.origin}/checkout/{checkout['id']}/express/", False)
    assert sim.invoices == {}


async def test_a_checkout_is_paid_under_our_reference_and_only_once(sdk, sim):
    checkout = await _checkout(sdk)
    invoice = sim.pay_page(checkout["id"], PHONE)
    assert invoice.order.api_ref == "HG-9"
    sim.answer(invoice.invoice_id, Outcome.COMPLETE)
    with pytest.raises(PageClosed):
        sim.pay_page(checkout["id"], PHONE)


async def test_a_checkouts_signature_reads_the_status_and_names_its_end(sdk, sim):
    checkout = await _checkout(sdk)
    invoice_id = sim.pay_page(checkout["id"], PHONE).invoice_id
    status = await sdk(sdk.api.collect.status, invoice_id, checkout["id"], checkout["signature"])
    assert status["invoice"]["invoice_id"] == invoice_id
    claims = json.loads(base64.urlsafe_b64decode(checkout["signature"].split(".")[1] + "=="))
    assert (claims["exp"] - claims["iat"], claims["aud"]) == (3600, [checkout["id"]])


@pytest.fixture
async def paid(sdk, sim):
    invoice_id = await sdk.push_id()
    sim.answer(invoice_id, Outcome.COMPLETE)
    return invoice_id


async def test_a_refund_request_waits_for_staff(sdk, sim, paid):
    made = await sdk(sdk.api.chargebacks.create, paid, 50, "Unavailable service", "router was down")
    assert (made["status"], made["amount"], made["transaction"]["invoice"]["invoice_id"]) == ("PENDING", "50.00", paid)
    sim.chargebacks[made["chargeback_id"]]["status"] = "COMPLETED"
    assert (await sdk(sdk.api.chargebacks.retrieve, made["chargeback_id"]))["status"] == "COMPLETED"
    assert (await sdk(sdk.api.chargebacks.retrieve))["count"] == 1


@pytest.mark.parametrize(("amount", "reason", "attr"), [(51, "Other", "amount"), (50, "UNAVAILABLE", "reason")])
async def test_an_impossible_refund_is_refused(sdk, paid, amount, reason, attr):
    with pytest.raises(IntaSendBadRequest, match=f'"attr": "{attr}"'):
        await sdk(sdk.api.chargebacks.create, paid, amount, reason)
    assert (await sdk(sdk.api.chargebacks.retrieve))["count"] == 0


async def test_only_complete_payments_can_be_refunded(sdk):
    with pytest.raises(IntaSendBadRequest, match='"attr": "invoice"'):
        await sdk(sdk.api.chargebacks.create, await sdk.push_id(), 50, "Other")


async def test_an_unknown_refund_is_not_found(http, secret):
    async with http.get("chargebacks/NOSUCH1/", headers=secret) as response:
        assert response.status == 404
