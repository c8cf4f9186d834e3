"""What leaves a device other than to the relay (SPEC 17): exports, names on the screen, output, and its own files."""

from __future__ import annotations

import unicodedata

import pytest

from e2esync.card.foreign import read_google, write_google
from e2esync.card.foreign.csvtext import guard, parse_csv
from tests.attacks.scene import Weak, attack, defences

TRIGGERS = "=+-@＝＋－＠\t\r\n"
FORMULAS = [before + trigger + "cmd|' /C calc'!A0" for trigger in TRIGGERS for before in ("", " ", "\u3000 ")
            if not (before and trigger in "\t\r\n")]


@pytest.mark.parametrize("formula", [*FORMULAS, "'=1+1", "''=1+1", "+49 170 1234567*2"], ids=ascii)
@attack(Weak("card.foreign.csvtext:guard", str))
def test_a52_formulas_in_exported_tables(formula: str) -> None:
    """What a spreadsheet would compute goes out behind an apostrophe, in every column, and comes back as it was."""
    text = unicodedata.normalize("NFC", formula)
    card = {"uid": "u", "name": {"full": text}, "notes/n": {"note": text}, "phones/p": {"number": text},
            "organizations/o": {"name": text}}
    with defences():
        data = write_google([card])
    _header, row = parse_csv(data.decode("utf-8-sig"), ",")
    values = [value for value in row.fields if value.strip()]
    assert len(values) >= 3
    assert all(value.startswith("'") for value in values)
    (back,) = read_google(data, salt=b"s" * 32).cards
    # A file's line ends are one kind when it is read.
    assert {"note": text.replace("\r", "\n")} in back.registers.values()


@pytest.mark.parametrize("number", ["+49 170 1234567", "+1 (555) 010-99", "Ada", "a=b", "'quoted'"])
def test_a52_what_is_no_formula_is_left_alone(number: str) -> None:
    """Programs match on plain numbers: these go out as they are."""
    assert guard(number) == number
