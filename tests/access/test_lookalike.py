"""Names that look alike (SPEC 8.8): what has the same skeleton, and what has something to hide."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2esync.access.lookalike import alike, is_disguised, skeleton

ALIKE = [
    ("Laptop", "Lарtор"), ("Laptop", "LAPTOP"), ("Laptop", "lap\u200btop"), ("Laptop", "Lap\u00adtop"),
    ("Laptop", "\u202eLaptop"), ("Laptop", "𝐋𝐚𝐩𝐭𝐨𝐩"), ("Laptop", "Ｌａｐｔｏｐ"), ("Laptop", "Laptop\ufe0f"),
    ("Laptop", "Laptop\u3164"), ("Zoë", unicodedata.normalize("NFD", "Zoë")), ("Zoë", "Zoe"), ("Phone", "Ph0ne"),
    ("iPad", "lPad"), ("iPad", "1pad"), ("Ali", "A|l"), ("Old phone", " Old  phone"), ("Old phone", "Old\u00a0phone"),
    ("modem", "modern"), ("Mother", "Мother"), ("ΑΒΕ", "ABE"), ("Ava", "Aνa"), ("ipad", "İpad"), ("Straße", "STRASSE"),
]
UNLIKE = [("Phone 2", "Phone 3"), ("Laptop", "Laptops"), ("कि", "कु"), ("母", "父"), ("Ada", "Ida"),
          ("Müller", "Miller")]


@pytest.mark.parametrize(("one", "other"), ALIKE, ids=[ascii(other) for _one, other in ALIKE])
def test_what_looks_alike(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)
    assert alike(other, {7: one, 8: "Harbour"}) == (7,)


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_what_does_not(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)
    assert alike(one, {7: other}) == ()


@pytest.mark.parametrize("name", ["a\u202eb", "a\u200bb", "\ufeffa", "a\x07", "a\u2066b", "a\u00adb", "Lарtop", "Aνa",
                                  "Ꭺda"])
def test_what_hides_something(name: str) -> None:
    assert is_disguised(name)


@pytest.mark.parametrize("name", ["Laptop", "Zoë's phone", "Ноутбук", "Мой iPad", "Ελλάς", "母の携帯", "می\u200cخواهم",
                                  "👩\u200d💻 desk", "📱\ufe0f", "Phone (2)", "क्\u200dष", "한국"])
def test_what_hides_nothing(name: str) -> None:
    assert not is_disguised(name)


@pytest.mark.parametrize("empty", ["", " ", "\u200b", "\u3164"])
def test_a_name_that_is_not_there_is_like_none(empty: str) -> None:
    assert alike(empty, {1: "", 2: "\u200b", 3: "Ada"}) == ()


@given(st.text(max_size=40))
def test_any_text_is_judged(name: str) -> None:
    assert skeleton(skeleton(name)) in (skeleton(name), skeleton(skeleton(skeleton(name))))
    assert alike(name, {1: name}) == ((1,) if skeleton(name) else ())
    assert isinstance(is_disguised(name), bool)
