"""Logging in, staying logged in and losing it again, on a real database."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import passwords
from gateway.accounts import Accounts, Session
from gateway.catalogue import Catalogue, Owner, Site
from gateway.config import OwnerConfig
from gateway.errors import Conflict, Denied, GatewayError, NotFound, TooMany
from gateway.identity import Secret
from gateway.passwords import hash_password
from gateway.store import catalogue as catalogue_rows
from gateway.store.database import Database
from gateway.tokens import LEEWAY_S, REFRESH_S, Tokens
from tests.fakeclock import FakeClock
from tests.ledger import OWNER, VAULT

PASSWORD = Secret("karibu-kenya")
WRONG = Secret("karibu")
HASH = Secret(hash_password(PASSWORD, log2_n=1, r=1, p=1))
NJERI = replace(OWNER, password_hash=HASH, public_key=None, routers=())
OTIENO = replace(NJERI, id=2, username="otieno")
TABLES = ("failed_login", "refresh_token")
HERE, THERE = "192.168.1.100", "192.168.1.101"
NO_SESSION = "The refresh token was used before or revoked: log in again"
REVOKED = "The access token was revoked: log in again"


class Desk:
    """Accounts at work, and what they work with."""

    def __init__(self, db: Database) -> None:
        self.clock = FakeClock()
        self.db = db
        self.site = Site(Catalogue([], []), {}, {})
        self.open()

    def open(self) -> None:
        """As after a start of the daemon: nothing is remembered but what is written."""
        self.accounts = Accounts(self.site, self.db, self.clock, Tokens(VAULT.derive("tokens"), self.clock), self._load)

    async def declare(self, *owners: OwnerConfig) -> None:
        hashes = await self.accounts.hashes_of(owners)
        await self.db.write(lambda tx: catalogue_rows.declare(tx, owners, VAULT, hashes))
        self.accounts.declared(owners)
        await self._load()

    async def _load(self) -> None:
        self.site.catalogue = await self.db.read(lambda tx: catalogue_rows.load(tx, VAULT))

    async def login(self, password: Secret = PASSWORD, name: str = "njeri", address: str = HERE) -> Session:
        return await self.accounts.login(name, password, address)

    async def refusal(self, password: Secret = WRONG, name: str = "njeri", address: str = HERE) -> GatewayError:
        with pytest.raises((Denied, TooMany)) as caught:
            await self.login(password, name, address)
        return caught.value

    async def is_logged_out(self, session: Session) -> bool:
        """Whether neither token is worth anything, both for the right reason."""
        with pytest.raises(Denied, match=REVOKED):
            self.accounts.owner_of_token(session.access_token)
        with pytest.raises(Denied, match=NO_SESSION):
            await self.accounts.refresh(session.refresh_token)
        return True

    def owner(self, session: Session) -> Owner:
        return self.accounts.owner_of_token(session.access_token)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    db = await Database.open(tmp_path / "gateway.db")
    try:
        desk = Desk(db)
        await desk.declare(NJERI, OTIENO)
        yield desk
    finally:
        await db.close()


@pytest.fixture(autouse=True)
def scrypts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each scrypt that is done, and cheap ones."""
    done: list[int] = []
    scrypt = passwords._scrypt

    def counted(password: Secret, _log2_n: int, r: int, p: int, salt: bytes) -> bytes:
        done.append(threading.get_ident())
        return scrypt(password, 1, r, p, salt)

    monkeypatch.setattr(passwords, "_scrypt", counted)
    return done


def files_with(text: str, folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if text.encode() in path.read_bytes()]


# ── by password ──


async def test_who_knows_the_password_gets_tokens_for_himself(desk: Desk) -> None:
    session = await desk.login()
    assert (session.owner_id, session.username) == (1, "njeri")
    assert desk.owner(session) == desk.site.catalogue.owners[1]
    assert session.access_token not in repr(session)
    assert session.refresh_token not in repr(session)


async def test_a_wrong_password_and_an_unknown_name_are_the_same_refusal_after_the_same_work(
    desk: Desk, scrypts: list[int]
) -> None:
    await desk.declare(NJERI, replace(OTIENO, password_hash=None))
    for name in ("njeri", "nobody", "otieno"):
        before = len(scrypts)
        refusal = await desk.refusal(name=name)
        assert (type(refusal), refusal.message, len(scrypts) - before) == (Denied, "Invalid username or password", 1)


async def test_no_password_is_checked_in_the_event_loop(desk: Desk, scrypts: list[int]) -> None:
    await desk.login()
    assert scrypts
    assert threading.get_ident() not in scrypts


async def test_passwords_are_checked_two_at_a_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    working, go = [0], asyncio.Event()

    async def in_thread(*_: object) -> bool:
        working[0] += 1
        await go.wait()
        return True

    monkeypatch.setattr(asyncio, "to_thread", in_thread)
    logins = [asyncio.create_task(desk.login(address=f"10.0.0.{number}")) for number in range(4)]
    deadline_s = time.monotonic() + 10
    while working[0] + len(desk.accounts._slow._waiters or ()) < len(logins):
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0)
    assert working[0] == 2
    go.set()
    await asyncio.gather(*logins)


