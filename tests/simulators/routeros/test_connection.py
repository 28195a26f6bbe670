"""One client, word by word: login, tags, cancel, listen, the end of a connection, faults (facts, routeros 1.3-1.6)."""

import asyncio

import pytest

from gateway.simulators.routeros.connection import challenge_response
from tests.simulators.routeros.rawclient import encode
from tests.simulators.routeros.sales import IP, MAC

GONE = (asyncio.IncompleteReadError, ConnectionResetError)


async def hung_up(client):
    with pytest.raises(GONE):
        await client.sentence()
    return True


# Login


async def test_the_right_password_lets_the_client_in(router, dial):
    client = await dial(router, login=False)
    assert await client.login() == [["!done"]]
    assert await client.rows("/system/identity/print") == [{"name": "MikroTik"}]


async def test_a_wrong_password_is_refused_and_may_be_tried_again(router, dial):
    client = await dial(router, login=False)
    assert await client.login("wrong") == [["!trap", "=message=invalid user name or password (6)"], ["!done"]]
    assert await client.login() == [["!done"]]


async def test_a_user_without_the_policy_api_looks_like_a_wrong_password(power, dial):
    client = await dial(await power(policies=frozenset({"read", "write"})), login=False)
    assert (await client.login())[0][0] == "!trap"


async def test_a_command_before_login_ends_the_connection(router, dial):
    client = await dial(router, login=False)
    assert await client.talk("/system/identity/print") == [["!fatal", "not logged in"]]
    assert await hung_up(client)


async def test_an_old_router_answers_a_plain_login_with_a_challenge(power, dial):
    client = await dial(await power(version="6.42.3"), login=False)
    ((reply, ret),) = await client.login()
    assert (reply, len(ret)) == ("!done", len("=ret=") + 32)


async def test_an_old_router_takes_the_response_to_its_challenge(power, dial):
    client = await dial(await power(version="6.42.3"), login=False)
    assert await client.old_login() == [["!done"]]
    assert await client.rows("/system/identity/print")


async def test_an_old_router_refuses_a_wrong_response(power, dial):
    client = await dial(await power(version="6.42.3"), login=False)
    assert await client.old_login("wrong") == [["!trap", "=message=cannot log in"], ["!done"]]


@pytest.mark.parametrize(
    ("password", "challenge", "response"),
    [
        ("test", "259e0bc05acd6f46926dc2f809ed1bba", "00c7fd865183a43a772dde231f6d0bff13"),
        ("passTest", "abc123", "0021277bff9ac7caf06aa608e46616d47f"),
    ],
)
def test_a_response_is_what_public_clients_compute(password, challenge, response):
    assert challenge_response(password, challenge) == response


# Sentences


async def test_quit_is_answered_with_two_words_and_the_end(client):
    client.send("/quit")
    assert await client.sentence() == ["!fatal", "session terminated on request"]
    assert await hung_up(client)


async def test_a_command_may_arrive_byte_by_byte(client):
    for byte in encode("/system/identity/print"):
        client.write(bytes([byte]))
        await asyncio.sleep(0)
    assert await client.sentence() == ["!re", "=name=MikroTik"]


async def test_commands_in_one_segment_are_answered_in_order(client):
    client.write(encode("/system/identity/print", ".tag=1") + encode() + encode("/system/identity/print", ".tag=2"))
    answers = [await client.sentence() for _ in range(4)]
    assert sorted(words[1] for words in answers) == [".tag=1"] * 2 + [".tag=2"] * 2


async def test_a_reserved_control_byte_cuts_the_connection(client):
    client.write(b"\xff")
    assert await hung_up(client)


async def test_a_value_may_hold_equal_signs_and_line_ends(client):
    await client.talk("/system/script/add", "=name=s", "=source=:local a=1\r\n/x y=z")
    assert (await client.rows("/system/script/print"))[0]["source"] == ":local a=1\r\n/x y=z"


# Tags


async def test_every_sentence_of_an_answer_carries_the_tag(client):
    answer = await client.talk("/interface/print", ".tag=zz")
    assert [words[:2] for words in answer] == [["!re", ".tag=zz"]] * 3 + [["!done", ".tag=zz"]]


async def test_a_refusal_carries_the_tag(client):
    assert await client.talk("/nonsense", ".tag=7") == [["!trap", ".tag=7", "=message=no such command"], ["!done", ".tag=7"]]


async def test_an_empty_tag_is_no_tag(client):
    assert (await client.talk("/system/identity/print", ".tag="))[-1] == ["!done"]


