"""client.profile: the folder of one device."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from e2esync.client.entropy import SystemEntropy
from e2esync.client.profile import DATABASE, LOCK, PROTECTION, Profile, default_home
from e2esync.client.protection import KeyFile, Kind, Passphrase, Plain, Way
from e2esync.errors import (
    DiskFull,
    NoProfile,
    ProfileBusy,
    ProfileDamaged,
    ProfileError,
    ProfileExists,
    ProfileLocked,
    WrongPassphrase,
)

ENTROPY = SystemEntropy()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "data" / "e2esync" / "default"


def make(home: Path, way: Way | None = None) -> None:
    with Profile.create(home, way or Plain(), entropy=ENTROPY) as profile:
        profile.store.put_setting("kept", b"value")


def kept(home: Path, way: Way | Callable[[Kind], Way | None] | None = None) -> bytes | None:
    with Profile.open(home, way) as profile:
        return profile.store.setting("kept")


def test_create_and_open(home: Path) -> None:
    make(home)
    assert Profile.exists(home)
    assert kept(home) == b"value"
    assert sorted(each.name for each in home.iterdir()) == [PROTECTION, DATABASE, LOCK]
    assert list(home.parent.iterdir()) == [home], "the folder it was made in is gone"


def test_everything_is_for_its_owner_only(home: Path) -> None:
    previous = os.umask(0)
    try:
        with Profile.create(home, Plain(), entropy=ENTROPY) as profile, profile.sync_lock():
            profile.store.put_setting("a", b"b")
            files = {each.name: stat.S_IMODE(each.stat().st_mode) for each in home.iterdir()}
    finally:
        os.umask(previous)
    assert set(files.values()) == {0o600}
    assert len(files) == 5
    assert {stat.S_IMODE(each.stat().st_mode) for each in (home, home.parent, home.parent.parent)} == {0o700}


def test_a_passphrase_opens_it_and_nothing_else_does(home: Path) -> None:
    make(home, Passphrase("secret"))
    assert kept(home, Passphrase("secret")) == b"value"
    with pytest.raises(WrongPassphrase):
        Profile.open(home, Passphrase("Secret"))
    with pytest.raises(ProfileLocked):
        Profile.open(home)
    assert b"SQLite format 3" not in (home / DATABASE).read_bytes()


def test_who_can_ask_is_asked_only_when_a_secret_is_needed(home: Path, tmp_path: Path) -> None:
    asked: list[Kind] = []

    def ask(kind: Kind) -> Way | None:
        asked.append(kind)
        return Passphrase("secret") if kind == "passphrase" else None

    make(home, Passphrase("secret"))
    make(tmp_path / "plain")
    make(tmp_path / "filed", KeyFile(tmp_path / "key"))
    for each in (home, tmp_path / "plain", tmp_path / "filed"):
        assert kept(each, ask) == b"value"
    assert asked == ["passphrase", "keyfile"]


def test_a_change_of_passphrase_keeps_everything(home: Path) -> None:
    make(home, Passphrase("old"))
    before = (home / DATABASE).read_bytes()
    with Profile.open(home, Passphrase("old")) as profile:
        profile.change_protection(Passphrase("new"), entropy=ENTROPY)
        assert profile.store.setting("kept") == b"value"
    assert (home / DATABASE).read_bytes() == before
    assert kept(home, Passphrase("new")) == b"value"
    with pytest.raises(WrongPassphrase):
        Profile.open(home, Passphrase("old"))


def test_a_change_that_fails_leaves_the_old_passphrase(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(home, Passphrase("old"))

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with Profile.open(home, Passphrase("old")) as profile:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(DiskFull):
                profile.change_protection(Passphrase("new"), entropy=ENTROPY)
        assert profile.protection.kind == "passphrase"
    assert kept(home, Passphrase("old")) == b"value"


def test_a_plain_profile_stays_plain(home: Path) -> None:
    make(home)
    with Profile.open(home) as profile, pytest.raises(ProfileError):
        profile.change_protection(Passphrase("new"), entropy=ENTROPY)
    assert kept(home) == b"value"


def test_there_is_no_profile(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for nowhere in (tmp_path / "missing", tmp_path, tmp_path / "file" / "below"):
        with pytest.raises(NoProfile):
            Profile.open(nowhere)
        assert not Profile.exists(nowhere)


def test_create_takes_an_empty_folder_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    make(tmp_path / "empty")
    with pytest.raises(ProfileExists):
        Profile.create(tmp_path / "empty", Plain(), entropy=ENTROPY)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.tex").write_bytes(b"")
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for taken in ("used", "file", "link"):
        with pytest.raises(ProfileError) as caught:
            Profile.create(tmp_path / taken, Plain(), entropy=ENTROPY)
        assert type(caught.value) is ProfileError
    assert not (tmp_path / "elsewhere").exists()
    assert [each.name for each in (tmp_path / "used").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("lost", [PROTECTION, DATABASE])
def test_a_profile_that_lost_a_file_is_damaged_and_not_made_anew(home: Path, lost: str) -> None:
    make(home)
    (home / lost).unlink()
    with pytest.raises(ProfileDamaged, match=lost):
        Profile.open(home)
    with pytest.raises(ProfileExists):
        Profile.create(home, Plain(), entropy=ENTROPY)


def test_an_altered_database_under_the_right_passphrase_is_damage(home: Path, tmp_path: Path) -> None:
    make(home, KeyFile(tmp_path / "key"))
    content = bytearray((home / DATABASE).read_bytes())
    content[30] ^= 1
    (home / DATABASE).write_bytes(content)
    with pytest.raises(ProfileDamaged):
        Profile.open(home)


@pytest.mark.parametrize("cut", [0, 1, 60])
def test_a_cut_protection_is_damage(home: Path, cut: int) -> None:
    make(home)
    content = (home / PROTECTION).read_bytes()
    (home / PROTECTION).write_bytes(content[:cut])
    with pytest.raises(ProfileDamaged):
        Profile.open(home)
    (home / PROTECTION).write_bytes(content + b" " * (1 << 20))
    with pytest.raises(ProfileDamaged):
        Profile.open(home)


def test_a_full_disk_makes_no_profile_and_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DiskFull):
            Profile.create(home, Plain(), entropy=ENTROPY)
    assert list(home.parent.iterdir()) == []
    make(home)


_CREATE = """
import os, sys
from pathlib import Path
from e2esync.client import profile as module
from e2esync.client.entropy import SystemEntropy
from e2esync.client.protection import Plain
def pause(*_arguments):
    print("ready", flush=True)
    sys.stdin.readline()
