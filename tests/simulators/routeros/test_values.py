"""What a client may write for each type, and how it is refused."""

import pytest

from gateway.simulators.routeros.traps import Trap
from gateway.simulators.routeros.values import (
    Address,
    AddressRange,
    Boolean,
    Choice,
    Choices,
    Integer,
    Mac,
    Rate,
    Reference,
    Time,
    format_duration,
    parse_duration_s,
)

NAMES = {"*1": "1h", "*2": "1hour", "*A": "weekly"}


def parse(kind, text):
    return kind.parse("x", text, lambda _menu: NAMES)


def refusal(kind, text):
    with pytest.raises(Trap) as caught:
        parse(kind, text)
    assert caught.value.category == 1
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1w2d3h4m5s", 788_645),
        ("4m42s", 282),
        ("0s", 0),
        ("300", 300),
        ("00:05:00", 300),
        ("00:90:00", 5_400),
        ("1d02:03:04", 93_784),
        ("1w1d00:00:01", 691_201),
        ("500ms", 0.5),
        ("00:00:00.200", 0.2),
    ],
)
def test_a_duration_is_read_in_every_spelling_of_a_router(text, seconds):
    assert parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (18, "18s"), (282.9, "4m42s"), (86_400, "1d"), (788_645, "1w2d3h4m5s")])
def test_a_duration_is_printed_without_zero_parts(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize("text", ["", "none", "1x", "h", "-5", "1:2:3:4"])
def test_what_is_no_duration_is_refused(text):
    assert refusal(Time(), text) == "invalid time value for argument x"


@pytest.mark.parametrize(
    ("kind", "text", "printed"),
    [
        (Time(("none",)), "none", "none"),
        (Time(), "3600", "1h"),
        (Boolean(), "yes", "true"),
        (Boolean(), "false", "false"),
        (Integer(), "007", "7"),
        (Integer(words=("unlimited",)), "unlimited", "unlimited"),
        (Mac(), "aa-bb-cc-dd-ee-0f", "AA:BB:CC:DD:EE:0F"),
        (Address(), "10.0.0.1", "10.0.0.1"),
        (Address(ported=True), "10.0.0.1:80", "10.0.0.1:80"),
        (AddressRange(), "10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9"),
        (Rate(), "512k/1M", "512k/1M"),
        (Rate(), "", ""),
        (Choice(("regular", "bypassed", "blocked")), "by", "bypassed"),
        (Choices(("mac", "cookie", "mac-cookie")), "cookie,mac", "mac,cookie"),
        (Choices(("read", "write"), negatable=True), "write,!read", "write,!read"),
        (Reference("m", ("all",)), "all", "all"),
        (Reference("m"), "week", "weekly"),
        (Reference("m"), "1h", "1h"),
        (Reference("m"), "*a", "weekly"),
    ],
)
def test_a_value_is_printed_in_the_routers_spelling(kind, text, printed):
    assert parse(kind, text) == printed


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (Boolean(), "maybe", "input does not match any value of x"),
        (Integer(), "5k", "invalid value for argument x"),
        (Integer(1, 9), "10", "value of x is out of range (1 .. 9)"),
        (Mac(), "AA:BB", "invalid value of x, mac address required"),
        (Address(), "10.0.0.300", "invalid value for argument x"),
        (AddressRange(), "phone", "value of x expects range of ip addresses"),
        (Rate(), "fast", "invalid value for argument x"),
        (Choice(("bypassed", "blocked")), "b", "ambiguous value of x, more than one possible value matches input"),
        (Choice(("bypassed", "blocked")), "open", "input does not match any value of x"),
        (Reference("m"), "1", "ambiguous value of x, more than one possible value matches input"),
        (Reference("m"), "day", "input does not match any value of x"),
        (Reference("m"), "*9", "input does not match any value of x"),
        (Reference("m"), "", "input does not match any value of x"),
    ],
)
def test_a_value_is_refused_in_the_routers_words(kind, text, message):
    assert refusal(kind, text) == message
