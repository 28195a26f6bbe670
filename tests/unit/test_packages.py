"""Packages: what is sold, and the profile that it needs on a router."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity import Duration, Money
from gateway.packages import MARK, Package, SpeedProfile

RATES = st.none() | st.integers(1, 10_000_000)
PROFILES = st.builds(SpeedProfile, RATES, RATES, st.integers(1, 100))


def _package(**changes: Any):
    return Package(**{"id": 1, "router_id": 1, "name": "1 hour", "price": Money(5000), "duration": Duration(3600), **changes})


def test_a_package_needs_the_profile_of_its_speed_and_devices():
    package = _package(download_kbps=5000, upload_kbps=2000, devices=3)
    assert package.profile == SpeedProfile(upload_kbps=2000, download_kbps=5000, devices=3)


def test_packages_of_the_same_speed_share_a_profile():
    hour = _package(download_kbps=5000)
    day = _package(id=2, name="1 day", price=Money(20_000), duration=Duration(86_400), download_kbps=5000)
    assert hour.profile == day.profile
    assert hour.profile.name == day.profile.name


def test_the_data_limit_is_counted_in_decimal_bytes():
    assert _package(data_limit_mb=500).data_limit_bytes == 500_000_000


def test_without_a_data_limit_there_are_no_bytes():
    assert _package().data_limit_bytes is None


def test_a_package_is_on_sale_for_one_device_unless_it_says_otherwise():
    assert (_package().active, _package().devices, _package().description) == (True, 1, "")


@pytest.mark.parametrize(
    ("upload_kbps", "download_kbps", "rate"),
    [
        (2000, 5000, "2M/5M"),
        (512, 1000, "512k/1M"),
        (1500, 2500, "1500k/2500k"),
        (None, 5000, "0/5M"),
        (2000, None, "2M/0"),
        (None, None, None),
    ],
)
def test_the_rate_limit_names_the_clients_upload_first(upload_kbps, download_kbps, rate):
    assert SpeedProfile(upload_kbps, download_kbps, 1).rate_limit == rate


def test_a_profile_carries_our_mark_in_its_name():
    assert SpeedProfile(2000, 5000, 1).name == "hotspot-gateway-2000k-up-5000k-down-1-devices"
    assert SpeedProfile(None, None, 1).name.startswith(f"{MARK}-")


@given(st.lists(PROFILES, min_size=2, max_size=6, unique=True))
def test_no_profile_name_is_the_prefix_of_another(profiles):
    assert not any(one.name.startswith(other.name) for one, other in permutations(profiles, 2))


@given(st.integers(1, 999), st.integers(0, 9))
def test_numbers_that_begin_alike_make_no_prefixes(number, digit):
    longer = number * 10 + digit
    names = [SpeedProfile(a, b, c).name for a in (number, longer) for b in (number, longer) for c in (number, longer)]
    assert not any(one.startswith(other) for one, other in permutations(names, 2))
