"""cli.editing: options become the smallest change of a card."""

from __future__ import annotations

import argparse
import copy
from typing import Any

import pytest

from e2esync.cli.editing import (
    FIELDS,
    add_entries,
    apply_fields,
    id_maker,
    remove_entries,
    set_path,
    unset_path,
)
from e2esync.cli.exits import UsageError

ADA: dict[str, Any] = {
    "@type": "Card", "version": "1.0", "uid": "ada-1",
    "name": {"full": "Ada Lovelace", "components": [{"kind": "given", "value": "Ada"}]},
    "phones": {
        "p1": {"number": "+44 20 1234", "contexts": {"work": True}, "x.example:carrier": "GPO"},
        "p2": {"number": "07700 900123", "label": "Attic"},
    },
    "notes": {"n1": {"note": "Met in Turin", "created": "1840-09-01T00:00:00Z"}},
}


def make(prop: str, normal: str) -> str:
    """The id of a first entry with this value."""
    return id_maker(b"\x01" * 32, "ada-1")(prop, normal)


def options(**given: Any) -> argparse.Namespace:
    return argparse.Namespace(**dict.fromkeys(FIELDS) | given)


@pytest.fixture(autouse=True)
def _the_card_given_stays_as_it_was() -> Any:
    before = copy.deepcopy(ADA)
    yield
    assert before == ADA


def test_nothing_given_changes_nothing() -> None:
    assert apply_fields(ADA, options(), make) == ADA


def test_same_values_in_another_spelling_keep_entries() -> None:
    card = apply_fields(ADA, options(phone=["+44201234", "07700-900123"]), make)
    assert card["phones"].keys() == {"p1", "p2"}
    assert card["phones"]["p1"]["x.example:carrier"] == "GPO"
    assert card["phones"]["p2"]["label"] == "Attic"


def test_replacing_one_of_two_keeps_the_other() -> None:
    card = apply_fields(ADA, options(phone=["+44 20 1234", "mobile=555"]), make)
    assert card["phones"]["p1"] == ADA["phones"]["p1"]
    (new,) = [entry for key, entry in card["phones"].items() if key != "p1"]
    assert new == {"number": "555", "features": {"mobile": True}}


def test_a_single_entry_is_changed_in_place() -> None:
    card = apply_fields(ADA, options(note=["Met in London"]), make)
    assert card["notes"] == {"n1": {"note": "Met in London", "created": "1840-09-01T00:00:00Z"}}


def test_empty_value_removes() -> None:
    assert "notes" not in apply_fields(ADA, options(note=[""]), make)
    assert "name" not in apply_fields(ADA, options(name=""), make)


def test_a_new_name_drops_the_old_components_and_the_same_name_does_not() -> None:
    assert apply_fields(ADA, options(name="Ada King"), make)["name"] == {"full": "Ada King"}
    assert apply_fields(ADA, options(name="Ada Lovelace"), make) == ADA


@pytest.mark.parametrize(("text", "date"), [
    ("1815-12-10", {"year": 1815, "month": 12, "day": 10}),
    ("12-10", {"month": 12, "day": 10}),
    ("--12-10", {"month": 12, "day": 10}),
    ("1815", {"year": 1815}),
])
def test_birthday(text: str, date: dict[str, int]) -> None:
    card = apply_fields(ADA, options(birthday=text), make)
    (entry,) = card["anniversaries"].values()
    assert entry == {"kind": "birth", "date": date}
    again = apply_fields(card, options(birthday="1816-01-01"), make)
    assert again["anniversaries"].keys() == card["anniversaries"].keys()
    assert "anniversaries" not in apply_fields(card, options(birthday=""), make)


def test_bad_birthday() -> None:
    with pytest.raises(UsageError, match="no date"):
        apply_fields(ADA, options(birthday="yesterday"), make)


def test_labels_are_keywords() -> None:
    assert apply_fields(ADA, options(label=["Family", "Maths"]), make)["keywords"] == {"Family": True, "Maths": True}


def test_words_before_values() -> None:
    phones = ["WORK=1", "fax=2", "By the sea=3", "tel:4;ext=5"]
    card = apply_fields({}, options(phone=phones, email=["home=a@b", "bounce=c@d"]), make)
    assert {entry["number"] for entry in card["phones"].values()} == {"1", "2", "3", "tel:4;ext=5"}
    assert [entry["label"] for entry in card["phones"].values() if "label" in entry] == ["By the sea"]
    assert {entry["address"] for entry in card["emails"].values()} == {"a@b", "bounce=c@d"}
    assert {"address": "a@b", "contexts": {"private": True}} in card["emails"].values()


def test_adding_twice_adds_once_and_everywhere_under_the_same_id() -> None:
    once = add_entries(ADA, "phones", "number", ["555", "5 5 5"], make)
    assert len(once["phones"]) == 3
    assert add_entries(once, "phones", "number", ["555"], make) == once
    assert add_entries(ADA, "phones", "number", ["555"], id_maker(b"\x01" * 32, "ada-1")) == once
    assert add_entries(ADA, "phones", "number", ["555"], id_maker(b"\x02" * 32, "ada-1")) != once


def test_a_new_entry_never_takes_the_place_of_an_edited_one() -> None:
    ids = id_maker(b"\x01" * 32, "ada-1")
    card = add_entries({"phones": {}}, "phones", "number", ["555"], ids)
    card = apply_fields(card, options(phone=["777"]), ids)
    assert len(card["phones"]) == 1
    card = add_entries(card, "phones", "number", ["555"], id_maker(b"\x01" * 32, "ada-1"))
    assert {entry["number"] for entry in card["phones"].values()} == {"555", "777"}


def test_removing() -> None:
    card = remove_entries(ADA, "phones", "number", ["+44201234"])
    assert card["phones"].keys() == {"p2"}
    assert "phones" not in remove_entries(card, "phones", "number", ["07700900123"])
    with pytest.raises(UsageError, match="no such number"):
        remove_entries(ADA, "phones", "number", ["999"])


def test_set_and_unset() -> None:
    card = set_path(ADA, 'phones/p1/label="Engine = on"')
    assert card["phones"]["p1"]["label"] == "Engine = on"
    card = set_path(card, 'example.com~1x/deep={"a":[1]}')
    assert card["example.com/x"] == {"deep": {"a": [1]}}
    card = unset_path(card, "phones/p1/label")
    assert card["phones"] == ADA["phones"]
    assert "notes" not in unset_path(card, "notes/n1")
    assert "phones" not in unset_path(card, "phones")


@pytest.mark.parametrize("assignment", [
    "name", "name/full=Ada", "name/full=NaN", "=1", "a//b=1", "uid/x=1", "phones/p1/number/x=1", 'a={"x":',
])
def test_bad_set(assignment: str) -> None:
    with pytest.raises(UsageError):
        set_path(ADA, assignment)


@pytest.mark.parametrize("path", ["", "emails", "phones/p9", "name/full/x", "/"])
def test_bad_unset(path: str) -> None:
    with pytest.raises(UsageError):
        unset_path(ADA, path)