# ── too often ──


async def test_after_five_failures_the_name_waits_until_the_first_of_them_is_15_minutes_old(desk: Desk) -> None:
    for _ in range(5):
        assert isinstance(await desk.refusal(), Denied)
        desk.clock.advance(60)
    refusal = await desk.refusal(PASSWORD, address=THERE)
    assert (type(refusal), refusal.retry_after_s) == (TooMany, 600)
    desk.clock.advance(599)
    assert (await desk.refusal(PASSWORD)).retry_after_s == 1
    desk.clock.advance(1)
    await desk.login()


async def test_a_waiting_name_is_the_same_name_in_capitals_and_keeps_nobody_else_waiting(desk: Desk) -> None:
    for name in ("njeri", "Njeri", "NJERI", "njERI", "Njeri"):
        await desk.refusal(name=name)
    assert isinstance(await desk.refusal(PASSWORD), TooMany)
    await desk.login(name="otieno")


async def test_a_success_clears_the_failures_of_the_name(desk: Desk) -> None:
    for _ in range(3):
        for _ in range(4):
            await desk.refusal()
        await desk.login()


async def test_an_address_waits_after_twenty_failures_whatever_the_names(desk: Desk) -> None:
    for number in range(20):
        assert isinstance(await desk.refusal(name=f"guess-{number}"), Denied)
    assert isinstance(await desk.refusal(PASSWORD), TooMany)
    await desk.login(address=THERE)


async def test_log_ins_that_succeed_do_not_count_against_their_address(desk: Desk) -> None:
    for _ in range(25):
        await desk.login()


async def test_a_restart_does_not_open_the_door_again(desk: Desk) -> None:
    for _ in range(5):
        await desk.refusal()
    desk.open()
    assert isinstance(await desk.refusal(PASSWORD), TooMany)


async def test_many_guesses_at_the_same_moment_are_counted_one_by_one(desk: Desk) -> None:
    refusals = await asyncio.gather(*(desk.refusal() for _ in range(12)))
    assert [type(refusal) for refusal in refusals].count(Denied) == 5


async def test_a_clock_that_was_set_back_keeps_nobody_waiting_for_the_future(desk: Desk) -> None:
    for _ in range(5):
        await desk.refusal()
    desk.clock.step_wall(-86_400)
    await desk.login()


async def test_what_was_typed_as_name_is_not_written_down(desk: Desk, tmp_path: Path) -> None:
    await desk.refusal(name="my-secret-password")
    assert not files_with("my-secret-password", tmp_path)
    assert files_with("failed_login", tmp_path)


async def test_a_success_sweeps_out_what_decides_nothing_any_more(desk: Desk) -> None:
    await desk.refusal(name="otieno")
    spent = await desk.login()
    desk.clock.advance(REFRESH_S + LEEWAY_S + 1)
    await desk.login()
    counts = await desk.db.read(lambda tx: [tx.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in TABLES])
    assert counts == [0, 1]
    with pytest.raises(Denied):
        await desk.accounts.refresh(spent.refresh_token)


# ── staying logged in ──


async def test_a_refresh_token_gives_a_new_pair_and_is_spent(desk: Desk) -> None:
    first = await desk.login()
    desk.clock.advance(20 * 60)
    second = await desk.accounts.refresh(first.refresh_token)
    assert desk.owner(second).id == 1
    with pytest.raises(Denied, match="has expired"):
        desk.owner(first)
    assert (await desk.accounts.refresh(second.refresh_token)).username == "njeri"


async def test_a_refresh_token_that_comes_back_ends_its_whole_family_and_no_other(desk: Desk) -> None:
    other = await desk.login()
    stolen = await desk.login()
    newest = await desk.accounts.refresh((await desk.accounts.refresh(stolen.refresh_token)).refresh_token)
    for token in (stolen.refresh_token, newest.refresh_token):
        with pytest.raises(Denied, match=NO_SESSION):
            await desk.accounts.refresh(token)
    await desk.accounts.refresh(other.refresh_token)


async def test_of_two_exchanges_at_the_same_moment_one_succeeds_and_the_family_ends(desk: Desk) -> None:
    session = await desk.login()
    outcomes = await asyncio.gather(*(desk.accounts.refresh(session.refresh_token) for _ in range(2)), return_exceptions=True)
    (won,) = [outcome for outcome in outcomes if isinstance(outcome, Session)]
    with pytest.raises(Denied, match=NO_SESSION):
        await desk.accounts.refresh(won.refresh_token)


async def test_the_reuse_outlives_a_restart(desk: Desk) -> None:
    session = await desk.login()
    newest = await desk.accounts.refresh(session.refresh_token)
    desk.open()
    for token in (session.refresh_token, newest.refresh_token):
        with pytest.raises(Denied, match=NO_SESSION):
            await desk.accounts.refresh(token)


async def test_a_session_outlives_a_restart(desk: Desk) -> None:
    session = await desk.login()
    desk.open()
    assert desk.owner(session).id == 1
    await desk.accounts.refresh(session.refresh_token)


