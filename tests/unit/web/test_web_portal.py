"""What every page of the portal has in common: headers, languages, what is carried on, what strangers may not do, failures."""

import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from gateway.web import portal_status
from tests.e2e.portal import Browser, Page, PortalWorld
from tests.unit.web.requests import sender

HOSTILE = [
    "</script><script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "\\u003cscript\\u003e",
    "{{ 7*7 }}",
    "${alert(1)}",
    "\u2028\n\r\x00",
    "A" * 3_000,
]
PAGES = ["/", "/portal/", "/portal/status", "/portal/claim", "/portal/payments/nothing", "/payment/success/nothing", "/?router=77"]
POSTS = ["/portal/buy", "/portal/log-out", "/portal/log-in", "/portal/claim"]


def query(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def owned(**changes: Any) -> Callable[[dict[str, Any]], None]:
    """An edit of the configuration: the owner says these things, too."""

    def edit(site: dict[str, Any]) -> None:
        site["owners"][0].update(changes)

    return edit


# ------------------------------------------------------------------------------------------------------------------------ the frame


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_asks_nobody_for_anything_and_is_not_kept(amina: Browser, path: str):
    page = await amina.open(path)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    policy = page.headers["Content-Security-Policy"]
    nonces = {said["nonce"] for tag in ("style", "script") for said in page.marks(tag)}
    assert len(nonces) == 1
    assert {f"style-src 'nonce-{nonce}'" for nonce in nonces} <= set(policy.split("; "))
    assert set(policy.split("; ")) >= {"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"}
    assert "unsafe" not in policy
    loaded = [said for tag, said in page.read.marks if {"src", "srcset", "style", "onclick"} & said.keys()]
    assert loaded == []
    assert [said["href"] for said in page.marks("link")] == ["data:,"]


async def test_no_two_pages_have_the_same_nonce(amina: Browser):
    first, second = [(await amina.open("/")).headers["Content-Security-Policy"] for _ in range(2)]
    assert first != second


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["en", "sw"])
async def test_every_page_has_one_heading_a_title_a_language_and_landmarks(amina: Browser, path: str, language: str):
    page = await amina.open(f"{path}{'&' if '?' in path else '?'}lang={language}")
    assert page.marks("html") == [{"lang": language}]
    assert [len(page.marks(tag)) for tag in ("h1", "title", "main", "header", "footer", "nav")] == [1] * 6
    assert page.read.texts["title"] == [f"{page.heading} - Njeri WiFi"]
    assert page.marks("meta")[1]["content"] == "width=device-width, initial-scale=1"  # zooming stays allowed
    labelled = {said["for"] for said in page.marks("label") if "for" in said}
    assert {said["id"] for said in page.marks("input") if said.get("type") in {"tel", "text"}} == labelled


