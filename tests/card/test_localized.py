"""Names and properties in several languages and scripts; the order of parts (RFC 9554, RFC 9555)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.card import assemble, check_card, flatten, sort_key, write_vcards
from e2esync.card.jscomps import jscomps, ordered

from .helpers import lines_of, one, read, values

SUN = ("LANGUAGE:zh-Hant", "N;ALTID=1;LANGUAGE=zh-Hant:孫;中山;文,逸仙;;",
       "N;ALTID=1;PHONETIC=jyut;SCRIPT=Latn;LANGUAGE=yue:syun1;zung1saan1;man4,jat6sin1;;", "UID:sun")
BOSS = ("FN:John Doe", "TITLE;ALTID=1;LANGUAGE=fr:Patron", "TITLE;ALTID=1:Boss", "UID:j",
        "ADR;ALTID=2;LANGUAGE=en:;;1 St;Tokyo;;;", "ADR;ALTID=2;LANGUAGE=ja:;;一;東京;;;", "N:Doe;John;;;")


def test_a_name_in_another_language_is_a_localization() -> None:
    card = one(*SUN, version="4.0")
    assert [part["value"] for part in card.registers["name"]["components"]] == ["孫", "中山", "文", "逸仙"]
    patch = card.registers["localizations/yue"]
    assert patch["name/phoneticSystem"] == "jyut"
    assert [part["value"] for part in patch["name/components"]] == ["syun1", "zung1saan1", "man4", "jat6sin1"]
    assert values(card, "vCardProps") == []


def test_the_own_line_is_the_one_without_a_language_wherever_it_stands() -> None:
    card = one(*BOSS, version="4.0")
    ((path, title),) = [(path, value) for path, value in card.registers.items() if path.startswith("titles/")]
    assert title["name"] == "Boss"
    assert card.registers["localizations/fr"] == {f"{path}/name": "Patron"}
    ((place, _),) = [(path, value) for path, value in card.registers.items() if path.startswith("addresses/")]
    assert card.registers["localizations/ja"] == {
        f"{place}/components": [{"kind": "name", "value": "一"}, {"kind": "locality", "value": "東京"}]}


@pytest.mark.parametrize("lines", [SUN, BOSS])
def test_alternatives_are_made_anew_after_an_edit_and_survive_every_version(lines: tuple[str, ...]) -> None:
    card = one(*lines, version="4.0")
    fresh = flatten(assemble(card.registers))
    written = lines_of(fresh, "4.0")
    assert sum("ALTID" in line for line in written) == sum("ALTID" in line for line in lines)
    assert not any("JSPROP" in line for line in written)
    for version in ("2.1", "3.0", "4.0"):
        (back,) = read(write_vcards([fresh], version=version, media={}.get)).cards
        got = {path: value for path, value in back.registers.items() if path.startswith("localizations")}
        assert got == {path: value for path, value in fresh.items() if path.startswith("localizations")}


def test_an_edit_changes_its_own_line_alone() -> None:
    card = one(*BOSS, version="4.0")
    path = next(path for path in card.registers if path.startswith("localizations/fr"))
    card.registers[path] = dict.fromkeys(card.registers[path], "Chef")
    expected = [line.replace("Patron", "Chef") for line in BOSS]
    assert sorted(lines_of(card.registers)) == sorted(
        line if "fr" not in line else "TITLE;ALTID=1;LANGUAGE=fr:Chef" for line in expected)


def test_the_pronunciation_in_the_same_language_belongs_to_the_parts() -> None:
    lines = ("N;ALTID=a:山田;太郎;;;", "N;ALTID=a;PHONETIC=script;SCRIPT=Kana:ヤマダ;タロウ;;;", "FN:山田太郎", "UID:y")
    card = one(*lines, version="4.0")
    name = card.registers["name"]
    assert [part["phonetic"] for part in name["components"]] == ["ヤマダ", "タロウ"]
    assert (name["phoneticSystem"], name["phoneticScript"]) == ("script", "Kana")
    assert sort_key(card.registers) == "やまだ たろう"
    assert sorted(lines_of(flatten(assemble(card.registers)), "4.0"))[1:3] == sorted(lines[:2])
    assert "X-PHONETIC-LAST-NAME:ヤマダ" in lines_of(card.registers, "3.0")


@pytest.mark.parametrize("line", [
    "N;ALTID=a;PHONETIC=script:ヤマダ;;;;", "FN;ALTID=b;LANGUAGE=:x", "N;ALTID=a;LANGUAGE=en;X-A=b:A;B;;;",
    "BDAY;ALTID=c:1985", "N;ALTID=a;LANGUAGE=en:1;2;3;4;5;6;7;8",
])
def test_what_is_no_patch_is_kept_whole(line: str) -> None:
    card = one("N;ALTID=a:山田;太郎;;;", "FN;ALTID=b:a", "BDAY;ALTID=c:1990-01-01", line, "UID:y", version="4.0")
    assert len(values(card, "vCardProps")) == 1
    assert line in lines_of(card.registers)
    check_card(assemble(card.registers))


def test_a_localization_of_nothing_is_a_jsprop() -> None:
    registers: dict[str, Any] = {"uid": "a", "name": {"full": "A"}, "localizations/fr": {"titles/x/name": "Chef"}}
    assert 'JSPROP;JSPTR=localizations/fr:{"titles/x/name":"Chef"}' in lines_of(registers, "4.0")


@pytest.mark.parametrize(("line", "order", "separator"), [
    ('N;JSCOMPS=";1;2;0":Doe;Jon;Q;;', ["Jon", "Q", "Doe"], None),
    ('N;JSCOMPS="s,-;1;2,1;2;0":Doe;Jon;Q,R;;', ["Jon", "R", "Q", "Doe"], "-"),
    ('N;JSCOMPS=";1;s, aka ;0":Doe;Jon;;;', ["Jon", " aka ", "Doe"], None),
])
def test_the_order_of_the_parts(line: str, order: list[str], separator: str | None) -> None:
    name = one(line, "UID:a", version="4.0").registers["name"]
    assert [part["value"] for part in name["components"]] == order
    assert (name["isOrdered"], name.get("defaultSeparator")) == (True, separator)
    for version in ("3.0", "4.0"):
        (back,) = read(write_vcards([{"uid": "a", "name": name}], version=version, media={}.get)).cards
        assert {**back.registers["name"], "full": ""} == {**name, "full": ""}


@pytest.mark.parametrize("text", ["x;0", ";9", ";0,5", ";0;0", ";", "", ";-1", ";²"])
def test_an_order_that_does_not_fit_is_as_if_it_were_not_there(text: str) -> None:
    name = one(f'N;JSCOMPS="{text}":Doe;Jon;;;', version="4.0").registers["name"]
    assert name == {"components": [{"kind": "surname", "value": "Doe"}, {"kind": "given", "value": "Jon"}]}


def test_an_address_in_order() -> None:
    line = 'ADR;JSCOMPS="s,\\, ;11;10;3":;;1 St;Town;;;;;;;1;St;;;;;;'
    card = one("UID:a", "FN:a", line, version="4.0")
    (entry,) = values(card, "addresses")
    assert "isOrdered" not in entry
    line = 'ADR;JSCOMPS="s,\\, ;11;10;3":;;;Town;;;;;;;1;St;;;;;;'
    card = one("UID:a", "FN:a", line, version="4.0")
    (entry,) = values(card, "addresses")
    assert [part["value"] for part in entry["components"]] == ["St", "1", "Town"]
    assert entry["defaultSeparator"] == ", "
    (again,) = read(write_vcards([flatten(assemble(card.registers))], version="4.0", media={}.get)).cards
    assert values(again, "addresses") == [entry]


def test_who_wrote_a_note() -> None:
    card = one("UID:a", "FN:a", 'NOTE;AUTHOR="mailto:a@b.example";AUTHOR-NAME=Ada;CREATED=20221122T151823Z:hello',
               version="4.0")
    (note,) = values(card, "notes")
    assert note == {"note": "hello", "created": "2022-11-22T15:18:23Z",
                    "author": {"uri": "mailto:a@b.example", "name": "Ada"}}


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(st.lists(st.text("ab,;\\ ", min_size=1, max_size=3), max_size=2), min_size=2, max_size=3), st.randoms())
def test_orders_come_back(parts: list[list[str]], dice: Any) -> None:
    kinds = ("surname", "given", "given2")
    flat = [(kind, index, value) for kind, part in zip(kinds, parts, strict=False) for index, value in enumerate(part)]
    dice.shuffle(flat)
    components = [{"kind": kind, "value": value} for kind, _, value in flat]
    entry = {"isOrdered": True, "defaultSeparator": ",;\\", "components": components}
    text = jscomps(entry, [(kinds.index(kind), index) for kind, index, _ in flat])
    assert ordered(text, parts, kinds) == entry
