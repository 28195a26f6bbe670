"""A job that dies ends the process, loudly: a gateway without its closing job must not look alive."""

from pathlib import Path

import pytest

from tests.e2e.process import Kiosk
from tests.e2e.test_watched_process import Manager, kiosk  # noqa: F401 - a fixture

pytestmark = pytest.mark.long

DYING = """
from gateway import reconciler
async def die(self):
    raise LookupError("no such thing")
reconciler.Close.run_once = die
"""
"""Done by the process before it begins."""


async def test_a_job_that_dies_ends_the_process_with_one_line_and_exit_code_one(kiosk: Kiosk, tmp_path: Path):  # noqa: F811
    with Manager(tmp_path / "notify") as manager:
        async with kiosk.gateway(**manager.environment(DYING)) as program:
            assert await program.ends() == 1
    assert [line for line in program.log if "CRITICAL" in line and "job close:1 died" in line]
    assert "stopped, because a job died" in program.log[-1]