module.files.write_private = pause
module.Profile.create(Path(sys.argv[1]), Plain(), entropy=SystemEntropy())
"""


def test_a_process_that_dies_while_making_one_is_in_nobodys_way(home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _CREATE, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    with pytest.raises(ProfileBusy):
        Profile.create(home, Plain(), entropy=ENTROPY)
    with pytest.raises(NoProfile):
        Profile.open(home)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert [each.name for each in home.parent.iterdir()] == [".default.new"]
    make(home)
    assert kept(home) == b"value"
    assert list(home.parent.iterdir()) == [home]


def test_a_link_in_the_place_where_it_is_made_is_refused(home: Path, tmp_path: Path) -> None:
    home.parent.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_bytes(b"somebody's")
    home.with_name(".default.new").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ProfileError, match="symbolic link"):
        Profile.create(home, Plain(), entropy=ENTROPY)
    assert (tmp_path / "elsewhere" / "file").read_bytes() == b"somebody's"


def test_one_process_syncs_at_a_time(home: Path) -> None:
    make(home)
    with Profile.open(home) as first, Profile.open(home) as second:
        with first.sync_lock():
            with pytest.raises(ProfileBusy, match="syncing"), second.sync_lock():
                pytest.fail("two at once")
            assert second.store.setting("kept") == b"value", "reading and editing go on meanwhile"
        with second.sync_lock():
            pass


def test_the_lock_is_no_link(home: Path, tmp_path: Path) -> None:
    make(home)
    (home / LOCK).unlink()
    (home / LOCK).symlink_to(tmp_path / "elsewhere")
    with Profile.open(home) as profile, pytest.raises(ProfileError, match="cannot lock"), profile.sync_lock():
        pytest.fail("locked")
    assert not (tmp_path / "elsewhere").exists()


def test_default_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("E2ESYNC_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert default_home() == Path("/home/ada/.local/share/e2esync/default")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_home() == Path("/home/ada/.local/share/e2esync/default")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_home() == Path("/data/e2esync/default")
    monkeypatch.setenv("E2ESYNC_HOME", "/elsewhere")
    assert default_home() == Path("/elsewhere")


@pytest.mark.parametrize("way", ["plain", "keyfile"])
def test_opening_and_listing_import_next_to_nothing(home: Path, tmp_path: Path, way: str) -> None:
    make(home, KeyFile(tmp_path / "key") if way == "keyfile" else Plain())
    script = f"""
import sys
from pathlib import Path
from e2esync.client.profile import Profile
with Profile.open(Path({str(home)!r})) as profile:
    assert profile.store.names().cards() == []
heavy = {{"trio", "asyncio", "websockets", "rich", "keyring", "cryptography", "dataclasses", "unicodedata",
         "e2esync.card", "e2esync.contactset", "e2esync.replica"}}
print(sorted(heavy & set(sys.modules)), "nacl" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"[] {way == 'keyfile'}"


def test_a_folder_that_somebody_else_made_there_is_not_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.parent.mkdir(parents=True)
    home.with_name(".default.new").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 1 + home.parent.stat().st_uid)
    with pytest.raises(ProfileError, match="somebody else"):
        Profile.create(home, Plain(), entropy=ENTROPY)


def test_a_relative_home_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with Profile.create(Path("."), Plain(), entropy=ENTROPY) as profile:
        monkeypatch.chdir("/")
        assert profile.home == tmp_path / "here"
        with profile.sync_lock():
            profile.store.put_setting("kept", b"value")
    assert kept(tmp_path / "here") == b"value"
