"""What a card is."""

from __future__ import annotations

from typing import Any

import pytest

from e2esync.card import assemble, check_card, read_vcards
from e2esync.card.types import ORIGIN
from e2esync.card.values import check_value
from e2esync.errors import BadCard
from e2esync.limits import CONTACT_MAX
from e2esync.wire import encode, encode_ordered

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


@pytest.mark.parametrize("number", [0, 1, -1, 2**53 - 1, 1 - 2**53, *(
    sign * 2**bits + step for bits in (5, 7, 8, 15, 16, 31, 32) for step in (-1, 0, 1) for sign in (1, -1))])
def test_the_size_of_a_number_is_that_of_its_encoding(number: int) -> None:
    assert check_value([number]) == len(encode([number]))


@pytest.mark.parametrize("length", [0, 15, 16, 31, 32, 255, 256, 65535, 65536])
def test_the_size_of_a_value_is_that_of_its_encoding(length: int) -> None:
    names = {f"{number:05}": None for number in range(length)}
    for value in ("x" * length, ["é", 0.5] * length, names, {"k" * length: [True]}):
        assert check_value(value) == len(encode_ordered(value))


def test_an_import_counts_its_origin() -> None:
    """SPEC 7.1 step 3: what would not fit with what the import knew is refused, to the byte."""
    def card(length: int) -> bytes:
        return b"BEGIN:VCARD\nVERSION:4.0\nFN:A\nNOTE:" + b"a" * length + b"\nEND:VCARD\n"

    [small] = read_vcards(card(70_000), salt=bytes(32)).cards
    size = len(encode_ordered(assemble(small.registers))) + len(encode(small.registers[ORIGIN]))
    room = CONTACT_MAX - size + 70_000
    assert len(read_vcards(card(room), salt=bytes(32)).cards) == 1
    assert read_vcards(card(room + 1), salt=bytes(32)).cards == []
