"""The project keeps its own rules: the ★ points of the style sheet, the direction of imports, length, names, tests.

Each rule of `tests.architecture` is run twice: on the project, where it must find nothing, and on a planted offence, where it must
find it. `FINE` holds what looks like an offence and is none.
"""

from enum import Enum
from types import SimpleNamespace

import pytest

from gateway.identity import Secret
from tests.architecture import borders, values, wording
from tests.architecture.source import Rule, Source, read_project

PROJECT = read_project()
MACHINES = values.machines(PROJECT)

RULES: tuple[Rule, ...] = (
    borders.pure_modules_import_the_standard_library_and_each_other,
    borders.sql_is_only_in_the_store,
    borders.migrations_are_numbered_without_gaps,
    borders.a_transaction_meets_nothing_foreign,
    borders.libraries_stay_at_their_border,
    borders.imports_go_one_way,
    borders.money_and_gate_move_in_one_place_each,
    borders.web_handlers_parse_call_and_render,
    borders.the_web_does_not_decide_by_state,
    wording.time_comes_through_the_clock,
    wording.tests_do_not_sleep,
    wording.no_secret_is_revealed_to_a_log,
    wording.money_is_never_a_float,
    wording.quantities_carry_their_unit,
    wording.tuning_constants_give_their_reason,
    wording.modules_and_functions_are_short,
    wording.the_median_function_is_short,
    wording.module_names_say_something,
    wording.modules_say_what_they_own,
    wording.modules_have_their_test_file,
    wording.names_are_unique_among_test_files,
    wording.no_file_names_a_build_machine,
    wording.what_a_clone_promises_is_there,
)

_LONG = "\n".join(f"    step_{number}()" for number in range(60))

