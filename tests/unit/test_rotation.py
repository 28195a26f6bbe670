"""Changing the encryption key: everything opens afterwards, wherever the change was cut off."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet

from gateway import cli, rotation
from gateway.config import Config
from gateway.datadir import DATABASE_FILE, sole_use_of
from gateway.errors import EncryptionKeyMismatch, Internal
from gateway.identity import Secret
from gateway.providers.base import Environment, ProviderAccount
from gateway.rotation import rotate
from gateway.store import catalogue as catalogue_rows
from gateway.store import credentials as rows
from gateway.store.database import Database
from gateway.vault import KEY_FILE, Vault, keys_in
from tests.configs import Folder, changed
from tests.ledger import LOGIN, NOW_S, OWNER

KEYS = ProviderAccount(Environment.SANDBOX, "ISPubKey_test_p", Secret("ISSecretKey_test_s"), Secret("word-of-webhooks"), None)
STEPS = ("add_key", "_resealed", "drop_old_keys")


class Cut(Exception):
    """The power goes."""


class Site:
    """A stopped gateway with three secrets in its database: a router's password, a private key, a challenge."""

    def __init__(self, folder: Path, *keys: Secret) -> None:
        self.data_dir = folder / "data"
        self.folder = Folder(folder)
        server = {"public_url": "http://10.5.50.2", "data_dir": str(self.data_dir)}
        document = changed(("server",), server)
        if keys:
            document |= {"security": {"encryption_key": "\n".join(key.reveal() for key in keys)}}
        self.config: Config = self.folder.load(document)

    async def fill(self, vault: Vault | None = None) -> None:
        with sole_use_of(self.data_dir):
            vault = vault or Vault(keys_in(self.data_dir))
            db = await Database.open(self.data_dir / DATABASE_FILE)
            await db.write(lambda tx: catalogue_rows.declare(tx, (OWNER,), vault))
            await db.write(lambda tx: rows.insert(tx, 1, "api", NOW_S, rows.sealed(KEYS, vault)))
            await db.close()

    def opens_with(self, keys: tuple[Secret, ...]) -> bool:
        with closing(sqlite3.connect(self.data_dir / DATABASE_FILE)) as tx:
            tx.row_factory = sqlite3.Row
            try:
                router = catalogue_rows.load(tx, Vault(keys)).routers[1]
                return (router.login, rows.opened(tx, 1, Vault(keys))) == (LOGIN, KEYS)
            except EncryptionKeyMismatch:
                return False


@pytest.fixture
async def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    await made.fill()
    return made


def new_key() -> Secret:
    return Secret(Fernet.generate_key().decode())


async def test_everything_opens_with_the_new_key_and_nothing_with_the_old(site: Site):
    old = keys_in(site.data_dir)
    done = await rotate(site.config)
    assert str(done) == "3 secret(s) sealed with a new key; the old one is dropped"
    (kept,) = keys_in(site.data_dir)
    assert kept not in old
    assert site.opens_with((kept,))
    assert not site.opens_with(old)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_cut_off_at_any_step_everything_still_opens_and_the_change_can_be_run_again(
    site: Site, step: str, moment: str, monkeypatch: pytest.MonkeyPatch
):
    whole = getattr(rotation, step)

    def cut(*arguments: object) -> object:
        if moment == "after":
            whole(*arguments)
        raise Cut

    async def cut_later(*arguments: object) -> object:
        if moment == "after":
            await whole(*arguments)
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(rotation, step, cut_later if asyncio.iscoroutinefunction(whole) else cut)
        with pytest.raises(Cut):
            await rotate(site.config)
    assert site.opens_with(keys_in(site.data_dir))

    await rotate(site.config)
    (kept,) = keys_in(site.data_dir)
    assert site.opens_with((kept,))


async def test_a_database_that_takes_nothing_keeps_both_keys_and_all_secrets(site: Site, monkeypatch: pytest.MonkeyPatch):
    def half_done(tx: sqlite3.Connection, vault: Vault) -> None:
        tx.execute("UPDATE router SET password_sealed = 'gone'")
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(rotation, "reseal", half_done)
    with pytest.raises(sqlite3.OperationalError):
        await rotate(site.config)
    assert len(keys_in(site.data_dir)) == 2
    assert site.opens_with(keys_in(site.data_dir))


async def test_of_configured_keys_the_first_one_seals_from_now_on(tmp_path: Path):
    old, new = new_key(), new_key()
    site = Site(tmp_path, new, old)
    await site.fill(Vault((old,)))
    done = await rotate(site.config)
    assert str(done) == "3 secret(s) sealed with the first configured key; the others can be taken away"
    assert site.opens_with((new,))
    assert not (site.data_dir / KEY_FILE).exists()


async def test_a_configured_key_takes_over_from_the_gateways_own(tmp_path: Path):
    new = new_key()
    await Site(tmp_path).fill()
    site = Site(tmp_path, new)
    await rotate(site.config)
    assert site.opens_with((new,))


async def test_what_opens_with_no_key_is_named_and_does_not_stop_the_rest(site: Site):
    with closing(sqlite3.connect(site.data_dir / DATABASE_FILE)) as tx, tx:
        tx.execute("UPDATE credential SET secret_sealed = ?", (Vault((new_key(),)).seal(KEYS.secret_key),))
    done = await rotate(site.config)
    assert str(done).endswith("\nopens with none of the keys, has to be set anew: credential 1")
    assert done.resealed.count == 2


async def test_a_running_gateway_keeps_its_key(site: Site):
    before = keys_in(site.data_dir)
    with sole_use_of(site.data_dir), pytest.raises(Internal, match=r"another gateway is running on .*: stop it first"):
        await rotate(site.config)
    assert keys_in(site.data_dir) == before


async def test_without_a_database_nothing_is_made(tmp_path: Path):
    site = Site(tmp_path)
    with pytest.raises(Internal, match="there is no database in"):
        await rotate(site.config)
    assert not (site.data_dir / DATABASE_FILE).exists()
    assert not (site.data_dir / KEY_FILE).exists()


def test_the_command_says_what_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logging_as_it_was: None):
    site = Site(tmp_path)
    asyncio.run(site.fill())
    monkeypatch.setattr("gateway.logs.set_up", lambda **_: None)
    answer = CliRunner().invoke(cli.main, ["rotate-key", "--config", str(tmp_path / "config.yaml")])
    assert (answer.exit_code, answer.output) == (0, "3 secret(s) sealed with a new key; the old one is dropped\n")
    assert site.opens_with(keys_in(site.data_dir))
