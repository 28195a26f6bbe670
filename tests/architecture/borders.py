"""Rules about who may know whom: imports, libraries, the pure modules, SQL, transactions, web handlers.

The ★ points 1, 4, 5, 9 and 14 of the style sheet, point 6, and the direction of imports.
"""

import ast
import re
import sys
from collections.abc import Iterator

from tests.architecture.source import Function, Source, Tree, bare_strings, length, parameters, python

PURE = (
    *("gateway/identity.py", "gateway/packages.py", "gateway/payments.py", "gateway/access.py", "gateway/limits.py"),
    *("gateway/debts.py", "gateway/outages.py", "gateway/timeline.py"),
    *("gateway/invariants.py", "gateway/recovery.py"),
)

_IMPURE = {"asyncio", "time", "logging", "os", "io", "socket", "sqlite3", "subprocess", "threading", "random", "secrets", "pathlib"}
"""Standard modules with which a pure module would do I/O, read a clock, draw lots or log."""

BORDERS = {
    "aiohttp": (
        *("gateway/providers/*", "gateway/web/*", "gateway/simulators/*"),
        *("gateway/daemon.py", "gateway/checks.py", "gateway/audit_table.py", "gateway/cli_refund.py"),
    ),
    "aiohttp.web": ("gateway/web/*", "gateway/simulators/*", "gateway/daemon.py"),
    "aiosqlite": ("gateway/store/*",),
    "click": ("gateway/cli*",),
    "cryptography": ("gateway/vault.py",),
    "intasend": ("gateway/providers/intasend*.py",),
    "jinja2": ("gateway/web/*", "gateway/simulators/*"),
    "jwt": ("gateway/tokens.py",),
    "librouteros": ("gateway/hotspot/*",),
    "msgspec": ("gateway/config*", "gateway/web/*", "gateway/store/*", "gateway/providers/*", "gateway/simulators/*"),
    "phonenumbers": ("gateway/numbering.py",),
    "prometheus_client": ("gateway/metrics.py", "gateway/web/health.py"),
    "requests": ("gateway/providers/intasend*.py",),
    "uvloop": ("gateway/cli*", "gateway/daemon.py"),
    "yaml": ("gateway/config*",),
}
"""Where each library may be named. What is not here may be named nowhere."""

_LAYERS = {
    "gateway.cli": "root",
    "gateway.audit_table": "root",
    "gateway.checks": "root",
    "gateway.router_setup": "root",
    "gateway.demo": "root",
    "gateway.daemon": "root",
    "gateway.__main__": "root",
    "gateway.web": "web",
    "gateway.simulators": "simulator",
    "gateway.providers.base": "interface",
    "gateway.providers": "provider",
    "gateway.hotspot.base": "interface",
    "gateway.hotspot.pages": "shared",
    "gateway.hotspot": "hotspot",
    "gateway.store": "store",
    "gateway.identity": "rules",
    "gateway.packages": "rules",
    "gateway.payments": "rules",
    "gateway.limits": "rules",
    "gateway.timeline": "rules",
    "gateway.access": "rules",
    "gateway.invariants": "rules",
    "gateway.recovery": "rules",
    "gateway.debts": "rules",
    "gateway.outages": "rules",
    "gateway.catalogue": "shared",
    "gateway.clock": "shared",
    "gateway.config": "shared",
    "gateway.errors": "shared",
    "gateway.numbering": "shared",
    "gateway.passwords": "shared",
    "gateway.vault": "shared",
    "gateway.metrics": "shared",
    "gateway.": "flow",
}
"""Which layer a module belongs to, by how its name begins: the first that fits."""

