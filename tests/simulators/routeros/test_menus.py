"""The menus: rows that are edited, and rows that the router makes itself (facts, routeros 1.8, 1.9 and 2)."""

import pytest

from tests.simulators.routeros.sales import IP, MAC

USER, PROFILE, BINDING = "/ip/hotspot/user", "/ip/hotspot/user/profile", "/ip/hotspot/ip-binding"


async def add(client, path, *words: str):
    ((_, ret),) = await client.talk(f"{path}/add", *words)
    return ret.removeprefix("=ret=")


async def names(client, path):
    return [row["name"] for row in await client.rows(f"{path}/print")]


# Editing


async def test_ids_grow_in_hex_and_are_never_used_again(client):
    ids = [await add(client, PROFILE, f"=name=p{number}") for number in range(10)]
    assert ids == [f"*{number:X}" for number in range(1, 11)]
    await client.talk(f"{PROFILE}/remove", "=.id=*A")
    assert await add(client, PROFILE, "=name=again") == "*B"


async def test_several_rows_are_changed_at_once_or_none(client):
    ids = [await add(client, USER, f"=name=u{number}") for number in range(2)]
    assert await client.talk(f"{USER}/set", f"=.id={','.join(ids)}", "=comment=x") == [["!done"]]
    assert [row.get("comment") for row in await client.rows(f"{USER}/print", "?>name=u")] == ["x", "x"]
    assert await client.refusal(f"{USER}/remove", f"=.id={ids[0]},*99") == "no such item"
    assert "u0" in await names(client, USER)


async def test_numbers_is_another_name_of_the_id(client):
    row_id = await add(client, USER, "=name=guest")
    assert await client.talk(f"{USER}/remove", f"=numbers={row_id}") == [["!done"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["/ip/hotspot/user/remove"], "missing value(s) of argument(s) .id"),
        (["/ip/hotspot/user/remove", "=.id="], "no such item"),
        (["/ip/hotspot/user/remove", "=.id=*7F"], "no such item"),
        (["/ip/hotspot/user/remove", "=.id=guest"], "invalid internal item number"),
        (["/ip/hotspot/active/remove", "=.id=*A05320B"], "no such item"),
        (["/ip/hotspot/user/add"], "missing value(s) of argument(s) name"),
        (["/ip/address/add", "=interface=ether1"], "missing value(s) of argument(s) address"),
        (["/ip/address/add", "=address=10.0.0.1/24", "=interface=xxx"], "input does not match any value of interface"),
        (["/ip/hotspot/active/login", "=user=guest"], "missing value(s) of argument(s) ip"),
        (["/ip/hotspot/user/remove", "=.id=*0"], "failure: default trial user can not be removed"),
        ([f"{USER}/add", "=name=x", "=limit-uptime="], "invalid time value for argument limit-uptime"),
        ([f"{PROFILE}/add", "=name=x", "=session-timeout=none"], "invalid time value for argument session-timeout"),
        ([f"{USER}/add", "=name=x", "=mac-address=phone"], "invalid value of mac-address, mac address required"),
        ([f"{USER}/add", "=name=x", "=profile=fast"], "input does not match any value of profile"),
        ([f"{USER}/add", "=name=x", "=server=hotspot9"], "input does not match any value of server"),
        ([f"{BINDING}/add", "=address=phone"], "value of address expects range of ip addresses"),
    ],
)
async def test_a_faulty_command_is_refused_in_the_routers_words(client, words, message):
    assert await client.refusal(*words) == message


@pytest.mark.parametrize(
    ("path", "first", "second", "message"),
    [
        (USER, ["=name=guest"], ["=name=guest"], "failure: already have user with this name for this server"),
        (BINDING, [f"=mac-address={MAC}"], [f"=mac-address={MAC.lower()}"], "failure: such client already exists"),
        (BINDING, [f"=address={IP}"], [f"=address={IP}"], "failure: such client already exists"),
        (PROFILE, ["=name=fast"], ["=name=fast"], "failure: item with such name already exists"),
        ("/system/scheduler", ["=name=sweep"], ["=name=sweep"], "failure: item with such name already exists"),
        ("/system/script", ["=name=sweep"], ["=name=sweep"], "failure: item with such name already exists"),
    ],
)
async def test_a_duplicate_is_refused(client, path, first, second, message):
    await add(client, path, *first)
    assert await client.refusal(f"{path}/add", *second) == message


