"""Rules about how the code is written: time, secrets, units, money, reasons, length, names, docstrings, tests, files.

The ★ points 11, 16 and 17 of the style sheet, and of the others what a program can see: 18 and 19.
"""

import ast
import fnmatch
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from statistics import median

from tests.architecture.source import Function, Source, Tree, length, parameters, python

CLOCK = "gateway/clock.py"
MODULE_LINES = 400
FUNCTION_LINES = 50
MEDIAN_LINES = 10

_CLOCKS = {
    *(f"time.{name}" for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "clock_gettime", "sleep")),
    *(f"datetime.{name}" for name in ("datetime.now", "datetime.utcnow", "datetime.today", "date.today")),
    "asyncio.sleep",
}
_SLEEPS = {"asyncio.sleep", "time.sleep"}

_MONEY = re.compile(r"price|amount|cents|money|shilling|revenue", re.IGNORECASE)
_QUANTITY = re.compile(
    r"(^|_)(timeout|interval|delay|deadline|age|ttl|period|lifetime|backoff|uptime|elapsed|timestamp|bandwidth|speed|duration)$",
    re.IGNORECASE,
)
_NUMBERS = {"int", "float", "Decimal"}
_CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")
_LOGS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
_NAMELESS = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}

_BUILD_MACHINE = re.compile(r"(?<![\w.:/~-])/(?:home|Users|root|work|builds?|workspaces?)/\w")
TOP_LEVEL = (
    *("README.md", "CHANGELOG.md", "LICENSE", "Makefile", "pyproject.toml", "config.example.yaml"),
    *("docs/why.md", "docs/install.md", "systemd/hotspot-gateway.service", ".ci/run"),
)

TESTED_BY: dict[str, str] = {
    "gateway/grants.py": "tests/unit/web/test_web_access.py",
    "gateway/inventory.py": "tests/unit/web/test_web_routers.py",
    "gateway/records.py": "tests/unit/web/test_web_listing.py",
    "gateway/cli_refund.py": "tests/e2e/test_refunds.py",
    "gateway/web/refunds.py": "tests/e2e/test_refunds.py",
    "gateway/web/queries.py": "tests/unit/web/test_web_listing.py",
    "gateway/config_*.py": "tests/unit/test_config.py",
    "gateway/audit_table.py": "tests/e2e/test_audit.py",
    "gateway/books.py": "tests/e2e/test_books.py",
    "gateway/adoption.py": "tests/e2e/test_books_of_links.py",
    "gateway/troubles.py": "tests/unit/test_settling.py",
    "gateway/unserved.py": "tests/e2e/test_fault_told.py",
    "gateway/store/books.py": "tests/e2e/test_books.py",
    "gateway/store/audit.py": "tests/e2e/test_audit.py",
    "gateway/providers/intasend_invoices.py": "tests/contract/test_providers.py",
    "gateway/backups.py": "tests/unit/test_rescue.py",
    "gateway/store/rescues.py": "tests/e2e/test_backup.py",
    "gateway/daemon.py": "tests/e2e/test_reload.py",
    "gateway/hotspot/*": "tests/contract/test_hotspot.py",
    "gateway/idempotency.py": "tests/unit/web/test_web_idempotent.py",
    "gateway/providers/base.py": "tests/contract/test_providers.py",
    "gateway/providers/intasend.py": "tests/unit/test_intasend.py",
    "gateway/web/attributes.py": "tests/test_openapi.py",
    "gateway/web/docs.py": "tests/test_openapi.py",
    "gateway/web/replies.py": "tests/test_openapi.py",
    "gateway/web/routes.py": "tests/test_openapi.py",
    "gateway/web/links.py": "tests/e2e/test_payment_links.py",
    "gateway/web/pages.py": "tests/unit/web/test_web_portal.py",
    "gateway/web/portal.py": "tests/unit/web/test_web_portal.py",
    "gateway/web/results.py": "tests/e2e/test_payment_links.py",
    "gateway/providers/intasend_lists.py": "tests/contract/test_link_providers.py",
    "gateway/providers/intasend_sdk.py": "tests/unit/test_intasend.py",
    "gateway/sales.py": "tests/e2e/test_refused_sales.py",
    "gateway/simulators/air/*": "tests/simulators/air/test_connection.py",
    "gateway/simulators/intasend/*": "tests/simulators/intasend/test_pushes.py",
    "gateway/simulators/routeros/*": "tests/simulators/routeros/test_hotspot.py",
    "gateway/store/idempotency.py": "tests/unit/web/test_web_idempotent.py",
    "gateway/store/limits.py": "tests/e2e/test_push_limits.py",
    "gateway/web/services.py": "tests/unit/web/test_web_app.py",
}
"""Modules that have no test file of their own name, and the file that tests them: parts of one adapter are tested through it."""


def time_comes_through_the_clock(tree: Tree) -> list[str]:
    """★ 11: only `gateway/clock.py` reads a clock or sleeps; not even a reference to such a function stands elsewhere."""
    return [
        source.offence(node, f"{source.resolve(node)} belongs into {CLOCK}: take a Clock")
        for source in python(tree, "gateway/*")
        if source.path != CLOCK
        for node in source.nodes
        if source.resolve(node) in _CLOCKS and isinstance(node, ast.Name | ast.Attribute)
    ]


