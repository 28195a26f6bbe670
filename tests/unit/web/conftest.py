import pytest

from tests.e2e.conftest import brief_grace, database_in_place, open_site, quickly_read, world
from tests.e2e.portal import amina, desk, otieno, site
from tests.e2e.world import World
from tests.unit.web.requests import Send, as_owner, sender

__all__ = ["amina", "brief_grace", "database_in_place", "desk", "open_site", "otieno", "quickly_read", "site", "world"]


@pytest.fixture
def send(world: World) -> Send:
    return sender(world)


@pytest.fixture
async def own(world: World) -> Send:
    """Sends as the owner njeri, with a Bearer token."""
    return await as_owner(world)