PLANTED: tuple[tuple[Rule, str, str], ...] = (
    (borders.pure_modules_import_the_standard_library_and_each_other, "gateway/payments.py", "import msgspec"),
    (borders.pure_modules_import_the_standard_library_and_each_other, "gateway/payments.py", "import logging"),
    (borders.pure_modules_import_the_standard_library_and_each_other, "gateway/payments.py", "from gateway.clock import Clock"),
    (borders.pure_modules_import_the_standard_library_and_each_other, "gateway/access.py", "async def f(): ..."),
    (borders.sql_is_only_in_the_store, "gateway/sales.py", "q = 'SELECT id FROM payment'"),
    (borders.sql_is_only_in_the_store, "gateway/sales.py", 'q = f"""\n  UPDATE payment SET state = {s}"""'),
    (borders.sql_is_only_in_the_store, "gateway/daemon.py", "tx.execute('PRAGMA user_version')"),
    (borders.migrations_are_numbered_without_gaps, "gateway/store/migrations/0002_second.sql", "-- there is no first"),
    (borders.migrations_are_numbered_without_gaps, "gateway/store/extra.sql", "-- in the wrong folder"),
    (borders.a_transaction_meets_nothing_foreign, "gateway/store/payments.py", "from gateway.providers.intasend import push"),
    (borders.a_transaction_meets_nothing_foreign, "gateway/store/payments.py", "async def f(tx: sqlite3.Connection): ..."),
    (borders.a_transaction_meets_nothing_foreign, "gateway/sales.py", "async def w(tx): ...\nd.write(w)"),
    (borders.a_transaction_meets_nothing_foreign, "gateway/sales.py", "async def w(tx): ...\nd.write(partial(w, 1))"),
    (borders.libraries_stay_at_their_border, "gateway/sales.py", "import librouteros"),
    (borders.libraries_stay_at_their_border, "gateway/sales.py", "from aiohttp import web"),
    (borders.libraries_stay_at_their_border, "gateway/providers/intasend.py", "from aiohttp import web"),
    (borders.libraries_stay_at_their_border, "gateway/web/payments.py", "import jwt"),
    (borders.libraries_stay_at_their_border, "gateway/store/database.py", "import sqlalchemy"),
    (borders.imports_go_one_way, "gateway/sales.py", "from gateway.web import app"),
    (borders.imports_go_one_way, "gateway/sales.py", "from gateway.hotspot.mikrotik import MikroTik"),
    (borders.imports_go_one_way, "gateway/hotspot/mikrotik.py", "from gateway.providers import intasend"),
    (borders.imports_go_one_way, "gateway/hotspot/mikrotik.py", "from ..store import payments"),
    (borders.imports_go_one_way, "gateway/web/app.py", "from gateway.hotspot.mikrotik import MikroTik"),
    (borders.imports_go_one_way, "gateway/errors.py", "import gateway.sales"),
    (borders.money_and_gate_move_in_one_place_each, "gateway/sales.py", "provider.push(order)\nself.provider.push(order)"),
    (borders.web_handlers_parse_call_and_render, "gateway/web/payments.py", f"async def show(request: web.Request):\n{_LONG}"),
    (borders.the_web_does_not_decide_by_state, "gateway/web/payments.py", "x = 1 if payment.state == PAID else 2"),
    (borders.the_web_does_not_decide_by_state, "gateway/web/payments.py", "match payment.state:\n    case _: pass"),
    (wording.time_comes_through_the_clock, "gateway/sales.py", "import time\nx = time.time()"),
    (wording.time_comes_through_the_clock, "gateway/sales.py", "from time import monotonic as now\nx = now()"),
    (wording.time_comes_through_the_clock, "gateway/sales.py", "import datetime as dt\nx = dt.datetime.now(dt.UTC)"),
    (wording.time_comes_through_the_clock, "gateway/sales.py", "import asyncio\nwait = asyncio.sleep"),
    (wording.tests_do_not_sleep, "tests/test_x.py", "import asyncio\nasync def f(): await asyncio.sleep(0.1)"),
    (wording.tests_do_not_sleep, "tests/test_x.py", "from time import sleep\nsleep(1)"),
    (wording.no_secret_is_revealed_to_a_log, "gateway/sales.py", "log.info('%s', key.reveal())"),
    (wording.no_secret_is_revealed_to_a_log, "gateway/sales.py", "raise Invalid(f'{key.reveal()} is wrong')"),
    (wording.money_is_never_a_float, "gateway/sales.py", "def charge(amount: float | None): ..."),
    (wording.money_is_never_a_float, "gateway/sales.py", "def price() -> float: ..."),
    (wording.money_is_never_a_float, "gateway/sales.py", "x = float(body.amount)"),
    (wording.quantities_carry_their_unit, "gateway/sales.py", "def ask(timeout: float): ..."),
    (wording.quantities_carry_their_unit, "gateway/sales.py", "class A:\n    poll_interval: int = 3"),
    (wording.tuning_constants_give_their_reason, "gateway/sales.py", "_RETRY_S = 15 * 60\n\nx = 1"),
    (wording.tuning_constants_give_their_reason, "gateway/sales.py", "ROWS: int = 100"),
    (wording.tuning_constants_give_their_reason, "gateway/sales.py", "ROWS = 100\nGAP_S = 3  # a blink"),
    (wording.modules_and_functions_are_short, "gateway/sales.py", "x = 1\n" * 401),
    (wording.modules_and_functions_are_short, "tests/test_x.py", f"def f():\n{_LONG}"),
    (wording.the_median_function_is_short, "gateway/sales.py", f"def f():\n{_LONG}"),
    (wording.module_names_say_something, "gateway/store/helpers.py", ""),
    (wording.module_names_say_something, "gateway/payment_manager.py", ""),
    (wording.modules_say_what_they_own, "gateway/sales.py", "x = 1"),
    (wording.modules_have_their_test_file, "gateway/store/novel.py", "'''Doc.'''\nx = 1"),
    (wording.names_are_unique_among_test_files, "tests/test_x.py", "def test_a(): ...\ndef test_a(): ..."),
    (wording.no_file_names_a_build_machine, "docs/install.md", "see /".replace("see ", "see: ") + "home/builder/clone"),
    (wording.what_a_clone_promises_is_there, "docs/other.md", ""),
)