def tests_do_not_sleep(tree: Tree) -> list[str]:
    """★ 11: `asyncio.sleep(0)` lets others run; everything longer is the fake clock's, or passes at once in the simulation."""
    return [
        source.offence(node, "a test does not sleep: advance the FakeClock")
        for source in python(tree, "tests/*")
        if not source.path.startswith("tests/simulation/")
        for node in source.nodes
        if isinstance(node, ast.Call) and source.resolve(node.func) in _SLEEPS and not _is_zero(node.args)
    ]


def no_secret_is_revealed_to_a_log(tree: Tree) -> list[str]:
    """★ 16: `.reveal()` stands in no log call, no exception and no f-string that is printed."""
    return [
        source.offence(node, "a secret must not be printed")
        for source in python(tree, "gateway/*")
        for node in source.nodes
        if _prints(node) and any(_reveals(part) for part in ast.walk(node))
    ]


def money_is_never_a_float(tree: Tree) -> list[str]:
    """★ 17: no price, amount or cents is annotated or made a float. (The simulators may make one: IntaSend's JSON has numbers.)"""
    annotated = [
        source.offence(node, f"{name} is money and must not be a float")
        for source in python(tree, "gateway/*")
        for node, name, kind in _annotations(source)
        if _MONEY.search(name) and "float" in _words(kind)
    ]
    return annotated + [
        source.offence(node, "money must not be made a float")
        for source in python(tree, "gateway/*")
        if not source.within("gateway/simulators/*")
        for node in source.nodes
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "float" and _MONEY.search(ast.unparse(node))
    ]


def quantities_carry_their_unit(tree: Tree) -> list[str]:
    """★ 17: a number is `timeout_s` or `size_bytes`; without a unit it is a type of its own, such as Duration."""
    return [
        source.offence(node, f"{name} is a number without a unit: {name}_s, _ms, _bytes, _mbps?")
        for source in python(tree, "gateway/*")
        for node, name, kind in _annotations(source)
        if _QUANTITY.search(name) and _words(kind) & _NUMBERS
    ]


def tuning_constants_give_their_reason(tree: Tree) -> list[str]:
    """★ 17: beside each number of a module stands why: a docstring below it, or a comment above it or on its line.

    Constants on adjacent lines may share one reason.
    """
    return [
        source.offence(constant, "a tuning constant without its reason")
        for source in python(tree, "gateway/*")
        for run in _runs([statement for statement in source.syntax.body if _is_tuning(statement)])
        if not _is_explained(source, run[0].lineno - 1, run[-1].end_lineno or 0)
        for constant in run
        if "  # " not in source.lines[constant.lineno - 1]
    ]


def modules_and_functions_are_short(tree: Tree) -> list[str]:
    """18: modules of 400 lines and functions of 50 at most."""
    modules = [
        source.offence(1, f"{len(source.lines)} lines; a module has {MODULE_LINES} or fewer")
        for source in python(tree)
        if len(source.lines) > MODULE_LINES
    ]
    return modules + [
        source.offence(function, f"{function.name} has {length(function)} lines; a function has {FUNCTION_LINES} or fewer")
        for source in python(tree)
        for function in source.functions
        if length(function) > FUNCTION_LINES
    ]


def the_median_function_is_short(tree: Tree) -> list[str]:
    """18: half of the product's functions have fewer than ten lines."""
    lengths = [length(function) for source in python(tree, "gateway/*") for function in source.functions]
    middle = median(lengths) if lengths else 0
    return (
        [f"gateway/:1: the median function has {middle} lines; fewer than {MEDIAN_LINES} are wanted"]
        if middle >= MEDIAN_LINES
        else []
    )


def module_names_say_something(tree: Tree) -> list[str]:
    """18: no `utils`, `helpers`, `common`, `manager`."""
    return [
        source.offence(1, "the name says nothing about what is inside")
        for source in python(tree)
        if _NAMELESS & {word for part in PurePosixPath(source.path).with_suffix("").parts for word in part.split("_")}
    ]


def modules_say_what_they_own(tree: Tree) -> list[str]:
    """19: each module of the product begins with a docstring."""
    return [
        source.offence(1, "no module docstring") for source in python(tree, "gateway/*") if not ast.get_docstring(source.syntax)
    ]


def modules_have_their_test_file(tree: Tree) -> list[str]:
    """19: `gateway/store/payments.py` has a `store/test_payments.py`, a `test_store_payments.py`, or its line in TESTED_BY.

    `test_payments.py` alone means `gateway/payments.py`; a module without namesakes goes by its last name.
    """
    paths = {source.path for source in tree}
    return [
        source.offence(1, "no test file, and no line in TESTED_BY")
        for source in python(tree, "gateway/*")
        if len(source.syntax.body) > 1 and not source.path.endswith("__main__.py") and not _is_tested(source.path, paths)
    ]


