"""A phone in somebody's hand: its browser, one page on the screen, and what a thumb does there.

The page's own timers run in real time, the daemon's clock moves when the world's does: a walk lets time pass and then expects the
page to show it. Waiting is always for something on the page.
"""

import re
from typing import Any, Self

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, ProxySettings, Request, expect

from gateway.simulators.phones import SimulatedPhone
from gateway.web.words import LANGUAGES
from tests.e2e.world import World

SCREEN_PX = (360, 740)
"""The commonest Android phones."""

SOMEWHERE = "http://example.com/news?page=2&of=5"
"""A page that somebody wants to see who has just joined the WiFi."""
PAYMENT = r"/portal/payments/[0-9a-f-]+"

OURS = {"document", "eventsource", "xhr"}
"""What pages may ask for: everything that they show is in the document."""

PATIENCE_MS = 10_000
"""For what takes a tenth of a second: a build machine may be busy."""

expect.set_options(timeout=PATIENCE_MS)


class Handset:
    """The browser of one simulated phone. What it meets goes through the phone's connection, as everything on the air does.

    It notes what no page of ours may do: break the content policy, fail in a script, ask for a second resource.
    """

    def __init__(
        self,
        browser: Browser,
        world: World,
        phone: SimulatedPhone,
        *,
        javascript: bool = True,
        language: str = "en-KE",
        screen_px: tuple[int, int] = SCREEN_PX,
    ) -> None:
        self.world = world
        self.phone = phone
        self.words = LANGUAGES[language.partition("-")[0]]
        self.page: Page
        self.requests: list[Request] = []
        self.faults: list[str] = []
        self.answered: list[Request] = []
        """Those of the portal that are done with."""
        self._browser = browser
        self._context: BrowserContext
        width_px, height_px = screen_px
        self._manner: dict[str, Any] = {
            "java_script_enabled": javascript,
            "locale": language,
            "viewport": {"width": width_px, "height": height_px},
            "has_touch": True,
            "is_mobile": True,
            "reduced_motion": "reduce",
        }

    async def __aenter__(self) -> Self:
        connection = await self.world.browse(self.phone)
        await self._begin(ProxySettings(server=connection.origin, bypass="<-loopback>"))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self._context.close()
        assert kind or not self.faults, self.faults

    async def leave_wifi(self) -> None:
        """Go on over another network: whatever is asked for from now on does not come over the hotspot."""
        await self._context.close()
        await self._begin(None)

    async def _begin(self, proxy: ProxySettings | None) -> None:
        self._context = await self._browser.new_context(**self._manner, proxy=proxy)
        self._context.set_default_timeout(PATIENCE_MS)
        self._context.on("request", self._note)
        self._context.on("requestfinished", self._weigh)
        self._context.on("console", self._listen)
        self._context.on("weberror", lambda failure: self.faults.append(str(failure.error)))
        await self.open_window()

    def _note(self, request: Request) -> None:
        self.requests.append(request)
        if request.resource_type not in OURS:
            self.faults.append(f"a page of ours asked for {request.url}, a {request.resource_type}")

    def _weigh(self, request: Request) -> None:
        if request.url.startswith((self.portal, self.world.url)):
            self.answered.append(request)

    def _listen(self, message: ConsoleMessage) -> None:
        """Chromium complains of an answer that is an error, too; that is what such an answer is for."""
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.faults.append(message.text)

    @property
    def portal(self) -> str:
        """What phones call the gateway."""
        return self.world.public_url

    # ── the window ──

    async def open_window(self) -> None:
        """A window of the captive assistant: nothing of an earlier one is left in it."""
        self.page = await self._context.new_page()

    async def close_window(self) -> None:
        """The customer closes it, or the assistant does."""
        await self.page.close()
        await self._context.clear_cookies()

    async def open(self, url: str) -> None:
        """Ask for a page by its address; whatever stands in between decides what appears."""
        await self.page.goto(url)

    # ── what can be read ──

    @property
    def heading(self) -> Locator:
        return self.page.locator("h1")

    async def reads(self, key: str) -> None:
        """Wait until the page says this, as the file of the phone's language words it; `shop.pay` is a key of those files."""
        await expect(self.page.get_by_text(self._wording(key)).filter(visible=True).first).to_be_visible()

    def _wording(self, key: str) -> re.Pattern[str]:
        """Where the wording has facts in it, what stands between them counts."""
        return re.compile(".*".join(map(re.escape, re.split(r"\{\w+\}", self.words.texts[key]))))

    async def is_at(self, path: str) -> None:
        """Wait until the page is the one of that path, whatever its query."""
        await expect(self.page).to_have_url(re.compile(rf"^http://[^/]+{path}(\?|$)"))

    async def width_px(self) -> int:
        """How wide the page is, with what one would have to scroll to."""
        width_px: int = await self.page.evaluate("document.documentElement.scrollWidth")
        return width_px

    async def heaviest_bytes(self) -> int:
        """What the heaviest answer of the portal weighed on the wire, headers included."""
        weights = [await request.sizes() for request in self.answered]
        return max(weight["responseHeadersSize"] + weight["responseBodySize"] for weight in weights)

    # ── what a thumb does ──

    async def tap(self, key: str) -> None:
        """Tap the button or link that says this, and wait for the page that it leads to: each is a full navigation."""
        name = self._wording(key)
        async with self.page.expect_navigation():
            await self.page.get_by_role("button", name=name).or_(self.page.get_by_role("link", name=name)).first.tap()

    async def switch_to(self, language: str) -> None:
        """Tap that language; from here on the page is expected in it."""
        self.words = LANGUAGES[language]
        async with self.page.expect_navigation():
            await self.page.get_by_role("link", name=self.words.name).tap()

    async def fill(self, key: str, value: str) -> None:
        """Fill in the field of that label."""
        await self.page.get_by_label(self.words.say(key), exact=True).fill(value)

    # ── what a customer does ──

    async def press_pay(self, package: str = "1 hour", number: str | None = None) -> None:
        """On the shop's page: choose, give the number, press Pay."""
        await self.page.get_by_role("radio", name=package).check()
        await self.fill("shop.phone", number or f"0{self.phone.number[3:]}")
        await self.tap("shop.pay")

    async def ask_for(self, package: str = "1 hour", wanted: str = SOMEWHERE) -> str:
        """From any page as far as the prompt on the phone; the payment's id."""
        await self.open(wanted)
        await self.press_pay(package)
        await self.is_at(PAYMENT)
        await self.world.pass_time_until(lambda: self.phone.prompt, within_s=5)
        return self.page.url.partition("?")[0].rpartition("/")[2]

    async def get_online(self, package: str = "1 hour", wanted: str = SOMEWHERE) -> str:
        """The whole way, until the page says so; the payment's id."""
        payment_id = await self.ask_for(package, wanted)
        self.phone.enter_pin()
        await self.world.pass_time_until(lambda: self.phone.online, within_s=15)
        await self.is_at("/portal/status")
        return payment_id