FINE: tuple[tuple[Rule, str, str], ...] = (
    (borders.pure_modules_import_the_standard_library_and_each_other, "gateway/access.py", "from gateway.payments import advance"),
    (borders.sql_is_only_in_the_store, "gateway/store/payments.py", "q = 'SELECT id FROM payment'"),
    (borders.sql_is_only_in_the_store, "gateway/web/payments.py", "x = 'Select a package from the list'\nmethod = 'DELETE'"),
    (borders.sql_is_only_in_the_store, "gateway/sales.py", "x = 1\n'''SELECT id FROM payment is what the store does.'''"),
    (borders.migrations_are_numbered_without_gaps, "gateway/store/migrations/0001_first.sql", ""),
    (borders.a_transaction_meets_nothing_foreign, "gateway/web/payments.py", "async def w(): ...\ndef s(tx): ...\nd.write(s)"),
    (borders.libraries_stay_at_their_border, "gateway/web/app.py", "from aiohttp import web\nimport asyncio"),
    (borders.imports_go_one_way, "gateway/daemon.py", "from gateway.hotspot.mikrotik import MikroTik"),
    (
        borders.imports_go_one_way,
        "gateway/sales.py",
        "from gateway.hotspot.base import Hotspot\nfrom gateway.store import payments",
    ),
    (borders.money_and_gate_move_in_one_place_each, "gateway/sales.py", "provider.push(order)\nhotspot.authorize(wanted)"),
    (borders.web_handlers_parse_call_and_render, "gateway/web/app.py", f"def routes():\n{_LONG}"),
    (borders.the_web_does_not_decide_by_state, "gateway/web/payments.py", "x = payment.state.value"),
    (wording.time_comes_through_the_clock, "gateway/clock.py", "import time\nx = time.time()"),
    (wording.time_comes_through_the_clock, "gateway/sales.py", "x = self.time.time()\nclock.sleep(3)"),
    (wording.tests_do_not_sleep, "tests/test_x.py", "import asyncio\nasync def f(): await asyncio.sleep(0)"),
    (wording.no_secret_is_revealed_to_a_log, "gateway/sales.py", "headers = {'X-Key': key.reveal()}\nlog.info('%s', key)"),
    (wording.money_is_never_a_float, "gateway/sales.py", "def paid(amount: Money, at_s: float): ..."),
    (wording.quantities_carry_their_unit, "gateway/sales.py", "def ask(timeout_s: float, duration: Duration): ..."),
    (wording.tuning_constants_give_their_reason, "gateway/sales.py", "ROWS = 100\n'''A screenful.'''\n\nGAP_S = 3  # a blink"),
    (wording.tuning_constants_give_their_reason, "gateway/sales.py", "# The sizes of a page.\nROWS = 100\nCOLUMNS = 5"),
    (wording.modules_and_functions_are_short, "gateway/sales.py", f"def f():\n    '''\n{_LONG}\n    '''\n    return 1"),
    (wording.modules_have_their_test_file, "gateway/empty/__init__.py", "'''Doc.'''"),
    (wording.no_file_names_a_build_machine, "docs/install.md", "https://example.org/home/page /opt/hotspot-gateway ~/builds/x"),
)


def _named(case: object) -> str:
    return getattr(case, "__name__", "")


@pytest.mark.parametrize("rule", RULES, ids=_named)
def test_the_project_keeps(rule: Rule) -> None:
    offences = rule(PROJECT)
    assert not offences, "\n".join(["", *offences])


@pytest.mark.parametrize(("rule", "path", "text"), PLANTED, ids=_named)
def test_a_planted_offence_is_found_by(rule: Rule, path: str, text: str) -> None:
    offences = rule([Source(path, text)])
    assert offences
    assert all(":" in offence for offence in offences)


@pytest.mark.parametrize(("rule", "path", "text"), FINE, ids=_named)
def test_what_only_looks_like_an_offence_is_left_alone_by(rule: Rule, path: str, text: str) -> None:
    assert rule([Source(path, text)]) == []


