"""Where the contracts of payment providers are tested: an adapter on a real connection to the simulator of its provider."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Literal, Self

import aiohttp

from gateway.identity import Secret
from gateway.providers.base import Environment, ProviderAccount
from gateway.simulators import intasend as simulated
from tests.fakeclock import FakeClock


class AtIntaSend:
    """IntaSend's simulator and whom it knows; a contract's world adds the adapter."""

    def __init__(self, simulator: simulated.SimulatedIntaSend, http: aiohttp.ClientSession, clock: FakeClock) -> None:
        self.clock = clock
        self._simulator = simulator
        self._http = http
        self._account = ProviderAccount(
            environment=Environment.SANDBOX,
            publishable_key=simulator.publishable_key,
            secret_key=Secret(simulator.secret_key),
            webhook_challenge=Secret("demo-challenge-0123456789"),
            base_url=simulator.base_url,
        )
        self._strange = replace(
            self._account, publishable_key="ISPubKey_test_strange", secret_key=Secret("ISSecretKey_test_strange")
        )

    @classmethod
    def of(cls, types: Literal["2023", "2026"]) -> Callable[[AsyncExitStack], Awaitable[Self]]:
        """Opens such a world, whose IntaSend writes its numbers and times as in that year."""

        async def build(stack: AsyncExitStack) -> Self:
            clock = FakeClock()
            simulator = simulated.SimulatedIntaSend(clock)
            simulator.types = types
            await simulator.start()
            stack.push_async_callback(simulator.stop)
            http = await stack.enter_async_context(aiohttp.ClientSession())
            return cls(simulator, http, clock)

        return build

    async def stop(self) -> None:
        await self._simulator.stop()

    def others_are_charged(self, count: int) -> None:
        self._simulator.ignores_api_ref_filter = True
        for number in range(count):
            self.clock.advance(1)
            self._simulator.accept(simulated.Order(phone=f"2547{number:08}", amount=Decimal(50), api_ref=f"HG-OTHER-{number}"))
