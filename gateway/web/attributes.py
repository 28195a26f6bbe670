"""What the source says below the fields of a type: Python keeps the docstring of a class, but not those of its attributes."""

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise

import msgspec


def attribute_docs(kinds: Iterable[type[msgspec.Struct]]) -> dict[str, dict[str, str]]:
    """By type and field, as JSON names them: for these types, and for every other one in the modules in which they stand.

    What a type inherits is said of it as well. Where there is no source nothing is said.
    """
    modules = {
        parent.__module__
        for kind in kinds
        for parent in kind.__mro__
        if issubclass(parent, msgspec.Struct) and parent is not msgspec.Struct
    }
    below = {name: dict(texts) for module in modules for name, texts in _below_fields(module)}
    return {kind.__name__: _said(kind, below) for module in modules for kind in _structs_in(module)}


def _said(kind: type[msgspec.Struct], below: dict[str, dict[str, str]]) -> dict[str, str]:
    """What is said of the fields of one type; its own word counts before its parents'."""
    texts: dict[str, str] = {}
    for parent in reversed(kind.__mro__):
        texts |= below.get(parent.__name__, {})
    return {field.encode_name: texts[field.name] for field in msgspec.structs.fields(kind) if field.name in texts}


def _structs_in(module: str) -> Iterator[type[msgspec.Struct]]:
    for found in vars(sys.modules[module]).values():
        if isinstance(found, type) and issubclass(found, msgspec.Struct):
            yield found


def _below_fields(module: str) -> Iterator[tuple[str, Iterator[tuple[str, str]]]]:
    """Each class of a module with its fields and the text below them."""
    try:
        source = inspect.getsource(sys.modules[module])
    except OSError:
        return
    for declared in ast.parse(source).body:
        if isinstance(declared, ast.ClassDef):
            yield declared.name, _texts(declared)


def _texts(declared: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(declared.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())
