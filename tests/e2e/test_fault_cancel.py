"""A handler is cancelled at its first await, its second, …: no transaction stays open, and nobody is asked for money twice.

The daemon cancels handlers when it stops and when a page is left; SQLite's own tests fail on the n-th call in the same way (facts,
reliability A2 and A6).
"""

import asyncio
import itertools
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.access import GrantState
from gateway.web import app
from gateway.web.services import Services
from tests.e2e.portal import PortalWorld

CLOSED = 499
"""Nobody waits for the answer any more."""


class Cutter:
    """Cancels the handlers of one path at the await that it is told."""

    def __init__(self) -> None:
        self.path = ""
        self.at = 0
        self.cuts = 0

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Outermost: everything that answers a request is inside."""
        if not self.path or self.path not in request.path:
            return await handler(request)
        try:
            return await self._cut(handler(request))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
            self.cuts += 1
            return web.Response(status=CLOSED)

    @types.coroutine
    def _cut(self, work: Awaitable[web.StreamResponse]) -> Generator[Any, None, web.StreamResponse]:
        steps = work.__await__()
        fault: BaseException | None = None
        for number in itertools.count(1):
            try:
                waits_for = steps.send(None) if fault is None else steps.throw(fault)
            except StopIteration as end:
                answer: web.StreamResponse = end.value
                return answer
            if number == self.at:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                fault = None
                yield waits_for
            except BaseException as raised:  # noqa: BLE001 - handed on
                fault = raised
        raise AssertionError


@pytest.fixture
def cutter(monkeypatch: pytest.MonkeyPatch) -> Cutter:
    cutter, build = Cutter(), app.build

    def build_with_cutter(services: Services) -> web.Application:
        application = build(services)
        application.middlewares.insert(0, cutter.middleware)
        return application

    monkeypatch.setattr(app, "build", build_with_cutter)
    return cutter


@pytest.fixture
async def site(tmp_path: Path, cutter: Cutter) -> AsyncIterator[PortalWorld]:
    async with PortalWorld(tmp_path, webhooks=True) as world:
        await world.start()
        yield world


async def cut_everywhere(site: PortalWorld, cutter: Cutter, path: str, deed: Callable[[], Awaitable[None]]) -> int:
    """Do it again and again, the handlers of that path cancelled one await later each time, until none is; how many awaits."""
    for number in itertools.count(1):
        cutter.path, cutter.at, cutter.cuts = path, number, 0
        await deed()
        cutter.path = ""
        await site.quiet()
        assert not await site.running.db._writer.run(lambda connection: connection.in_transaction)
        assert not await site.running.db._reader.run(lambda connection: connection.in_transaction)
        if not cutter.cuts:
            return number - 1
    raise AssertionError


async def press(site: PortalWorld) -> int:
    """Press Pay, without waiting for more than the status."""
    body = {"router_id": 1, "package_id": 1, "phone_number": "0712345678", "amount": "5", "mac_address": site.amina.mac}
    headers = {"X-Public-Key": "c1eb9fed9dabc57f61d56c26ef3870ae"}
    async with site.http.post(f"{site.url}/payments/intasend/initiate/", json=body, headers=headers) as response:
        return response.status


async def test_pay_cancelled_anywhere_leaves_one_push_and_one_payment(site: PortalWorld, cutter: Cutter):
    sold = 0

    async def buy() -> None:
        nonlocal sold
        await press(site)
        cutter.path = ""
        assert await press(site) in {200, 201}
        sold += 1
        await site.pass_time_until(lambda: site.amina.prompt, within_s=5)
        assert len(site.intasend.pushes) == sold
        site.amina.enter_pin()
        await site.pass_time(10)  # also where she is online already, until this one is paid, too
        assert site.amina.online

    assert await cut_everywhere(site, cutter, "/initiate/", buy) > 0


async def test_a_webhook_cancelled_anywhere_loses_no_money(site: PortalWorld, cutter: Cutter):
    async def buy() -> None:
        await site.buy(site.amina, package_id=1, amount="5")
        await site.pass_time_until(lambda: not site.amina.online, within_s=121, step_s=10)

    assert await cut_everywhere(site, cutter, "/webhook/", buy) > 0


async def test_a_question_cancelled_anywhere_is_answered_when_it_is_asked_again(site: PortalWorld, cutter: Cutter):
    payment_id = await site.ask(site.amina)

    async def look() -> None:
        async with site.http.post(
            f"{site.url}/payments/intasend/{payment_id}/check-status/", headers={"X-Public-Key": "c1eb9fed9dabc57f61d56c26ef3870ae"}
        ):
            await site.pass_time(3)

    assert await cut_everywhere(site, cutter, "/check-status/", look) > 1
    site.amina.enter_pin()
    await site.pass_time_until(lambda: site.amina.online, within_s=15)
    assert (await site.check(payment_id))[1]["status"] == "completed"


@pytest.mark.parametrize("path", ["/portal/buy", "/portal/status", "/portal/claim"])
async def test_a_page_cancelled_anywhere_leaves_nothing_open(site: PortalWorld, cutter: Cutter, path: str):
    browser = site.browser(site.amina)
    await browser.open("/portal/")
    form = browser.page.read.forms[0]

    async def send() -> None:
        await browser._ask(
            "POST" if path != "/portal/status" else "GET", path, {}, form.fields | {"phone": "0712345678", "code": "X"}
        )

    assert await cut_everywhere(site, cutter, path, send) > 0
    assert len(site.intasend.pushes) == (path == "/portal/buy")


async def test_a_link_cancelled_anywhere_is_made_once(site: PortalWorld, cutter: Cutter):
    made = 0

    async def make() -> None:
        nonlocal made
        body = {"router_id": 1, "package_id": 1, "phone_number": "0712345678", "amount": "5"}
        headers = {"X-Public-Key": "c1eb9fed9dabc57f61d56c26ef3870ae", "Idempotency-Key": f"link {made}"}
        for _ in range(2):  # the first is cut off, and asked for again
            async with site.http.post(f"{site.url}/payments/intasend/create-link/", json=body, headers=headers) as response:
                status = response.status
            cutter.path = ""
            await site.pass_time(3)
        made += 1
        assert (status, len(site.intasend.links)) == (201, made)

    assert await cut_everywhere(site, cutter, "/create-link/", make) > 0


@pytest.mark.parametrize(("verb", "body"), [("revoke", None), ("extend", {"duration": "30m"})])
async def test_an_owners_change_cancelled_anywhere_is_whole_or_nothing(
    site: PortalWorld, cutter: Cutter, verb: str, body: dict[str, str] | None
):
    owner = await site.login()

    async def change() -> None:
        grant = await site.grant(await site.buy(site.otieno, package_id=1, amount="5"))
        assert grant is not None
        async with site.http.post(f"{site.url}/grants/{grant.id}/{verb}/", json=body, headers=owner):
            pass
        cutter.path = ""
        await site.pass_time(35)  # the comparison
        after = await site.grant(grant.payment_id)
        assert after is not None
        assert site.otieno.online is (after.state is GrantState.ACTIVE)
        if after.state is GrantState.ACTIVE:
            await site.running.gate(1).revoke(after)

    assert await cut_everywhere(site, cutter, f"/{verb}/", change) > 0
