"""The page of one payment: what it says in each phase, and how it is brought along with and without scripts."""

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from gateway import daemon
from gateway.debts import Debt, DebtState, Why
from gateway.identity import PhoneNumber
from gateway.simulators.intasend import Endpoint, Outcome, fails_with
from gateway.simulators.intasend.faults import Proceed
from gateway.web import portal_payment
from gateway.web.portal_payment import masked, refund_words
from gateway.web.words import LANGUAGES
from tests.e2e.portal import Browser, PortalWorld, refresh_of, script_of
from tests.e2e.test_payment_links import linked, pay

AGAIN = "Try again"


async def told_by(site: PortalWorld, payment_id: str) -> str:
    async with site.http.get(f"{site.url}/portal/payments/{payment_id}/state") as response:
        assert response.headers["Cache-Control"] == "no-store"
        return str((await response.json())["phase"])


@asynccontextmanager
async def stream(site: PortalWorld, payment_id: str) -> AsyncIterator[aiohttp.ClientResponse]:
    async with site.http.get(f"{site.url}/portal/payments/{payment_id}/events") as response:
        yield response


async def next_phase(response: aiohttp.ClientResponse) -> str:
    """The next event of a stream; what only keeps it alive is passed over."""
    async for line in response.content:
        if line.startswith(b"data: "):
            return line.removeprefix(b"data: ").decode().strip()
    return ""


async def prompted(site: PortalWorld, browser: Browser, package_id: int = 2) -> str:
    """Press Pay and wait for the prompt; the payment's id."""
    page = await browser.pay(package_id)
    assert browser.phone is not None
    phone = browser.phone
    await site.pass_time_until(lambda: phone.prompt, within_s=5)
    return page.path.rpartition("/")[2]


# ----------------------------------------------------------------------------------------------------------------------- the phases


async def test_waiting_says_what_is_paid_from_which_phone_and_what_to_do_without_a_prompt(site: PortalWorld, amina: Browser):
    payment_id = await prompted(site, amina)
    page = await amina.open(f"/portal/payments/{payment_id}")
    payment = await site.payment(payment_id)
    assert page.read.texts["dd"] == ["KES 50", "1 hour", "07•• ••• 678", payment.invoice_id]
    assert "0712345678" not in page.text
    assert "712345678" not in page.text
    assert "*234#" in page.words
    assert refresh_of(page) == f"3;url=/portal/payments/{payment_id}"
    assert page.text.index("<noscript><meta") < page.text.index("</head>")


