"""The seven files of the router's hotspot folder: what they carry over, and that nothing a phone says becomes markup."""

import re
from html.parser import HTMLParser

import pytest

from gateway.hotspot.pages import hotspot_pages

PORTAL = "http://10.5.50.2:8080"
PAGES = hotspot_pages(PORTAL, 7)
PHONE = "mac=$(mac-esc)&ip=$(ip-esc)"
SHOP = f"{PORTAL}/?router=7&{PHONE}&server=$(server-name-esc)&login=$(link-login-only-esc)&orig=$(link-orig-esc)&error=$(error-esc)"
STATUS = f"{PORTAL}/portal/status?router=7&{PHONE}"


class Page(HTMLParser):
    """What a browser would take from a page: where it is led, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.refreshes: list[str] = []
        self.loaded: list[str] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self._in_script = tag == "script"
        self.loaded += [named[name] for name in ("src", "srcset", "data", "background") if name in named]
        if tag == "a":
            self.links.append(named["href"])
        if tag == "link":
            self.loaded.append(named.get("href", ""))
        if named.get("http-equiv") == "refresh":
            self.refreshes.append(named["content"].partition("url=")[2])

    def handle_endtag(self, tag: str) -> None:
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)


def test_there_is_every_file_that_the_router_serves_to_phones():
    assert set(PAGES) == {"login.html", "rlogin.html", "redirect.html", "alogin.html", "status.html", "logout.html", "error.html"}


@pytest.mark.parametrize("name", ["login.html", "rlogin.html", "logout.html", "error.html"])
def test_a_phone_that_is_not_online_is_led_to_the_shop_with_all_that_the_router_knows(name: str):
    page = Page(PAGES[name])
    assert (page.links, page.refreshes) == ([SHOP], [SHOP])


@pytest.mark.parametrize("name", ["alogin.html", "status.html"])
def test_a_phone_that_is_online_is_led_to_its_time(name: str):
    page = Page(PAGES[name])
    assert (page.links, page.refreshes) == ([STATUS], [STATUS])


def test_the_fallback_page_leads_each_phone_to_where_it_belongs():
    online, _, offline = PAGES["redirect.html"].partition("$(else)")
    assert (Page(online).links, Page(offline).links) == ([STATUS], [SHOP])
    assert (online.partition("<")[0], offline.rpartition(">")[2].strip()) == ("$(if logged-in == 'yes')", "$(endif)")


def test_a_program_that_reads_no_page_gets_a_real_redirect():
    assert PAGES["rlogin.html"].startswith(
        f'$(if http-status == 302)To the WiFi page$(endif)$(if http-header == "Location"){SHOP}$(endif)<!doctype html>'
    )


@pytest.mark.parametrize(("name", "text"), PAGES.items())
def test_every_value_of_the_router_is_escaped_and_stands_in_an_address(name: str, text: str):
    variables = re.findall(r"\$\(([a-z-]+)\)", text)
    assert variables
    assert [variable for variable in variables if not (variable.endswith("-esc") or variable in {"endif", "else"})] == []
    assert not any("$(" in script for script in Page(text).scripts)


@pytest.mark.parametrize(("name", "text"), PAGES.items())
def test_a_page_loads_nothing_and_is_small(name: str, text: str):
    assert Page(text).loaded == []
    assert len(Page(text).scripts) >= 1
    # The longest twice: for who is online and for who is not. Small flash, and one packet or two.
    assert len(text.encode()) < (3_000 if name == "redirect.html" else 1_500)
    assert text.isascii()


def test_who_is_to_be_called_stands_on_the_page_and_cannot_break_it():
    page = hotspot_pages(PORTAL, 1, '<0712 "345" 678>')["login.html"]
    assert "Call &lt;0712 &quot;345&quot; 678&gt;." in page
    assert "Piga simu &lt;0712 &quot;345&quot; 678&gt;." in page
    assert "Please tell the person who runs this WiFi." in PAGES["login.html"]


def test_a_strange_portal_address_stays_an_address():
    page = Page(hotspot_pages('http://x/"><b>', 1)["status.html"])
    assert page.links == [f'http://x/"><b>/portal/status?router=1&{PHONE}']
