"""cli.files: private, whole or not at all, never through a link (attack A67)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2esync.cli import files
from e2esync.cli.exits import FileProblem
from e2esync.cli.files import check_target, make_folder, read_first_line, read_input, write_private
from e2esync.errors import NotFound


@pytest.fixture(autouse=True)
def _open_umask() -> Any:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_written_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "out.vcf"
    write_private(str(path), b"one", replace=False)
    assert (path.read_bytes(), mode(path)) == (b"one", 0o600)
    path.chmod(0o644)
    write_private(str(path), b"two", replace=True)
    assert (path.read_bytes(), mode(path)) == (b"two", 0o600)
    assert os.listdir(tmp_path) == ["out.vcf"]


def test_an_existing_file_needs_replace(tmp_path: Path) -> None:
    path = tmp_path / "kit"
    path.write_bytes(b"old")
    with pytest.raises(FileProblem, match="exists already"):
        write_private(str(path), b"new", replace=False)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("replace", [False, True])
def test_symbolic_links_are_refused(tmp_path: Path, replace: bool) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    for target in (victim, tmp_path / "nothing"):
        link = tmp_path / f"link-{target.name}"
        link.symlink_to(target)
        with pytest.raises(FileProblem, match="symbolic link"):
            write_private(str(link), b"contacts", replace=replace)
    assert victim.read_bytes() == b"precious"
    assert not (tmp_path / "nothing").exists()


def test_a_link_planted_after_the_check_is_replaced_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, path = tmp_path / "victim", tmp_path / "out"
    victim.write_bytes(b"precious")
    path.symlink_to(victim)
    monkeypatch.setattr(files, "check_target", lambda *_args, **_options: None)
    with pytest.raises(FileProblem):
        write_private(str(path), b"contacts", replace=False)
    write_private(str(path), b"contacts", replace=True)
    assert victim.read_bytes() == b"precious"
    assert not path.is_symlink()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "out.vcf"
    path.write_bytes(b"old")

    def fail(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(FileProblem, match="No space left"):
        write_private(str(path), b"new", replace=True)
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.vcf"]


def test_a_file_in_pieces_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    def pieces(fail: bool) -> Iterator[bytes]:
        yield b"one, "
        if fail:
            raise NotFound("a contact went away meanwhile", "")
        yield b"two"

    path = tmp_path / "out.vcf"
    with pytest.raises(NotFound):
        write_private(str(path), pieces(fail=True), replace=False)
    assert os.listdir(tmp_path) == []
    write_private(str(path), pieces(fail=False), replace=False)
    assert path.read_bytes() == b"one, two"


def test_folders_and_devices_are_no_target(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="not a plain file"):
        check_target(str(tmp_path), replace=True)
    with pytest.raises(FileProblem, match="cannot write"):
        write_private(str(tmp_path / "missing" / "out"), b"", replace=False)


def test_new_folders_are_private(tmp_path: Path) -> None:
    make_folder(str(tmp_path / "cards"))
    assert mode(tmp_path / "cards") == 0o700
    make_folder(str(tmp_path / "cards"))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileProblem, match="cannot make the folder"):
        make_folder(str(tmp_path / "file"))


def test_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"  CODE \nmore\n")
    assert read_first_line(str(path)) == "CODE"
    with pytest.raises(FileProblem, match="cannot read"):
        read_input(str(tmp_path / "missing"))
    with pytest.raises(FileProblem, match="cannot read"):
        read_input(str(tmp_path))
    monkeypatch.setattr(files, "INPUT_MAX", 3)
    with pytest.raises(FileProblem, match="larger than"):
        read_input(str(path))