def test_every_rule_has_a_planted_offence() -> None:
    assert {rule for rule, _, _ in PLANTED} == set(RULES)


def test_a_test_file_of_a_shared_name_belongs_to_the_module_at_the_root() -> None:
    tree = [Source(f"gateway/{name}.py", "x = 1\ny = 2") for name in ("payments", "store/payments", "hotspot/words")]
    tree += [Source(f"tests/unit/test_{name}.py", "") for name in ("payments", "words")]
    (offence,) = wording.modules_have_their_test_file(tree)
    assert offence.startswith("gateway/store/payments.py")


def test_the_table_of_tests_names_what_is_there() -> None:
    assert wording.stale_lines(wording.TESTED_BY, PROJECT) == []


def test_a_stale_line_in_the_table_of_tests_is_caught() -> None:
    tree = [Source("gateway/gate.py", ""), Source("tests/test_doors.py", "")]
    assert wording.stale_lines({"gateway/gate.py": "tests/test_gates.py", "gateway/door.py": "tests/test_doors.py"}, tree)[1:]


def test_the_rules_see_the_whole_project() -> None:
    paths = {source.path for source in PROJECT}
    assert {"gateway/identity.py", "gateway/store/migrations/0001_first.sql", "tests/test_architecture.py", "Makefile"} <= paths


@pytest.mark.parametrize("machine", MACHINES, ids=_named)
def test_every_cell_of_a_machine_is_decided(machine: object) -> None:
    assert values.faults_of_machine(machine) == []


@pytest.mark.parametrize("machine", MACHINES, ids=_named)
def test_every_state_of_a_machine_can_be_reached(machine: object) -> None:
    assert values.unreachable_states(machine) == []


def test_payment_and_grant_are_the_two_machines() -> None:
    assert [machine.__name__ for machine in MACHINES] == ["gateway.access", "gateway.payments"]


class _Lamp(Enum):
    OFF = "off"
    ON = "on"


class _Hand(Enum):
    PRESS = "press"


def _lamp(**changed: object) -> SimpleNamespace:
    """A machine without a fault, but for what is changed."""

    class IllegalTransition(Exception):
        pass

    table = {(_Lamp.OFF, _Hand.PRESS): _Lamp.ON}

    def advance(state: _Lamp, event: _Hand) -> _Lamp:
        if (state, event) not in table:
            raise IllegalTransition
        return table[state, event]

    whole = {"TRANSITIONS": table, "IGNORED": frozenset(), "ILLEGAL": {(_Lamp.ON, _Hand.PRESS)}, "advance": advance}
    return SimpleNamespace(IllegalTransition=IllegalTransition, **(whole | changed))


def test_a_machine_without_fault_passes() -> None:
    assert values.faults_of_machine(_lamp()) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"ILLEGAL": frozenset()},
        {"IGNORED": frozenset({(_Lamp.OFF, _Hand.PRESS)})},
        {"IGNORED": frozenset({(_Lamp.ON, _Hand.PRESS)}), "ILLEGAL": frozenset()},
        {"ILLEGAL": frozenset({(_Lamp.ON, _Hand.PRESS), (_Lamp.ON, "kick")})},
        {"advance": lambda state, _event: state},
    ],
    ids=["undecided", "decided twice", "raises though ignored", "no such event", "never moves"],
)
def test_a_machine_with_a_fault_is_caught(changed: dict[str, object]) -> None:
    assert values.faults_of_machine(_lamp(**changed))


def test_a_state_that_nothing_leads_to_is_caught() -> None:
    assert values.unreachable_states(_lamp(TRANSITIONS={(_Lamp.OFF, _Hand.PRESS): _Lamp.OFF})) == ["on"]


def test_a_secret_never_prints() -> None:
    assert values.ways_to_see(Secret) == []


def test_a_secret_that_prints_is_caught() -> None:
    assert "repr" in values.ways_to_see(str)


def test_a_secret_still_hands_over_its_text() -> None:
    assert Secret("key").reveal() == "key"
