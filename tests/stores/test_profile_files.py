"""stores.files: private files, all or nothing."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from e2esync.errors import DiskFull, ProfileDamaged, ProfileError
from e2esync.stores import files


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def _open_umask() -> object:
    previous = os.umask(0)
    yield
    os.umask(previous)


def test_write_makes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"one", b"", b"three" * 1000):
        files.write_private(path, content)
        assert path.read_bytes() == content
        assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    files.write_private(path, b"old")
    for code, ours in ((errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EIO, ProfileError)):
        def full(_descriptor: int, code: int = code) -> None:
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(ours) as caught:
                files.write_private(path, b"new")
        assert type(caught.value) is ours
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_the_files_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"somebody's")
    link.symlink_to(target)
    files.write_private(link, b"ours")
    assert target.read_bytes() == b"somebody's"
    assert not link.is_symlink()


def test_create_refuses_what_exists_and_links(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        files.create_private(link, b"x")
    assert not (tmp_path / "elsewhere").exists()


def test_read_is_of_files_and_limited(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert files.read_limited(path, 5) == b"12345"
    with pytest.raises(ProfileDamaged):
        files.read_limited(path, 4)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ProfileDamaged):
        files.read_limited(tmp_path / "pipe", 5)
    with pytest.raises(FileNotFoundError):
        files.read_limited(tmp_path / "nothing", 5)


def test_folders_are_private_from_the_first_missing_one_down(tmp_path: Path) -> None:
    files.make_private_folder(tmp_path / "a" / "b")
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700
