"""The source tree as the rules see it: files with their syntax trees, and the few questions that several rules ask of them.

Reads files and nothing else. A rule gets a `Tree` and returns offences, so that it can be tried on a planted line.
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FOLDERS = ("gateway", "tests", "docs", "systemd", ".ci")
_LEFTOVERS = ("__pycache__", ".egg-info", "node_modules")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One file: its path inside the project, with slashes, and its text."""

    path: str
    text: str

    def within(self, *patterns: str) -> bool:
        """Whether the path matches one of the patterns; `gateway/web/*` holds everything below."""
        return any(fnmatch(self.path, pattern) for pattern in patterns)

    @property
    def is_python(self) -> bool:
        return self.path.endswith(".py")

    @property
    def module(self) -> str:
        """The dotted name: `gateway.store.payments`; a package goes by its own name."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def syntax(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.syntax))

    @cached_property
    def functions(self) -> list[Function]:
        return [node for node in self.nodes if isinstance(node, Function)]

    @cached_property
    def names(self) -> dict[str, str]:
        """What each imported name stands for: `from time import time as now` gives `{"now": "time.time"}`."""
        bound: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                bound |= {(alias.asname or alias.name.split(".")[0]): _bound_to(alias) for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                bound |= {(alias.asname or alias.name): f"{self._origin(node)}.{alias.name}" for alias in node.names}
        return bound

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """Every import with its line, as `package.module.name`; relative ones made absolute."""
        found: list[tuple[int, str]] = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found += [(node.lineno, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                found += [(node.lineno, f"{self._origin(node)}.{alias.name}") for alias in node.names]
        return found

    def _origin(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.path.split("/")[: -node.level]
        return ".".join([*package, node.module] if node.module else package)

    def resolve(self, node: ast.AST) -> str:
        """The dotted name that an expression stands for (`dt.datetime.now` after `import datetime as dt`), or nothing."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, "")
        if isinstance(node, ast.Attribute):
            owner = self.resolve(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        return ""

    def offence(self, where: ast.AST | int, sentence: str) -> str:
        """`path:line: sentence`."""
        line = where if isinstance(where, int) else getattr(where, "lineno", 1)
        return f"{self.path}:{line}: {sentence}"


Tree = Sequence[Source]
Rule = Callable[[Tree], list[str]]


def read_project() -> Tree:
    """Every text file of the project."""
    top = [path for path in ROOT.iterdir() if path.is_file()]
    deep = [path for folder in _FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [source for path in sorted(top + deep) if (source := _read(path))]


def python(tree: Tree, *patterns: str) -> Iterator[Source]:
    """The Python files whose paths match; all of them without a pattern."""
    return (source for source in tree if source.is_python and (not patterns or source.within(*patterns)))


def length(function: Function) -> int:
    """Lines from `def` to the end without the docstring, which is no burden to a reader."""
    first = function.body[0]
    docstring = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) is not None else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def parameters(function: Function) -> list[ast.arg]:
    """All of them, in order of kind."""
    arguments = function.args
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def bare_strings(source: Source) -> set[ast.AST]:
    """Strings that stand alone: docstrings of modules, functions, classes, attributes and constants."""
    return {node.value for node in source.nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}


def _bound_to(alias: ast.alias) -> str:
    return alias.name if alias.asname else alias.name.split(".")[0]


def _read(path: Path) -> Source | None:
    if any(mark in part for part in path.relative_to(ROOT).parts for mark in _LEFTOVERS):
        return None
    try:
        return Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    except UnicodeDecodeError:  # a picture
        return None
