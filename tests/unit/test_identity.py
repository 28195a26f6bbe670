"""Identity: what is read, what is refused, how it prints."""

import dataclasses
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity import Duration, IpAddress, MacAddress, Money, PhoneNumber, Secret

# ---------------------------------------------------------------------------------------------------------------- MAC addresses


@pytest.mark.parametrize(
    "spelling",
    [
        "A4:83:E7:0B:1C:2D",
        "a4:83:e7:0b:1c:2d",
        "A4-83-E7-0B-1C-2D",
        "A483E70B1C2D",
        "a483.e70b.1c2d",
        "  A4:83:e7:0B:1C:2D\n",
    ],
)
def test_every_common_spelling_of_a_mac_becomes_what_routeros_prints(spelling):
    assert str(MacAddress.parse(spelling)) == "A4:83:E7:0B:1C:2D"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A4:83:E7:0B:1C",
        "A4:83:E7:0B:1C:2D:3E",
        "A4:83-E7:0B-1C:2D",
        "A4:83:E7:0B:1C:2G",
        "A4 83 E7 0B 1C 2D",
        "A483:E70B:1C2D",
        "A4:83:E7:0B:1C:2D?",
        "A4:83:E7:0B:1C:2D A4:83:E7:0B:1C:2D",
        "\u0661\u0662:83:E7:0B:1C:2D",
    ],
)
def test_what_is_no_mac_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="such as AA:BB:CC:DD:EE:FF"):
        MacAddress.parse(text)


@pytest.mark.parametrize(
    "text", ["00:00:00:00:00:00", "000000000000", "FF:FF:FF:FF:FF:FF", "01:00:5E:00:00:01", "33:33:00:00:00:01"]
)
def test_a_mac_that_is_not_one_device_is_refused(text):
    with pytest.raises(ValueError, match="of one device"):
        MacAddress.parse(text)


def test_the_random_macs_of_modern_phones_are_accepted():
    assert str(MacAddress.parse("da:a1:19:00:00:01")) == "DA:A1:19:00:00:01"


def test_macs_compare_by_value_whatever_their_spelling():
    assert len({MacAddress.parse("a483e70b1c2d"), MacAddress.parse("A4-83-E7-0B-1C-2D")}) == 1


@given(st.binary(min_size=6, max_size=6).filter(lambda octets: any(octets) and not octets[0] & 1))
def test_each_device_mac_survives_every_spelling(octets):
    colons = octets.hex(":").upper()
    for spelling in (colons, octets.hex("-"), octets.hex(), octets.hex(".", 2)):
        assert MacAddress.parse(spelling).text == colons


# ---------------------------------------------------------------------------------------------------------------- IP addresses


@pytest.mark.parametrize("text", ["10.5.50.23", " 192.168.88.254 ", "172.16.0.1", "100.64.0.9", "41.90.1.1"])
def test_the_address_of_a_device_is_accepted(text):
    assert str(IpAddress.parse(text)) == text.strip()


@pytest.mark.parametrize(
    "text", ["", "10.5.50", "10.5.50.256", "10.5.50.023", "0x0a.5.50.1", "10.5.50.1/24", "10.5.50.1:80", "::1", "fe80::1", "router"]
)
def test_what_is_no_ipv4_address_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match=r"such as 192\.168\.1\.100"):
        IpAddress.parse(text)


@pytest.mark.parametrize(
    "text", ["0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"]
)
def test_an_address_that_is_not_one_device_is_refused(text):
    with pytest.raises(ValueError, match="of one device"):
        IpAddress.parse(text)


# ---------------------------------------------------------------------------------------------------------------- phone numbers


def test_a_phone_number_shows_each_of_its_faces():
    phone = PhoneNumber("+254712345678")
    assert (phone.digits, phone.local, phone.masked, phone.is_kenyan) == ("254712345678", "0712345678", "2547•••••678", True)


def test_a_foreign_number_stays_international():
    phone = PhoneNumber("+256712345678")
    assert (phone.local, phone.is_kenyan) == ("+256712345678", False)


def test_a_phone_number_prints_masked():
    assert str(PhoneNumber("+254712345678")) == f"{PhoneNumber('+254712345678')}" == "2547•••••678"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0712345678",
        "254712345678",
        "+0712345678",
        "+254 712345678",
        "+25471234567890123",
        "+123456",
        "+1\u0662\u0663\u0664\u0665\u0666\u0667\u0668",
    ],
)
def test_a_phone_number_is_made_of_e164_only(text):
    with pytest.raises(ValueError, match=r"E\.164"):
        PhoneNumber(text)


# ---------------------------------------------------------------------------------------------------------------- money


