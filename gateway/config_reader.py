"""Reading one YAML file against a table of known keys: places, secrets, environment variables, and every fault at once.

Owns the grammar of the file and knows nothing of what it configures (`gateway.config` does). It must not stop at the first
fault, must not guess (an unknown or repeated key is a fault), and must not show a secret: a value whose place is a secret's, or
is not known, prints as `***`.

Every plain value is kept as the text that was written: YAML's own reading would turn `0123` into 83, `12:30` into 750 and money
into floats. What a text means is decided by the table's `parse`, which raises ValueError with the rule that was broken.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

HIDDEN = "***"
MISSING = "missing"

_LONGEST_SHOWN = 80
"""Characters of a faulty value that are shown: a fault stays one line."""
_MOST_SECRET_BYTES = 65_536
"""A secret's file is a few lines; more is the wrong file, or a device that never ends."""
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_VARIABLE = re.compile(r"\$(\$?)\{(?:([A-Za-z_][A-Za-z0-9_]*)\})?")
_QUOTED = re.compile(r"""(['"])(?!<).{3,}\1""", re.DOTALL)

Tree: TypeAlias = "str | list[Tree] | dict[str, Tree] | None"
"""The file as it is written: text, nothing, lists and mappings."""


class ConfigError(Exception):
    """The configuration cannot be used. `faults` holds all that is wrong, each as `path.to.key: value - rule`."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


@dataclass(frozen=True, slots=True)
class Key:
    """One plain value. `default` is text, as it would stand in the file; with neither default nor `required`, absence is None."""

    parse: Callable[[str], Any]
    default: str | None = None
    required: bool = False
    shown: bool = True
    """Whether a faulty value may be printed."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A value that never prints; `NAME_file: /path` may stand instead of `NAME:` and its content is taken literally."""

    parse: Callable[[str], Any]
    required: bool = False


@dataclass(frozen=True, slots=True)
class PathKey:
    """A place in the file system; relative ones start in the folder of the configuration file."""

    default: str | None = None
    must_be_file: bool = False


@dataclass(frozen=True, slots=True)
class FileKey:
    """A small file that is read with the configuration and parsed; found like a PathKey. When it is absent, None."""

    parse: Callable[[bytes], Any]
    most_bytes: int


@dataclass(frozen=True, slots=True)
class ListKey:
    """A list of plain values, in a tuple."""

    parse: Callable[[str], Any]
    default: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SectionKey:
    """A mapping with keys of its own. When it is absent, its defaults hold, or with `optional` it is None."""

    table: "Table"
    optional: bool = False


@dataclass(frozen=True, slots=True)
class SectionsKey:
    """A list of mappings with the same keys, in a tuple."""

    table: "Table"


Entry: TypeAlias = Key | SecretKey | PathKey | FileKey | ListKey | SectionKey | SectionsKey
Table: TypeAlias = Mapping[str, Entry]


class Section:
    """One mapping of the file after reading: the values that are good, and a way to fault those that contradict each other."""

    def __init__(self, reader: "Reader", path: str, tree: Mapping[str, Tree]) -> None:
        self.path = path
        self.values: dict[str, Any] = {}
        self._reader = reader
        self._tree = tree

    def __getitem__(self, name: str) -> Any:
        """The value of a key. KeyError when it was faulty: build only from a reader without faults."""
        return self.values[name]

    def get(self, name: str) -> Any:
        """The value of a key, None when it is absent or was faulty."""
        return self.values.get(name)

    def sections(self, name: str) -> tuple["Section", ...]:
        """The sections of a list, none when it is absent or was faulty."""
        return self.values.get(name) or ()

    def states(self, name: str) -> bool:
        """Whether the file says anything about the key, right or wrong, here or in a secret's file."""
        return self._tree.get(name) is not None or self._tree.get(f"{name}_file") is not None

    def place(self, name: str) -> str:
        """Where a key stands, counted from the root of the file."""
        return f"{self.path}.{name}" if self.path else name

    def fault(self, name: str, rule: str, *, secret: bool = False) -> None:
        """Note that the value of a key breaks a rule."""
        shown = MISSING if not self.states(name) else HIDDEN if secret else _shown(self._tree.get(name))
        self._reader.faults.append(f"{self.place(name)}: {shown} - {rule}")


