"""dedupe, merge, and what import says of possible duplicates; watching a folder."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pytest

from e2esync.cli.context import Context
from e2esync.cli.watching import look, watch_folder
from e2esync.errors import BadCard

from .conftest import Cli
from .driving import many

TWIN = ("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:twin\r\nFN:A. Lovelace\r\nTEL:020 7946 0001\r\nNOTE:from the old phone\r\n"
        "END:VCARD\r\n")


@pytest.fixture
def twin(tmp_path: Path) -> str:
    path = tmp_path / "twin.vcf"
    path.write_text(TWIN, newline="")
    return str(path)


def names(cli: Cli) -> list[str]:
    return [str(row["name"]) for row in cli("list", "--json").json["contacts"]]


def test_import_says_what_may_be_there_already(people: Cli, twin: str) -> None:
    ran = people("import", twin, "--dry-run")
    assert "1 card: 1 new, 0 identical, 0 updated, 1 possible duplicates (`e2esync dedupe`)" in ran.err
    assert people("import", twin, "--on-duplicate", "skip", "--json").json["skipped"] == 1
    assert people("import", twin, "--on-duplicate", "ask").code == 2
    assert len(names(people)) == 3
    assert people("import", twin, "--on-duplicate", "merge", "--json").json["updated"] == 1
    assert "from the old phone" in people("show", "ada lovelace").out
    assert len(names(people)) == 3


def test_dedupe_suggests_merges_and_undoes(people: Cli, twin: str) -> None:
    assert people("dedupe").err == "no possible duplicates\n"
    assert people("import", twin).code == 0
    ran = people("dedupe")
    assert "2 may be one" in ran.out
    assert "A. Lovelace" in ran.out
    assert len(names(people)) == 4
    assert people("dedupe", "--merge").code == 2
    assert people("dedupe", "--merge", "--dry-run", "--json").json["merged"] == 0
    assert people("dedupe", "--merge", "--yes", "--json").json["merged"] == 1
    assert len(names(people)) == 3
    assert people("undo").code == 0
    assert len(names(people)) == 4


def test_merge_by_hand(people: Cli, twin: str) -> None:
    assert people("import", twin).code == 0
    ran = people("merge", "ada lovelace", "A. Lovelace", "--dry-run", "--json")
    assert ran.json["applied"] is False
    assert people("merge", "ada lovelace", "ada lovelace").code == 2
    assert people("merge", "ada lovelace", "nobody").code == 4
    assert people("merge", "ada lovelace", "A. Lovelace").code == 0
    assert "nickname" in people("show", "ada lovelace").out
    assert [one["name"] for one in people("trash", "--json").json["contacts"]] == ["A. Lovelace"]


class Folder:
    """A folder that changes between two looks, until nothing is left to happen."""

    def __init__(self, path: Path, *happens: str) -> None:
        self.path = path
        self.left = list(happens)
        self.taken: list[list[str]] = []

    def wait(self) -> None:
        if not self.left:
            raise KeyboardInterrupt
        name = self.left.pop(0)
        if name:
            with (self.path / name).open("a") as file:
                file.write("x")

    def take(self) -> int:
        self.taken.append(sorted(os.listdir(self.path)))
        if "bad" in self.taken[-1]:
            raise BadCard("bad")
        return 0


def watched(path: Path, *happens: str) -> list[list[str]]:
    folder = Folder(path, *happens)
    args = argparse.Namespace(json=False, quiet=True, no_color=True)
    assert watch_folder(Context(args), str(path), folder.take, wait=folder.wait) == 0
    return folder.taken


def test_a_file_is_taken_once_it_rests(tmp_path: Path) -> None:
    assert watched(tmp_path, "a", "a", "a", "", "", "") == [["a"]]
    # What was taken is taken again by whoever starts anew, and when it changes.
    assert watched(tmp_path, "", "b", "", "") == [["a"], ["a", "b"]]


def test_a_bad_file_ends_nothing(tmp_path: Path) -> None:
    assert watched(tmp_path, "bad", "", "c", "") == [["bad"], ["bad", "c"]]


def test_a_folder_that_is_away_for_a_while(tmp_path: Path) -> None:
    assert look(str(tmp_path / "nowhere")) == {}
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "folder").mkdir()
    assert look(str(tmp_path)) == {}


def test_watch_needs_a_folder(people: Cli, twin: str) -> None:
    assert people("import", twin, "--watch").code == 1


def test_very_many_are_not_merged_without_a_second_word(people: Cli, tmp_path: Path) -> None:
    assert people("import", many(tmp_path / "many.vcf", 12)).code == 0
    everybody = names(people)
    others = [f"Person {number:05}" for number in range(12)]
    ran = people("merge", "ada lovelace", *others)
    assert ran.code == 15
    assert "would merge 12 of 15 contacts into Ada Lovelace" in ran.err
    assert names(people) == everybody
    assert people("merge", "ada lovelace", *others[:10], "--dry-run").code == 0
    assert people("merge", "ada lovelace", *others, "--yes").code == 0
    assert len(names(people)) == len(everybody) - 12
    assert people("undo").code == 0
    assert names(people) == everybody