def stale_lines(tested_by: dict[str, str], tree: Tree) -> list[str]:
    """19: a line of TESTED_BY names modules and a test file that are there."""
    paths = {source.path for source in tree}
    return [
        f"{test}:1: TESTED_BY says that it tests {modules}, and one of the two is not there"
        for modules, test in tested_by.items()
        if test not in paths or not fnmatch.filter(paths, modules)
    ]


def names_are_unique_among_test_files(tree: Tree) -> list[str]:
    """19: one test of a name per file; a second would silently replace the first."""
    return [
        source.offence(1, f"{name} is defined {count} times in one place")
        for source in python(tree, "tests/*")
        for scope in source.nodes
        if isinstance(scope, ast.Module | ast.ClassDef)
        for name, count in Counter(node.name for node in scope.body if isinstance(node, Function)).items()
        if count > 1 and name.startswith("test_")
    ]


def no_file_names_a_build_machine(tree: Tree) -> list[str]:
    """A path under somebody's home works on one machine only."""
    return [
        source.offence(number, f"names a path of the machine that it was written on: {found.group()}…")
        for source in tree
        for number, line in enumerate(source.lines, 1)
        if (found := _BUILD_MACHINE.search(line))
    ]


def what_a_clone_promises_is_there(tree: Tree) -> list[str]:
    """The files that people look for first."""
    paths = {source.path for source in tree}
    return [f"{path}:1: is missing" for path in TOP_LEVEL if path not in paths]


def _is_zero(arguments: list[ast.expr]) -> bool:
    return len(arguments) == 1 and isinstance(arguments[0], ast.Constant) and arguments[0].value == 0


def _prints(node: ast.AST) -> bool:
    if isinstance(node, ast.Raise):
        return True
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    logs = (
        isinstance(called, ast.Attribute)
        and called.attr in _LOGS
        and ast.unparse(called.value).endswith(("log", "logger", "logging"))
    )
    return logs or ast.unparse(called) in {"print", "repr", "click.echo"}


def _reveals(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "reveal"


def _annotations(source: Source) -> Iterator[tuple[ast.AST, str, ast.expr]]:
    """Every annotated name: variables, attributes, parameters, and functions by what they return."""
    for node in source.nodes:
        if isinstance(node, ast.AnnAssign):
            yield node, ast.unparse(node.target).split(".")[-1], node.annotation
    for function in source.functions:
        yield from ((argument, argument.arg, argument.annotation) for argument in parameters(function) if argument.annotation)
        if function.returns:
            yield function, function.name, function.returns


def _words(annotation: ast.expr) -> set[str]:
    return set(re.findall(r"\w+", ast.unparse(annotation)))


def _is_tuning(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign):
        target, value = statement.targets[0], statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target, value = statement.target, statement.value
    else:
        return False
    return isinstance(target, ast.Name) and bool(_CONSTANT.fullmatch(target.id)) and _is_number(value)


def _is_number(value: ast.expr) -> bool:
    """A literal number, or arithmetic of them such as `15 * 60`."""
    kinds = ast.Constant | ast.BinOp | ast.UnaryOp | ast.operator | ast.unaryop
    constants = [node.value for node in ast.walk(value) if isinstance(node, ast.Constant)]
    return all(isinstance(node, kinds) for node in ast.walk(value)) and all(type(number) in (int, float) for number in constants)


def _runs(statements: list[ast.stmt]) -> list[list[ast.stmt]]:
    """Statements grouped by adjacent lines."""
    runs: list[list[ast.stmt]] = []
    for statement in statements:
        if runs and runs[-1][-1].end_lineno == statement.lineno - 1:
            runs[-1].append(statement)
        else:
            runs.append([statement])
    return runs


def _is_explained(source: Source, above: int, last: int) -> bool:
    """Whether a comment stands on the line above (counted from 1), or a docstring begins on the line after the last."""
    comment = above > 0 and source.lines[above - 1].lstrip().startswith("#")
    return comment or any(statement.lineno == last + 1 and _is_text(statement) for statement in source.syntax.body)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)


def _is_tested(module: str, paths: set[str]) -> bool:
    if any(fnmatch.fnmatch(module, pattern) for pattern in TESTED_BY):
        return True
    parts = _parts(module)
    endings = ["/".join(["", *parts[:cut], f"test_{'_'.join(parts[cut:])}.py"]) for cut in range(len(parts))]
    if _goes_by_its_last_name(module, paths):
        endings.append(f"/test_{parts[-1]}.py")
    return any(path.startswith("tests/") and path.endswith(tuple(endings)) for path in paths)


def _goes_by_its_last_name(module: str, paths: set[str]) -> bool:
    """Whether `test_words.py` can mean this module only."""
    namesakes = [
        path for path in paths if path.startswith("gateway/") and path.endswith(".py") and _parts(path)[-1:] == _parts(module)[-1:]
    ]
    return namesakes == [module]


def _parts(module: str) -> tuple[str, ...]:
    """`gateway/store/payments.py` as `("store", "payments")`, a package by its own name."""
    return PurePosixPath(module.removesuffix("/__init__.py")).with_suffix("").parts[1:]
