"""Google's CSV, of both generations, in and out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from e2esync.card import assemble, changes, check_card, detect, read_file
from e2esync.card.foreign import read_google, write_google
from e2esync.card.foreign.csvtext import format_csv

from ..helpers import SALT, one, read, stored
from ..strategies import CARDS

OLD = {
    "Name": "Ada Lovelace", "Given Name": "Ada", "Family Name": "Lovelace", "Given Name Yomi": "エイダ",
    "Birthday": " --12-10", "Gender": "female", "Notes": "line one\nline two", "Photo": "https://tracker.example/p.jpg",
    "Group Membership": "* myContacts ::: Crew ::: * starred", "E-mail 1 - Type": "* Home",
    "E-mail 1 - Value": "ada@one.example ::: ada@two.example", "Phone 1 - Type": "Mobile",
    "Phone 1 - Value": "+44 20 7946 0001", "Phone 2 - Type": "Engine room", "Phone 2 - Value": "020",
    "Address 1 - Type": "Home", "Address 1 - Formatted": "1 St\nTown", "Address 1 - Street": "1 St",
    "Address 1 - City": "Town", "Organization 1 - Name": "Engines", "Organization 1 - Title": "Countess",
    "IM 1 - Type": "Other", "IM 1 - Service": "Jabber", "IM 1 - Value": "ada@chat.example",
    "Website 1 - Type": "Blog", "Website 1 - Value": "https://ada.example/a,b", "Relation 1 - Type": "spouse",
    "Relation 1 - Value": "William", "Event 1 - Type": "Anniversary", "Event 1 - Value": "1835-07-08",
    "Custom Field 1 - Type": "Pet", "Custom Field 1 - Value": "Puff",
}
NEW = {
    "First Name": "Ada", "Last Name": "Lovelace", "Phonetic First Name": "エイダ", "File As": "Countess Ada",
    "Organization Name": "Engines", "Labels": "* myContacts ::: Crew", "E-mail 1 - Label": "* Work",
    "E-mail 1 - Value": "ada@one.example", "Phone 1 - Label": "Work Fax", "Phone 1 - Value": "+44 1",
    "Relation 1 - Label": "Sister", "Relation 1 - Value": "Allegra",
}


def file(*rows: dict[str, str]) -> bytes:
    header = list(rows[0])
    return format_csv([header, *([row.get(name, "") for name in header] for row in rows)]).encode()


def card_of(row: dict[str, str]) -> dict[str, Any]:
    data = file(row)
    assert detect(data) == "google-csv"
    (card,) = read_file(data, salt=SALT).cards
    whole = assemble(card.registers)
    check_card(whole)
    assert card.media == {}
    return whole


def only(card: dict[str, Any], prop: str) -> Any:
    (entry,) = card[prop].values()
    return entry


def test_the_columns_until_2024() -> None:
    card = card_of(OLD)
    assert card["name"]["full"] == "Ada Lovelace"
    assert {"kind": "given", "value": "Ada", "phonetic": "エイダ"} in card["name"]["components"]
    assert card["keywords"] == {"myContacts": True, "Crew": True, "starred": True}
    assert [(entry["address"], entry["contexts"], entry["pref"]) for entry in card["emails"].values()] == [
        ("ada@one.example", {"private": True}, 1), ("ada@two.example", {"private": True}, 1)]
    assert {entry["number"]: entry.get("label", entry.get("features")) for entry in card["phones"].values()} == {
        "+44 20 7946 0001": {"mobile": True}, "020": "Engine room"}
    dates = {entry["kind"]: entry["date"] for entry in card["anniversaries"].values()}
    assert dates == {"birth": {"month": 12, "day": 10}, "wedding": {"year": 1835, "month": 7, "day": 8}}
    assert only(card, "media")["uri"] == "https://tracker.example/p.jpg"
    assert only(card, "onlineServices")["service"] == "Jabber"
    assert card["relatedTo"]["William"]["relation"] == {"spouse": True}
    assert only(card, "links") == {"uri": "https://ada.example/a,b", "label": "Blog",}
    assert only(card, "notes")["note"] == "line one\nline two"
    assert sorted(prop[1]["x-label"] for prop in card["vCardProps"]) == ["Gender", "Pet"]


def test_the_columns_since_2024() -> None:
    card = card_of(NEW)
    assert card["name"]["full"] == "Countess Ada"
    assert only(card, "phones") == {"number": "+44 1", "contexts": {"work": True}, "features": {"fax": True}}
    assert card["relatedTo"]["Allegra"]["relation"] == {"sibling": True}


@pytest.mark.parametrize("row", [OLD, NEW])
def test_what_is_written_is_read_and_written_again_the_same(row: dict[str, str]) -> None:
    first = write_google([card.registers for card in read_google(file(row), salt=SALT).cards])
    again = write_google([card.registers for card in read_google(first, salt=SALT).cards])
    assert again == first
    assert first.startswith(b"\xef\xbb\xbfFirst Name,")
    for value in ("Ada", "Crew"):
        assert value.encode() in first


@settings(max_examples=80, derandomize=True, deadline=None)
@given(CARDS)
def test_export_import_export_is_a_fixpoint_for_any_card(data: bytes) -> None:
    first = write_google([card.registers for card in read(data).cards])
    cards = read_google(first, salt=SALT).cards
    second = write_google([card.registers for card in cards])
    assert write_google([card.registers for card in read_google(second, salt=SALT).cards]) == second


def test_no_formula_goes_out() -> None:
    card = one("FN:=1+1", "N:=1;@x;;;", "TEL:+44 20 7946", "NOTE:-2+3", "EMAIL:+a@b.example", "X-CUSTOM:=cmd()")
    text = write_google([card.registers]).decode("utf-8-sig")
    fields = [field.strip('"') for line in text.splitlines() for field in line.split(",")]
    assert [field for field in fields if field[:1] in ("=", "+", "-", "@")] == ["+44 20 7946"]
    (back,) = read_google(text.encode(), salt=SALT).cards
    assert back.registers["name"]["components"][0]["value"] == "=1"


def test_groups_are_labels_of_their_members_and_no_rows() -> None:
    text = write_google([one("FN:Crew", "X-ADDRESSBOOKSERVER-KIND:group").registers, one("FN:A").registers]).decode()
    assert text.count("\r\n") == 2


def test_bad_rows_are_quarantined_and_the_rest_is_read() -> None:
    data = b"Given Name,Labels\r\nAda,\r\nBea,x,y,z\r\n,\r\nCleo,\"open\r\n"
    got = read_google(data, salt=SALT)
    assert len(got.cards) == 1
    assert [(item.line, item.raw) for item in got.quarantine] == [(3, b"Bea,x,y,z\r\n"), (5, b'Cleo,"open\r\n')]


def test_the_same_row_twice_is_one_contact_and_the_order_of_rows_does_not_count() -> None:
    one_way, other_way = (read_google(file(*rows), salt=SALT) for rows in ((OLD, OLD), (OLD,)))
    assert [card.uid for card in one_way.cards] == [card.uid for card in other_way.cards]
    assert one_way.cards == other_way.cards


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_charsets(encoding: str) -> None:
    data = "Given Name,Group Membership\r\nZoë,Café\r\n".encode(encoding)
    assert detect(data) == "google-csv"
    (card,) = read_google(data, salt=SALT).cards
    assert "keywords/Café" in card.registers


def test_the_same_row_again_undoes_no_edit() -> None:
    (card,) = read_google(file(OLD), salt=SALT).cards
    edited = {**card.registers, "name": {"full": "Ada King"}}
    assert changes(edited, read_google(file(OLD), salt=SALT).cards[0].registers) == {}


def test_numbers_stay_in_the_order_of_their_file() -> None:
    card = one("FN:a", "UID:a", *(f"TEL:{n}" for n in (5, 3, 9, 1)))
    text = write_google([stored(card.registers)]).decode()
    assert text.splitlines()[1].endswith(",5,,3,,9,,1")
