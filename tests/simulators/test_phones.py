"""Simulated phones: what a customer does, and the page on which a person does it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
from aiohttp import ClientSession, web

from gateway.simulators.intasend import Order, SimulatedIntaSend
from gateway.simulators.phones import BYTES_DOWN_PER_S, BYTES_UP_PER_S, SimulatedPhone, phone_routes, phones_app
from tests.fakeclock import FakeClock

NUMBER = "254712345678"
MAC = "AA:BB:CC:DD:EE:01"


class AirSide:
    """A router that notes what its devices do, and lets through whom the test says."""

    def __init__(self) -> None:
        self.joined: dict[str, str] = {}
        self.carried: list[tuple[str, int, int]] = []
        self.let_through: set[str] = set()

    def join(self, mac: str, ip: str) -> None:
        self.joined[mac] = ip

    def leave(self, mac: str) -> None:
        del self.joined[mac]

    def traffic(self, mac: str, bytes_in: int = 0, bytes_out: int = 0) -> bool:
        self.carried.append((mac, bytes_in, bytes_out))
        return self.passes(mac)

    def passes(self, mac: str) -> bool:
        return mac in self.let_through


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def air() -> AirSide:
    return AirSide()


@pytest.fixture
async def sim(clock: FakeClock) -> AsyncIterator[SimulatedIntaSend]:
    simulator = SimulatedIntaSend(clock)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def phone(air: AirSide, sim: SimulatedIntaSend, clock: FakeClock) -> SimulatedPhone:
    return SimulatedPhone("amina", MAC, "10.5.50.10", NUMBER, air, sim, clock)


@pytest.fixture
async def http(sim: SimulatedIntaSend, phone: SimulatedPhone) -> AsyncIterator[ClientSession]:
    """The phone's pages, mounted into the simulated IntaSend's own server."""
    await sim.stop()
    sim.mount(phone_routes([phone]))
    await sim.start(port=sim.port)
    async with ClientSession(base_url=f"{sim.origin}/") as session:
        yield session


def _prompted(sim: SimulatedIntaSend, clock: FakeClock, narrative: str = "WiFi 1 hour") -> str:
    invoice = sim.accept_push(Order(NUMBER, Decimal(50), "HG-1", narrative), "127.0.0.1")
    clock.advance(2)
    return invoice.invoice_id


async def test_a_phone_is_online_when_it_has_joined_and_is_let_through(phone, air):
    air.let_through.add(MAC)
    assert not phone.online
    phone.join()
    assert phone.online
    assert air.joined == {MAC: "10.5.50.10"}
    air.let_through.clear()
    assert not phone.online


async def test_a_phone_that_has_left_is_neither_on_the_network_nor_online(phone, air):
    phone.join()
    air.let_through.add(MAC)
    phone.leave()
    assert (air.joined, phone.online) == ({}, False)


async def test_a_joined_phone_sends_traffic_every_second(phone, air, clock):
    phone.join()
    living = asyncio.ensure_future(phone.run())
    for _ in range(3):
        await asyncio.sleep(0)
        clock.advance(1)
    await asyncio.sleep(0)
    living.cancel()
    assert air.carried[:3] == [(MAC, BYTES_UP_PER_S, BYTES_DOWN_PER_S)] * 3


async def test_a_phone_that_is_away_sends_nothing(phone, air):
    phone.tick()
    assert air.carried == []


async def test_the_prompt_is_the_one_for_its_own_number(phone, sim, clock):
    sim.accept_push(Order("254712345679", Decimal(20), "HG-2"), "127.0.0.1")
    invoice_id = _prompted(sim, clock)
    assert phone.prompt is not None
    assert phone.prompt.invoice_id == invoice_id


@pytest.mark.parametrize(
    ("act", "ending"),
    [
        (SimulatedPhone.enter_pin, ("COMPLETE", None)),
        (SimulatedPhone.wrong_pin, ("FAILED", "2001")),
        (SimulatedPhone.cancel, ("FAILED", "1032")),
    ],
)
async def test_an_answer_decides_the_payment(phone, sim, clock, act, ending):
    invoice_id = _prompted(sim, clock)
    assert act(phone)
    change = sim.change(sim.invoices[invoice_id])
    assert ((change.state, change.failed_code), phone.prompt) == (ending, None)


@pytest.mark.parametrize("act", [SimulatedPhone.enter_pin, SimulatedPhone.wrong_pin, SimulatedPhone.cancel, SimulatedPhone.ignore])
async def test_without_a_prompt_there_is_nothing_to_answer(phone, act):
    assert act(phone) is False


async def test_an_ignored_prompt_leaves_the_screen_and_expires(phone, sim, clock):
    invoice_id = _prompted(sim, clock)
    assert phone.ignore()
    assert (phone.prompt, sim.state(invoice_id)) == (None, "PROCESSING")
    clock.advance(60)
    assert sim.state(invoice_id) == "FAILED"


async def test_a_willing_customer_enters_the_pin_by_himself_after_a_while(phone, sim, clock):
    phone.pin_after_s = 5
    invoice_id = _prompted(sim, clock)
    clock.advance(4)
    phone.tick()
    assert sim.state(invoice_id) == "PROCESSING"
    clock.advance(1)
    phone.tick()
    assert sim.state(invoice_id) == "COMPLETE"


async def test_a_customer_who_ignores_the_prompt_does_not_pay_by_himself(phone, sim, clock):
    phone.pin_after_s = 5
    invoice_id = _prompted(sim, clock)
    phone.ignore()
    clock.advance(10)
    phone.tick()
    assert sim.state(invoice_id) == "PROCESSING"


async def _page(http, path):
    async with http.get(path) as response:
        assert response.status == 200
        return await response.text()


async def test_the_page_shows_the_prompt_and_whether_the_internet_works(http, phone, sim, clock, air):
    phone.join()
    page = await _page(http, "phones/amina")
    assert "no internet" in page
    assert "Enter PIN" not in page
    _prompted(sim, clock, narrative="<WiFi>")
    air.let_through.add(MAC)
    page = await _page(http, "phones/amina")
    assert "online" in page
    assert "no internet" not in page
    assert "Pay KES 50 to INTASEND for &lt;WiFi&gt;?" in page
    assert [button for button in ("Enter PIN", "Wrong PIN", "Cancel") if button not in page] == []


async def test_the_page_refreshes_itself_without_javascript(http):
    page = await _page(http, "phones/amina")
    assert '<meta http-equiv="refresh" content="2">' in page
    assert "<script" not in page


@pytest.mark.parametrize(("act", "state"), [("enter-pin", "COMPLETE"), ("wrong-pin", "FAILED"), ("cancel", "FAILED")])
async def test_the_buttons_answer_the_prompt_and_lead_back(http, sim, clock, act, state):
    invoice_id = _prompted(sim, clock)
    async with http.post(f"phones/amina/{act}") as response:
        assert (response.status, response.url.path) == (200, "/phones/amina")
    assert sim.state(invoice_id) == state


async def test_a_button_of_a_stale_page_changes_nothing(http, sim, clock):
    invoice_id = _prompted(sim, clock)
    for act in ("cancel", "enter-pin"):
        async with http.post(f"phones/amina/{act}") as response:
            assert response.status == 200
    assert sim.state(invoice_id) == "FAILED"


async def test_the_page_lets_the_phone_join_and_leave(http, phone):
    async with http.post("phones/amina/join") as response:
        assert "Leave the WiFi" in await response.text()
    assert phone.joined
    async with http.post("phones/amina/leave") as response:
        assert "Join the WiFi" in await response.text()
    assert not phone.joined


@dataclass
class WayOut:
    origin: str
    sees: str


async def test_the_page_tells_what_apps_see_and_leads_to_the_portal_once_there_is_a_way_out(http, phone):
    assert "Open the portal" not in await _page(http, "phones/amina")
    phone.connection = WayOut("http://127.0.0.1:4711", "a login page")
    page = await _page(http, "phones/amina")
    assert "Its apps see a login page." in page
    assert 'href="http://127.0.0.1:4711/"' in page


async def test_the_index_names_every_phone(http, phone):
    page = await _page(http, "phones")
    assert 'href="/phones/amina"' in page
    assert NUMBER in page


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "phones/nobody"), ("POST", "phones/nobody/cancel"), ("POST", "phones/amina/dance")]
)
async def test_what_is_not_there_is_not_found(http, method, path):
    async with http.request(method, path) as response:
        assert response.status == 404


async def test_the_pages_also_stand_alone(phone):
    runner = web.AppRunner(phones_app([phone]), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with ClientSession(base_url=f"http://127.0.0.1:{runner.addresses[0][1]}/") as session:
        assert "amina" in await _page(session, "phones")
    await runner.cleanup()
