"""`e2esync vdir`: both ways, what it says, when it stops, and --watch with a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2esync.cli.commands import vdir

from .conftest import Cli
from .driving import CARD


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cards"


def test_both_ways_and_what_it_says(people: Cli, folder: Path) -> None:
    ran = people("vdir", str(folder))
    assert (ran.code, "into the folder: 3 written" in ran.err) == (0, True)
    (folder / "new.vcf").write_text(CARD.format("new", "Newcomer"), newline="")
    (folder / "bad.vcf").write_text("junk")
    assert people("vdir", str(folder), "--dry-run", "--json").json["new"] == 1
    assert people("show", "Newcomer").code == 4
    ran = people("vdir", str(folder), "--json")
    assert (ran.code, ran.json["new"], ran.json["written"]) == (3, 1, 0)
    assert [problem["file"] for problem in ran.json["problems"]] == ["bad.vcf"]
    assert [item["source"] for item in people("quarantine", "--json").json["quarantined"]] == ["bad.vcf"]
    assert people("vdir", str(folder)).code == 3
    assert len(people("quarantine", "--json").json["quarantined"]) == 1
    assert people("show", "Newcomer").code == 0
    assert "vdir" in people("history").out
    assert people("undo").code == 0
    assert people("show", "Newcomer").code == 4


def test_the_guard_stops_both_ways_until_somebody_says_so(people: Cli, folder: Path) -> None:
    people("vdir", str(folder))
    for file in folder.iterdir():
        file.unlink()
    ran = people("vdir", str(folder), "--json")
    assert (ran.code, "Ada Lovelace" in ran.error["message"]) == (15, True)
    assert len(people("list", "--json").json["contacts"]) == 3
    assert people("vdir", str(folder), "--refill", "--json").json["written"] == 3
    assert people("vdir", str(folder), "--json").json["written"] == 0
    people("rm", "Ada", "Adam", "山田太郎", "--yes")
    people("rm", "Ada Lovelace", "Adam", "山田太郎", "--yes")
    assert people("vdir", str(folder)).code == 15
    assert len(list(folder.iterdir())) == 3
    assert people("vdir", str(folder), "--force-delete", "--json").json["unlinked"] == 3
    assert people("vdir", str(folder)).code == 0


def test_a_folder_that_was_there_and_is_not_is_no_empty_one(people: Cli, folder: Path) -> None:
    people("vdir", str(folder))
    folder.rename(folder.with_name("elsewhere"))
    ran = people("vdir", str(folder))
    assert (ran.code, "mounted" in ran.err) == (4, True)
    assert not folder.exists()
    folder.symlink_to(folder.with_name("elsewhere"))
    assert people("vdir", str(folder)).code == 1
    folder.unlink()
    assert people("vdir", str(folder), "--refill", "--json").json["written"] == 3


def _script(*steps: Callable[[], object]) -> Callable[[float], None]:
    """In place of a sleep: each look is followed by one step, and at the end comes Ctrl-C."""
    left: Iterator[Callable[[], object]] = iter(steps)

    def sleep(_seconds: float) -> None:
        for step in left:
            step()
            return
        raise KeyboardInterrupt
    return sleep


def test_watch_goes_over_when_the_folder_rests(people: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    card = CARD.format("new", "Newcomer")

    def count() -> None:
        seen.append(len(list(folder.iterdir())))

    monkeypatch.setattr(vdir.time, "sleep", _script(
        count, lambda: (folder / "new.vcf").write_text(card[:40], newline=""),
        lambda: (folder / "new.vcf").write_text(card, newline=""), count, count))
    assert people("vdir", str(folder), "--watch").code == 0
    assert people("show", "Newcomer").code == 0
    assert people("quarantine", "--json").json["quarantined"] == []
    assert seen == [3, 4, 4]


def test_watch_goes_on_after_the_guard(people: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people("vdir", str(folder))

    def empty() -> None:
        for file in folder.iterdir():
            file.unlink()

    monkeypatch.setattr(vdir.time, "sleep", _script(empty, lambda: None, lambda: None))
    ran = people("vdir", str(folder), "--watch")
    assert (ran.code, ran.err.count("the folder is empty")) == (0, 1)
    assert len(people("list", "--json").json["contacts"]) == 3
