"""cli.cardtext: everything a card says, for people, and nothing that a strange card could break."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.cli.cardtext import card_lines, date_text
from e2esync.cli.commands.conflicts import value_text

CARD: dict[str, Any] = {
    "@type": "Card", "version": "1.0", "uid": "u-1", "kind": "individual", "name": {"full": "Ada"},
    "phones": {"b": {"number": "2", "pref": 2}, "a": {"number": "1", "pref": 1, "contexts": {"private": True},
                                                    "features": {"voice": True, "mobile": True}}},
    "emails": {"e": {"address": "ada@example.org", "label": "Club"}},
    "addresses": {
        "x": {"components": [{"kind": "name", "value": "12 St James's Sq"}, {"kind": "locality", "value": "London"}]},
        "y": {"full": "Somewhere\nElse"},
    },
    "organizations": {"o": {"name": "Engines", "units": [{"name": "Notes"}]}},
    "anniversaries": {"b": {"kind": "birth", "date": {"year": 1815, "month": 12, "day": 10}}},
    "onlineServices": {"s": {"service": "Matrix", "user": "@ada"}},
    "notes": {"n": {"note": "line one\nline two"}},
    "keywords": {"Maths": True, "Friends": True},
    "media": {"m": {"kind": "photo", "mediaType": "image/jpeg", "digest": "00", "size": 12345}},
    "example.com:shoe": 37,
    "vCardProps": [["x-a", {}, "text", "1"], ["x-b", {}, "text", "2"]],
}


def test_a_whole_card() -> None:
    assert card_lines(CARD) == [
        "  organization          Engines, Notes",
        "  phone (home, mobile)  1",
        "  phone                 2",
        "  email (Club)          ada@example.org",
        "  online                Matrix @ada",
        "  address               12 St James's Sq",
        "                        London",
        "  address               Somewhere",
        "                        Else",
        "  date                  1815-12-10 birth",
        "  note                  line one",
        "                        line two",
        "  photo                 image/jpeg, 12,345 bytes",
        "  label                 Maths, Friends",
        "  kind                  individual",
        "  example.com:shoe      37",
        "  vCardProps            (2 entries)",
        "  uid                   u-1",
    ]


@pytest.mark.parametrize(("date", "text"), [
    ({"year": 1815, "month": 12, "day": 10}, "1815-12-10"), ({"month": 2, "day": 3}, "--02-03"),
    ({"year": 1815}, "1815"), ({"year": 1815, "month": 12}, "1815-12"),
    ({"@type": "Timestamp", "utc": "1815-12-10T01:02:03Z"}, "1815-12-10"),
    (None, ""), ({"year": True}, "--"), ("1815", ""),
])
def test_dates(date: Any, text: str) -> None:
    assert date_text(date) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["a", "label", "contexts", "features", "pref", "components", "units", "date", "year", "uri",
                         "kind", "value", "name", "size"]), inner, max_size=4),
    max_leaves=12)


@given(st.dictionaries(st.sampled_from([*CARD, "links", "members", "relatedTo", "nicknames"]), JSON, max_size=5))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_card_can_be_shown(card: dict[str, Any]) -> None:
    assert all(isinstance(line, str) for line in card_lines(card))


@pytest.mark.parametrize(("value", "text"), [
    (None, "(removed)"), ({"full": "Ada"}, "Ada"), ({"number": "1", "label": "x"}, "1"), ("plain", "plain"),
    (True, "true"), ({"strange": 1}, '{"strange":1}'), ({"full": 3}, '{"full":3}'),
])
def test_values_of_conflicts(value: Any, text: str) -> None:
    assert value_text(value) == text