class Reader:
    """Reads trees against tables and gathers the faults."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.faults: list[str] = []
        self._folder = folder
        self._environ = environ

    def section(self, path: str, tree: Tree, table: Table) -> Section:
        """Read one mapping; what is faulty is noted and left out of the section's values."""
        if not isinstance(tree, dict):
            self.faults.append(f"{path or 'the file'}: {_kind(tree)} - must be a mapping of keys to values")
            return Section(self, path, {})
        section = Section(self, path, tree)
        self._refuse_unknown_keys(section, tree, table)
        for name, entry in table.items():
            self._entry(section, name, entry, tree)
        return section

    def _refuse_unknown_keys(self, section: Section, tree: Mapping[str, Tree], table: Table) -> None:
        known = [spelling for name, entry in table.items() for spelling in spellings(name, entry)]
        for key in tree:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                # The value stays hidden: it may be a secret under a misspelt name.
                self.faults.append(f"{section.place(_shown(key))}: {HIDDEN} - unknown key{hint}")

    def _entry(self, section: Section, name: str, entry: Entry, tree: Mapping[str, Tree]) -> None:
        match entry:
            case Key():
                self._plain(section, name, entry, tree.get(name))
            case SecretKey():
                self._secret(section, name, entry, tree)
            case PathKey():
                self._path(section, name, entry, tree.get(name))
            case FileKey():
                self._file(section, name, entry, tree.get(name))
            case ListKey():
                self._list(section, name, entry, tree.get(name))
            case SectionKey():
                self._section(section, name, entry, tree.get(name))
            case SectionsKey():
                self._sections(section, name, entry, tree.get(name))

    def _plain(self, section: Section, name: str, key: Key, tree: Tree) -> None:
        with self._noting(section.place(name), _shown(tree) if key.shown else HIDDEN):
            if tree is not None:
                section.values[name] = key.parse(self._text(tree))
            elif key.required:
                section.fault(name, "is required")
            else:
                section.values[name] = None if key.default is None else key.parse(key.default)

    def _secret(self, section: Section, name: str, key: SecretKey, tree: Mapping[str, Tree]) -> None:
        inline, file = tree.get(name), tree.get(f"{name}_file")
        if inline is not None and file is not None:
            section.fault(name, f"give either {name} or {name}_file, not both", secret=True)
        elif file is not None:
            with self._noting(section.place(f"{name}_file"), _shown(file)):
                section.values[name] = key.parse(_secret_in(self._folder / self._text(file)))
        elif inline is not None:
            with self._noting(section.place(name), HIDDEN):
                section.values[name] = key.parse(self._text(inline))
        elif key.required:
            section.fault(name, f"is required, here or as {name}_file")
        else:
            section.values[name] = None

    def _path(self, section: Section, name: str, key: PathKey, tree: Tree) -> None:
        with self._noting(section.place(name), _shown(tree)):
            text = key.default if tree is None else self._text(tree)
            if text is None:
                section.values[name] = None
                return
            if not text or not text.isprintable():
                raise ValueError("must be a path")
            path = self._folder / text
            if key.must_be_file and not path.is_file():
                raise ValueError(f"no such file: {path}")
            section.values[name] = path

    def _file(self, section: Section, name: str, key: FileKey, tree: Tree) -> None:
        with self._noting(section.place(name), _shown(tree)):
            path = None if tree is None else self._folder / self._text(tree)
            section.values[name] = None if path is None else key.parse(_content_of(path, key.most_bytes))

    def _list(self, section: Section, name: str, key: ListKey, tree: Tree) -> None:
        if tree is None:
            section.values[name] = tuple(key.parse(text) for text in key.default)
        elif not isinstance(tree, list):
            section.fault(name, "must be a list such as [a, b]")
        else:
            values = []
            for index, item in enumerate(tree):
                with self._noting(f"{section.place(name)}[{index}]", _shown(item)):
                    values.append(key.parse(self._text(item)))
            section.values[name] = tuple(values)

    def _section(self, section: Section, name: str, key: SectionKey, tree: Tree) -> None:
        if tree is None and key.optional:
            section.values[name] = None
        else:
            section.values[name] = self.section(section.place(name), {} if tree is None else tree, key.table)

    def _sections(self, section: Section, name: str, key: SectionsKey, tree: Tree) -> None:
        if tree is not None and not isinstance(tree, list):
            self.faults.append(f"{section.place(name)}: {_kind(tree)} - must be a list, each entry beginning with a dash")
            return
        places = ((f"{section.place(name)}[{index}]", item) for index, item in enumerate(tree or ()))
        section.values[name] = tuple(self.section(place, item, key.table) for place, item in places)

    def _text(self, tree: Tree) -> str:
        if not isinstance(tree, str):
            raise ValueError(f"must be a single value, not {_kind(tree)}")  # noqa: TRY004 - a fault of the file, noted like the others
        return _VARIABLE.sub(self._variable, tree)

    def _variable(self, match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if escaped:
            return match.group()[1:]
        if name is None:
            raise ValueError("${ must be followed by a name and }; write $${ for the characters themselves")
        if name not in self._environ:
            raise ValueError(f"the environment variable {name} is not set")
        return self._environ[name]

    @contextmanager
    def _noting(self, place: str, shown: str) -> Iterator[None]:
        try:
            yield
        except ValueError as rule:
            self.faults.append(f"{place}: {shown} - {rule}")


def spellings(name: str, entry: Entry) -> tuple[str, ...]:
    """The keys under which an entry may stand in the file."""
    return (name, f"{name}_file") if isinstance(entry, SecretKey) else (name,)


def read_tree(path: Path) -> Tree:
    """The file as it is written. ConfigError when it cannot be read or is not the YAML that is understood here."""
    try:
        return _parse_yaml(path.read_bytes())
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror or 'input/output error'} - must be a readable file"]) from None
    except RecursionError:
        raise ConfigError([f"{path}: nested too deeply - must be the mapping of config.example.yaml"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"{path}: {_where(error)} - {_what(error)}"]) from None


