"""The functions of the language that need nothing but their values: `:len`, `:pick`, `:tonum`, … Pure."""

from collections.abc import Callable, Mapping

from gateway.simulators.routeros.scripting.cursor import ScriptError
from gateway.simulators.routeros.scripting.values import Duration, Ip, Value, from_word, to_ip, to_text, type_name


def length(value: Value) -> int:
    """`:len`: of a text in letters, of an array in items; nothing has none."""
    if value is None:
        return 0
    return len(value) if isinstance(value, (list, dict)) else len(to_text(value))


def pick(value: Value, start: Value, end: Value = None) -> Value:
    """`:pick`: from start up to before end; without an end, one item."""
    if type_name(start) != "num" or type_name(end) not in {"num", "nothing"}:
        raise ScriptError("invalid value for argument begin" if type_name(start) != "num" else "invalid value for argument end")
    first, last = int(str(start)), int(str(start)) + 1 if end is None else int(str(end))
    if isinstance(value, list):
        return (value[first] if first < len(value) else None) if end is None else value[max(0, first) : max(0, last)]
    return to_text(value)[max(0, first) : max(0, last)]


def find(value: Value, wanted: Value, after: Value = None) -> Value:
    """`:find`: where something first stands, behind the position `after`; nothing if nowhere."""
    start = 0 if after is None else int(to_text(after)) + 1
    if isinstance(value, list):
        return next((index for index, item in enumerate(value) if index >= start and item == wanted), None)
    at = to_text(value).find(to_text(wanted), start)
    return None if at < 0 else at


def to_number(value: Value) -> Value:
    """`:tonum`; nothing for what is no number."""
    if isinstance(value, Duration):
        return value.seconds
    if isinstance(value, Ip):
        return value.number
    if isinstance(value, bool) or value is None:
        return None
    text = to_text(value)
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() else None


def to_time(value: Value) -> Value:
    """`:totime`; a number is seconds."""
    read = value if isinstance(value, Duration) else from_word(to_text(value))
    if type_name(read) == "num":
        return Duration(int(str(read)))
    return read if isinstance(read, Duration) else None


def to_truth(value: Value) -> Value:
    """`:tobool`; nothing for what is neither."""
    read = value if isinstance(value, bool) else from_word(to_text(value))
    return read if isinstance(read, bool) else None


def to_array(value: Value) -> Value:
    """`:toarray`: a text is split at its commas."""
    if isinstance(value, (list, dict)):
        return value
    return [from_word(item.strip()) for item in to_text(value).split(",") if item.strip()]


FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "len": length,
    "pick": pick,
    "find": find,
    "tonum": to_number,
    "tostr": to_text,
    "totime": to_time,
    "toip": lambda value: value if isinstance(value, Ip) else to_ip(to_text(value)),
    "toarray": to_array,
    "tobool": to_truth,
    "typeof": type_name,
    "nothing": lambda: None,
}