_LOW = {"rules", "shared", "interface"}
_SEES = {
    "rules": {"rules"},
    "shared": _LOW,
    "interface": _LOW,
    "provider": _LOW | {"provider"},
    "hotspot": _LOW | {"hotspot"},
    "simulator": _LOW | {"simulator"},
    "store": _LOW | {"store"},
    "flow": _LOW | {"store", "flow"},
    "web": _LOW | {"store", "flow", "web"},
    "root": set(_LAYERS.values()),
}
"""Imports go one way: rules <- flows <- web; the adapters never see each other; only the root sees everything.

`interface` is what an adapter promises, and the records that it takes and gives: no way to reach anybody.
"""

_SQL = re.compile(
    r"\s*(SELECT\s+\S+.*?\s+FROM\b|SELECT\s+\d|INSERT\s+(OR\s+\w+\s+)?INTO|REPLACE\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM"
    r"|(CREATE|DROP|ALTER)\s+(UNIQUE\s+|TEMP\s+)?(TABLE|INDEX|VIEW|TRIGGER)|PRAGMA\s+\w|BEGIN\s+IMMEDIATE|SAVEPOINT\s+\w|ROLLBACK)",
    re.DOTALL,
)
_MIGRATIONS = "gateway/store/migrations/"
_FOREIGN = (
    "gateway.providers",
    "gateway.hotspot",
    "gateway.web",
    "aiohttp",
    "requests",
    "intasend",
    "librouteros",
    "socket",
    "urllib",
)
HANDLER_LINES = 25


def pure_modules_import_the_standard_library_and_each_other(tree: Tree) -> list[str]:
    """★ 1: no library, no other module of ours, no I/O, no clock, no logging, no async."""
    allowed = sys.stdlib_module_names - _IMPURE
    offences = [
        source.offence(line, f"a pure module must not import {name}")
        for source in python(tree, *PURE)
        for line, name in source.imports
        if name.split(".")[0] not in allowed and not _is_pure(name)
    ]
    asynchronous = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    return offences + [
        source.offence(node, "a pure module must not be async")
        for source in python(tree, *PURE)
        for node in source.nodes
        if isinstance(node, asynchronous)
    ]


def sql_is_only_in_the_store(tree: Tree) -> list[str]:
    """★ 4: a string that begins like a statement is one."""
    return [
        source.offence(node, f"SQL outside the store: {node.value.strip()[:40]!r}")
        for source in python(tree, "gateway/*")
        if not source.within("gateway/store/*")
        for node in source.nodes
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node not in bare_strings(source)
        and _SQL.match(node.value)
    ]


def migrations_are_numbered_without_gaps(tree: Tree) -> list[str]:
    """★ 4: `0001_what.sql`, `0002_what.sql`, and no SQL file elsewhere."""
    paths = sorted(source.path for source in tree if source.path.endswith(".sql"))
    misplaced = [f"{path}:1: belongs into {_MIGRATIONS}" for path in paths if not path.startswith(_MIGRATIONS)]
    numbered = [path for path in paths if path.startswith(_MIGRATIONS)]
    return misplaced + [
        f"{path}:1: must be named {number:04d}_<what>.sql"
        for number, path in enumerate(numbered, 1)
        if not re.fullmatch(rf"{number:04d}_[a-z0-9_]+\.sql", path.removeprefix(_MIGRATIONS))
    ]


def a_transaction_meets_nothing_foreign(tree: Tree) -> list[str]:
    """★ 5: the store imports nothing that talks to others, and what runs inside a transaction cannot await.

    The interfaces may be named there: they hold the records that are stored, and no way to talk.
    """
    imports = [
        source.offence(line, f"the store must not know {name}")
        for source in python(tree, "gateway/store/*")
        for line, name in source.imports
        if name.startswith(_FOREIGN) and _layer(name) != "interface"
    ]
    return imports + [
        source.offence(function, f"{function.name} runs inside a transaction and must not be async")
        for source in python(tree, "gateway/*")
        for function in source.functions
        if isinstance(function, ast.AsyncFunctionDef) and (_takes_a_transaction(function) or function.name in _written(source))
    ]


