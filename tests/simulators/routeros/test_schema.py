"""Our written-down schema against those of real routers, where they lie beside the project."""

import json
from pathlib import Path

import pytest

from gateway.simulators.routeros import SimulatedRouter
from gateway.simulators.routeros.schema import API_ONLY, commands, parse_version
from tests.fakeclock import FakeClock

DATA = Path(__file__).parents[3].parent / "shared" / "data"
VERSIONS = ("7.10.2", "7.20.8", "7.24")
NOT_IN_THE_DUMPS = {
    *("/interface", "/ip/dhcp-server", "/ip/dns", "/ip/firewall/nat", "/ipv6/address", "/ipv6/nd", "/ipv6/settings"),
    *("/system/device-mode", "/system/license"),
}
"""Menus of every router, of which the dumps hold nothing."""
SUBSETS = {"print", "find", "get"}
"""Commands of which we take a part: what we lack prints to files and consoles."""


@pytest.fixture(params=VERSIONS)
def real(request):
    file = DATA / f"routeros-{request.param}.json"
    if not file.exists():
        pytest.skip(f"{file.name} of a real router is not beside the project")
    return request.param, json.loads(file.read_text())["commands"]


def comparable(version):
    for path, arguments in commands(parse_version(version)).items():
        menu, _, verb = path.rpartition("/")
        if verb not in API_ONLY and menu not in NOT_IN_THE_DUMPS:
            yield path, verb, arguments


def test_every_command_exists_on_the_real_router(real):
    version, known = real
    assert [path for path, _, _ in comparable(version) if path not in known] == []


def test_changing_commands_take_exactly_the_real_arguments(real):
    version, known = real
    ours = {path: set(arguments) for path, verb, arguments in comparable(version) if verb not in SUBSETS}
    assert ours == {path: set(known[path]) for path in ours}


def test_reading_commands_take_no_argument_that_the_real_ones_lack(real):
    version, known = real
    unreal = {path: arguments - set(known[path]) for path, verb, arguments in comparable(version) if verb in SUBSETS}
    assert {path: extra for path, extra in unreal.items() if extra} == {}


@pytest.mark.parametrize("version", [*VERSIONS, "6.49.18"])
def test_every_command_of_the_schema_has_something_behind_it(version):
    router = SimulatedRouter(FakeClock(), version=version)
    reading = SUBSETS | API_ONLY
    directories = router.console.directories
    behind = {f"{path}/{verb}" for path, directory in directories.items() for verb in {*directory.verbs, *reading}}
    assert commands(parse_version(version)).keys() - behind == set()


@pytest.mark.parametrize(
    ("text", "version"), [("7.20.8", (7, 20, 8)), ("7.24rc1 (testing)", (7, 24)), ("6.49.18 (stable)", (6, 49, 18))]
)
def test_a_version_is_read_by_its_numbers(text, version):
    assert parse_version(text) == version


def test_what_is_no_version_is_refused():
    with pytest.raises(ValueError, match="no RouterOS version"):
        parse_version("stable")
