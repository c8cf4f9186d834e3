"""Rows of a list."""

from __future__ import annotations

from e2esync.card import sort_key, summary

from .helpers import one


def test_a_summary_has_what_a_list_shows() -> None:
    card = one(
        "FN:Adaeze Okonkwo",
        "N:Okonkwo;Adaeze;;Dr.;",
        "TEL:+44 7700 900112",
        "EMAIL:A@clinic.example",
        "ORG:Clinic;Paediatrics",
        "CATEGORIES:Friends",
    )
    row = summary(card.registers)
    assert (row.name, row.sort, row.org) == ("Adaeze Okonkwo", "okonkwo adaeze", "Clinic")
    assert (row.phones, row.emails) == (("+44 7700 900112",), ("A@clinic.example",))
    assert all(
        word in row.search for word in ("adaeze okonkwo", "+447700900112", "a@clinic.example", "friends")
    )


def test_sorting_is_by_sort_as_then_phonetic_then_surname() -> None:
    assert sort_key(one("FN:x", "N:van Dam;Jan;;;", "SORT-STRING:Dam").registers) == "dam jan"
    kana = one(
        "FN:山田 花子", "N:山田;花子;;;", "X-PHONETIC-LAST-NAME:ヤマダ", "X-PHONETIC-FIRST-NAME:はなこ"
    )
    assert sort_key(kana.registers) == "やまだ はなこ"
    assert sort_key(one("FN:Čapek Karel").registers) == "capek karel"
    assert sort_key({}) == ""
