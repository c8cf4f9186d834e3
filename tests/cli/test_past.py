"""history, diff, undo, restore and trash, from the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from e2esync.cli.exits import UsageError
from e2esync.cli.times import clock, parse_span, parse_time

from .conftest import Cli
from .driving import many

DAY = 86_400_000


def names(cli: Cli) -> list[str]:
    return [str(row["name"]) for row in cli("list", "--json").json["contacts"]]


def test_undo_brings_a_deleted_contact_back(people: Cli) -> None:
    assert people("rm", "ada lovelace").code == 0
    ran = people("undo")
    assert ran.code == 0
    assert "1 come back" in ran.err
    assert "Ada Lovelace" in names(people)
    assert people("undo", "--json").json["removed"] == ["山田太郎"]


def test_a_dry_run_changes_nothing(people: Cli) -> None:
    assert people("rm", "ada lovelace").code == 0
    assert people("undo", "--dry-run", "--json").json["applied"] is False
    assert "Ada Lovelace" not in names(people)


def test_undo_of_an_import_needs_yes_and_takes_all_of_it(people: Cli, tmp_path: Path) -> None:
    assert people("import", many(tmp_path / "many.vcf", 60)).code == 0
    ran = people("undo")
    assert ran.code == 15
    assert "60 of 63" in ran.err
    assert people("undo", "--yes").code == 0
    assert len(names(people)) == 3
    ran = people("history")
    assert re.search(r"undo import many\.vcf +60", ran.out)
    assert "import many.vcf (undone by" in ran.out


def test_history_of_one_contact_even_a_deleted_one(people: Cli) -> None:
    assert people("edit", "adam", "--note", "met at the harbour").code == 0
    assert people("rm", "adam").code == 0
    steps = people("history", "adam", "--json").json["steps"]
    assert [step["name"] for step in steps] == ["delete", "edit", "add"]
    assert {step["device"] for step in steps} == {"this device"}
    assert people("history", "nobody").code == 4
    assert people("history", "--since", "now", "--json").json["steps"] == []


def test_diff(people: Cli) -> None:
    assert people("edit", "adam", "--phone", "+44 20 7946 0999").code == 0
    ran = people("diff")
    assert "~ Adam Ant" in ran.out
    assert "- +44 20 7946 0002" in ran.out
    assert "+ +44 20 7946 0999" in ran.out
    assert "origin" not in ran.out
    step = people("history", "--json").json["steps"][0]["step"]
    assert people("diff", str(step), "adam", "--json").json["contacts"][0]["name"] == "Adam Ant"
    assert people("diff", str(step), "ada lovelace", "--json").json["contacts"] == []
    assert people("diff", "99").code == 4
    assert people("diff", "someday").code == 2
    assert len(people("diff", "1 hour ago", "--json").json["contacts"]) == 3


def test_restore_at_a_time(people: Cli) -> None:
    assert people("rm", "ada lovelace").code == 0
    assert people("rm", "adam").code == 0
    ran = people("restore", "--at", "1 hour ago", "--dry-run", "--json")
    assert ran.code == 0
    assert ran.json["removed"] == ["山田太郎"]
    assert people("restore", "--at", "now").err.endswith("the book is like that already\n")
    assert people("restore", "--at", "whenever").code == 2
    assert people("restore").code == 2


def test_the_trash(people: Cli) -> None:
    assert people("trash").err == "the trash is empty\n"
    assert people("rm", "ada lovelace").code == 0
    assert people("rm", "adam").code == 0
    assert [one["name"] for one in people("trash", "list", "--json").json["contacts"]] == ["Adam Ant", "Ada Lovelace"]
    assert people("trash", "restore").code == 4
    assert people("trash", "restore", "ada").code == 4
    assert people("trash", "restore", "ada lovelace").code == 0
    assert "Ada Lovelace" in names(people)
    ran = people("trash", "empty")
    assert ran.code == 1
    assert "cannot be undone" in ran.err
    assert people("trash", "empty", "--yes", "--json").json["forgotten"] == 1
    assert people("trash", "restore", "--all", "--json").json["back"] == []


@pytest.mark.parametrize(("text", "span"), [
    ("2 days", 2 * DAY), ("90min", 5_400_000), ("1w", 7 * DAY), ("5", None), ("days", None), ("x days", None)])
def test_spans(text: str, span: int | None) -> None:
    assert parse_span(text) == span


def test_times_as_people_name_them() -> None:
    # A Thursday, at a quarter past one in the afternoon of this computer's zone.
    import datetime

    present = int(datetime.datetime(2026, 3, 26, 13, 15).timestamp() * 1000)
    def ends(text: str) -> str:
        return clock(parse_time(text, present, end=True))

    assert ends("tuesday") == "2026-03-24 23:59"
    assert ends("Thu") == "2026-03-26 13:15"
    assert ends("yesterday") == "2026-03-25 23:59"
    assert ends("2026-03-01") == "2026-03-01 23:59"
    assert ends("2026-03-01 08:30") == "2026-03-01 08:30"
    assert ends("2 hours ago") == "2026-03-26 11:15"
    assert ends("2030-01-01") == "2026-03-26 13:15"
    assert clock(parse_time("tuesday", present, end=False)) == "2026-03-24 00:00"
    for bad in ("soon", "", "2026-99-99", "mo"):
        with pytest.raises(UsageError):
            parse_time(bad, present, end=True)