async def test_an_access_token_is_no_refresh_token(desk: Desk) -> None:
    session = await desk.login()
    with pytest.raises(Denied, match="This is not the refresh token"):
        await desk.accounts.refresh(session.access_token)
    with pytest.raises(Denied, match="This is not the access token"):
        desk.accounts.owner_of_token(session.refresh_token)


# ── API keys ──


async def test_new_api_keys_log_in_and_end_every_session(desk: Desk) -> None:
    session, others = await desk.login(), await desk.login(name="otieno")
    old = desk.owner(session).public_key
    keys = await desk.accounts.rotate_api_keys(desk.owner(session))
    assert await desk.is_logged_out(session)
    assert desk.site.catalogue.owner_with_key(old) is None
    assert desk.owner(await desk.accounts.api_key_login(keys.public_key.upper(), keys.private_key, HERE)).id == 1
    assert desk.owner(others).id == 2


async def test_rotating_again_ends_the_keys_and_their_sessions(desk: Desk) -> None:
    keys = await desk.accounts.rotate_api_keys(desk.site.catalogue.owners[1])
    session = await desk.accounts.api_key_login(keys.public_key, keys.private_key, HERE)
    await desk.accounts.rotate_api_keys(desk.site.catalogue.owners[1])
    assert await desk.is_logged_out(session)
    with pytest.raises(Denied, match="Invalid API keys"):
        await desk.accounts.api_key_login(keys.public_key, keys.private_key, HERE)


async def test_wrong_keys_of_every_kind_are_the_same_refusal(desk: Desk) -> None:
    keys = await desk.accounts.rotate_api_keys(desk.site.catalogue.owners[1])
    keyless = desk.site.catalogue.owners[2].public_key
    for public_key, private_key in [
        (keys.public_key, "0" * 64),
        ("0" * 32, "x"),
        (keyless, ""),
        (keyless, "x"),
    ]:
        with pytest.raises(Denied, match="Invalid API keys"):
            await desk.accounts.api_key_login(public_key, Secret(private_key), HERE)


async def test_guessing_a_private_key_is_slowed_down_like_guessing_a_password(desk: Desk) -> None:
    keys = await desk.accounts.rotate_api_keys(desk.site.catalogue.owners[1])
    for _ in range(5):
        with pytest.raises(Denied):
            await desk.accounts.api_key_login(keys.public_key, WRONG, HERE)
    with pytest.raises(TooMany):
        await desk.accounts.api_key_login(keys.public_key, keys.private_key, THERE)
    await desk.login()


async def test_a_public_key_of_the_file_is_not_replaced_here(desk: Desk) -> None:
    await desk.declare(replace(NJERI, public_key="0" * 32), OTIENO)
    with pytest.raises(Conflict, match="managed by config"):
        await desk.accounts.rotate_api_keys(desk.site.catalogue.owners[1])


async def test_an_owner_who_has_gone_meanwhile_gets_no_keys(desk: Desk) -> None:
    gone = desk.site.catalogue.owners[1]
    await desk.declare(OTIENO)
    with pytest.raises(NotFound):
        await desk.accounts.rotate_api_keys(gone)


# ── what the file declares ──


@pytest.mark.parametrize(
    "change",
    [
        lambda owner: replace(owner, password_hash=None, password=Secret("another")),
        lambda owner: replace(owner, password_hash=Secret(hash_password(PASSWORD, log2_n=1, r=1, p=1))),
        lambda owner: replace(owner, password_hash=None),
        lambda owner: replace(owner, public_key="0" * 32),
        lambda owner: replace(owner, id=9),
    ],
)
async def test_sessions_end_when_what_the_owner_logs_in_with_changes(
    desk: Desk, scrypts: list[int], change: Callable[[OwnerConfig], OwnerConfig]
) -> None:
    session, others = await desk.login(), await desk.login(name="otieno")
    await desk.declare(change(NJERI), OTIENO)
    assert await desk.is_logged_out(session)
    assert desk.owner(others).id == 2


async def test_an_unchanged_password_costs_one_look_at_a_start_and_none_at_a_reload(desk: Desk, scrypts: list[int]) -> None:
    owner = replace(NJERI, password=PASSWORD, password_hash=None)
    await desk.declare(owner)
    session = await desk.login()
    scrypts.clear()
    await desk.declare(replace(owner, name="Njeri's"))
    assert not scrypts
    desk.open()
    await desk.declare(owner)
    assert len(scrypts) == 1
    assert desk.owner(session).id == 1


async def test_a_declared_password_logs_in_and_is_stored_as_a_hash_only(desk: Desk, scrypts: list[int], tmp_path: Path) -> None:
    await desk.declare(replace(NJERI, password=Secret("hunter2-hunter2"), password_hash=None))
    assert desk.owner(await desk.login(Secret("hunter2-hunter2"))).id == 1
    assert (await desk.refusal(PASSWORD)).message == "Invalid username or password"
    assert not files_with("hunter2", tmp_path)
