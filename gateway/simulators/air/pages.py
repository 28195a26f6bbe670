"""RouterOS' page language: `$(variables)`, conditions, and the two forms that set the status line and a header.

Pure: a page's text and the values in, what goes to the browser out (facts, routeros 4.1 and 4.2; MikroTik, "HotSpot
customisation"). It knows no names of variables and no files.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

_TAG = re.compile(r"\$\((?P<word>[A-Za-z][\w-]*)(?:\s+(?P<rest>[^()]*))?\)")
_CONDITION = re.compile(r"(?P<name>\S+?)\s*(?:(?P<sign>==|!=)\s*(?P<wanted>.*))?", re.DOTALL)
_STATUS = re.compile(r"[1-9]\d\d")

_ESCAPED = "-esc"
"""The ending under which every variable can be had percent-encoded, byte by byte in UTF-8, fit for the value of a query."""


@dataclass(slots=True)
class Page:
    """An answer of the router."""

    status: int = 200
    reason: str = "OK"
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(slots=True)
class _Block:
    """What stands between `$(if …)` and `$(endif)`, as far as it has been read."""

    is_shown: bool
    """Whether the branch that is being read goes to the browser."""
    is_decided: bool
    """Whether no later branch can be the one that is shown."""
    sets: tuple[str, str] | None = None
    """`http-status` or `http-header`, and which: such a block is no condition, its text is the value."""
    text: list[str] = field(default_factory=list)

    def put(self, text: str) -> None:
        if self.is_shown:
            self.text.append(text)


def fill_in(text: str, variables: Mapping[str, str]) -> Page:
    """The page as the router sends it. An unknown variable is empty, a block that is never closed ends with the page.

    Values stand in it as they are: what is not asked for by its `-esc` name is not escaped in any way.
    """
    page, blocks, read_to = Page(), [_Block(is_shown=True, is_decided=True)], 0
    for tag in _TAG.finditer(text):
        blocks[-1].put(text[read_to : tag.start()])
        read_to = tag.end()
        _take(tag["word"], (tag["rest"] or "").strip(), variables, blocks, page)
    blocks[-1].put(text[read_to:])
    while len(blocks) > 1:
        _close(blocks, page)
    page.body = "".join(blocks[0].text)
    return page


def value(variables: Mapping[str, str], name: str) -> str:
    """The value of a variable, also by its escaped name; empty for one that is not known."""
    if name not in variables and name.endswith(_ESCAPED):
        return quote(variables.get(name.removesuffix(_ESCAPED), ""), safe="")
    return variables.get(name, "")


def _take(word: str, rest: str, variables: Mapping[str, str], blocks: list[_Block], page: Page) -> None:
    """Act on one tag."""
    block, is_inner = blocks[-1], len(blocks) > 1
    if word == "if":
        blocks.append(_opened(rest, variables, block))
    elif word == "elif" and is_inner:
        block.is_shown = not block.is_decided and _holds(rest, variables)
        block.is_decided |= block.is_shown
    elif word == "else" and is_inner:
        block.is_shown, block.is_decided = not block.is_decided, True
    elif word == "endif" and is_inner:
        _close(blocks, page)
    else:
        block.put(value(variables, word))


def _opened(condition: str, variables: Mapping[str, str], outer: _Block) -> _Block:
    name, _, wanted = _parts(condition)
    if name in {"http-status", "http-header"}:
        return _Block(outer.is_shown, is_decided=True, sets=(name, wanted))
    is_shown = outer.is_shown and _holds(condition, variables)
    return _Block(is_shown, is_decided=is_shown or not outer.is_shown)


def _close(blocks: list[_Block], page: Page) -> None:
    block = blocks.pop()
    text = "".join(block.text)
    if block.sets is None:
        blocks[-1].put(text)
    elif blocks[-1].is_shown:
        _set(page, *block.sets, " ".join(text.split()))


def _set(page: Page, what: str, which: str, text: str) -> None:
    """Set the status line or a header; of two headers of one name the last counts."""
    if what == "http-header":
        page.headers[which] = text
    elif _STATUS.fullmatch(which):
        page.status, page.reason = int(which), text


def _holds(condition: str, variables: Mapping[str, str]) -> bool:
    name, sign, wanted = _parts(condition)
    return (value(variables, name) == wanted) == (sign == "==")


def _parts(condition: str) -> tuple[str, str, str]:
    """Name, sign and value without its quotes; a name alone asks whether it has a value."""
    found = _CONDITION.fullmatch(condition.strip())
    if found is None:
        return "", "!=", ""
    wanted = (found["wanted"] or "").strip()
    if len(wanted) > 1 and wanted[0] == wanted[-1] and wanted[0] in "\"'":
        wanted = wanted[1:-1]
    return found["name"], found["sign"] or "!=", wanted
