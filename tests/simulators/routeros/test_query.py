"""The stack machine of query words (facts, routeros 1.7)."""

import pytest

from gateway.simulators.routeros.query import matches
from gateway.simulators.routeros.traps import Trap

ROW = {"name": "ether1", "mtu": "1500", "comment": "uplink", "empty": ""}


def key(name, text):
    return int(text) if name == "mtu" else text


@pytest.mark.parametrize(
    ("words", "passes"),
    [
        ([], True),
        (["?name"], True),
        (["?speed"], False),
        (["?-speed"], True),
        (["?-name"], False),
        (["?name=ether1"], True),
        (["?=name=ether1"], True),
        (["?name=ether"], False),
        (["?speed=1"], False),
        (["?<mtu=9000"], True),
        (["?>mtu=900"], True),
        (["?>mtu=1500"], False),
        (["?mtu=01500"], True),
        (["?>mtu=nonsense"], False),
        (["?>comment="], True),
        (["?>empty="], False),
        (["?name=ether1", "?mtu=9000"], False),
        (["?name=ether2", "?mtu=1500", "?#|"], True),
        (["?name=ether2", "?#!"], True),
        (["?name=ether1", "?mtu=9000", "?#!", "?#&"], True),
        (["?name=a", "?name=b", "?name=ether1", "?#||"], True),
        (["?name=a", "?name=b", "?name=c", "?#||"], False),
        (["?name=ether2", "?name=ether1", "?#0"], True),
        (["?name=ether2", "?name=ether1", "?#1"], False),
        (["?name=ether1", "?name=ether2", "?#1.0&", "?#1"], False),
        (["?name=ether2", "?#!.|"], True),
        (["?#!"], False),
        (["?#&"], True),
    ],
)
def test_a_row_passes_when_no_false_is_left_on_the_stack(words, passes):
    assert matches(words, ROW, key) is passes


def test_an_unknown_operation_is_refused():
    with pytest.raises(Trap):
        matches(["?#x"], ROW, key)
