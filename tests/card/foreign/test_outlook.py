"""CSV of Outlook in three languages, and of Thunderbird."""

from __future__ import annotations

from typing import Any

import pytest

from e2esync.card import assemble, check_card, detect, read_file
from e2esync.card.foreign.csvtext import format_csv
from e2esync.card.foreign.record import read_date

from ..helpers import SALT

ENGLISH = {
    "Title": "Dr.", "First Name": "Ada", "Middle Name": "King", "Last Name": "Lovelace", "Company": "Engines",
    "Department": "Notes", "Job Title": "Countess", "Business Street": "1 St", "Business Street 2": "Floor 2",
    "Business City": "Town", "Home Phone": "020 1", "Mobile Phone": "0700", "Business Fax": "020 2",
    "Company Main Phone": "020 3", "E-mail Address": "ada@one.example", "E-mail 2 Address": "ada@two.example",
    "Birthday": "12/10/1815", "Anniversary": "0/0/00", "Categories": "Crew;Family", "Spouse": "William",
    "Manager's Name": "Charles", "Notes": "n", "Web Page": "https://ada.example", "Priority": "Normal",
    "User 1": "kept", "Gender": "Unspecified",
}
GERMAN = {"Vorname": "Zoë", "Nachname": "Müller", "E-Mail-Adresse": "z@m.example", "Telefon geschäftlich": "030 1",
          "Straße privat": "Weg 1", "Ort privat": "Köln", "Geburtstag": "10.12.1985", "Kategorien": "Freunde"}
FRENCH = {"Prénom": "Zoé", "Nom": "Blanc", "Adresse de messagerie": "z@b.example", "Tél. mobile": "06",
          "Ville (bureau)": "Lyon"}
THUNDERBIRD = {"First Name": "Ada", "Display Name": "Countess", "Primary Email": "a@b.example", "Work Phone": "1",
               "Birth Year": "1815", "Birth Month": "12", "Birth Day": "10", "Custom 1": "kept", "Home ZipCode": "7"}


def card_of(row: dict[str, str], delimiter: str = ",", encoding: str = "utf-8") -> dict[str, Any]:
    text = format_csv([list(row), list(row.values())])
    data = (text if delimiter == "," else text.replace(",", delimiter)).encode(encoding)
    assert detect(data) == "outlook-csv"
    (card,) = read_file(data, salt=SALT).cards
    whole = assemble(card.registers)
    check_card(whole)
    return whole


def values(card: dict[str, Any], prop: str, member: str) -> list[Any]:
    return [entry[member] for entry in card.get(prop, {}).values()]


def test_english() -> None:
    card = card_of(ENGLISH)
    assert [part["value"] for part in card["name"]["components"]] == ["Lovelace", "Ada", "King", "Dr."]
    assert values(card, "phones", "number") == ["020 1", "0700", "020 2", "020 3"]
    assert [entry.get("label") for entry in card["phones"].values()] == [None, None, None, "Main"]
    assert values(card, "emails", "address") == ["ada@one.example", "ada@two.example"]
    assert [part["value"] for part in values(card, "addresses", "components")[0]] == ["1 St", "Floor 2", "Town"]
    assert card["keywords"] == {"Crew": True, "Family": True}
    assert values(card, "anniversaries", "date") == [{"year": 1815, "month": 12, "day": 10}]
    assert {name: entry["relation"] for name, entry in card["relatedTo"].items()} == {
        "William": {"spouse": True}, "Charles": {"co-worker": True}}
    assert [prop[1]["x-label"] for prop in card["vCardProps"]] == ["User 1"]


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-8-sig"])
def test_german(delimiter: str, encoding: str) -> None:
    card = card_of(GERMAN, delimiter, encoding)
    assert [part["value"] for part in card["name"]["components"]] == ["Müller", "Zoë"]
    assert values(card, "phones", "contexts") == [{"work": True}]
    assert values(card, "anniversaries", "date") == [{"year": 1985, "month": 12, "day": 10}]
    assert [part["value"] for part in values(card, "addresses", "components")[0]] == ["Weg 1", "Köln"]
    assert card["keywords"] == {"Freunde": True}


def test_french_and_thunderbird() -> None:
    assert values(card_of(FRENCH), "phones", "features") == [{"mobile": True}]
    card = card_of(THUNDERBIRD)
    assert card["name"]["full"] == "Countess"
    assert values(card, "anniversaries", "date") == [{"year": 1815, "month": 12, "day": 10}]
    assert card["vCardProps"][0][1]["x-label"] == "Custom 1"


@pytest.mark.parametrize(("text", "date"), [
    ("12/10/1815", "1815-12-10"), ("25/12/1985", "1985-12-25"), ("10.12.1985", "1985-12-10"),
    ("1985-12-10", "1985-12-10"), ("--12-10", "--12-10"), ("0/0/00", ""), ("", ""), ("someday", "someday"),
    ("99/99/1985", "99/99/1985"), ("1/2/85", "1/2/85"),
])
def test_dates(text: str, date: str) -> None:
    assert read_date(text) == date