def libraries_stay_at_their_border(tree: Tree) -> list[str]:
    """★ 9: a library is named where the table allows it; one without an entry, nowhere."""
    return [
        source.offence(line, f"{name} must not be named here; BORDERS allows {', '.join(_border(name)) or 'it nowhere'}")
        for source in python(tree, "gateway/*")
        for line, name in source.imports
        if name.split(".")[0] not in sys.stdlib_module_names | {"gateway"} and not source.within(*_border(name))
    ]


def imports_go_one_way(tree: Tree) -> list[str]:
    """Architecture: rules <- flows <- web; rules <- providers, hotspot, store; only the root sees everything."""
    return [
        source.offence(line, f"{_layer(source.module)} must not import {_layer(name)} ({name})")
        for source in python(tree, "gateway/*")
        for line, name in source.imports
        if name.startswith("gateway.") and _layer(name) not in _SEES[_layer(source.module)]
    ]


def web_handlers_parse_call_and_render(tree: Tree) -> list[str]:
    """★ 14: 25 lines or fewer. (No SQL and no adapter: rules 4 and the direction of imports.)"""
    return [
        source.offence(function, f"{function.name} has {length(function)} lines; a handler has {HANDLER_LINES} or fewer")
        for source in python(tree, "gateway/web/*")
        for function in source.functions
        if _is_handler(function) and length(function) > HANDLER_LINES
    ]


def the_web_does_not_decide_by_state(tree: Tree) -> list[str]:
    """★ 14: what a state means is decided by the rules and the flows."""
    return [
        source.offence(node, "the web layer must not decide by .state: ask the rules")
        for source in python(tree, "gateway/web/*")
        for node in source.nodes
        if any(isinstance(part, ast.Attribute) and part.attr == "state" for part in _compared(node))
    ]


def money_and_gate_move_in_one_place_each(tree: Tree) -> list[str]:
    """6: `push(` and `authorize(` have one call site each outside the adapters, so that nothing goes around what guards them."""
    calls = [
        (node.func.attr, source.offence(node, f"a second call of {node.func.attr}"))
        for source in python(tree, "gateway/*")
        if _layer(source.module) not in {"provider", "hotspot", "simulator"}
        for node in source.nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"push", "authorize"}
    ]
    return [offence for verb in ("push", "authorize") for offence in [said for name, said in calls if name == verb][1:]]


def _is_pure(name: str) -> bool:
    return name.startswith("gateway.") and _layer(name) == "rules"


def _takes_a_transaction(function: Function) -> bool:
    kinds = [ast.unparse(argument.annotation) for argument in parameters(function) if argument.annotation]
    return any(kind.split(".")[-1] == "Connection" for kind in kinds)


def _written(source: Source) -> set[str]:
    """The names of the functions that are handed to `.write(...)`."""
    handed = [argument for node in source.nodes if isinstance(node, ast.Call) for argument in node.args if _is_write(node.func)]
    return {part.id for argument in handed for part in ast.walk(argument) if isinstance(part, ast.Name)}


def _is_write(called: ast.expr) -> bool:
    return isinstance(called, ast.Attribute) and called.attr == "write"


def _border(name: str) -> tuple[str, ...]:
    """The narrowest entry: `aiohttp.web.Request` falls under `aiohttp.web`."""
    parts = name.split(".")
    entries = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((BORDERS[entry] for entry in entries if entry in BORDERS), ())


def _layer(module: str) -> str:
    return next((layer for beginning, layer in _LAYERS.items() if module.startswith(beginning)), "shared")


def _is_handler(function: Function) -> bool:
    kinds = [ast.unparse(argument.annotation) for argument in parameters(function) if argument.annotation]
    return isinstance(function, ast.AsyncFunctionDef) and any(kind.split(".")[-1] == "Request" for kind in kinds)


def _compared(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare):
        yield from (node.left, *node.comparators)
    elif isinstance(node, ast.Match):
        yield node.subject
