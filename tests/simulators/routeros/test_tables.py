"""Rows, ids and references beneath the menus."""

import pytest

from gateway.simulators.routeros.tables import Configuration
from gateway.simulators.routeros.traps import Trap


@pytest.fixture
def configuration():
    return Configuration((7, 24), ("/ip/hotspot", "/ip/hotspot/user", "/ip/hotspot/user/profile", "/ip/hotspot/ip-binding"))


@pytest.fixture
def users(configuration):
    configuration.tables["/ip/hotspot/user/profile"].seed(name="default")
    return configuration.tables["/ip/hotspot/user"]


def test_a_new_row_has_the_defaults_of_its_menu(users):
    assert users.get(users.add({"name": "guest"})) == {
        ".id": "*0",
        "server": "all",
        "name": "guest",
        "password": "",
        "profile": "default",
        "disabled": "false",
    }


def test_a_menu_has_the_properties_of_its_version(users):
    older = Configuration((7, 20, 8), ("/ip/hotspot/user",)).tables["/ip/hotspot/user"]
    assert users.properties.keys() - older.properties.keys() == {"otp-secret"}


def test_each_change_is_counted_and_a_refused_one_is_not(configuration, users):
    row_id = users.add({"name": "guest"})
    users.set(row_id, {"comment": "x"})
    with pytest.raises(Trap):
        users.add({"name": "guest"})
    users.unset(row_id, "comment")
    users.remove(row_id)
    assert configuration.writes == 4


def test_a_row_from_the_factory_cannot_be_removed_or_doubled(configuration):
    profiles = configuration.tables["/ip/hotspot/user/profile"]
    row = profiles.seed(name="default")
    for refused in (lambda: profiles.remove(row[".id"]), lambda: profiles.add({"name": "default"})):
        with pytest.raises(Trap):
            refused()
    assert row[".id"] in profiles


def test_a_row_put_before_a_missing_one_is_refused_and_not_added(users):
    with pytest.raises(Trap, match="no such item"):
        users.add({"name": "guest", "place-before": "*9"})
    assert len(users) == 0
