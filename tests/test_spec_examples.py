"""The specification's own examples, run unchanged but for host, id, token and key, and its sample answers, compared with ours.

The document belongs to the customer and is not part of this repository; where it is not there, this is skipped.
"""

import asyncio
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import brief_grace, open_site, world
from tests.e2e.world import PUBLIC_KEY, World

__all__ = ["brief_grace", "open_site", "world"]

SPECIFICATION = Path(__file__).parents[2] / "shared" / "spec" / "intasend-integration.md"
SAMPLE_ID = "550e8400-e29b-41d4-a716-446655440000"
SAMPLE_TOKEN = "<your_jwt_token>"
HOST = "http://localhost:8000"
LANGUAGES = ("cURL", "Python", "JavaScript")
DEADLINE_S = 20

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

pytestmark = pytest.mark.skipif(not SPECIFICATION.exists(), reason="the customer's specification is not beside this repository")


def section(heading: str) -> str:
    """The part of the document under a heading."""
    text = SPECIFICATION.read_text("utf-8")
    (found,) = re.findall(rf"^{re.escape(heading)}\n(.*?)(?=^###? |\Z)", text, re.DOTALL | re.MULTILINE)
    return str(found)


def example(heading: str, language: str) -> str:
    (code,) = re.findall(rf'=== "{language}"\n    ```\w+\n(.*?)\n    ```', section(heading), re.DOTALL)
    return textwrap.dedent(code)


def sample(heading: str, title: str) -> Any:
    (text,) = re.findall(rf"\*\*{re.escape(title)}:\*\*\n```json\n(.*?)\n```", section(heading), re.DOTALL)
    return json.loads(text)


async def here(code: str, world: World, payment_id: str = SAMPLE_ID) -> str:
    """The example with the three things that it cannot know."""
    _, token = (await world.login())["Authorization"].split()
    for unknown, known in ((HOST, world.url), (SAMPLE_TOKEN, token)):
        assert code.count(unknown) == 1
        code = code.replace(unknown, known)
    return code.replace(SAMPLE_ID, payment_id)


def with_the_public_key(code: str) -> str:
    """The example as the section "Public Key Authentication" has it: another header, without a token."""
    code, changed = re.subn(r"""(['"]?)Authorization\1: \1Bearer [^'"]+""", rf"\1X-Public-Key\1: \1{PUBLIC_KEY}", code)
    assert changed == 1
    return code


