"""What a card is."""

from __future__ import annotations

from typing import Any

import pytest

from e2esync.card import check_card
from e2esync.errors import BadCard

DEEP: Any = []
for _ in range(40):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "card",
    [
        {},
        {"@type": "Card", "version": "2.0"},
        {"version": "1.0", "uid": "u", "phones": {"a-_9": {"number": "1", "pref": 1}}},
        {"media": {"x": {"kind": "photo", "digest": "00", "size": 1}}},
        {"example.com:new": [None, True, 1.5]},
    ],
)
def test_cards_are_accepted(card: dict[str, Any]) -> None:
    check_card(card)


@pytest.mark.parametrize(
    "card",
    [
        [],
        None,
        "card",
        {1: 2},
        {"@type": "Group"},
        {"version": "3.0"},
        {"uid": 1},
        {"uid": ""},
        {"name": "Bo"},
        {"name": {"full": 1}},
        {"name": {"components": {}}},
        {"name": {"components": [{"kind": "given"}]}},
        {"phones": []},
        {"phones": {"": {"number": "1"}}},
        {"phones": {"a b": {"number": "1"}}},
        {"phones": {"a": "1"}},
        {"phones": {"a": {}}},
        {"phones": {"a": {"number": "1", "pref": True}}},
        {"phones": {"a": {"number": "1", "pref": 101}}},
        {"phones": {"x" * 256: {"number": "1"}}},
        {"media": {"a": {"kind": "photo"}}},
        {"keywords": ["a"]},
        {"keywords": {"": True}},
        {"vCardProps": {}},
        {"x": float("nan")},
        {"x": float("inf")},
        {"x": 2**53},
        {"x": b"bytes"},
        {"x": "\ud800"},
        {"x": {1, 2}},
        {"x": DEEP},
        {"x": "y" * 300_000},
        {"addresses": {"a": {"components": [1]}}},
    ],
)
def test_everything_else_is_a_bad_card(card: Any) -> None:
    with pytest.raises(BadCard):
        check_card(card)
