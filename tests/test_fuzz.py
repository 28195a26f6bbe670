"""Whatever schemathesis makes of the description, the gateway keeps to it: no 5xx, no undocumented status, no other schema.

`make fuzz` runs it with more examples (FUZZ_EXAMPLES) for longer.
"""

import asyncio
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import AuthContext, Case

from gateway.web import openapi
from gateway.web.app import ROUTES
from tests.e2e.world import World

FEW = 5
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", FEW))

CONFIG = schemathesis.Config.from_dict(
    {
        "checks": {
            # What no schema can say (the amount is the package's price, a cursor is one of ours) is refused with 400 or 422, a
            # guessed password with 401, too many guesses with 429; a page about a device that is not on the WiFi with 403.
            "positive_data_acceptance": {
                "expected-statuses": ["2xx", "303", "400", "401", "403", "404", "409", "422", "429", "5xx"]
            },
            # A path that names nothing is 404, whatever else is wrong; a body is read after that.
            "negative_data_rejection": {
                "expected-statuses": ["400", "401", "404", "405", "409", "413", "415", "422", "429", "5xx"]
            },
        },
    }
)
AS_STRANGER = schemathesis.openapi.from_dict(openapi.document(ROUTES), config=CONFIG)
AS_OWNER = schemathesis.openapi.from_dict(openapi.document(ROUTES), config=CONFIG)


SETTINGS = settings(max_examples=EXAMPLES, database=None, derandomize=EXAMPLES == FEW, suppress_health_check=list(HealthCheck))


@dataclass
class Running:
    """A gateway that answers from another thread."""

    url: str
    bearer: dict[str, str]


@AS_OWNER.auth()
class LoggedIn:
    """Everything is asked with an owner's token, but for what tries how it goes without."""

    bearer: ClassVar[dict[str, str]] = {}

    def get(self, _case: Case[Any], _context: AuthContext) -> dict[str, str]:
        return self.bearer

    def set(self, case: Case[Any], bearer: dict[str, str], _context: AuthContext) -> None:
        case.headers.update(bearer)


async def live(folder: Path, started: "Future[Running]", over: "Future[None]") -> None:
    async with World(folder) as world:
        await world.start()
        await world.buy(world.amina)
        started.set_result(Running(world.url, await world.login()))
        await asyncio.wrap_future(over)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    started: Future[Running] = Future()
    over: Future[None] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(live(tmp_path_factory.mktemp("fuzz"), started, over)))
    thread.start()
    try:
        yield started.result(timeout=30)
    finally:
        over.set_result(None)
        thread.join()


@pytest.fixture(scope="module")
def asking() -> Iterator[requests.Session]:
    """Keeps a connection, or five thousand of them were opened, and nothing else: each question stands for itself."""
    with requests.Session() as session:
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        yield session


@AS_STRANGER.parametrize()
@SETTINGS
def test_a_stranger_gets_documented_answers(running: Running, asking: requests.Session, case: Case[Any]) -> None:
    case.call_and_validate(base_url=running.url, session=asking)


@AS_OWNER.parametrize()
@SETTINGS
def test_an_owner_gets_documented_answers(running: Running, asking: requests.Session, case: Case[Any]) -> None:
    LoggedIn.bearer = running.bearer
    case.call_and_validate(base_url=running.url, session=asking)