async def test_answers_with_different_tags_interleave(client):
    client.write(encode("/interface/print", ".tag=a") + encode("/interface/print", ".tag=b"))
    tags = [(await client.sentence())[1] for _ in range(8)]
    assert tags.index(".tag=b") < len(tags) - 1 - tags[::-1].index(".tag=a")


# Cancel and listen


async def test_a_cancelled_command_says_interrupted(client, asleep):
    client.send("/ip/hotspot/active/listen", ".tag=x")
    await asleep()
    client.send("/cancel", "=tag=x", ".tag=y")
    assert [await client.sentence() for _ in range(3)] == [
        ["!trap", ".tag=x", "=category=2", "=message=interrupted"],
        ["!done", ".tag=y"],
        ["!done", ".tag=x"],
    ]


async def test_cancel_without_a_tag_ends_everything_but_itself(client, asleep):
    client.send("/ip/hotspot/active/listen", ".tag=x")
    client.send("/ip/hotspot/host/listen", ".tag=z")
    await asleep()
    client.send("/cancel")
    assert [(await client.sentence())[0] for _ in range(5)] == ["!trap", "!trap", "!done", "!done", "!done"]


async def test_cancelling_what_has_ended_is_no_fault(client):
    assert await client.talk("/cancel", "=tag=gone") == [["!done"]]


async def test_listen_tells_of_logins_and_of_their_end(router, client, clock, asleep):
    router.join(MAC, IP)
    router.hotspot.users.add({"name": "guest", "limit-uptime": "1h"})
    client.send("/ip/hotspot/active/listen", "=.proplist=user,address", ".tag=x")
    await asleep()
    router.hotspot.login("guest", "", IP)
    clock.advance(1)
    assert await client.sentence() == ["!re", ".tag=x", "=user=guest", f"=address={IP}"]
    await asleep()
    clock.advance(3_600)
    assert await client.sentence() == ["!re", ".tag=x", "=.id=*A05320B", "=.dead=true"]


async def test_counters_that_tick_are_no_change(router, client, clock, asleep):
    router.join(MAC, IP)
    client.send("/ip/hotspot/host/listen", ".tag=x")
    await asleep()
    router.traffic(MAC, 500, 500)
    clock.advance(60)
    await asleep()
    router.join("AA:BB:CC:00:00:09", "10.5.50.19")
    clock.advance(60)
    assert "=address=10.5.50.19" in await client.sentence()


async def test_print_with_follow_gives_the_table_first(router, client):
    router.join(MAC, IP)
    client.send("/ip/hotspot/host/print", "=follow=", "=.proplist=address")
    assert await client.sentence() == ["!re", f"=address={IP}"]


async def test_a_listen_ends_with_its_connection(router, client, clock, asleep):
    client.send("/ip/hotspot/active/listen")
    await asleep()
    (connection,) = router.connections
    await client.close()
    await connection.closed
    await asyncio.sleep(0)
    assert clock.next_wake_s() is None


async def test_a_listen_that_the_user_may_not_is_refused(power, dial):
    client = await dial(await power(policies=frozenset({"api", "write"})))
    assert await client.refusal("/ip/hotspot/active/listen") == "not enough permissions (9)"


# Faults


async def test_a_delay_is_waited_out_on_the_routers_clock(router, client, clock, asleep):
    router.faults.delay_s = 8
    client.send("/ip/hotspot/user/add", "=name=guest")
    await asleep()
    assert router.hotspot.users.named("guest") is None
    clock.advance(8)
    assert (await client.sentence())[0] == "!done"


async def test_a_silent_router_executes_and_answers_nothing(router, client):
    router.faults.silent = True
    client.send("/ip/hotspot/user/add", "=name=guest")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.sentence(), 0.05)
    assert router.hotspot.users.named("guest") is None


async def test_a_dropped_command_is_executed_and_not_answered_once(router, client, dial):
    router.faults.drop_after.add("/ip/hotspot/user/add")
    client.send("/ip/hotspot/user/add", "=name=guest")
    assert await hung_up(client)
    assert router.hotspot.users.named("guest")
    again = await dial(router)
    assert (await again.talk("/ip/hotspot/user/add", "=name=second"))[-1][0] == "!done"


async def test_an_injected_trap_refuses_one_command(router, client):
    router.faults.trap_next["/ip/hotspot/user/add"] = "failure: out of memory"
    assert await client.refusal("/ip/hotspot/user/add", "=name=guest") == "failure: out of memory"
    assert (await client.talk("/ip/hotspot/user/add", "=name=guest"))[-1][0] == "!done"


async def test_a_refused_login_can_be_injected(router, dial):
    router.faults.refuse_login = True
    client = await dial(router, login=False)
    assert (await client.login())[0][0] == "!trap"
