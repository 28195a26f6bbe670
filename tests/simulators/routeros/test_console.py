"""One command: which exist, what they refuse, what they print (facts, routeros 1.4-1.9)."""

import pytest

from tests.simulators.routeros.sales import IP, MAC


async def add_user(client, name="guest", *words: str):
    ((_, ret),) = await client.talk("/ip/hotspot/user/add", f"=name={name}", *words)
    return ret.removeprefix("=ret=")


# Which commands there are


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/nonsense", "no such command"),
        ("/interface", "no such command"),
        ("/ip hotspot user print", "no such command"),
        ("#", "no such command"),
        ("/ip/nonsense/print", "no such command prefix"),
        ("/interface/remove", "no such command or directory (remove)"),
        ("/ip/hotspot/user/unset", "no such command or directory (unset)"),
    ],
)
async def test_an_unknown_command_is_refused(client, path, message):
    assert await client.refusal(path) == message


@pytest.mark.parametrize(
    ("version", "words", "message"),
    [
        ("7.20.8", ["/ip/hotspot/active/set", "=limit-uptime=2h"], "unknown parameter limit-uptime"),
        ("7.24", ["/ip/hotspot/active/set", "=comment=x"], "no such command or directory (set)"),
        ("7.10.2", ["/user/active/remove", "=.id=*1"], "no such command or directory (remove)"),
        ("7.20.8", ["/user/active/request-logout", "=.id=*1"], "no such command or directory (request-logout)"),
        ("7.10.2", ["/ip/service/set", "=.id=*0", "=max-sessions=5"], "unknown parameter max-sessions"),
        ("7.20.8", ["/ip/hotspot/user/print", "=show-sensitive="], "unknown parameter show-sensitive"),
        ("7.20.8", ["/ip/hotspot/user/print", "=where=name=x"], "unknown parameter where"),
        ("7.20.8", ["/ip/hotspot/user/add", "=name=x", "=otp-secret=y"], "unknown parameter otp-secret"),
        ("7.20.8", ["/ip/hotspot/user/add", "=name=x", "=uptime=1h"], "unknown parameter uptime"),
        ("7.20.8", ["/system/identity/set", "=.id=*1", "=name=x"], "unknown parameter .id"),
        ("7.20.8", ["/ip/hotspot/user/set", "=.id=*1", "=.proplist=name"], "unknown parameter .proplist"),
        ("7.20.8", ["/ip/hotspot/user/print", "stats"], "unknown parameter stats"),
    ],
)
async def test_a_version_refuses_what_it_does_not_have(power, dial, version, words, message):
    client = await dial(await power(version=version))
    assert await client.refusal(*words) == message


@pytest.mark.parametrize("version", ["7.10.2", "6.49.18"])
async def test_before_7_18_a_print_without_rows_says_only_done(power, dial, version):
    client = await dial(await power(version=version))
    assert await client.talk("/ip/hotspot/active/print") == [["!done"]]


async def test_from_7_18_on_a_print_without_rows_says_empty(client):
    assert await client.talk("/ip/hotspot/active/print", ".tag=1") == [["!empty", ".tag=1"], ["!done", ".tag=1"]]


# What a print gives


async def test_count_only_gives_the_number_with_and_without_a_second_equal_sign(client):
    assert await client.talk("/interface/print", "=count-only") == [["!done", "=ret=3"]]
    assert await client.talk("/interface/print", "=count-only=", "?type=ether") == [["!done", "=ret=2"]]


async def test_only_the_wanted_properties_are_printed(client):
    assert await client.rows("/interface/print", "=.proplist=name,speed", "?name=ether1") == [{"name": "ether1"}]


async def test_a_row_that_lacks_all_wanted_properties_is_printed_empty(client):
    assert (await client.talk("/interface/print", "=.proplist=comment"))[:3] == [["!re"]] * 3


async def test_limits_are_compared_as_what_they_are(client):
    await add_user(client, "short", "=limit-uptime=30m", "=limit-bytes-total=900")
    await add_user(client, "long", "=limit-uptime=1d", "=limit-bytes-total=1000")
    assert [row["name"] for row in await client.rows("/ip/hotspot/user/print", "?>limit-uptime=1h")] == ["long"]
    assert [row["name"] for row in await client.rows("/ip/hotspot/user/print", "?<limit-bytes-total=1000")] == ["short"]
    assert [row["name"] for row in await client.rows("/ip/hotspot/user/print", "?limit-uptime=00:30:00")] == ["short"]