async def test_the_owner_gives_the_portal_its_face(site: PortalWorld, amina: Browser):
    (site.folder / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9"/></svg>')
    look = {"colour": "#7a1f1f", "logo": str(site.folder / "logo.svg"), "support_phone": "0712 000 111"}
    site.edits.append(owned(portal=look, name="<b>Njeri & Sons</b>"))
    await site.reload()
    page = await amina.open("/")
    assert "background: #7a1f1f" in page.text
    assert "&lt;b&gt;Njeri &amp; Sons&lt;/b&gt;" in page.text
    assert page.marks("img")[0]["src"].startswith("data:image/svg+xml,")
    assert page.marks("img")[0]["alt"] == ""
    assert page.read.links["0712 000 111"] == "tel:0712000111"


# ------------------------------------------------------------------------------------------------------- languages, what is carried


async def test_the_browsers_language_is_spoken_and_can_be_switched_on_every_page(site: PortalWorld):
    browser = site.browser(site.amina, "sw-KE,sw;q=0.9,en;q=0.5")
    assert (await browser.open("/")).heading == "Nunua WiFi"
    page = await browser.follow("English")
    assert (page.heading, page.path) == ("Buy WiFi", "/")
    page = await browser.follow("I have paid, but I am not online")
    assert page.heading == "I have paid already"
    page = await browser.follow("Kiswahili")
    assert (page.heading, page.path) == ("Nimelipa tayari", "/portal/claim")


async def test_the_chosen_language_goes_along_with_forms_and_redirects(site: PortalWorld, amina: Browser):
    await amina.open("/?lang=sw")
    page = await amina.send(phone="0712345678")
    assert (page.heading, query(page.url)["lang"]) == ("Weka PIN yako ya M-Pesa", "sw")


async def test_a_switch_after_a_form_leads_to_the_shop(amina: Browser):
    await amina.open("/")
    await amina.send(phone="07")
    page = await amina.follow("Kiswahili")
    assert (page.path, page.heading, page.status) == ("/portal/", "Nunua WiFi", 200)


async def test_what_a_visitor_names_is_carried_only_where_no_router_knows_better(amina: Browser, desk: Browser):
    named = {"router": "1", "mac": "AA:BB:CC:DD:EE:FF", "ip": "192.168.1.100"}
    wanted = {"orig": "http://example.com/a?b=1&c=ü", "lang": "en"}
    for browser, carried in ((amina, wanted), (desk, named | wanted)):
        page = await browser.open("/?" + urlencode(named | wanted | {"server": "hotspot1", "login": "http://10.5.50.1/login"}))
        fields = {name: value for name, value in page.read.forms[0].fields.items() if not name.startswith("price")}
        assert fields == carried | {"package": "1", "phone": ""}
        assert query(page.read.links["I have paid, but I am not online"]) == carried


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", ["mac", "ip", "orig", "lang", "error", "again", "new"])
async def test_nothing_in_the_address_breaks_out_of_a_page(desk: Browser, name: str, text: str):
    page = await desk.open("/?" + urlencode({name: text}))
    assert page.status == 200
    assert name not in page.read.forms[0].fields  # nothing of it can be read, so nothing of it is carried on
    assert (len(page.marks("script")), page.marks("img")) == (1, [])
    assert "49" not in page.words


@pytest.mark.parametrize("text", HOSTILE)
async def test_nothing_in_a_form_breaks_out_of_a_page(amina: Browser, text: str):
    await amina.open("/")
    page = await amina.send(phone=text, package=text, orig=text, lang=text)
    assert page.status == 400
    assert (len(page.marks("script")), page.marks("img")) == (1, [])


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example/",
        "http:///x",
        "http://a@b.example/",
        "ftp://a/",
        "http://[",
        "http://a/" + "x" * 1_000,
    ],
)
async def test_a_wanted_page_that_nobody_should_be_led_to_is_forgotten(desk: Browser, address: str):
    page = await desk.open("/?" + urlencode({"orig": address}))
    assert page.status == 200
    assert "orig" not in page.read.forms[0].fields


# -------------------------------------------------------------------------------------------------------- what strangers may not do


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "sent",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://[is-this-an-address"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=lambda sent: " ".join(sent.values()),
)
async def test_a_form_of_somebody_elses_page_is_refused(site: PortalWorld, amina: Browser, path: str, sent: dict[str, str]):
    await site.buy(site.amina)
    amina.headers |= sent
    page = await amina._ask("POST", path, {}, {"package": "2", "price-2": "50.00", "phone": "0712345678"})
    assert page.status == 403
    assert "This came from another page" in page.words
    assert site.amina.online
    assert len(await site.payments()) == 1


async def test_our_own_forms_come_through(site: PortalWorld, amina: Browser):
    amina.headers |= {"Origin": site.url, "Sec-Fetch-Site": "same-origin"}
    assert (await amina.pay()).status == 200


async def test_the_forms_send_their_origin(amina: Browser):
    """With `no-referrer` a browser sends `Origin: null` with our own forms (Fetch standard, "append a request Origin header")."""
    assert (await amina.open("/")).headers["Referrer-Policy"] == "same-origin"


# ------------------------------------------------------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize("router", ["77", "0", "-1", "x", "1.0", "9" * 5_000, "1 OR 1=1", "\u0661"])
async def test_a_router_that_is_not_there_is_a_page_that_leads_back(desk: Browser, router: str):
    page = await desk.open("/?" + urlencode({"router": router, "lang": "sw"}))
    assert (page.status, page.heading) == (404, "Haikufaulu")
    page = await desk.follow("Rudi kwenye ukurasa wa WiFi")
    assert (page.status, page.heading) == (200, "Nunua WiFi")