async def run(language: str, code: str, folder: Path) -> str:
    """Run an example as a reader would; what it prints."""
    endings = {"cURL": "sh", "Python": "py", "JavaScript": "mjs"}
    programs = {"cURL": shutil.which("sh"), "Python": sys.executable, "JavaScript": shutil.which("node")}
    needed = {"cURL": "curl", "Python": sys.executable, "JavaScript": "node"}[language]
    if shutil.which(needed) is None:
        pytest.skip(f"{needed} is not installed")
    path = folder / f"example.{endings[language]}"
    path.write_text(code, "utf-8")
    process = await asyncio.create_subprocess_exec(
        str(programs[language]), str(path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(DEADLINE_S):
        printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return printed.decode()


def shape(value: Any) -> Any:
    """What must be the same as in the sample: keys, JSON types, the form of times and ids."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, str):
        return "time" if TIME.fullmatch(value) else "uuid" if UUID.fullmatch(value) else "text"
    return type(value)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("authenticated", [str, with_the_public_key], ids=["token", "key"])
async def test_the_example_for_initiate_runs_and_ends_with_the_phone_online(
    world: World, tmp_path: Path, language: str, authenticated: Callable[[str], str]
) -> None:
    code = await here(example("### Initiate STK Push Payment", language), world)
    printed = await run(language, authenticated(code), tmp_path)
    (payment,) = await world.payments()
    if language == "cURL":
        assert json.loads(printed)["payment"]["id"] == payment.id
    else:
        lines = ["STK push initiated: STK push initiated successfully", f"Payment ID: {payment.id}"]
        assert printed.splitlines() == [*lines, f"IntaSend ID: {payment.provider_payment_id}"]

    await world.pass_time_until(lambda: world.amina.prompt, within_s=5)
    world.amina.enter_pin()
    await world.pass_time_until(lambda: world.amina.online, within_s=15)
    assert not world.otieno.online


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_example_for_check_status_runs(world: World, tmp_path: Path, language: str) -> None:
    payment_id = await world.buy(world.amina)
    printed = await run(language, await here(example("### Check Payment Status", language), world, payment_id), tmp_path)
    if language == "cURL":
        assert json.loads(printed)["payment"]["id"] == payment_id
    else:
        assert printed.splitlines() == ["Status: completed", "IntaSend State: COMPLETE"]


@pytest.mark.parametrize("language", ["cURL", "Python"])
async def test_the_example_for_create_link_runs(world: World, tmp_path: Path, language: str) -> None:
    printed = await run(language, await here(example("### Create Payment Link", language), world), tmp_path)
    (payment,) = await world.payments()
    assert payment.link_url is not None
    if language == "cURL":
        assert json.loads(printed)["intasend"]["payment_url"] == payment.link_url
    else:
        lines = [f"Payment link created: {payment.link_url}", f"Invoice ID: {payment.provider_reference}"]
        assert printed.splitlines() == lines


async def test_the_request_for_credentials_is_taken_as_it_is_written(world: World) -> None:
    (text,) = re.findall(r"```http\n(POST /payments/credentials/.*?)\n```", SPECIFICATION.read_text("utf-8"), re.DOTALL)
    head, _, body = text.partition("\n\n")
    (method, path), *fields = (line.split(maxsplit=1) for line in head.splitlines())
    headers = {name.rstrip(":"): value for name, value in fields} | await world.login()
    async with world.http.request(method, world.url + path, headers=headers, data=body) as response:
        answer = await response.json()
    assert response.status == 201
    shown = ("provider", "api_key", "environment", "is_active")
    assert [answer[name] for name in shown] == ["instasend", "your_public_api_key", "sandbox", True]
    assert "your_secret_key" not in str(answer)


async def test_create_link_answers_in_the_shape_of_the_sample(world: World) -> None:
    expected = sample("### 3. Create Payment Link", "Success Response (201 Created)")
    body = section("### 3. Create Payment Link")
    (request,) = re.findall(r"#### Request Body\n```json\n(.*?)\n```", body, re.DOTALL)
    status, answer = await world.post("/payments/intasend/create-link/", json.loads(request))
    link_id = answer["intasend"]["invoice_id"]
    expected["payment"]["intasend_invoice_id"] = expected["intasend"]["invoice_id"] = link_id  # text; IntaSend's are UUIDs
    assert (status, shape(answer)) == (201, shape(expected))
    assert (answer["message"], answer["payment"]["status"]) == (expected["message"], expected["payment"]["status"])
    assert answer["payment"]["intasend_state"] == answer["intasend"]["state"] == expected["intasend"]["state"]
    assert answer["payment"]["intasend_invoice_id"] == link_id
    assert link_id in answer["intasend"]["payment_url"]


async def test_initiate_answers_in_the_shape_of_the_sample(world: World) -> None:
    expected = sample("### 1. Initiate STK Push Payment", "Success Response (201 Created)")
    status, answer = await world.initiate(world.amina)
    assert (status, shape(answer)) == (201, shape(expected))
    same = ("user", "router", "package", "phone_number", "amount", "currency", "payment_method", "payment_provider", "status")
    for name in (*same, "intasend_state", "mac_address", "ip_address"):
        assert answer["payment"][name] == expected["payment"][name]
    assert (answer["message"], answer["intasend"]["message"]) == (expected["message"], expected["intasend"]["message"])
    assert answer["intasend"]["state"] == expected["intasend"]["state"]


async def test_check_status_answers_in_the_shape_of_the_sample_while_pending(world: World) -> None:
    expected = sample("### 2. Check Payment Status", "Success Response for Pending Payment (200 OK)")
    _, started = await world.initiate(world.amina)
    status, answer = await world.check(started["payment"]["id"])
    assert shape(answer.pop("intasend_status")) == {"state": "text", "invoice_id": "text"}  # specification, decision 4
    assert (status, shape(answer)) == (200, shape(expected))
    assert (answer["message"], answer["status"], answer["state"]) == (expected["message"], expected["status"], expected["state"])
    fixed = ("amount", "currency", "provider")
    assert [answer["details"][name] for name in fixed] == [expected["details"][name] for name in fixed]


async def test_check_status_answers_in_the_shape_of_the_sample_when_completed(world: World) -> None:
    expected = sample("### 2. Check Payment Status", "Success Response for Completed Payment (200 OK)")
    status, answer = await world.check(await world.buy(world.amina))
    assert shape(answer.pop("intasend_status")) == {"state": "text", "invoice_id": "text"}
    assert (status, shape(answer)) == (200, shape(expected))
    assert (answer["message"], answer["status"], answer["state"]) == (expected["message"], expected["status"], expected["state"])


async def test_a_wrong_amount_is_refused_in_the_shape_of_the_sample(world: World) -> None:
    expected = sample("### 1. Initiate STK Push Payment", "Error Response (400 Bad Request)")
    status, answer = await world.initiate(world.amina, amount="49")
    assert (status, shape(answer)) == (400, shape(expected))
    assert answer["error"] == expected["error"].replace("25.00", "50.00")


async def test_missing_credentials_are_refused_as_in_the_sample(world: World) -> None:
    expected = sample("### 1. Initiate STK Push Payment", "Error Response (404 Not Found)")
    world.running.site.providers = {}
    status, answer = await world.initiate(world.amina)
    assert (status, answer["error"]) == (404, expected["error"])


async def test_an_unknown_payment_is_refused_as_in_the_sample(world: World) -> None:
    expected = sample("### 2. Check Payment Status", "Error Response (404 Not Found)")
    assert await world.check(SAMPLE_ID) == (404, expected)


async def test_another_providers_payment_is_refused_as_in_the_sample(world: World) -> None:
    expected = sample("### 2. Check Payment Status", "Error Response (400 Bad Request)")
    _, started = await world.initiate(world.amina)
    payment_id = started["payment"]["id"]
    await world.running.db.write(lambda tx: tx.execute("UPDATE payment SET provider = 'kopokopo' WHERE id = ?", (payment_id,)))
    assert await world.check(payment_id) == (400, expected)
