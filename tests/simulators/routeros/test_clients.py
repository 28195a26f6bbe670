"""The simulator, driven by two clients that are not ours: `librouteros` and `RouterOS-api`."""

import asyncio

import librouteros  # type: ignore[import-untyped]
import pytest
import routeros_api
from librouteros.exceptions import ConnectionClosed, TrapError  # type: ignore[import-untyped]
from librouteros.login import async_token, token  # type: ignore[import-untyped]
from librouteros.query import And, Key, Or  # type: ignore[import-untyped]
from routeros_api.exceptions import RouterOsApiCommunicationError

from tests.simulators.routeros.sales import IP, MAC

LOGIN = {"username": "gateway", "password": "gateway"}


@pytest.fixture
def with_librouteros(router):
    """Runs a function on a synchronous `librouteros` connection, in a thread because it blocks."""

    def call(work):
        api = librouteros.connect("127.0.0.1", port=router.port, encoding="utf-8", **LOGIN)
        try:
            return work(api)
        finally:
            api.close()

    return lambda work: asyncio.to_thread(call, work)


@pytest.fixture
def with_routeros_api(router):
    """Runs a function on a `RouterOS-api` connection, in a thread because it blocks."""

    def call(work):
        pool = routeros_api.RouterOsApiPool("127.0.0.1", port=router.port, plaintext_login=True, **LOGIN)
        try:
            return work(pool.get_api())
        finally:
            pool.disconnect()

    return lambda work: asyncio.to_thread(call, work)


# librouteros


async def test_librouteros_adds_changes_and_removes(with_librouteros):
    def work(api):
        addresses = api.path("ip", "address")
        row_id = addresses.add(address="172.16.1.1/24", interface="ether1", comment="première")
        addresses.update(**{".id": row_id, "disabled": True})
        (row,) = [row for row in addresses if row[".id"] == row_id]
        addresses.remove(row_id)
        return row, row_id in [row[".id"] for row in addresses]

    row, still_there = await with_librouteros(work)
    assert (row["address"], row["comment"], row["disabled"], still_there) == ("172.16.1.1/24", "première", True, False)


async def test_librouteros_queries(with_librouteros):
    name, kind = Key("name"), Key("type")

    def work(api):
        interfaces = api.path("interface").select(name, kind)
        queries = (
            (name.In("ether1", "bridge"),),
            (Or(name == "ether1", name == "ether2"),),
            (And(kind == "ether", name != "ether1"),),
            (kind == "ether", name > "ether1"),
        )
        return [[row["name"] for row in interfaces.where(*query)] for query in queries]

    assert await with_librouteros(work) == [["ether1", "bridge"], ["ether1", "ether2"], ["ether2"], ["ether2"]]


@pytest.mark.parametrize("size", [200, 0x4000, 70_000])
async def test_librouteros_gets_a_big_word_back(with_librouteros, size):
    def work(api):
        api.path("system", "script").add(name="big", source="x" * size)
        return next(iter(api.path("system", "script")))["source"]

    assert await with_librouteros(work) == "x" * size


async def test_librouteros_sees_the_trap_and_goes_on(with_librouteros):
    def work(api):
        with pytest.raises(TrapError) as caught:
            api.path("ip", "hotspot", "user").remove("*7F")
        return caught.value, list(api("/ip/hotspot/active/print")), list(api("/system/identity/print"))

    trap, nobody, identity = await with_librouteros(work)
    assert (trap.message, trap.category) == ("no such item", 0)
    assert nobody == []
    assert identity == [{"name": "MikroTik"}]


async def test_librouteros_sells_an_hour(router, with_librouteros, clock):
    router.join(MAC, IP)

    def work(api):
        api.path("ip", "hotspot", "user").add(**{"name": MAC, "mac-address": MAC, "limit-uptime": "1h"})
        tuple(api("/ip/hotspot/active/login", user=MAC, ip=IP, **{"mac-address": MAC}))
        return list(api.path("ip", "hotspot", "active").select(Key("user"), Key("session-time-left")))

    assert await with_librouteros(work) == [{"user": MAC, "session-time-left": "1h"}]
    assert router.passes(MAC)
    clock.advance(3_600)
    assert not router.passes(MAC)


async def test_librouteros_is_refused_with_a_wrong_password(router):
    with pytest.raises(TrapError, match=r"invalid user name or password \(6\)"):
        await librouteros.async_connect("127.0.0.1", port=router.port, username="gateway", password="wrong")


async def test_librouteros_logs_in_to_an_old_router_by_challenge(power):
    old = await power(version="6.42.3")

    def work():
        api = librouteros.connect("127.0.0.1", port=old.port, login_method=token, **LOGIN)
        try:
            return list(api("/system/identity/print"))
        finally:
            api.close()

    assert await asyncio.to_thread(work) == [{"name": "MikroTik"}]


async def test_librouteros_asynchronously_logs_in_to_an_old_router(power):
    old = await power(version="6.42.3")
    api = await librouteros.async_connect("127.0.0.1", port=old.port, login_method=async_token, **LOGIN)
    assert [row async for row in api("/system/identity/print")] == [{"name": "MikroTik"}]
    await api.close()


async def test_librouteros_notices_a_reboot(router):
    api = await librouteros.async_connect("127.0.0.1", port=router.port, **LOGIN)
    await router.reboot()
    with pytest.raises((ConnectionClosed, ConnectionError, RuntimeError)):  # the last one is uvloop's
        _ = [row async for row in api("/system/identity/print")]
    with pytest.raises(ConnectionError):
        await api.close()


# RouterOS-api


async def test_routeros_api_adds_changes_and_removes(with_routeros_api):
    def work(api):
        users = api.get_resource("/ip/hotspot/user")
        users.add(name="guest", limit_uptime="1h")
        (row,) = users.get(name="guest")
        users.set(id=row["id"], comment="hello")
        (changed,) = users.get(name="guest")
        users.remove(id=row["id"])
        return changed, users.get(name="guest")

    changed, rest = await with_routeros_api(work)
    assert (changed["limit-uptime"], changed["comment"]) == ("1h", "hello")
    assert rest == []


async def test_routeros_api_counts_with_a_bare_argument(with_routeros_api):
    def work(api):
        return api.get_binary_resource("/interface").call("print", {"count-only": None}).done_message

    assert await with_routeros_api(work) == {"ret": b"3"}


async def test_routeros_api_reads_answers_out_of_order_by_their_tags(with_routeros_api):
    def work(api):
        first = api.get_resource("/interface").get_async()
        second = api.get_resource("/system/identity").get_async()
        return second.get()[0]["name"], len(first.get())

    assert await with_routeros_api(work) == ("MikroTik", 3)


async def test_routeros_api_takes_an_empty_answer(with_routeros_api):
    assert await with_routeros_api(lambda api: api.get_resource("/ip/hotspot/active").get()) == []


async def test_routeros_api_is_told_why(with_routeros_api):
    def work(api):
        with pytest.raises(RouterOsApiCommunicationError) as caught:
            api.get_resource("/ip/hotspot/active").call("login", {"user": "guest", "ip": IP})
        return caught.value.original_message

    assert await with_routeros_api(work) == f"unknown host IP {IP}".encode()


async def test_routeros_api_logs_in_to_an_old_router_by_challenge(power):
    old = await power(version="6.42.3")

    def work():
        pool = routeros_api.RouterOsApiPool("127.0.0.1", port=old.port, **LOGIN)
        try:
            return pool.get_api().get_resource("/system/identity").get()
        finally:
            pool.disconnect()

    assert await asyncio.to_thread(work) == [{"name": "MikroTik"}]