async def test_a_mac_is_found_in_any_spelling(router, client):
    router.join(MAC, IP)
    assert [row["address"] for row in await client.rows("/ip/hotspot/host/print", f"?mac-address={MAC.lower()}")] == [IP]


@pytest.mark.parametrize("spelling", ["yes", "true"])
async def test_flags_are_found_as_yes_and_as_true(client, spelling):
    await add_user(client, "off", "=disabled=yes")
    assert [row["name"] for row in await client.rows("/ip/hotspot/user/print", f"?disabled={spelling}")] == ["off"]


async def test_zero_limits_and_empty_properties_are_left_out_of_a_row(client):
    await add_user(client, "plain", "=limit-uptime=0s", "=limit-bytes-total=0", "=comment=", "=server=all")
    (row,) = await client.rows("/ip/hotspot/user/print", "?name=plain")
    assert row.keys().isdisjoint({"limit-uptime", "limit-bytes-total", "comment", "server", "mac-address"})
    assert (row["profile"], row["uptime"], row["disabled"]) == ("default", "0s", "false")


async def test_secrets_are_printed_only_to_users_with_the_policy_sensitive(power, dial):
    plain = await dial(await power())
    trusted = await dial(await power(policies=frozenset({"api", "read", "write", "sensitive"})))
    for client, shown in ((plain, None), (trusted, "s3cret")):
        await add_user(client, "guest", "=password=s3cret")
        (row,) = await client.rows("/ip/hotspot/user/print", "?name=guest")
        assert row.get("password") == shown


async def test_one_value_can_be_got(client):
    row_id = await add_user(client, "guest", "=comment=hello")
    assert await client.talk("/ip/hotspot/user/get", f"=.id={row_id}", "=value-name=comment") == [["!done", "=ret=hello"]]
    assert await client.talk("/system/identity/get", "=value-name=name") == [["!done", "=ret=MikroTik"]]
    assert await client.refusal("/ip/hotspot/user/get", "=.id=*99", "=value-name=name") == "no such item"
    assert (
        await client.refusal("/ip/hotspot/user/get", f"=.id={row_id}", "=value-name=x")
        == "input does not match any value of value-name"
    )


async def test_find_gives_all_ids(client):
    assert await client.talk("/interface/find") == [["!done", "=ret=*1;*2;*3"]]


# Rights


@pytest.mark.parametrize(
    ("policies", "words"),
    [
        ({"api", "write"}, ["/ip/hotspot/user/print"]),
        ({"api", "read"}, ["/ip/hotspot/user/add", "=name=guest"]),
        ({"api", "read"}, ["/ip/hotspot/active/login", "=user=guest", f"=ip={IP}"]),
        ({"api", "read", "write"}, ["/system/scheduler/add", "=name=sweep", "=policy=read,write,reboot"]),
    ],
)
async def test_a_command_beyond_the_users_policies_is_refused(power, dial, policies, words):
    client = await dial(await power(policies=frozenset(policies)))
    assert await client.refusal(*words) == "not enough permissions (9)"


# What is remembered


async def test_executed_commands_are_remembered_and_refused_ones_not(router, client):
    await add_user(client)
    await client.refusal("/ip/hotspot/user/add", "=name=guest")
    assert router.commands == ["/ip/hotspot/user/add =name=guest"]


async def test_only_changes_of_the_configuration_wear_the_flash(router, client):
    router.join(MAC, IP)
    row_id = await add_user(client)
    await client.talk("/ip/hotspot/active/login", "=user=guest", f"=ip={IP}")
    await client.talk("/ip/hotspot/active/remove", "=.id=*A05320B")
    await client.rows("/ip/hotspot/user/print")
    assert router.writes == 1
    await client.talk("/ip/hotspot/user/set", f"=.id={row_id}", "=comment=x")
    await client.talk("/ip/hotspot/user/remove", f"=.id={row_id}")
    assert router.writes == 3