def _parse_yaml(content: bytes) -> Tree:
    node = yaml.compose(content, Loader=_Loader)
    faults: list[str] = []
    tree = None if node is None else _tree(node, "", faults)
    if faults:
        raise ConfigError(faults)
    return tree


class _Loader(yaml.SafeLoader):
    """Composes nodes and guesses no types; without aliases a file cannot contain itself."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - the base class declares it so

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(
                None, None, "aliases are not read here; put a value that begins with * in quotes", mark
            )
        return super().compose_node(parent, index)


_CORE_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))


def _tree(node: yaml.Node, path: str, faults: list[str]) -> Tree:
    if node.tag not in _CORE_TAGS:
        faults.append(f"{path or 'the file'}: {HIDDEN} - tags (!...) are not read here; put a value that begins with ! in quotes")
        return None
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, faults)
    if isinstance(node, yaml.SequenceNode):
        return [_tree(item, f"{path}[{index}]", faults) for index, item in enumerate(node.value)]
    is_plain = isinstance(node, yaml.ScalarNode) and not node.style
    return None if is_plain and node.value in _NULLS else str(node.value)


def _mapping(node: yaml.MappingNode, path: str, faults: list[str]) -> dict[str, Tree]:
    entries: dict[str, Tree] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            faults.append(f"{path or 'the file'}: {HIDDEN} - a key must be a single word")
            continue
        key = str(key_node.value)
        place = f"{path}.{_shown(key)}" if path else _shown(key)
        if key in entries:
            line = key_node.start_mark.line + 1
            faults.append(f"{place}: {HIDDEN} - stands twice in the same mapping (again on line {line})")
        entries[key] = _tree(value_node, place, faults)
    return entries


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f"line {mark.line + 1}, column {mark.column + 1}"
    return f"position {getattr(error, 'position', 0)}"


def _what(error: yaml.YAMLError) -> str:
    """The parser's complaint; longer quotations from the file are left out, because any line may hold a secret."""
    words = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML")
    return " ".join(_QUOTED.sub(HIDDEN, words).split())


def _secret_in(path: Path) -> str:
    """The content of a secret's file without the newline that editors put at its end."""
    try:
        return _content_of(path, _MOST_SECRET_BYTES).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"is not UTF-8 text: {path}") from None


def _content_of(path: Path, most_bytes: int) -> bytes:
    """The content of a file that has at most so many bytes."""
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or 'input/output error'} ({path})") from None
    if len(content) > most_bytes:
        raise ValueError(f"is longer than {most_bytes} bytes: {path}")
    return content


def _shown(tree: Tree) -> str:
    """A value in one line of printable characters."""
    if not isinstance(tree, str):
        return _kind(tree)
    text = tree if tree and tree.isprintable() else ascii(tree)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def _kind(tree: Tree) -> str:
    if tree is None:
        return "nothing"
    return "text" if isinstance(tree, str) else "a list" if isinstance(tree, list) else "a mapping"
