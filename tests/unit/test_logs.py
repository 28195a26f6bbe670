"""How the log reads: a sentence first, ids after it, and no stranger's word that looks like ours."""

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from gateway import logs

ROOT = logging.getLogger()


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """What `set_up` changes is put back."""
    loggers = [ROOT, logging.getLogger("gateway"), logging.getLogger("aiohttp.server")]
    levels, handlers = [logger.level for logger in loggers], list(ROOT.handlers)
    ROOT.handlers.clear()  # or `set_up` would close those of the test run
    yield
    ROOT.handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def line(message: str, *values: object, level: int = logging.INFO, **ids: Any) -> str:
    record = logging.LogRecord("gateway.sales", level, "sales.py", 1, message, values, None)
    record.__dict__.update(ids)
    return logs.Story().format(record)


def test_a_line_is_the_time_the_level_the_sentence_and_the_ids():
    told = line("paid: %s KES, receipt %s", "50.00", "TJR", action="paid", payment="550e")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO    paid: 50\.00 KES, receipt TJR action=paid payment=550e", told)


def test_the_ids_stand_in_the_same_order_everywhere_and_only_those_that_are_known():
    told = line("x", error_id="e", router=7, grant="g", payment="p", action="a", phone="+254712345678", nothing=None)
    assert told.endswith(" x action=a payment=p grant=g router=7 error_id=e")


def test_an_id_that_is_none_is_left_out():
    assert line("x", action="a", payment=None).endswith(" x action=a")


@pytest.mark.parametrize("control", ["\r", "\t", "\0", "\x1b[2J", "\x7f", "\x9b", "\u2028"])
def test_a_strangers_control_characters_do_not_reach_the_screen(control):
    told = line("IntaSend says %s", f"a{control}b")
    assert control[0] not in told
    assert "a\N{REPLACEMENT CHARACTER}" in told


def test_a_strangers_line_does_not_look_like_one_of_ours():
    told = line("IntaSend says %s", "x\n2025-08-25 10:30:00 INFO    paid: 1000000 KES action=paid")
    first, second = told.split("\n")
    assert first.endswith("IntaSend says x")
    assert second.startswith("    2025")


def test_a_faults_story_stands_below_its_line():
    fault = LookupError("no such thing")
    record = logging.LogRecord("gateway", logging.ERROR, "x.py", 1, "job died", (), (LookupError, fault, None))
    told = logs.Story().format(record).splitlines()
    assert told[0].endswith("ERROR   job died")
    assert told[-1] == "LookupError: no such thing"


@pytest.mark.usefixtures("logging_as_before")
def test_the_gateway_tells_and_libraries_only_warn(capsys):
    logs.set_up()
    logging.getLogger("gateway.sales").info("sold")
    logging.getLogger("gateway.sales").debug("a whisper")
    logging.getLogger("aiosqlite").info("executing")
    logging.getLogger("aiosqlite").warning("trouble")
    told = capsys.readouterr()
    assert told.out == ""
    assert [re.sub(r"^.{20}", "", row) for row in told.err.splitlines()] == ["INFO    sold", "WARNING trouble"]


@pytest.mark.usefixtures("logging_as_before")
def test_debugging_tells_the_gateways_whispers_too(capsys):
    logs.set_up(debug=True)
    logging.getLogger("gateway.gate").debug("a whisper")
    logging.getLogger("aiosqlite").debug("executing")
    assert [re.sub(r"^.{20}", "", row) for row in capsys.readouterr().err.splitlines()] == ["DEBUG   a whisper"]


@pytest.mark.usefixtures("logging_as_before")
def test_setting_up_again_tells_nothing_twice_and_another_listener_hears_all(capsys):
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    logs.set_up()
    logs.set_up(more=Listener())
    logging.getLogger("gateway").info("sold")
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert heard == ["sold"]


def test_a_moment_is_told_as_the_site_reads_its_clock():
    assert re.fullmatch(r"\d\d:\d\d:18", logs.clock_time(1_756_117_818.9))
