"""Numbers and addresses for matching."""

from __future__ import annotations

import pytest

from e2esync.card import normalize_email, normalize_phone


@pytest.mark.parametrize(
    "text", ["+1-555-0131", "+1 (555) 0131", "tel:+1-555-0131;ext=4", "001 555 0131", "＋１ 555 0131"]
)
def test_one_number_in_many_spellings(text: str) -> None:
    assert normalize_phone(text) == "+15550131"


def test_odd_numbers() -> None:
    assert normalize_phone("+44 (0)20 7946 0112") == "+442079460112"
    assert normalize_phone("*86#555") == "*86#555"
    assert normalize_phone("Ask Desk") == "ask desk"
    assert normalize_phone("٠١٢") == "012"


def test_email() -> None:
    assert normalize_email(" mailto:Bart@Orchard.example") == "bart@orchard.example"
