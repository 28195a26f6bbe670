"""Those who have paid already: a code moves the time to the device in hand, and whoever guesses is stopped."""

import pytest

from tests.e2e.portal import Browser, PortalWorld
from tests.e2e.test_payment_links import linked, pay


async def receipt_of(site: PortalWorld, payment_id: str) -> str:
    receipt = (await site.payment(payment_id)).receipt
    assert receipt is not None
    return receipt


async def test_a_receipt_moves_the_time_to_the_device_in_hand(site: PortalWorld, otieno: Browser):
    payment_id = await site.buy(site.amina)
    receipt = await receipt_of(site, payment_id)
    await otieno.open("/?orig=http://example.com/")
    await otieno.follow("I have paid, but I am not online")
    page = await otieno.send(code=f" {receipt.lower()} ")
    page = await otieno.refresh_until(lambda page: page.path == "/portal/status")
    assert page.heading.startswith("You are online until ")
    assert page.read.links["Go on to example.com"] == "http://example.com/"
    assert (site.otieno.online, site.amina.online) == (True, False)


async def test_a_whole_message_of_m_pesa_may_be_pasted_in(site: PortalWorld, otieno: Browser):
    payment_id = await site.buy(site.amina)
    message = f"{await receipt_of(site, payment_id)} Confirmed. Ksh50.00 sent to NJERI WIFI on 23/11/26 at 3:10 PM."
    await otieno.open("/portal/claim")
    await otieno.send(code=message)
    await site.pass_time(5)
    assert site.otieno.online


async def test_the_code_of_a_payment_page_opens_the_wifi(site: PortalWorld, amina: Browser):
    payment = await linked(site, mac_address=None, ip_address=None)
    await pay(site, payment)
    await site.pass_time(15)
    (grant,) = await site.grants()
    code = grant.claim_code or ""
    await amina.open("/portal/claim")
    await amina.send(code=f"{code[:4]}-{code[4:]}".lower())
    await amina.refresh_until(lambda page: page.path == "/portal/status")
    assert site.amina.online


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("", 400, "Enter the code from the M-Pesa message"),
        ("hello", 400, "Enter the code from the M-Pesa message"),
        ("QAB1CD2EFG", 404, "We do not find this code."),
        ("ABCDEFGH", 404, "We do not find this code."),
    ],
)
async def test_a_code_that_stands_for_nothing_is_said_beside_the_field_that_keeps_it(
    amina: Browser, code: str, status: int, said: str
):
    await amina.open("/portal/claim")
    page = await amina.send(code=code, phone="0712345678")
    assert (page.status, page.heading) == (status, "I have paid already")
    assert said in page.words
    field, phone = (one for one in page.marks("input") if one.get("id") in {"code", "phone"})
    assert (field["value"], field["aria-invalid"], phone["value"]) == (code, "true", "0712345678")
    assert "code-fault" in field["aria-describedby"].split()
    assert "aria-invalid" not in phone


async def test_a_number_that_is_none_is_said_beside_its_own_field(amina: Browser):
    await amina.open("/portal/claim?lang=sw")
    page = await amina.send(code="QAB1CD2EFG", phone="07")
    assert page.status == 400
    field, phone = (one for one in page.marks("input") if one.get("id") in {"code", "phone"})
    assert ("aria-invalid" in field, phone["aria-invalid"]) == (False, "true")
    assert "Hii si nambari ya simu ya Kenya." in page.words


async def test_guessing_is_stopped_with_the_wait_in_words(amina: Browser):
    await amina.open("/portal/claim")
    page = amina.page
    for _ in range(6):
        page = await amina.send(code="QAB1CD2EFG")
    assert page.status == 429
    assert "Too many tries. Try again in 15 minutes." in page.words
    assert int(page.headers["Retry-After"]) > 60


async def test_time_that_is_over_is_told_with_what_the_flow_says_about_it(site: PortalWorld, otieno: Browser):
    payment_id = await site.buy(site.amina, 1, "5")
    receipt = await receipt_of(site, payment_id)
    await site.pass_time(130)
    await otieno.open("/portal/claim?lang=sw")
    page = await otieno.send(code=receipt)
    assert page.status == 409
    assert "Nambari hii haiwezi kutumika kwenye kifaa hiki sasa." in page.words
    assert {"lang": "en"} in page.marks("p")


async def test_a_visitor_whom_no_router_knows_cannot_claim(site: PortalWorld, desk: Browser):
    payment_id = await site.buy(site.amina)
    page = await desk._ask("POST", "/portal/claim", {}, {"code": await receipt_of(site, payment_id), "mac": site.otieno.mac})
    assert (page.status, page.heading) == (403, "Open this page on the WiFi")
    assert site.amina.online


async def test_a_router_that_does_not_answer_is_told(site: PortalWorld, amina: Browser):
    await amina.open("/portal/claim")
    await site.router.power_off()
    await site.pass_time(20)
    assert (await amina.send(code="QAB1CD2EFG")).status == 503
