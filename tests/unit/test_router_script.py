"""`hotspot-gateway router-script`: what it prints, what it asks for, and how it fails."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from gateway import cli, config
from gateway.config import API_PORT
from gateway.identity import Secret
from gateway.router_setup import Wishes, admin_login, installation
from tests.configs import ROUTER, changed

pytestmark = pytest.mark.usefixtures("logging_as_it_was")

PASSWORD = "router-secret"
TLS: dict[str, Any] = {"tls": True, "tls_fingerprint": "ab" * 32, "port": 8729}


def written(folder: Path, *, public_url: str = "http://10.5.50.2:8080", owner: dict[str, Any] | None = None, **router: Any) -> Path:
    document = changed((*ROUTER, "password"), PASSWORD, changed(("server", "public_url"), public_url))
    document["owners"][0] |= owner or {}
    document["owners"][0]["routers"][0] |= router
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(document), "utf-8")
    return path


def run(path: Path, *arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(cli.main, ["router-script", "--config", str(path), "--router", "1", *arguments], **options)


def test_it_prints_a_script_for_the_router_and_keeps_the_password_to_itself(tmp_path: Path) -> None:
    answer = run(written(tmp_path))
    assert answer.exit_code == 0
    assert answer.output.startswith("# hotspot-gateway: prepares router 1, ")
    assert answer.output.endswith("}\n")
    assert ':local hgPassword ""' in answer.output
    assert PASSWORD not in answer.output


def test_it_prints_the_password_when_told_to(tmp_path: Path) -> None:
    assert f':local hgPassword "{PASSWORD}"' in run(written(tmp_path), "--with-password").output


def test_a_router_that_is_not_configured_is_wrong_usage(tmp_path: Path) -> None:
    answer = CliRunner().invoke(cli.main, ["router-script", "--config", str(written(tmp_path)), "--router", "9"])
    assert answer.exit_code == 2
    assert "the configuration has no router 9; it has 1" in answer.output


def test_a_portal_with_a_name_needs_the_gateways_address(tmp_path: Path) -> None:
    path = written(tmp_path, public_url="https://wifi.example.org")
    answer = run(path)
    assert (answer.exit_code, "--gateway-address" in answer.output) == (2, True)
    assert 'address="10.7.7.2/32"' in run(path, "--gateway-address", "10.7.7.2").output


@pytest.mark.parametrize("option", [["--gateway-address", "nowhere"], ["--gateway-mac", "nothing"], ["--router", "x"]])
def test_nonsense_is_wrong_usage(option: list[str], tmp_path: Path) -> None:
    assert run(written(tmp_path), *option).exit_code == 2


@pytest.mark.parametrize(
    ("environment", "host"), [("sandbox", "sandbox.intasend.com"), ("live", "payment.intasend.com"), (None, "payment.intasend.com")]
)
def test_payment_pages_are_let_through_only_when_links_are_used(environment: str | None, host: str, tmp_path: Path) -> None:
    prefix = "live" if environment == "live" else "test"
    keys = {"environment": environment, "publishable_key": f"ISPubKey_{prefix}_1", "secret_key": f"ISSecretKey_{prefix}_1"}
    path = written(tmp_path, owner={"intasend": keys if environment else {}})
    assert "intasend.com" not in run(path).output
    assert f'dst-host="{host}"' in run(path, "--links").output


def test_the_owners_telephone_number_stands_on_the_pages(tmp_path: Path) -> None:
    path = written(tmp_path, owner={"portal": {"support_phone": "0712 345 678"}})
    assert "Call 0712 345 678." in run(path, "--inline").output


def test_the_gateways_own_hardware_address_can_be_named(tmp_path: Path) -> None:
    answer = run(written(tmp_path), "--gateway-mac", "b8-27-eb-00-00-01")
    assert ':local hgMac "B8:27:EB:00:00:01"' in answer.output


def test_without_a_terminal_the_password_comes_from_a_file(tmp_path: Path) -> None:
    answer = run(written(tmp_path), "--apply")
    assert (answer.exit_code, "--password-file" in answer.output) == (2, True)


def test_a_password_file_that_is_missing_is_one_clear_line(tmp_path: Path) -> None:
    answer = run(written(tmp_path), "--dry-run", "--password-file", str(tmp_path / "nothing"))
    assert (answer.exit_code, len(answer.output.splitlines())) == (1, 1)


def test_a_router_that_does_not_answer_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "admin").write_text("x\n", "utf-8")
    answer = run(written(tmp_path, host="127.0.0.1", port=1, tls=False), "--apply", "--password-file", str(tmp_path / "admin"))
    assert answer.exit_code == 1
    assert answer.output.splitlines()[-1].startswith("hotspot-gateway: router ")
    assert "does not answer" in answer.output


def test_the_set_up_logs_in_as_an_administrator_and_trusts_the_same_certificate(tmp_path: Path) -> None:
    site = installation(config.load(written(tmp_path, **TLS)), Wishes(1))
    admin = admin_login(site.login, "admin", Secret("x"), plain=False, port=None)
    assert (admin.username, admin.password, admin.tls_fingerprint, admin.port) == ("admin", Secret("x"), "ab" * 32, 8729)
    plain = admin_login(site.login, "admin", Secret("x"), plain=True, port=None)
    assert (plain.tls, plain.tls_fingerprint, plain.port) == (False, None, API_PORT)
    assert admin_login(site.login, "admin", Secret("x"), plain=True, port=99).port == 99


def test_the_configuration_of_the_example_has_a_script() -> None:
    example = Path(__file__).parents[2] / "config.example.yaml"
    answer = run(example)
    assert answer.exit_code == 0
    assert "hotspot-gateway-2000k-up-5000k-down-1-devices" in answer.output
