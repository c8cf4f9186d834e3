"""card.merging: the union of two cards, equal entries once, nothing silently lost."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from e2esync.card.merging import merge_registers
from e2esync.card.types import Registers


def ids() -> Callable[[str, str], str]:
    numbers = count()
    return lambda _prop, _normal: f"new{next(numbers)}"


def merged(mine: Registers, theirs: Registers) -> tuple[Registers, list[str]]:
    values, left = merge_registers(mine, theirs, ids())
    return {**mine, **values}, left


@pytest.mark.parametrize(("mine", "theirs"), [
    ({"phones/a": {"number": "+49 30 1234567"}}, {"phones/b": {"number": "0049 (30) 123-4567"}}),
    ({"phones/a": {"number": "+49 30 1234567"}}, {"phones/b": {"number": "030 1234567"}}),
    ({"emails/a": {"address": "Ada@Example.org"}}, {"emails/b": {"address": "ada@example.org "}}),
    ({"addresses/a": {"full": "Main Street 1, Berlin"}}, {"addresses/b": {"components": [
        {"kind": "locality", "value": "Berlin"}, {"kind": "name", "value": "Main Street 1"}]}}),
    ({"media/a": {"kind": "photo", "digest": "d", "size": 1}}, {"media/b": {"kind": "photo", "digest": "d"}}),
    ({"anniversaries/a": {"kind": "birth", "date": {"year": 1990}}},
     {"anniversaries/b": {"kind": "birth", "date": {"year": 1990}}}),
    ({"notes/a": {"note": "met"}}, {"notes/b": {"note": "Met"}}),
    ({"vCardProps/a": ["x", {}, "text", "1"]}, {"vCardProps/b": ["x", {}, "text", "1"]}),
])
def test_equal_entries_are_one(mine: Registers, theirs: Registers) -> None:
    result, left = merged(mine, theirs)
    assert result.keys() == mine.keys()
    assert left == []


def test_an_equal_entry_adds_what_it_knows_more() -> None:
    result, _left = merged(
        {"phones/a": {"number": "+49301234567", "contexts": {"work": True}}},
        {"phones/b": {"number": "030 1234567", "contexts": {"private": True}, "label": "Desk"}})
    assert result["phones/a"] == {
        "number": "+49301234567", "contexts": {"private": True, "work": True}, "label": "Desk"}


@pytest.mark.parametrize("theirs", [
    {"phones/a": {"number": "2"}}, {"emails/b": {"address": "b@x"}}, {"notes/a": {"note": "other"}},
    {"keywords/Family": True}, {"members/u": True}, {"relatedTo/u": {"relation": {"child": True}}},
    {"example.com:x": 1}, {"blobs/d": {"keys": []}}, {"localizations/de": {"name/full": "A"}},
    {"onlineServices/a": {"service": "X", "user": "ada"}},
])
def test_what_only_the_other_has_is_added(theirs: Registers) -> None:
    mine: Registers = {"uid": "m", "phones/a": {"number": "1"}, "notes/a": {"note": "mine"}}
    result, left = merged(mine, theirs)
    assert len(result) == len(mine) + 1
    assert left == []
    assert all(result[path] == value for path, value in mine.items())
    assert next(iter(theirs.values())) in result.values()


def test_uid_and_origin_stay_the_first_cards() -> None:
    result, left = merged({"uid": "m", "origin": [1]}, {"uid": "t", "origin": [2], "updated": "x"})
    assert (result, left) == ({"uid": "m", "origin": [1]}, [])


def test_another_name_becomes_a_nickname_once() -> None:
    mine: Registers = {"name": {"full": "Ada Lovelace"}}
    result, _left = merged(mine, {"name": {"full": "Countess of Lovelace"}})
    assert result == {**mine, "nicknames/new0": {"name": "Countess of Lovelace"}}
    assert merged(result, {"name": {"full": "Countess of Lovelace"}})[0] == result
    assert merged(mine, {"name": {"full": "ADA LOVELACE"}})[0] == mine
    assert merged({}, {"name": {"full": "Ada"}})[0] == {"name": {"full": "Ada"}}


def test_the_same_name_gets_its_parts() -> None:
    parts = [{"kind": "given", "value": "Ada"}]
    result, _left = merged({"name": {"full": "Ada"}}, {"name": {"full": "Ada", "components": parts}})
    assert result["name"] == {"full": "Ada", "components": parts}


def test_what_cannot_stand_beside_is_named() -> None:
    _result, left = merged(
        {"kind": "individual", "example.com:x": 1, "prodId": "a", "localizations/de": {"x": 1}},
        {"kind": "org", "example.com:x": 2, "prodId": "b", "localizations/de": {"x": 2}})
    assert sorted(left) == ["example.com:x", "kind", "localizations/de"]


def test_merging_twice_changes_nothing_more() -> None:
    mine: Registers = {"name": {"full": "Ada"}, "phones/a": {"number": "1"}}
    theirs: Registers = {"name": {"full": "A. L."}, "phones/a": {"number": "2"}, "keywords/k": True}
    once, _left = merged(mine, theirs)
    assert merge_registers(once, theirs, ids()) == ({}, [])


@pytest.mark.parametrize("bad", [{"phones/a": "text"}, {"phones/a": None}, {"name": 5}, {"addresses/a": {}},
                                 {"addresses/a": {"components": [5]}}, {"media/a": {"kind": "photo"}}])
def test_values_of_another_shape_raise_nothing(bad: Registers) -> None:
    merge_registers(bad, bad, ids())
    merge_registers({}, bad, ids())
    merge_registers(bad, {"phones/a": {"number": "1"}, "name": {"full": "x"}}, ids())