async def test_a_name_is_free_again_after_a_rename_and_after_removal(client):
    row_id = await add(client, USER, "=name=guest")
    await client.talk(f"{USER}/set", f"=.id={row_id}", "=name=other")
    again = await add(client, USER, "=name=guest")
    assert (
        await client.refusal(f"{USER}/set", f"=.id={again}", "=name=other")
        == "failure: already have user with this name for this server"
    )
    await client.talk(f"{USER}/remove", f"=.id={again}")
    assert await add(client, USER, "=name=guest")


async def test_the_same_user_name_may_exist_on_another_server(client):
    await add(client, USER, "=name=guest")
    assert await add(client, USER, "=name=guest", "=server=hotspot1")


async def test_a_refused_change_changes_nothing(client):
    row_id = await add(client, USER, "=name=guest")
    await client.refusal(f"{USER}/set", f"=.id={row_id}", "=comment=x", "=limit-uptime=soon")
    assert "comment" not in (await client.rows(f"{USER}/print", "?name=guest"))[0]


async def test_a_row_can_be_a_copy(client):
    row_id = await add(client, USER, "=name=guest", "=limit-uptime=1h")
    await add(client, USER, "=name=second", f"=copy-from={row_id}")
    assert (await client.rows(f"{USER}/print", "?name=second"))[0]["limit-uptime"] == "1h"


async def test_rows_are_switched_off_and_on(client):
    row_id = await add(client, USER, "=name=guest")
    await client.talk(f"{USER}/disable", f"=.id={row_id}")
    assert await client.rows(f"{USER}/print", "?name=guest", "?disabled=true")
    await client.talk(f"{USER}/enable", f"=.id={row_id}")
    assert await client.rows(f"{USER}/print", "?name=guest", "?disabled=false")


async def test_order_counts_where_the_first_match_does(client):
    for number in range(3):
        await add(client, BINDING, f"=address=10.0.0.{number}")
    await add(client, BINDING, "=address=10.0.0.9", "=place-before=*1")
    await client.talk(f"{BINDING}/move", "=.id=*0", "=destination=*2")
    await client.talk(f"{BINDING}/move", "=.id=*3")
    assert [row[".id"] for row in await client.rows(f"{BINDING}/print")] == ["*1", "*0", "*2", "*3"]


async def test_an_unset_property_goes_back_to_its_default(client):
    row_id = await add(client, PROFILE, "=name=fast", "=rate-limit=1M/2M", "=shared-users=5")
    for name in ("rate-limit", "shared-users"):
        await client.talk(f"{PROFILE}/unset", f"=.id={row_id}", f"=value-name={name}")
    (row,) = await client.rows(f"{PROFILE}/print", "?name=fast")
    assert ("rate-limit" in row, row["shared-users"]) == (False, "1")


# References


async def test_a_profile_is_found_by_unique_prefix_by_exact_name_and_by_id(client):
    await add(client, PROFILE, "=name=1hour")
    await add(client, PROFILE, "=name=1h")
    await add(client, PROFILE, "=name=weekly")
    for number, (given, meant) in enumerate({"week": "weekly", "1h": "1h", "*1": "1hour"}.items()):
        await add(client, USER, f"=name=u{number}", f"=profile={given}")
        assert (await client.rows(f"{USER}/print", f"?name=u{number}"))[0]["profile"] == meant
    ambiguous = "ambiguous value of profile, more than one possible value matches input"
    assert await client.refusal(f"{USER}/add", "=name=x", "=profile=1") == ambiguous


async def test_a_renamed_profile_keeps_its_users_and_a_removed_one_leaves_its_id(client):
    row_id = await add(client, PROFILE, "=name=fast")
    await add(client, USER, "=name=guest", "=profile=fast")
    await client.talk(f"{PROFILE}/set", f"=.id={row_id}", "=name=faster")
    assert (await client.rows(f"{USER}/print", "?name=guest"))[0]["profile"] == "faster"
    await client.talk(f"{PROFILE}/remove", f"=.id={row_id}")
    assert (await client.rows(f"{USER}/print", "?name=guest"))[0]["profile"] == row_id


# What the router makes


