"""The search that the demo's claim rests on: it has to find a text in every spelling, and nothing where nothing is."""

from __future__ import annotations

import random

import pytest

from e2esync.demo.search import Needle, needles, search, spellings

NAME = Needle("names", "Wilhelmina Ōkubo".encode())
NOISE = random.Random(7)


def _noise(size: int) -> bytes:
    return NOISE.randbytes(size)


@pytest.mark.parametrize("number", range(len(list(spellings(NAME.content)))))
@pytest.mark.parametrize("before", [0, 1, 5, 4093, 65_530, 65_536])
def test_each_spelling_is_found_wherever_it_stands(number: int, before: int) -> None:
    spelling = list(spellings(NAME.content))[number]
    found = search([NAME], [_noise(before) + spelling + _noise(100)])
    assert found.hits == [{NAME}]


def test_a_text_at_the_very_end_is_found() -> None:
    assert search([NAME], [_noise(65_536 - 3) + NAME.content]).hits == [{NAME}]


@pytest.mark.parametrize("shift", range(3))
def test_base64_is_found_at_every_alignment(shift: int) -> None:
    import base64

    carried = base64.b64encode(_noise(30 + shift) + NAME.content + _noise(30))
    assert search([NAME], [carried]).hits == [{NAME}]


def test_nothing_is_found_in_random_bytes() -> None:
    wanted = [Needle("names", f"Person Number {number}".encode()) for number in range(2000)]
    wanted += [Needle("names", word) for word in (b"Li", b"Anna", b"1", b"Quince")]
    assert search(wanted, [_noise(2_000_000)]).hits == [set()]


def test_a_short_text_is_sought_in_its_longer_spellings_only() -> None:
    anna = Needle("names", b"Anna")
    assert search([anna], [b"x" * 20 + b"Anna" + b"x" * 20]).hits == [set()]
    assert search([anna], [_noise(20) + "Anna".encode("utf-16-le") + _noise(20)]).hits == [{anna}]


def test_contents_are_told_apart() -> None:
    other = Needle("notes", b"takes the early ferry")
    found = search([NAME, other], [_noise(50) + NAME.content, _noise(50), other.content])
    assert found.hits == [{NAME}, set(), {other}]
    assert found.texts == 2


def test_half_a_text_is_no_hit() -> None:
    middle = NAME.content[3:-3]
    assert search([NAME], [_noise(40) + middle + _noise(40)]).hits == [set()]


def test_needles_of_a_card() -> None:
    card = {
        "name": {"full": "Ada Example", "components": [{"kind": "given", "value": "Ada"}]},
        "phones": {"p": {"@type": "Phone", "number": "+44 20 7946 0018", "features": {"voice": True}}},
        "notes": {"n": {"note": "First line\n" + "second line, which is a long one " * 3}},
        "keywords": {"Friends": True},
        "prodId": "not about a person",
    }
    found = needles([card, card], [b"p" * 200])
    texts = {needle.content for needle in found}
    assert {b"Ada Example", b"Ada", b"+44 20 7946 0018", b"442079460018", b"First line", b"Friends"} <= texts
    assert not texts & {b"Phone", b"given", b"voice", b"not about a person"}
    assert len(found) == len(texts)
    assert max(len(text) for text in texts if text[:1] != b"p") <= 48
