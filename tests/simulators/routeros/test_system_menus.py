"""The menus beside the hotspot: users who log in, files, fetch, certificates, settings, device-mode."""

import asyncio

import pytest

from gateway.simulators.routeros import ALL_POLICIES, ScriptError
from gateway.simulators.routeros.fetching import fetch_here
from gateway.simulators.routeros.traps import Trap

MAKE_USER = """
    /user group add name=hotspot-gateway policy=api,read,write
    /user add name=pi password=secret group=hotspot-gateway address={address}
"""


@pytest.fixture
async def admin(power):
    return await power(username="admin", policies=ALL_POLICIES)


async def log_in(dial, router, name="pi", password="secret"):
    client = await dial(router, login=False)
    return client, await client.talk("/login", f"=name={name}", f"=password={password}")


async def test_a_user_that_a_script_made_can_log_in_with_its_groups_rights(admin, dial):
    await admin.run_script(MAKE_USER.format(address="127.0.0.1/32"))
    client, answer = await log_in(dial, admin)
    assert answer == [["!done"]]
    assert (await client.talk("/ip/hotspot/print"))[-1] == ["!done"]
    refused = await client.talk("/user/print")
    assert "=message=not enough permissions (9)" in refused[0]
    assert "=message=not enough permissions (9)" in (await client.talk("/tool/fetch", "=url=http://127.0.0.1/"))[0]


@pytest.mark.parametrize(
    "change",
    [
        "/user set pi address=10.5.50.2/32",
        "/user disable pi",
        "/user set pi password=another",
        "/user group set hotspot-gateway policy=read,write",
        "/user remove pi",
    ],
)
async def test_a_user_is_kept_out_by_address_switch_password_and_rights(admin, dial, change):
    await admin.run_script(MAKE_USER.format(address="127.0.0.1/32") + change)
    _, answer = await log_in(dial, admin)
    assert "=message=invalid user name or password (6)" in answer[0]


async def test_a_group_shows_what_it_has_and_what_it_lacks_and_nobody_sees_a_password(admin):
    await admin.run_script(MAKE_USER.format(address=""))
    (policy,) = await admin.run_script(":put [/user group get hotspot-gateway policy]")
    assert policy.startswith("read;write;api;!local;!telnet")
    (row,) = await admin.run_script('/user print where name="pi"')
    assert "secret" not in row


async def test_the_first_user_can_be_changed(router, dial):
    router.user = type(router.user)("gateway", "another", router.user.policies)
    _, answer = await log_in(dial, router, "gateway", "gateway")
    assert answer[0][0] == "!trap"
    _, answer = await log_in(dial, router, "gateway", "another")
    assert answer == [["!done"]]


async def test_files_are_added_changed_read_and_removed(router):
    lines = await router.run_script("""{
        /file add name=hotspot/login.html contents="one"
        :put [/file get hotspot/login.html size]
        /file set [find where name="hotspot/login.html"] contents="three"
        :put [/file get hotspot/login.html contents]
        :put [/file print count-only where type=directory]
        /file remove [find where name="hotspot/login.html"]
        :put [/file print count-only]
    }""")
    assert lines == ["3", "three", "1", "0"]


async def test_a_board_with_a_flash_folder_loses_what_lies_outside(power):
    router = await power(has_flash_folder=True)
    assert await router.run_script(
        "/file add name=flash/a contents=a; /file add name=b contents=b; :put [/file get flash type]"
    ) == ["disk"]
    await router.reboot()
    assert router.machine.files == {"flash/a": "a"}


async def test_the_factorys_pages_can_be_put_back(router):
    await router.run_script('/file add name=hotspot/login.html contents="ours"; /ip hotspot reset-html hotspot1')
    assert router.machine.files == {}


async def test_fetch_keeps_a_page_as_a_file(router):
    async def fetch(url):
        return f"page of {url}".encode()

    router.machine.fetch = fetch
    await router.run_script('/tool fetch url="http://10.5.50.2/login.html" dst-path="hotspot/login.html"')
    await router.run_script('/tool fetch url="http://10.5.50.2/other.html"')
    assert router.machine.files == {
        "hotspot/login.html": "page of http://10.5.50.2/login.html",
        "other.html": "page of http://10.5.50.2/other.html",
    }


@pytest.fixture
async def page():
    """A web server that says yes to one path."""

    async def answer(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        found = request.startswith(b"GET /here ")
        writer.write(b"HTTP/1.1 200 OK\r\n" if found else b"HTTP/1.1 404 Not Found\r\n")
        writer.write(b"Content-Length: 4\r\nConnection: close\r\n\r\nhere")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_page_on_this_machine_is_fetched(page):
    assert await fetch_here(f"{page}/here") == b"here"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("{page}/elsewhere", "status 404"),
        ("http://127.0.0.1:1/", "Connection refused"),
        ("http://192.0.2.1/", "connection timeout"),
        ("http://example.org/", "connection timeout"),
    ],
)
async def test_a_page_that_is_not_there_or_not_here_is_not_fetched(page, url, message):
    with pytest.raises(Trap, match=message):
        await fetch_here(url.format(page=page))


async def test_a_certificate_has_a_fingerprint_once_it_is_signed(router):
    lines = await router.run_script("""{
        /certificate add name=c common-name=router days-valid=10
        :put [:typeof [/certificate get c fingerprint]]
        /certificate sign c
        :put [:len [/certificate get c fingerprint]]
        :put [/certificate get c invalid-after]
        :put [/certificate get c private-key]
    }""")
    assert lines == ["nothing", "64", "2025-09-04 10:30:00", "true"]
    for script, refusal in (("sign c", "already signed"), ("sign other", "invalid internal item number|no such item")):
        with pytest.raises(ScriptError, match=refusal):
            await router.run_script(f"/certificate {script}")


async def test_settings_are_one_row_without_an_id(client):
    (row, done) = await client.talk("/ip/dns/print")
    assert done == ["!done"]
    assert "=allow-remote-requests=true" in row
    assert not any(word.startswith("=.id=") for word in row)
    assert await client.talk("/ip/dns/set", "=allow-remote-requests=no") == [["!done"]]
    assert "=allow-remote-requests=false" in (await client.talk("/ip/dns/print"))[0]


@pytest.mark.parametrize(("right", "status"), [(True, "synchronized"), (False, "waiting")])
async def test_a_time_server_has_been_heard_when_the_clock_is_right(router, right, status):
    if not right:
        router.set_clock(0)
    lines = await router.run_script(
        ":put [/system ntp client get status]; /system ntp client set enabled=yes; :put [/system ntp client get status]"
    )
    assert lines == ["stopped", status]


async def test_the_log_is_written_by_command(router):
    await router.run_script('/log warning "look here"')
    assert router.machine.log[-1]["topics"] == "script,warning"


async def test_setting_the_clock_is_a_command(router):
    await router.run_script("/system clock set date=2031-02-03 time=04:05:06")
    assert await router.run_script(":put [/system clock get date]; :put [/system clock get time]") == ["2031-02-03", "04:05:06"]