async def test_the_rows_of_the_factory_are_there(client):
    assert await names(client, USER) == ["default-trial"]
    assert await names(client, PROFILE) == ["default"]
    (server,) = await client.rows("/ip/hotspot/print")
    assert (server["name"], server["profile"]) == ("hotspot1", "hsprof1")
    (profile,) = await client.rows("/ip/hotspot/profile/print", "?name=hsprof1")
    assert profile["login-by"] == "mac,http-chap"


async def test_a_client_is_logged_in_and_out_by_command(router, client):
    router.join(MAC, IP)
    await add(client, USER, "=name=guest", "=limit-uptime=1h")
    assert await client.talk("/ip/hotspot/active/login", "=user=guest", f"=ip={IP}", f"=mac-address={MAC}") == [["!done"]]
    (row,) = await client.rows("/ip/hotspot/active/print")
    assert (row[".id"], row["user"], row["login-by"], row["session-time-left"]) == ("*A05320B", "guest", "admin", "1h")
    await client.talk("/ip/hotspot/active/remove", f"=.id={row['.id'].lower()}")
    assert not router.passes(MAC)


async def test_counters_of_a_user_can_be_reset(router, client, clock):
    router.join(MAC, IP)
    row_id = await add(client, USER, "=name=guest", "=limit-uptime=1h")
    router.hotspot.login("guest", "", IP)
    router.traffic(MAC, 700, 1_400)
    clock.advance(3_600)
    (row,) = await client.rows(f"{USER}/print", "?name=guest")
    assert (row["uptime"], row["bytes-in"], row["bytes-out"]) == ("1h", "700", "1400")
    await client.talk(f"{USER}/reset-counters", f"=.id={row_id}")
    (row,) = await client.rows(f"{USER}/print", "?name=guest")
    assert (row["uptime"], row["bytes-in"]) == ("0s", "0")


async def test_hosts_and_cookies_are_removed_by_id(power, dial):
    router = await power(login_by=frozenset({"cookie"}))
    client = await dial(router)
    router.join(MAC, IP)
    await add(client, USER, "=name=guest")
    router.hotspot.login("guest", "", IP)
    for path in ("/ip/hotspot/host", "/ip/hotspot/cookie"):
        (row,) = await client.rows(f"{path}/print")
        assert await client.talk(f"{path}/remove", f"=.id={row['.id']}") == [["!done"]]
    assert not router.traffic(MAC)


async def test_a_host_can_be_made_a_binding(router, client):
    router.join(MAC, IP)
    await client.talk("/ip/hotspot/host/make-binding", "=.id=*1", "=type=bypassed")
    assert router.passes(MAC)


async def test_the_login_methods_of_the_server_are_changed_by_command(router, client):
    router.join(MAC, IP)
    await add(client, USER, f"=name={MAC}")
    await client.talk("/ip/hotspot/profile/set", "=.id=*1", "=login-by=http-chap")
    assert not router.traffic(MAC)


async def test_the_uptime_begins_again_after_a_reboot(router, client, dial, clock):
    clock.advance(93_784)
    assert (await client.rows("/system/resource/print"))[0]["uptime"] == "1d2h3m4s"
    await router.reboot()
    again = await dial(router)
    clock.advance(5)
    assert (await again.rows("/system/resource/print"))[0]["uptime"] == "5s"


@pytest.mark.parametrize(("version", "date"), [("7.10.2", "2025-08-25"), ("6.49.18", "aug/25/2025")])
async def test_dates_are_written_as_the_version_writes_them(power, dial, version, date):
    client = await dial(await power(version=version))
    assert (await client.rows("/system/clock/print"))[0]["date"] == date


async def test_the_identity_can_be_changed(client):
    await client.talk("/system/identity/set", "=name=kiosk")
    assert await client.rows("/system/identity/print") == [{"name": "kiosk"}]


async def test_a_login_to_the_api_can_be_ended(router, client, dial):
    other = await dial(router)
    (_, row) = await client.rows("/user/active/print")
    assert (row["name"], row["via"]) == ("gateway", "api")
    await client.talk("/user/active/remove", f"=.id={row['.id']}")
    with pytest.raises((EOFError, ConnectionResetError)):
        await other.sentence()
    assert len(await client.rows("/user/active/print")) == 1