@pytest.mark.parametrize(
    ("value", "cents"),
    [
        ("50", 5000),
        ("50.00", 5000),
        ("50.5", 5050),
        (" 50 ", 5000),
        ("0", 0),
        ("0.01", 1),
        (50, 5000),
        (Decimal("50.00"), 5000),
        ("50.0000", 5000),
        (Decimal("5E+1"), 5000),
        ("999999999.99", 99_999_999_999),
    ],
)
def test_an_exact_amount_is_read_from_text_integer_and_decimal(value, cents):
    assert Money.parse(value) == Money(cents)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "fifty",
        "50,00",
        "KES 50",
        "-1",
        "-0",
        -1,
        "50.001",
        Decimal("0.005"),
        "1000000000",
        "NaN",
        "Infinity",
        "-Infinity",
        "sNaN",
        "0x10",
        True,
        "50." + "0" * 30 + "1",
        "1E+400",
        10**400,
    ],
)
def test_what_is_no_exact_amount_is_refused(value):
    with pytest.raises(ValueError, match="must be an amount"):
        Money.parse(value)


@pytest.mark.parametrize("text", ["1E-999999999", "0E+999999999", "0E-999999999", "1E+999999999"])
def test_an_amount_with_a_huge_exponent_is_refused_without_being_written_out(text):
    with pytest.raises(ValueError, match="must be an amount"):
        Money.parse(text)


def test_money_prints_with_two_decimals():
    assert [str(Money(cents)) for cents in (0, 5, 5000, 123_456)] == ["0.00", "0.05", "50.00", "1234.56"]


def test_only_whole_amounts_have_shillings():
    assert (Money(5000).is_whole, Money(5000).shillings) == (True, 50)
    with pytest.raises(ValueError, match="whole shillings only"):
        _ = Money(5050).shillings


def test_money_is_exact_in_shillings():
    assert Money(5).decimal == Decimal("0.05")


@given(st.integers(0, 99_999_999_999))
def test_money_reads_what_it_prints(cents):
    assert Money.parse(str(Money(cents))) == Money(cents) == Money.parse(Money(cents).decimal)


# ---------------------------------------------------------------------------------------------------------------- durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("1h", 3600),
        ("1d", 86_400),
        ("7d", 604_800),
        ("1d12h", 129_600),
        (" 1h ", 3600),
        ("2w", 1_209_600),
        ("1d1h1m1s", 90_061),
    ],
)
def test_a_duration_is_read_from_its_parts(text, seconds):
    assert Duration.parse(text).seconds == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0s",
        "0d0h",
        "60",
        "1.5h",
        "-1h",
        "1h30",
        "12h1d",
        "1H",
        "1 h",
        "1h 30m",
        "one hour",
        "1h1h",
        "99999d",
        "\u0661h",
        "01:00:00",
    ],
)
def test_what_is_no_duration_is_refused_with_examples(text):
    with pytest.raises(ValueError, match="such as 90s, 30m, 1h, 7d or 1d12h"):
        Duration.parse(text)


@pytest.mark.parametrize(
    ("text", "display"),
    [
        ("1h", "1 hour"),
        ("2h", "2 hours"),
        ("1d12h", "1 day 12 hours"),
        ("90s", "1 minute 30 seconds"),
        ("2w", "14 days"),
        ("1s", "1 second"),
    ],
)
def test_a_duration_shows_for_people(text, display):
    assert Duration.parse(text).display == display


def test_a_duration_prints_in_the_largest_parts():
    assert [str(Duration(seconds)) for seconds in (90, 3600, 129_600, 604_800)] == ["1m30s", "1h", "1d12h", "7d"]


@given(st.integers(1, 10 * 366 * 86_400))
def test_a_duration_reads_what_it_prints(seconds):
    assert Duration.parse(str(Duration(seconds))) == Duration(seconds)


# ---------------------------------------------------------------------------------------------------------------- secrets


@dataclasses.dataclass(frozen=True)
class _Holder:
    password: Secret


def test_a_secret_never_prints():
    secret = Secret("hunter2")
    for text in (
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r}",
        f"{_Holder(secret)}",
        str([secret]),
        str({"password": secret}),
    ):
        assert "hunter2" not in text
        assert "***" in text


def test_a_secret_is_handed_over_only_when_asked():
    assert Secret("hunter2").reveal() == "hunter2"


def test_secrets_compare_by_value():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


def test_half_a_surrogate_pair_compares_like_any_other_text():
    assert Secret("\ud800") != Secret("a")
    assert Secret("\ud800") == Secret("\ud800")


@pytest.mark.parametrize(
    "value", [MacAddress("A4:83:E7:0B:1C:2D"), IpAddress("10.0.0.1"), PhoneNumber("+254712345678"), Money(1), Duration(1)]
)
def test_a_value_cannot_be_changed(value):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, dataclasses.fields(value)[0].name, None)
