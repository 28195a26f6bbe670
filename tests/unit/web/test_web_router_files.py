"""The pages that the router fetches while it is set up."""

from pathlib import Path

import pytest

from gateway.hotspot.pages import hotspot_pages
from tests.e2e.world import World


@pytest.fixture
async def world(tmp_path: Path):
    async with World(tmp_path) as site:
        site.edits.append(lambda document: document["owners"][0].update(portal={"support_phone": "0712 345 678"}))
        await site.start()
        yield site


async def fetch(world: World, path: str) -> tuple[int, str, str]:
    async with world.http.get(f"{world.url}{path}") as answer:
        return answer.status, answer.headers["Content-Type"], await answer.text()


async def test_the_router_gets_each_file_as_it_is_to_stand_in_its_folder(world: World):
    for name, text in hotspot_pages(world.config().server.public_url, 1, "0712 345 678").items():
        assert await fetch(world, f"/router/1/hotspot/{name}") == (200, "text/plain; charset=utf-8", text)


@pytest.mark.parametrize("path", ["/router/9/hotspot/login.html", "/router/1/hotspot/md5.js", "/router/x/hotspot/login.html"])
async def test_what_is_not_there_is_not_found(world: World, path: str):
    assert (await fetch(world, path))[0] == 404
