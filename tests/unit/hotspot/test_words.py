import pytest

from gateway.hotspot.words import (
    Mark,
    Unintelligible,
    bytes_in,
    duration,
    flag_at,
    is_ours,
    number_at,
    rates_in,
    seconds_at,
    seconds_in,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("4m42s", 282),
        ("1h30m", 5_400),
        ("1w2d3h4m5s", 788_645),
        ("00:05:00", 300),
        ("1d02:03:04", 93_784),
        ("01:22:53.500", 4_973),
        ("5m10s200ms", 310),
        ("250ms", 0),
        ("3600", 3_600),
    ],
)
def test_every_spelling_of_a_duration_is_read(text, seconds):
    assert seconds_in(text) == seconds


@pytest.mark.parametrize("text", ["", "none", "never"])
def test_no_duration_is_not_zero_seconds(text):
    assert seconds_in(text) is None


@pytest.mark.parametrize("text", ["soon", "1h30", "-5s", "1:2", "5x"])
def test_what_is_no_duration_is_reported_and_not_guessed(text):
    with pytest.raises(Unintelligible):
        seconds_in(text)


@pytest.mark.parametrize("seconds", [0, 1, 59, 60, 3_600, 5_400, 86_399, 604_800, 788_645])
def test_a_duration_that_was_written_reads_back_the_same(seconds):
    assert seconds_in(duration(seconds)) == seconds


def test_durations_are_written_as_the_router_prints_them():
    assert [duration(s) for s in (0, 90, 5_400, 90_000, 694_861)] == ["0s", "1m30s", "1h30m", "1d1h", "1w1d1h1m1s"]


def test_an_absent_attribute_is_zero_false_or_no_duration():
    assert number_at({}, "bytes-in") == 0
    assert not flag_at({}, "disabled")
    assert seconds_at({}, "session-time-left") is None


def test_booleans_are_read_in_both_spellings():
    assert flag_at({"disabled": "true"}, "disabled")
    assert flag_at({"disabled": "yes"}, "disabled")
    assert not flag_at({"disabled": "false"}, "disabled")


def test_bytes_are_counted_in_both_directions():
    assert bytes_in({"bytes-in": "7", "bytes-out": "35"}) == 42


def test_a_number_that_is_none_is_reported():
    with pytest.raises(Unintelligible):
        number_at({"bytes-in": "many"}, "bytes-in")


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("", None),
        ("0/0", None),
        ("2M/5M", (2_000_000, 5_000_000)),
        ("2048k/0", (2_048_000, 0)),
        ("1M", (1_000_000, 1_000_000)),
        ("1000k/1000000", (1_000_000, 1_000_000)),
    ],
)
def test_rates_compare_by_value_and_not_by_spelling(text, rates):
    assert rates_in(text) == rates


def test_a_rate_with_bursts_is_not_a_plain_one():
    with pytest.raises(Unintelligible):
        rates_in("2M/5M 4M/10M")


def test_a_mark_that_was_written_is_read_back():
    mark = Mark("7", 1_756_121_400)
    assert mark.comment == "hotspot-gateway:7 until=1756121400"
    assert Mark.on({"comment": mark.comment}) == mark


def test_words_that_an_operator_added_after_the_mark_do_not_hide_it():
    assert Mark.on({"comment": "hotspot-gateway:7 until=1756121400 mama njeri"}) == Mark("7", 1_756_121_400)


def test_a_mark_without_an_end_is_still_ours():
    assert Mark.on({"comment": "hotspot-gateway:7"}) == Mark("7", None)


@pytest.mark.parametrize("comment", ["", "hotspot-gateway", "hotspot-gateways:7", "my hotspot-gateway:7", "staff"])
def test_other_peoples_rows_and_our_infrastructure_are_no_clients_rows(comment):
    assert not is_ours({"comment": comment})
