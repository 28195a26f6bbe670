"""A phone's browser without scripts: opens the portal's pages, reads them, fills in their forms, goes where they lead."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest

from gateway.simulators.phones import SimulatedPhone
from tests.e2e.world import World

_VOID = {"meta", "link", "input", "img", "br"}


@dataclass
class Form:
    """A form as it would be sent."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    """Of radio buttons the one that is chosen."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.texts: dict[str, list[str]] = {}
        self.marks: list[tuple[str, dict[str, str]]] = []
        self._open: list[str] = []
        self._link: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.marks.append((tag, said))
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "form":
            self.forms.append(Form(said["action"], said.get("method", "get")))
        elif tag == "input" and (said.get("type") != "radio" or "checked" in said):
            self.forms[-1].fields[said["name"]] = said.get("value", "")
        elif tag == "a":
            self._link = said["href"]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes something else"
        if tag == "a":
            self._link = None

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text and self._open:
            self.texts.setdefault(self._open[-1], []).append(text)
        if text and self._link:
            self.links[text] = self._link


@dataclass(frozen=True)
class Page:
    """What came back."""

    status: int
    url: str
    """Path and query, without the host."""
    headers: Any
    text: str
    read: _Reader

    @property
    def heading(self) -> str:
        (heading,) = self.read.texts["h1"]
        return heading

    @property
    def words(self) -> str:
        """Everything that can be read, without styles and scripts."""
        return " ".join(text for tag, texts in self.read.texts.items() if tag not in {"style", "script"} for text in texts)

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    def marks(self, tag: str) -> list[dict[str, str]]:
        return [said for name, said in self.read.marks if name == tag]


class Browser:
    """One phone's, or with no phone one at a desk."""

    def __init__(self, world: World, phone: SimulatedPhone | None, language: str = "en") -> None:
        self.world = world
        self.phone = phone
        self.headers = {"Accept-Language": language}
        self.page: Page

    async def open(self, path: str = "/", **headers: str) -> Page:
        """Type an address."""
        return await self._ask("GET", path, headers)

    async def follow(self, text: str) -> Page:
        """Tap a link."""
        return await self.open(self.page.read.links[text])

    async def send(self, number: int = 0, /, **changes: str) -> Page:
        """Fill in a form and send it."""
        form = self.page.read.forms[number]
        return await self._ask("POST", form.action, {}, form.fields | changes)

    async def pay(self, package_id: int = 2, phone: str | None = None) -> Page:
        """Open the portal, choose, press Pay."""
        await self.open("/")
        assert self.phone is not None or phone is not None
        number = phone or ("0" + self.phone.number[3:] if self.phone else "")
        return await self.send(package=str(package_id), phone=number)

    async def refresh_until(self, condition: Callable[[Page], object], within_s: float = 20) -> Page:
        """Let time pass and look again, as the page without scripts does by itself."""
        for _ in range(int(within_s)):
            if condition(self.page):
                return self.page
            await self.world.pass_time(1)
            await self.open(self.page.url)
        raise AssertionError(f"never came true; the page says: {self.page.words}")

    async def _ask(self, method: str, path: str, headers: dict[str, str], form: dict[str, str] | None = None) -> Page:
        sent = self.headers | headers
        if self.phone is not None:
            sent["X-Forwarded-For"] = self.phone.ip
        async with self.world.http.request(method, self.world.url + path, data=form, headers=sent) as response:
            text = await response.text()
            reader = _Reader()
            if response.content_type == "text/html":
                reader.feed(text)
            where = str(response.url.relative())
            self.page = Page(response.status, where, response.headers, text, reader)
        return self.page


def on_the_air(site: dict[str, Any]) -> None:
    """An edit of the configuration: who speaks for a phone by `X-Forwarded-For` is believed."""
    site["server"]["trusted_proxies"] = ["127.0.0.1/32"]


class PortalWorld(World):
    """A world whose phones have browsers."""

    async def __aenter__(self) -> Self:
        self.edits.append(on_the_air)
        return await super().__aenter__()

    def browser(self, phone: SimulatedPhone | None = None, language: str = "en") -> Browser:
        return Browser(self, phone, language)


def refresh_of(page: Page) -> str | None:
    """Where a page without scripts goes by itself, and when."""
    found = [said["content"] for said in page.marks("meta") if said.get("http-equiv") == "refresh"]
    return found[0] if found else None


def script_of(page: Page) -> str:
    """The page's script, one line."""
    return " ".join(re.findall(r"<script[^>]*>(.*?)</script>", page.text, re.DOTALL))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[PortalWorld]:
    """A site whose daemon is running, and whose phones have browsers."""
    async with PortalWorld(tmp_path) as world:
        await world.start()
        yield world


@pytest.fixture
def amina(site: PortalWorld) -> Browser:
    return site.browser(site.amina)


@pytest.fixture
def otieno(site: PortalWorld) -> Browser:
    return site.browser(site.otieno)


@pytest.fixture
def desk(site: PortalWorld) -> Browser:
    """A browser that no router knows."""
    return site.browser()
