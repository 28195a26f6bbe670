"""docs/reliability.md names a test for each of the thirty faults, and every test that it names is there."""

import re
from pathlib import Path

import pytest

TREE = Path(__file__).parents[1]
FAULTS = 30

_ROW = re.compile(r"^\| (\d+) \|.*$", re.MULTILINE)
_NAMED = re.compile(r"`(test_[a-z0-9_]+)`")
_DEFINED = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)


@pytest.fixture(scope="module")
def fault_list() -> str:
    """The section, as far as the next one."""
    text = (TREE / "docs" / "reliability.md").read_text("utf-8")
    return text.split("\n## The fault list\n")[1].split("\n## ")[0]


def test_every_fault_is_injected_by_a_test(fault_list: str):
    rows = {int(row[1]): _NAMED.findall(row[0]) for row in _ROW.finditer(fault_list)}
    assert sorted(rows) == list(range(1, FAULTS + 1))
    assert [number for number, names in rows.items() if not names] == []


def test_every_test_that_is_named_is_there(fault_list: str):
    defined = {name for path in (TREE / "tests").rglob("test_*.py") for name in _DEFINED.findall(path.read_text("utf-8"))}
    assert sorted(set(_NAMED.findall(fault_list)) - defined) == []