@pytest.mark.parametrize(
    ("outcome", "heading", "advice"),
    [
        (Outcome.CANCELLED, "The payment was cancelled", "Try again when you are ready."),
        (Outcome.WRONG_PIN, "The PIN was not right", "Try again slowly"),
        (Outcome.NO_FUNDS, "Not enough money in M-Pesa", "choose a smaller package"),
        (Outcome.UNREACHABLE, "The phone was not reached", "*234#"),
        (Outcome.EXPIRED, "The time to answer ran out", "within two minutes"),
        (Outcome.BUSY, "The phone was busy", "wait a minute"),
        (Outcome.NOT_SENT, "The question could not be sent", "Wait a minute"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_a_failure_is_told_in_plain_words_with_one_way_on(
    site: PortalWorld, amina: Browser, outcome: Outcome, heading: str, advice: str
):
    site.intasend.script(site.amina.number, outcome)
    await amina.pay(package_id=3)
    page = await amina.refresh_until(lambda page: page.heading != "Enter your M-Pesa PIN", within_s=75)
    assert page.heading == heading
    assert advice in page.words
    assert refresh_of(page) is None
    assert script_of(page) == ""
    page = await amina.follow(AGAIN)
    assert (page.heading, page.read.forms[0].fields["package"], page.read.forms[0].fields["phone"]) == (
        "Buy WiFi",
        "3",
        "0712345678",
    )


async def test_who_has_cancelled_is_told_how_long_the_phone_is_left_alone(site: PortalWorld, amina: Browser):
    site.intasend.script(site.amina.number, Outcome.CANCELLED)
    await amina.pay()
    page = await amina.refresh_until(lambda page: page.heading == "The payment was cancelled", within_s=75)
    await site.pass_time(20)
    page, (payment,) = await amina.open(page.path), await site.payments()
    wait_s = math.ceil(payment.updated_at_s + 60 - site.clock.wall_s())
    assert f"This phone can be asked again in {wait_s} seconds." in page.words
    assert "Simu hii inaweza kuombwa tena" in (await amina.open(f"{page.path}?lang=sw")).words

    await site.pass_time(wait_s)
    assert "can be asked again" not in (await amina.open(page.path)).words
    assert (await amina.pay()).heading == "Enter your M-Pesa PIN"  # and it is true


async def test_a_failure_with_a_code_that_nobody_explained_shows_the_code(site: PortalWorld, amina: Browser):
    payment_id = await prompted(site, amina)
    await site.running.db.write(
        lambda tx: tx.execute(
            "UPDATE payment SET state = 'failed', failed_code = '4242', failed_reason = 'Strange' WHERE id = ?", (payment_id,)
        )
    )
    page = await amina.open(f"/portal/payments/{payment_id}")
    assert "M-Pesa gave the code 4242." in page.words
    assert "Strange" in page.words


async def test_a_payment_that_we_refused_says_that_nothing_was_charged(site: PortalWorld, amina: Browser):
    site.intasend.faults.once(Endpoint.PUSH, fails_with(400))
    await amina.pay()
    (payment,) = await site.payments()
    page = await amina.open(f"/portal/payments/{payment.id}")
    assert (page.heading, "You have not been charged." in page.words) == ("No payment was asked for", True)


async def test_a_push_whose_answer_was_lost_asks_nobody_to_pay_again(site: PortalWorld, amina: Browser):
    site.intasend.faults.once(Endpoint.PUSH, fails_with(500, processed=True))
    page = await amina.pay()
    assert page.heading == "We are asking M-Pesa"
    assert "Do not pay again" in page.words
    assert AGAIN not in page.read.links
    await site.pass_time_until(lambda: site.amina.prompt, within_s=60)
    site.amina.enter_pin()
    page = await amina.refresh_until(lambda page: page.path == "/portal/status", within_s=60)
    assert page.heading.startswith("You are online until ")


async def test_what_nobody_ever_told_us_can_be_looked_up_again(site: PortalWorld, amina: Browser):
    payment_id = await prompted(site, amina)
    await site.running.db.write(lambda tx: tx.execute("UPDATE payment SET state = 'lapsed' WHERE id = ?", (payment_id,)))
    page = await amina.open(f"/portal/payments/{payment_id}")
    assert page.heading == "No answer from M-Pesa"
    assert {AGAIN, "Look again now", "I have paid, but I am not online"} <= page.read.links.keys()


async def test_money_that_is_not_what_was_asked_for_is_a_case_for_the_seller(site: PortalWorld, amina: Browser):
    site.intasend.script(site.amina.number, Outcome.WRONG_VALUE)
    await amina.pay()
    page = await amina.refresh_until(lambda page: page.heading != "Enter your M-Pesa PIN")
    assert page.heading == "Please call us"
    assert AGAIN not in page.read.links


async def test_paid_and_the_router_down_says_that_it_opens_by_itself(site: PortalWorld, amina: Browser):
    payment_id = await prompted(site, amina)
    await site.router.power_off()
    await site.pass_time(15)
    site.amina.enter_pin()
    page = await amina.refresh_until(lambda page: page.heading != "Enter your M-Pesa PIN")
    assert page.heading == "Paid. Opening the WiFi…"
    assert "opens by itself as soon as it is back, and your time starts only then" in page.words
    assert await told_by(site, payment_id) == "blocked"
    await site.router.power_on()
    page = await amina.refresh_until(lambda page: page.path == "/portal/status")
    assert "You are online until" in page.heading


async def test_what_was_paid_for_by_a_link_shows_its_code_to_whoever_has_the_address(site: PortalWorld, desk: Browser):
    payment = await linked(site, mac_address=None, ip_address=None)
    page = await desk.open(f"/portal/payments/{payment.id}")
    assert page.heading == "One moment"
    assert "clock" not in {said.get("id") for said in page.marks("p")}  # there is no prompt that could run out
    await pay(site, payment)
    page = await desk.refresh_until(lambda page: page.heading != "One moment")
    (grant,) = await site.grants()
    assert page.read.texts["p"].count(f"{(grant.claim_code or '')[:4]}-{(grant.claim_code or '')[4:]}") == 1
    assert "whoever enters it has the time" in page.words


async def test_who_pays_from_elsewhere_stays_on_the_page_of_his_payment(site: PortalWorld, desk: Browser):
    payment_id = await site.buy(site.amina)
    page = await desk.open(f"/portal/payments/{payment_id}")
    assert (page.path, page.heading[:12]) == (f"/portal/payments/{payment_id}", "Online until")
    assert refresh_of(page) is None


async def test_another_device_is_not_led_into_this_ones_time(site: PortalWorld, otieno: Browser):
    payment_id = await site.buy(site.amina)
    assert (await otieno.open(f"/portal/payments/{payment_id}")).path == f"/portal/payments/{payment_id}"


async def test_time_that_is_over_says_so_and_leads_to_the_shop(site: PortalWorld, amina: Browser):
    payment_id = await site.buy(site.amina, 1, "5")
    await site.pass_time(125)
    page = await amina.open(f"/portal/payments/{payment_id}")
    assert page.heading == "This time is over"
    assert (await amina.follow("Buy WiFi")).heading == "Buy WiFi"


async def test_a_payment_of_a_package_that_is_gone_is_told_by_its_length(site: PortalWorld, amina: Browser):
    payment_id = await prompted(site, amina)
    payment = await site.payment(payment_id)
    site.running.site.catalogue._packages.clear()
    page = await amina.open(f"/portal/payments/{payment_id}")
    assert page.read.texts["dd"][1] == "1 hour"
    assert payment.duration.seconds == 3_600


@pytest.mark.parametrize("payment_id", ["nothing", "%3Cscript%3E", "0" * 300])
async def test_a_payment_of_which_nothing_is_known_is_not_found(desk: Browser, payment_id: str):
    page = await desk.open(f"/portal/payments/{payment_id}")
    assert (page.status, page.heading) == (404, "That did not work")
    assert "<script>" not in page.text


@pytest.mark.parametrize(("number", "shown"), [("+254712345678", "07•• ••• 678"), ("+254110123456", "01•• ••• 456")])
def test_a_number_is_shown_only_as_far_as_its_owner_needs_to_know_it(number: str, shown: str):
    assert masked(PhoneNumber(number)).replace("\N{NO-BREAK SPACE}", " ") == shown


# -------------------------------------------------------------------------------------------------- who asks the provider, and when


async def test_a_page_that_is_looked_at_does_not_ask_m_pesa(site: PortalWorld, amina: Browser):
    payment_id = await prompted(site, amina)
    asked = []

    async def counted(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        asked.append(request.path)
        return await proceed()

    site.intasend.faults.always(Endpoint.STATUS, counted)
    for _ in range(5):
        await amina.open(f"/portal/payments/{payment_id}")
        await told_by(site, payment_id)
    assert asked == []


async def test_who_says_that_the_pin_is_entered_has_m_pesa_asked_now(site: PortalWorld, amina: Browser):
    payment_id = await prompted(site, amina)
    await site.pass_time(34 - 1)  # the poller has asked at 30 s, and will again at 40 s
    await amina.open(f"/portal/payments/{payment_id}")
    site.amina.enter_pin()
    await amina.follow("I have entered my PIN: look now")
    await site.quiet()
    assert (await site.payment(payment_id)).paid_at_s is not None


# --------------------------------------------------------------------------------------------------------------------- with scripts


async def test_the_page_tells_its_script_where_it_stands(site: PortalWorld, amina: Browser):
    payment_id = await prompted(site, amina)
    page = await amina.open(f"/portal/payments/{payment_id}?orig=http://example.com/&lang=sw")
    found = re.search(r"var page = (\{.*?\}), asking", script_of(page))
    assert found
    said = json.loads(found[1].replace("\\u0026", "&"))
    assert (said["phase"], said["path"]) == ("waiting", f"/portal/payments/{payment_id}")
    assert said["here"] == f"/portal/payments/{payment_id}?lang=sw&orig=http%3A%2F%2Fexample.com%2F"
    assert 110 < said["left"] <= 120


async def test_the_scripts_are_old_fashioned(site: PortalWorld, amina: Browser):
    """WebViews of 2014 read them (facts, platform D5)."""
    await site.buy(site.amina, 1, "5")
    pages = [await amina.open(path) for path in ("/", "/portal/status")]
    await prompted(site, amina)
    pages.append(await amina.open("/"))
    for page in pages:
        script = script_of(page)
        assert len(script) > 100
        for new in (
            "=>",
            "let ",
            "const ",
            "`",
            "fetch(",
            "Promise",
            "async ",
            "localStorage",
            "sessionStorage",
            "cookie",
            "alert(",
        ):
            assert new not in script
        assert not re.search(r"display: *grid|:has\(|:is\(|var\(--", page.text)


async def test_every_change_is_told_as_it_is_committed(site: PortalWorld, amina: Browser):
    payment_id = await prompted(site, amina)
    async with stream(site, payment_id) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert await next_phase(response) == "waiting"
        site.amina.enter_pin()
        await site.pass_time_until(lambda: site.amina.online, within_s=15)
        assert [await next_phase(response), await next_phase(response)] in (["opening", "online"], ["online", ""])
        assert await next_phase(response) == ""  # it ends with what is final
    assert await told_by(site, payment_id) == "online"


async def test_a_page_that_comes_late_is_told_at_once(site: PortalWorld):
    payment_id = await site.buy(site.amina)
    async with stream(site, payment_id) as response:
        assert [await next_phase(response), await next_phase(response)] == ["online", ""]


async def test_a_router_that_goes_away_is_told_though_it_is_no_event(site: PortalWorld, amina: Browser):
    payment_id = await prompted(site, amina)
    await site.router.power_off()
    site.amina.enter_pin()
    await site.pass_time(5)
    async with stream(site, payment_id) as response:
        seen = [await next_phase(response)]
        while seen[-1] != "blocked":
            told = asyncio.create_task(next_phase(response))
            for _ in range(40):
                await site.pass_time(1)
                if told.done():
                    break
            seen.append(await told)
    assert seen in (["blocked"], ["opening", "blocked"])


async def test_a_page_that_is_left_leaves_nothing_behind(site: PortalWorld, amina: Browser):
    payment_id = await prompted(site, amina)
    async with stream(site, payment_id) as response:
        await next_phase(response)
        assert len(site.running.news._watches) == 1
    site.amina.cancel()
    for _ in range(3):
        await site.pass_time(portal_payment.BEAT_S)
    await site.until(lambda: not site.running.news._watches)


async def test_more_pages_than_can_be_told_are_asked_to_ask(site: PortalWorld, amina: Browser, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(portal_payment, "MOST_STREAMS", 1)
    await site.restart()
    payment_id = await prompted(site, amina)
    async with stream(site, payment_id) as first, stream(site, payment_id) as second:
        assert (first.status, second.status) == (200, 503)
    assert await told_by(site, payment_id) == "waiting"


async def test_a_daemon_that_stops_does_not_wait_for_pages_that_listen(
    site: PortalWorld, amina: Browser, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(daemon, "GRACE_S", 60.0)
    await site.restart()
    payment_id = await prompted(site, amina)
    async with stream(site, payment_id) as response:
        await next_phase(response)
        async with asyncio.timeout(15):
            await site.stop()
        with pytest.raises(aiohttp.ClientError):
            await response.content.read()


@pytest.mark.parametrize("what", ["state", "events"])
async def test_news_of_no_payment_are_not_found(site: PortalWorld, what: str):
    async with site.http.get(f"{site.url}/portal/payments/nothing/{what}") as response:
        assert (response.status, response.content_type) == (404, "application/json")


async def test_money_that_is_owed_back_is_told_until_it_is_there(site: PortalWorld, amina: Browser):
    payment_id = await prompted(site, amina)
    await site.router.power_off()
    site.amina.enter_pin()
    await site.pass_time(2 * 3_600 + 120, step_s=60)
    page = await amina.open(f"/portal/payments/{payment_id}")
    assert (page.heading, "money is owed to you" in page.words) == ("Paid. Opening the WiFi…", True)

    owner = site.running.site.catalogue.owners[1]
    await site.running.refunds.request(owner, payment_id)
    page = await amina.open(f"/portal/payments/{payment_id}")
    assert (page.heading, "It can take some days." in page.words) == ("This was taken back", True)
    for chargeback in site.intasend.chargebacks.values():
        chargeback["status"] = "COMPLETED"
    await site.running.refunds.request(owner, payment_id)
    assert "Your money has been given back." in (await amina.open(f"/portal/payments/{payment_id}")).words


def test_each_state_of_a_debt_has_its_words_and_one_that_was_lifted_none():
    debt = Debt("debt-1", "payment-1", 1, "INV1", Why.UNDELIVERED, 0.0, 0.0)
    said = {state: refund_words([replace(debt, state=state)]) for state in DebtState}
    assert said.pop(DebtState.LIFTED) == []
    assert all(key in LANGUAGES["en"].texts for (key,) in said.values())
    assert refund_words([debt, debt]) == ["refund.due"]
