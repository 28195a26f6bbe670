"""What surrounds the product: the unit, `make`, the build machine's script, the licence and the package's data files."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.browser.conftest import missing

UNIT = ROOT / "systemd" / "hotspot-gateway.service"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXPOSURE_TENTHS = 20  # systemd's own services are between 1.5 and 4.3 (facts, platform C7)

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")


def settings(unit: str) -> dict[str, list[str]]:
    """Every setting of a unit with its values in order; a key may stand several times."""
    found: dict[str, list[str]] = {}
    for line in unit.splitlines():
        if match := re.fullmatch(r"(\w+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


GIVEN = {"MFLAGS", "PYTHON", "VENV", "ARGS", "EXAMPLES", "KILLS", "SEED", "SEEDS", "FIRST", "SIZE"}
"""What `make` hands down to these tests, and means for the run that they are part of."""


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without input and without the make that may have started these tests."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name not in GIVEN}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=inherited | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def analyze(folder: Path, unit: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`systemd-analyze` on a copy of the unit, started program replaced: /opt/hotspot-gateway is not on a build machine."""
    copy = folder / UNIT.name
    copy.write_text(re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", unit, flags=re.MULTILINE), "utf-8")
    return run("systemd-analyze", *arguments, copy)


class TestTheUnit:
    text = UNIT.read_text("utf-8")
    settings = settings(text)

    @needs_systemd
    def test_systemd_finds_no_fault_in_it(self, tmp_path: Path) -> None:
        verdict = analyze(tmp_path, self.text, "verify", "--man=no")
        assert (verdict.returncode, verdict.stdout + verdict.stderr) == (0, "")

    @needs_systemd
    def test_systemd_would_find_a_fault(self, tmp_path: Path) -> None:
        verdict = analyze(tmp_path, self.text.replace("UMask=", "Umasc="), "verify", "--man=no")
        assert "Umasc" in verdict.stderr

    @needs_systemd
    def test_its_sandbox_is_as_tight_as_those_of_systemd_itself(self, tmp_path: Path) -> None:
        verdict = analyze(tmp_path, self.text, "security", "--offline=yes", f"--threshold={EXPOSURE_TENTHS}", "--no-pager")
        assert verdict.returncode == 0, verdict.stdout

    @needs_systemd
    def test_a_sandbox_with_holes_would_be_seen(self, tmp_path: Path) -> None:
        holes = re.sub(
            r"^(CapabilityBoundingSet|SystemCallFilter|PrivateUsers|ProtectSystem)=.*\n", "", self.text, flags=re.MULTILINE
        )
        verdict = analyze(tmp_path, holes, "security", "--offline=yes", f"--threshold={EXPOSURE_TENTHS}", "--no-pager")
        assert verdict.returncode != 0

    def test_it_runs_as_its_own_user_with_its_own_state(self) -> None:
        assert self.settings["User"] == ["hotspot-gateway"]
        assert self.settings["StateDirectory"] == ["hotspot-gateway"]
        assert self.settings["StateDirectoryMode"] == ["0700"]

    def test_it_starts_the_installed_command_and_waits_until_that_serves(self) -> None:
        assert self.settings["Type"] == ["notify"]
        assert self.settings["ExecStart"] == ["/opt/hotspot-gateway/bin/hotspot-gateway run"]

    def test_it_never_gives_up_but_for_a_faulty_configuration(self) -> None:
        assert self.settings["Restart"] == ["always"]
        assert self.settings["StartLimitIntervalSec"] == ["0"]
        assert self.settings["RestartPreventExitStatus"] == ["2"]

    def test_it_promises_no_watchdog_that_nobody_feeds(self) -> None:
        feeds = any("WATCHDOG=1" in path.read_text("utf-8") for path in (ROOT / "gateway").rglob("*.py"))
        assert ("WatchdogSec" in self.settings) == feeds

    def test_it_waits_neither_for_an_uplink_nor_for_the_time(self) -> None:
        assert self.settings["After"] == ["network.target"]
        assert not {"Wants", "Requires"} & self.settings.keys()

    def test_a_secret_that_is_not_there_does_not_keep_it_from_starting(self) -> None:
        """A credential by a relative name is looked up in the credential stores and may be missing; an absolute path may not."""
        sources = [value.split(":", 1)[1] for value in self.settings["LoadCredential"]]
        assert all(source.startswith("hotspot-gateway.") for source in sources)

    def test_the_install_guide_explains_each_secret_and_no_other(self) -> None:
        guide = (ROOT / "docs" / "install.md").read_text("utf-8")
        loaded = {value.split(":", 1)[0] for value in self.settings["LoadCredential"]}
        assert set(re.findall(r"\$\{CREDENTIALS_DIRECTORY\}/([\w-]+)", guide)) == loaded
        assert all(f"`hotspot-gateway.{name}`" in guide for name in loaded)

    def test_the_install_guide_makes_its_user(self) -> None:
        command = next(line for line in self.text.splitlines() if "systemd-sysusers" in line).split("systemd-sysusers", 1)[1]
        assert command in (ROOT / "docs" / "install.md").read_text("utf-8")


STAND_IN = """#!/bin/sh
# Stands in for python3 and for the environment's python: notes what is asked of it and builds nothing.
case "$1 $2" in
    "--version ") echo "Python {version}" ;;
    "-c import sys"*) exit {too_old} ;;
    "-c import ensurepip"*) exit {no_venv} ;;
    "-c import pip"*) echo yes ;;
    "-m venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python && cp "$0" .venv/bin/hotspot-gateway && echo "venv" >> log ;;
    *) echo "$*" >> log ;;
esac
"""


class TestMake:
    """The Makefile with a python3 that builds nothing, in a folder of its own."""

    @pytest.fixture
    def clone(self, tmp_path: Path) -> Path:
        (tmp_path / "tests" / "browser").mkdir(parents=True)
        for name in ("Makefile", "pyproject.toml", "tests/browser/package-lock.json"):
            shutil.copy(ROOT / name, tmp_path / name)
        self.python(tmp_path)
        self.npm(tmp_path)
        return tmp_path

    def npm(self, clone: Path, *, does: str = "mkdir -p tests/browser/node_modules") -> None:
        (clone / "bin").mkdir(exist_ok=True)
        stand_in = clone / "bin" / "npm"
        stand_in.write_text(f'#!/bin/sh\necho "npm $*" >> log\n{does}\n', "utf-8")
        stand_in.chmod(0o755)

    def python(self, clone: Path, version: str = "3.11.7", *, too_old: bool = False, no_venv: bool = False) -> None:
        stand_in = clone / "python3"
        stand_in.write_text(STAND_IN.format(version=version, too_old=int(too_old), no_venv=int(no_venv)), "utf-8")
        stand_in.chmod(0o755)

    def make(self, clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run("make", "PYTHON=./python3", *arguments, cwd=clone, PATH=f"{clone / 'bin'}:{os.environ['PATH']}")

    def log(self, clone: Path) -> list[str]:
        """What python was asked to do since the last look."""
        log = clone / "log"
        lines = log.read_text("utf-8").splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def installs(self, clone: Path) -> list[str]:
        return [line for line in self.log(clone) if line == "venv" or " install " in line]

    def test_run_builds_the_environment_without_the_tests_and_starts_the_demo(self, clone: Path) -> None:
        assert self.make(clone, "run").returncode == 0
        assert self.log(clone) == ["venv", "-m pip --quiet --disable-pip-version-check install --editable .", "demo"]

    def test_run_hands_its_arguments_on(self, clone: Path) -> None:
        self.make(clone, "run", "ARGS=--port 9000")
        assert self.log(clone)[-1] == "demo --port 9000"

    def test_test_runs_lint_types_and_tests_in_this_order(self, clone: Path) -> None:
        assert self.make(clone, "test").returncode == 0
        assert self.log(clone)[3:] == [
            "-m ruff check .",
            "-m ruff format --check .",
            "-m mypy",
            "-m pytest --numprocesses 2 -m not long",
        ]

    def test_test_fetches_what_the_browser_needs_once_and_as_it_is_locked(self, clone: Path) -> None:
        self.make(clone, "test")
        assert "npm ci --prefix tests/browser --silent --ignore-scripts" in self.log(clone)
        self.make(clone, "test")
        assert not any(line.startswith("npm") for line in self.log(clone))

    def test_test_runs_where_npm_has_no_network(self, clone: Path) -> None:
        self.npm(clone, does="exit 1")
        outcome = self.make(clone, "test")
        assert (outcome.returncode, self.log(clone)[-1]) == (0, "-m pytest --numprocesses 2 -m not long")
        assert "npm could not fetch them" in outcome.stderr

    def test_screenshots_look_at_every_page_and_keep_what_they_see(self, clone: Path) -> None:
        assert self.make(clone, "screenshots").returncode == 0
        assert self.log(clone)[-1] == "-m pytest tests/browser/test_every_page.py"
        assert (ROOT / "tests" / "browser" / "test_every_page.py").exists()

    def test_the_environment_is_built_once(self, clone: Path) -> None:
        self.make(clone, "test")
        assert len(self.installs(clone)) == 2
        self.make(clone, "test")
        self.make(clone, "run")
        assert self.installs(clone) == []

    def test_the_environment_is_brought_up_to_date_when_the_dependencies_change(self, clone: Path) -> None:
        self.make(clone, "test")
        self.installs(clone)
        later_s = (clone / ".venv" / ".tests").stat().st_mtime + 5
        os.utime(clone / "pyproject.toml", (later_s, later_s))
        self.make(clone, "test")
        assert self.installs(clone) == ["-m pip --quiet --disable-pip-version-check install --editable .[test]"]

    def test_an_environment_whose_python_has_gone_is_built_anew(self, clone: Path) -> None:
        self.make(clone, "run")
        self.installs(clone)
        (clone / ".venv" / "bin" / "python").unlink()
        self.make(clone, "run")
        assert self.installs(clone)[0] == "venv"

    def test_an_old_python_is_refused_with_what_to_do(self, clone: Path) -> None:
        self.python(clone, "3.9.2", too_old=True)
        refusal = self.make(clone, "test")
        assert refusal.returncode != 0
        assert "needs Python 3.11 or later, and ./python3 is Python 3.9.2" in refusal.stderr
        assert self.log(clone) == []

    def test_a_python_without_venv_is_refused_with_what_to_install(self, clone: Path) -> None:
        self.python(clone, no_venv=True)
        refusal = self.make(clone, "run")
        assert refusal.returncode != 0
        assert "install python3-venv" in refusal.stderr

    def test_no_python_at_all_is_said_plainly(self, clone: Path) -> None:
        (clone / "python3").unlink()
        refusal = self.make(clone, "run")
        assert refusal.returncode != 0
        assert "install Python 3.11 or later" in refusal.stderr

    def test_the_version_check_knows_this_python(self) -> None:
        (check,) = re.findall(r"-c '(import sys; [^']+)'", (ROOT / "Makefile").read_text("utf-8"))
        assert run(sys.executable, "-c", check).returncode == 0
        assert run(sys.executable, "-c", f"import sys; sys.version_info = (3, 10, 9); {check}").returncode == 1

    def test_help_names_every_word(self, clone: Path) -> None:
        shown = self.make(clone, "help").stdout
        words = ["help", "run", "test", "long", "fuzz", "kill", "screenshots", "simulate", "clean"]
        assert re.findall(r"^make (\w+)", shown, flags=re.MULTILINE) == words
        assert self.make(clone).stdout == shown


class TestTheBuildMachinesScript:
    script = ROOT / ".ci" / "run"

    @pytest.fixture
    def tools(self, tmp_path: Path) -> Path:
        """A folder to put in front of PATH, with everything that the script looks for."""
        for name in ("make", "systemd-analyze", "python3", "chromium", "npm"):
            self.tool(tmp_path, name, 'echo "9 passed in 1.00s"' if name == "make" else "exit 0")
        return tmp_path

    def tool(self, folder: Path, name: str, does: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{does}\n", "utf-8")
        (folder / name).chmod(0o755)

    def run_it(self, tools: Path) -> subprocess.CompletedProcess[str]:
        return run(self.script, cwd=Path("/"), PATH=f"{tools}:{os.environ['PATH']}", CI="true")

    def test_it_ends_with_the_closing_line_of_the_tests(self, tools: Path) -> None:
        outcome = self.run_it(tools)
        assert (outcome.returncode, outcome.stdout) == (0, 2 * "9 passed in 1.00s\n")

    def test_it_runs_make_test_in_the_checkout(self, tools: Path) -> None:
        self.tool(tools, "make", 'echo "$*"; pwd')
        assert self.run_it(tools).stdout.splitlines() == ["test", str(ROOT), "long", str(ROOT)]

    def test_it_does_not_let_the_browser_be_missing(self, tools: Path) -> None:
        self.tool(tools, "make", 'echo "REQUIRE_BROWSER=$REQUIRE_BROWSER"')
        assert self.run_it(tools).stdout == 2 * "REQUIRE_BROWSER=1\n"

    def test_it_fails_when_the_tests_fail(self, tools: Path) -> None:
        self.tool(tools, "make", "exit 2")
        assert self.run_it(tools).returncode == 2

    def test_it_installs_what_is_missing_and_says_so(self, tools: Path) -> None:
        self.tool(tools, "python3", "exit 1")
        self.tool(tools, "id", "echo 0")
        self.tool(tools, "apt-get", 'echo "apt-get $*" >&2')
        outcome = self.run_it(tools)
        assert outcome.stdout.startswith("installing python3-venv\n")
        assert "install --yes --no-install-recommends python3-venv" in outcome.stderr

    def test_it_installs_nothing_where_it_may_not(self, tools: Path) -> None:
        self.tool(tools, "python3", "exit 1")
        self.tool(tools, "id", "echo 1000")
        self.tool(tools, "apt-get", "exit 9")
        outcome = self.run_it(tools)
        assert "not mine to install: python3-venv" in outcome.stderr
        assert outcome.stdout == 2 * "9 passed in 1.00s\n"


class TestTheBrowser:
    """The walks through the portal need Chromium, which pip cannot bring."""

    def test_where_it_is_missing_the_run_ends_with_what_to_install(self) -> None:
        one = "tests/browser/test_buying.py::test_two_phones_do_not_meet"
        outcome = run(sys.executable, "-m", "pytest", "-n0", one, PATH="", REQUIRE_BROWSER="")
        assert outcome.returncode == 0, outcome.stdout
        sentence = "Chromium is not here and the portal's pages went unseen: sudo apt install chromium"
        assert sentence in outcome.stdout.splitlines()[-2]

    def test_where_it_is_promised_its_absence_is_a_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REQUIRE_BROWSER", "1")
        with pytest.raises(pytest.fail.Exception, match="sudo apt install chromium"):
            missing("Chromium", "sudo apt install chromium")


class TestThePackage:
    def test_the_licence_is_the_one_that_is_declared(self) -> None:
        assert PYPROJECT["project"]["license"]["text"] == "GPL-3.0-or-later"
        text = (ROOT / "LICENSE").read_text("utf-8")
        assert "GNU GENERAL PUBLIC LICENSE" in text
        assert "Version 3, 29 June 2007" in text

    def test_make_and_the_package_want_the_same_python(self) -> None:
        assert PYPROJECT["project"]["requires-python"] == ">=3.11"
        assert PYPROJECT["tool"]["ruff"]["target-version"] == "py311"

    def test_every_data_file_is_packed(self) -> None:
        """Setuptools' patterns do not reach into deeper folders, so neither does the comparison."""
        package = ROOT / "gateway"
        packed = {path for pattern in PYPROJECT["tool"]["setuptools"]["package-data"]["gateway"] for path in package.glob(pattern)}
        data = {path for path in package.rglob("*") if path.is_file() and not path.suffix.startswith(".py")}
        assert package / "store" / "migrations" / "0001_first.sql" in data
        assert data - packed == set()

    def test_the_lock_file_of_the_browser_tests_names_no_registry_and_says_what_to_expect(self) -> None:
        lock = json.loads((ROOT / "tests" / "browser" / "package-lock.json").read_text("utf-8"))
        fetched = [package for path, package in lock["packages"].items() if path]
        assert fetched
        assert all("resolved" not in package and package["integrity"].startswith("sha512-") for package in fetched)

    def test_the_server_in_front_of_strangers_is_new_enough(self) -> None:
        """Before 3.14.1 a visitor of the portal can take it down (facts, platform C8)."""
        assert "aiohttp>=3.14.1,<4" in PYPROJECT["project"]["dependencies"]
