"""The data directory: for one process and one user."""

import os
import stat
from pathlib import Path

import pytest

from gateway.datadir import private, sole_use_of
from gateway.errors import Internal


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_and_what_is_made_in_it_are_for_one_user(tmp_path: Path):
    with sole_use_of(tmp_path / "a" / "data") as data_dir:
        made = private(data_dir / "gateway.db")
        assert mode(data_dir) == 0o700
        assert mode(made) == 0o600


def test_what_others_could_read_is_closed_to_them_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    tmp_path.chmod(0o755)
    key = tmp_path / "encryption.key"
    key.touch()
    key.chmod(0o644)
    with sole_use_of(tmp_path):
        assert (mode(tmp_path), mode(key)) == (0o700, 0o600)
    assert [record.args for record in caplog.records] == [(tmp_path,), (key,)]


def test_what_is_closed_already_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    tmp_path.chmod(0o700)
    (tmp_path / "encryption.key").touch()
    (tmp_path / "encryption.key").chmod(0o400)
    with sole_use_of(tmp_path):
        assert mode(tmp_path / "encryption.key") == 0o400
    assert not caplog.records


def test_a_link_out_of_the_folder_does_not_close_what_it_points_at(tmp_path: Path):
    outside = tmp_path / "certificate.pem"
    outside.touch()
    outside.chmod(0o644)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(outside)
    with sole_use_of(tmp_path / "data"):
        assert mode(outside) == 0o644


def test_a_folder_that_everybody_may_write_to_is_refused_and_left_as_it_is(tmp_path: Path):
    tmp_path.chmod(0o1777)
    with pytest.raises(Internal, match=r"^server\.data_dir: everybody may write to .*: give the gateway a folder of its own$"):
        sole_use_of(tmp_path).__enter__()
    assert mode(tmp_path) == 0o1777


def test_a_folder_that_cannot_be_closed_is_refused_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def not_the_owner(*_: object) -> None:
        raise PermissionError

    tmp_path.chmod(0o755)
    monkeypatch.setattr(Path, "chmod", not_the_owner)
    advice = f"give it to user {os.getuid()}, or run chmod 700 on it"
    with pytest.raises(Internal, match=f"^server.data_dir: others can read .*, and it cannot be closed to them: {advice}$"):
        sole_use_of(tmp_path).__enter__()


def test_the_folder_is_used_by_one_process_at_a_time(tmp_path: Path):
    with sole_use_of(tmp_path), pytest.raises(Internal, match=r"another gateway is running on .*: stop it first"):
        sole_use_of(tmp_path).__enter__()
    with sole_use_of(tmp_path):
        pass


def test_nobody_can_open_the_lock_by_tidying_up(tmp_path: Path):
    with sole_use_of(tmp_path):
        for leftover in tmp_path.iterdir():
            leftover.unlink()
        with pytest.raises(Internal, match="another gateway"):
            sole_use_of(tmp_path).__enter__()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(Internal, match=r"^server\.data_dir: .*/file/data cannot be used: Not a directory$"):
        sole_use_of(tmp_path / "file" / "data").__enter__()
