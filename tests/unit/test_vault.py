"""Secrets at rest: sealing, opening, changing the key, and the key that the gateway makes itself."""

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from gateway.datadir import DATABASE_FILE
from gateway.errors import Code, EncryptionKeyMismatch, Internal
from gateway.identity import Secret
from gateway.vault import KEY_FILE, Vault, add_key, drop_old_keys, keys_in

SECRET = Secret("ISSecretKey_live_0123")


def key() -> Secret:
    return Secret(Fernet.generate_key().decode())


OLD, NEW = key(), key()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_opens_again(text):
    vault = Vault((NEW,))
    assert vault.open(vault.seal(Secret(text))) == Secret(text)


def test_what_is_sealed_shows_nothing_of_the_secret_and_never_looks_the_same_twice():
    vault = Vault((NEW,))
    one, other = vault.seal(SECRET), vault.seal(SECRET)
    assert "ISSecretKey" not in one
    assert one != other


def test_after_a_change_of_keys_the_old_one_still_opens():
    sealed = Vault((OLD,)).seal(SECRET)
    assert Vault((NEW, OLD)).open(sealed) == SECRET


def test_the_newest_key_seals():
    sealed = Vault((NEW, OLD)).seal(SECRET)
    assert Vault((NEW,)).open(sealed) == SECRET
    with pytest.raises(EncryptionKeyMismatch):
        Vault((OLD,)).open(sealed)


def test_a_key_that_was_taken_away_opens_nothing_any_more():
    with pytest.raises(EncryptionKeyMismatch) as caught:
        Vault((NEW,)).open(Vault((OLD,)).seal(SECRET))
    assert str(caught.value) == "Failed to decrypt private key: Invalid encryption key"
    assert caught.value.code is Code.INTERNAL
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("sealed", ["", "no token", "gAAAAA==", "é"])
def test_what_was_never_sealed_does_not_open(sealed):
    with pytest.raises(EncryptionKeyMismatch):
        Vault((NEW,)).open(sealed)


def test_one_changed_letter_does_not_open():
    sealed = Vault((NEW,)).seal(SECRET)
    place = len(sealed) // 2
    with pytest.raises(EncryptionKeyMismatch):
        Vault((NEW,)).open(sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :])


@pytest.mark.parametrize("text", ["", "short", "x" * 44, "é" * 44])
def test_a_key_that_is_none_is_refused_without_being_shown(text):
    with pytest.raises(Internal, match=r"^security\.encryption_key: not a Fernet key; make one with `openssl") as caught:
        Vault((NEW, Secret(text)))
    assert not text or text not in str(caught.value)


def test_the_gateway_makes_its_own_key_once(tmp_path):
    made = keys_in(tmp_path)
    assert len(made) == 1
    assert keys_in(tmp_path) == made
    assert Vault(made).open(Vault(made).seal(SECRET)) == SECRET


def test_only_the_gateway_can_read_its_key(tmp_path):
    keys_in(tmp_path)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_two_gateways_make_two_keys(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert keys_in(tmp_path / "a") != keys_in(tmp_path / "b")


def test_a_key_that_lies_there_is_used_newest_first(tmp_path):
    (tmp_path / KEY_FILE).write_text(f"{NEW.reveal()}\n{OLD.reveal()}\n", "ascii")
    assert keys_in(tmp_path) == (NEW, OLD)


def test_a_power_cut_while_the_key_is_made_leaves_none_behind(tmp_path, monkeypatch):
    def cut(_: int) -> None:
        raise InterruptedError

    monkeypatch.setattr("gateway.vault.os.fsync", cut)
    with pytest.raises(InterruptedError):
        keys_in(tmp_path)
    monkeypatch.undo()
    assert not (tmp_path / KEY_FILE).exists()
    assert len(keys_in(tmp_path)) == 1


def test_a_folder_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(OSError, match="No such file or directory"):
        keys_in(tmp_path / "gone")


def test_a_new_key_comes_before_the_old_ones_and_the_old_ones_can_be_dropped(tmp_path):
    (old,) = keys_in(tmp_path)
    new, *others = add_key(tmp_path)
    assert others == [old]
    assert keys_in(tmp_path) == (new, old)
    drop_old_keys(tmp_path)
    assert keys_in(tmp_path) == (new,)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("change", [add_key, drop_old_keys])
def test_a_power_cut_while_keys_change_leaves_them_as_they_were(tmp_path, monkeypatch, change):
    def cut(_: int) -> None:
        raise InterruptedError

    before = add_key(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("gateway.vault.os.fsync", cut)
        with pytest.raises(InterruptedError):
            change(tmp_path)
    assert keys_in(tmp_path) == before


def test_whoever_changes_the_key_leaves_it_to_the_user_who_had_it(tmp_path, monkeypatch):
    given: list[tuple[int, int]] = []
    monkeypatch.setattr("gateway.vault.os.fchown", lambda _, user, group: given.append((user, group)))
    keys_in(tmp_path)
    add_key(tmp_path)
    there = (tmp_path / KEY_FILE).stat()
    assert given == [(there.st_uid, there.st_gid)]


def test_a_derived_key_belongs_to_its_purpose_and_to_the_newest_key():
    derived = Vault((NEW, OLD)).derive("tokens")
    assert derived == Vault((NEW,)).derive("tokens")
    assert derived not in {Vault((NEW,)).derive("another"), Vault((OLD, NEW)).derive("tokens"), NEW}
    assert len(bytes.fromhex(derived.reveal())) == 32


@pytest.mark.parametrize("content", ["", "\n", "no key\n", "\xff\xfe"])
def test_a_file_without_a_key_is_told_with_what_to_do(tmp_path: Path, content: str):
    (tmp_path / KEY_FILE).write_text(content, "utf-8")
    with pytest.raises(Internal, match=r"encryption\.key holds no key: put it back .* or|move it away"):
        keys_in(tmp_path)
    assert (tmp_path / KEY_FILE).read_text("utf-8") == content


def test_a_key_that_is_missing_beside_a_database_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    keys_in(tmp_path)
    assert not caplog.records
    (tmp_path / KEY_FILE).unlink()
    (tmp_path / DATABASE_FILE).touch()
    keys_in(tmp_path)
    assert [vars(record)["action"] for record in caplog.records] == ["key_missing"]
