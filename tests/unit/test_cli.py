"""The commands from outside: help, exit codes, and failures in one line."""

import asyncio
import contextlib
import socket
import sqlite3
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from gateway import cli, vault
from gateway.errors import Internal, NotStored
from gateway.identity import Secret
from gateway.passwords import verify
from gateway.scheduler import Scheduler
from tests.configs import ROUTER, SMALL, changed
from tests.fakeclock import FakeClock

pytestmark = pytest.mark.usefixtures("logging_as_it_was")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def run(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments], env=environment, prog_name="hotspot-gateway")


def written(folder: Path, document: Any) -> Path:
    path = folder / "config.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document), "utf-8")
    return path


def selling(folder: Path, **router: Any) -> Path:
    """A configuration that sells something, with its data in the folder."""
    server = {"listen": "127.0.0.1:0", "public_url": "http://127.0.0.1", "data_dir": str(folder / "data")}
    return written(folder, changed(("server",), server, changed(ROUTER, SMALL["owners"][0]["routers"][0] | router)))


def test_help_names_every_command_and_the_way_to_try_it() -> None:
    answer = run("--help")
    assert answer.exit_code == 0
    assert "hotspot-gateway demo" in answer.output
    for name, command in cli.main.commands.items():
        assert str(command.help).splitlines()[0] in answer.output
        assert run(name, "-h").exit_code == 0


def test_help_says_where_the_configuration_is_looked_for() -> None:
    text = " ".join(run("run", "-h").output.split())
    assert "$HOTSPOT_GATEWAY_CONFIG, then /etc/hotspot-gateway/config.yaml" in text


def test_the_version_is_told() -> None:
    assert run("--version").output == f"hotspot-gateway, version {version('hotspot-gateway')}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nope"],
        ["run", "--nope"],
        ["demo", "--port", "x"],
        ["demo", "--port", "65536"],
        ["demo", "--port", "-1"],
        ["simulate"],
        ["simulate", "x"],
    ],
)
def test_wrong_usage_exits_2_and_points_at_the_help(arguments: list[str]) -> None:
    answer = run(*arguments)
    assert answer.exit_code == 2
    assert "--help" in answer.stderr
    assert "Error: " in answer.stderr


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_configuration_that_is_not_there_exits_2_and_is_named(command: str, tmp_path: Path) -> None:
    path = tmp_path / "nowhere.yaml"
    answer = run(command, "--config", path)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith(f"{path}: ")
    assert len(answer.stderr.splitlines()) == 1


def test_the_environment_names_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.yaml"
    assert str(path) in run("check", HOTSPOT_GATEWAY_CONFIG=str(path)).stderr


@pytest.mark.parametrize("command", ["run", "check"])
def test_every_fault_of_the_configuration_has_its_line(command: str, tmp_path: Path) -> None:
    faulty = changed(("server",), {"public_url": "nonsense", "listen": "nowhere"}, changed((*ROUTER, "port"), 0))
    answer = run(command, "--config", written(tmp_path, faulty))
    assert answer.exit_code == 2
    assert [line.split(":")[0] for line in answer.stderr.splitlines()] == [
        "server.listen",
        "server.public_url",
        "owners[0].routers[0].port",
    ]


def test_a_port_that_is_taken_is_one_clear_line(taken_port: int) -> None:
    answer = run("demo", "--port", str(taken_port))
    assert answer.exit_code == 1
    assert answer.stderr.splitlines()[-1] == f"hotspot-gateway: cannot listen on 127.0.0.1:{taken_port}: Address already in use"
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""


@pytest.mark.parametrize("which", ["router", "intasend"])
def test_a_simulator_whose_port_is_taken_is_one_clear_line(which: str, taken_port: int) -> None:
    answer = run("simulate", which, "--port", str(taken_port))
    assert answer.exit_code == 1
    (line,) = answer.stderr.splitlines()
    assert line.startswith("hotspot-gateway: ")
    assert "address already in use" in line.lower()


def test_a_data_directory_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    answer = run("run", "--config", selling(tmp_path))
    assert (answer.exit_code, len(answer.stderr.splitlines())) == (1, 1)
    assert answer.stderr.startswith("hotspot-gateway: server.data_dir: ")


def test_a_database_that_cannot_be_used_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(0o700)
    vault.keys_in(tmp_path / "data")
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "gateway.db")) as newer:
        newer.execute("PRAGMA user_version = 9999")
    (tmp_path / "data" / "gateway.db").chmod(0o600)
    answer = run("run", "--config", selling(tmp_path))
    assert (answer.exit_code, len(answer.stderr.splitlines())) == (1, 1)
    assert "install the newer program again" in answer.stderr


def test_check_prints_the_table_and_nothing_beside_it(tmp_path: Path) -> None:
    answer = run("check", "--config", selling(tmp_path, host="127.0.0.1", port=1))
    assert (answer.exit_code, answer.stderr) == (1, "")
    assert {line[:7] for line in answer.stdout.splitlines()} == {"ok     ", "WRONG  "}


async def test_a_job_that_dies_ends_the_daemon_with_one_line() -> None:
    class Faulty:
        name = "faulty"

        async def run_once(self) -> float | None:
            raise KeyError("x")

    scheduler = Scheduler(FakeClock())
    scheduler.add(Faulty())
    with pytest.raises(Internal, match=r"stopped, because a job died: KeyError\('x'\)"):
        await cli._until_signalled(SimpleNamespace(scheduler=scheduler))  # type: ignore[arg-type]
    await asyncio.sleep(0)


def test_a_password_is_hashed_for_the_configuration() -> None:
    answer = CliRunner().invoke(cli.main, ["hash-password"], input="karibu-kenya\n")
    assert answer.exit_code == 0
    assert verify(Secret("karibu-kenya"), answer.output.strip())
    assert "karibu" not in answer.output


@pytest.mark.parametrize("typed", ["", "\n", "seven77\n"])
def test_a_password_that_anybody_guesses_is_not_hashed(typed: str) -> None:
    answer = CliRunner().invoke(cli.main, ["hash-password"], input=typed)
    assert (answer.exit_code, "scrypt" in answer.output) == (2, False)


def test_a_refund_of_what_nobody_sold_is_one_line(tmp_path: Path) -> None:
    answer = run("refund", "payment-1", "--config", selling(tmp_path))
    assert (answer.exit_code, answer.output.count("\n")) == (1, 1)
    assert "there is no database" in answer.output


async def test_a_reload_that_the_disk_does_not_take_is_not_blamed_on_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    class Full:
        async def take(self, _: object) -> None:
            raise NotStored("not now") from sqlite3.OperationalError("database or disk is full")

    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(SMALL), "utf-8")
    daemon: Any = Full()
    await cli._reload(daemon, path)
    (told,) = caplog.records
    assert (
        told.getMessage()
        == "the disk takes nothing (database or disk is full), the old configuration stays: make room and reload again"
    )