@pytest.mark.parametrize("path", ["/", "/portal/status", "/portal/claim"])
async def test_an_address_that_was_made_for_another_device_is_refused_and_leads_on(amina: Browser, path: str):
    page = await amina.open(f"{path}?router=1&mac=02:00:00:00:00:99&ip=192.168.1.100&orig=http://example.com/")
    assert page.status == 403
    assert "made for another device" in page.words
    page = await amina.follow("Back to the WiFi page")
    assert (page.status, page.url) == (200, "/portal/?orig=http://example.com/")


async def test_a_form_that_is_none_is_refused(site: PortalWorld):
    send = sender(site)
    answer = await send("POST", "/portal/buy", b"\xff\xfe", Content_Type="application/x-www-form-urlencoded")
    assert (answer.status, "Please check" in answer.text) == (400, True)
    many = "&".join(f"price-{number}=1" for number in range(2_000)).encode()
    assert (await send("POST", "/portal/buy", many)).status == 400
    huge = await send("POST", "/portal/buy", b"phone=" + b"1" * 70_000)
    assert (huge.status, huge.headers["Content-Type"]) == (413, "text/html; charset=utf-8")


async def test_a_failure_that_nobody_expected_is_a_page_with_an_id_that_stands_in_the_log(
    site: PortalWorld, amina: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(portal_status, "_terms", lambda *_: 1 / 0)
    await site.buy(site.amina)
    page = await amina.open("/portal/status")
    assert page.status == 500
    (error_id,) = re.findall(r"Quote ([0-9a-f]{16}) when you call us", page.words)
    assert error_id in {getattr(record, "error_id", None) for record in caplog.records}
    assert "ZeroDivisionError" not in page.text


async def test_what_the_owner_wrote_is_shown_as_text(site: PortalWorld, amina: Browser):
    def rename(document: dict[str, Any]) -> None:
        document["owners"][0]["routers"][0]["packages"][0] |= {"name": "<i>1</i>", "description": "</label><script>"}

    site.edits.append(rename)
    await site.reload()
    page = await amina.open("/")
    assert html.escape("<i>1</i>") in page.text
    assert len(page.marks("script")) == 1


# ------------------------------------------------------------------------------------------------------------------------- the size


def crowded(document: dict[str, Any]) -> None:
    """Eight packages that say everything they can, a logo of the largest size, a support phone."""
    router = document["owners"][0]["routers"][0]
    router["packages"] = [
        {
            "id": number,
            "name": f"{number} days, fast, for the whole family",
            "price": str(number * 50),
            "duration": f"{number}d",
            "download_mbps": number,
            "data_limit_mb": number * 1_000,
            "devices": 3,
            "description": f"Enough for {number} films, the news and all that your friends send",
        }
        for number in range(1, 9)
    ]
    document["owners"][0]["portal"] = {"logo": "logo.png", "support_phone": "0712 000 111"}


FIRST_FLIGHT_BYTES = 14 * 1_024
"""Ten segments, the initial window of a connection (RFC 6928; facts, platform D5)."""


@pytest.mark.parametrize("language", ["en", "sw"])
async def test_every_page_fits_into_the_first_flight_of_a_connection(site: PortalWorld, language: str):
    noise = bytes(number * number % 251 for number in range(4_096 - 16))  # does not compress, as a picture does not
    (site.folder / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + noise)
    site.edits.append(crowded)
    await site.reload()
    browser = site.browser(site.amina, language)
    pages: list[Page] = [await browser.open("/?orig=http://example.com/" + "x" * 900), await browser.send(phone="0712345678")]
    await site.pass_time_until(lambda: site.amina.prompt, within_s=5)
    site.amina.cancel()
    pages += [await browser.refresh_until(lambda page: "waiting" not in page.text and page.heading != pages[1].heading)]
    await site.pass_time(61)
    await site.buy(site.amina, 1, "50")
    pages += [await browser.open(path) for path in ("/", "/portal/status?paid=1&orig=http://example.com/", "/portal/claim")]
    pages += [await browser.open(path) for path in ("/?router=77", "/portal/payments/nothing")]
    sizes = {page.path: int(page.headers["Content-Length"]) for page in pages}
    assert max(sizes.values()) + 800 <= FIRST_FLIGHT_BYTES, sizes  # what stands before a page in the answer
    assert all(page.headers["Content-Encoding"] in {"gzip", "deflate"} for page in pages)


async def test_who_takes_nothing_compressed_gets_it_plain(amina: Browser):
    page = await amina.open("/", **{"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in page.headers
    assert len(page.text.encode()) < FIRST_FLIGHT_BYTES
