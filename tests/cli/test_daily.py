"""phone, email, birthdays, labels and photo."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Cli

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def test_phones_as_khard_prints_them(people: Cli) -> None:
    assert people("phone", "-p", "ada").out == (
        "+44 20 7946 0001\tAda Lovelace\tmobile\n+44 20 7946 0002\tAdam Ant\t\n")
    assert people("phone", "nobody").code == 1
    assert "Adam Ant" in people("phone", "adam").out
    assert people("phone", "adam", "--json").json["phones"] == [
        {"value": "+44 20 7946 0002", "name": "Adam Ant", "type": ""}]


def test_emails_and_what_mutt_asks_for(people: Cli) -> None:
    assert people("email", "-p", "adam").out == "adam@example.org\tAdam Ant\t\n"
    assert people("email", "--mutt", "adam ant").out == (
        "searching for 'adam ant' ...\nadam@example.org\tAdam Ant\t\n")
    ran = people("email", "--mutt", "nobody")
    assert (ran.code, ran.out) == (1, "searching for 'nobody' ...\n")


def test_a_tab_in_a_name_parts_nothing(book: Cli) -> None:
    assert book("new", "--name", "Ada\tLove\x1b[31mlace", "--email", "ada@example.org").code == 0
    assert book("email", "-p").out == "ada@example.org\tAda Love[31mlace\t\n"


def test_birthdays_by_the_calendar_with_and_without_a_year(people: Cli) -> None:
    assert people("birthdays").code == 1
    assert people("edit", "ada lovelace", "--birthday", "1815-12-10").code == 0
    assert people("edit", "adam", "--birthday", "02-29").code == 0
    assert people("birthdays", "-p").out == "--02-29\tAdam Ant\n1815.12.10\tAda Lovelace\n"
    assert people("config", "set", "date-format", "%d.%m.%Y").code == 0
    shown = people("birthdays").out
    assert "10.12.1815" in shown
    assert "29.02" in shown
    assert "1604" not in shown
    assert "2000" not in shown
    assert people("birthdays", "--json").json["birthdays"][0] == {"name": "Adam Ant", "month": 2, "day": 29}


def test_labels(people: Cli) -> None:
    assert people("labels").err == "no labels\n"
    assert people("labels", "add", "Family", "ada lovelace", "adam").code == 0
    assert people("labels", "add", "family", "adam", "--json").json["changed"] == 0
    assert people("labels", "--json").json["labels"] == [{"name": "Family", "contacts": 2, "kind": "keywords"}]
    assert people("labels", "rename", "Family", "Kin").code == 0
    assert people("labels", "remove", "kin", "adam").code == 0
    assert people("labels", "list", "adam", "--json").json["labels"] == []
    assert people("labels", "list", "ada lovelace", "--json").json["labels"][0]["name"] == "Kin"
    assert people("labels", "remove", "Nobody has it", "adam").code == 4
    assert people("labels", "delete", "Kin", "--json").json["changed"] == 1
    assert people("labels", "--json").json["labels"] == []
    # Each was one step.
    assert people("undo").code == 0
    assert people("labels", "--json").json["labels"][0]["contacts"] == 1


def test_a_label_that_is_a_group_card(people: Cli, tmp_path: Path) -> None:
    group = tmp_path / "group.vcf"
    group.write_text("BEGIN:VCARD\r\nVERSION:4.0\r\nKIND:group\r\nFN:Club\r\nUID:club\r\nMEMBER:urn:uuid:absent\r\n"
                     "END:VCARD\r\n", newline="")
    assert people("import", str(group)).code == 0
    assert people("labels", "add", "Club", "adam").code == 0
    assert people("labels", "list", "adam", "--json").json["labels"] == [
        {"name": "Club", "contacts": 1, "kind": "groups"}]
    assert people("labels", "delete", "Club").code == 0
    assert people("show", "Club").code == 4
    assert people("undo").code == 0
    assert "absent" in people("show", "Club").out
    assert people("labels", "list", "adam", "--json").json["labels"][0]["contacts"] == 1


def test_a_photo_is_set_shown_exported_and_removed(people: Cli, tmp_path: Path) -> None:
    picture, other, back = tmp_path / "ada.jpg", tmp_path / "ada.png", tmp_path / "back"
    picture.write_bytes(JPEG)
    other.write_bytes(PNG)
    assert people("photo", "show", "adam").err == "no photo\n"
    assert people("photo", "export", "adam", "-o", str(back)).code == 4
    assert people("photo", "set", "adam", str(picture)).code == 0
    assert people("photo", "set", "adam", str(other)).code == 0
    assert people("photo", "show", "adam").out == f"image/png, {len(PNG)} bytes\n"
    assert people("photo", "export", "adam", "-o", str(back)).code == 0
    assert back.read_bytes() == PNG
    assert people("undo").code == 0
    assert people("photo", "show", "adam", "--json").json["photos"] == [
        {"type": "image/jpeg", "size": len(JPEG), "uri": None, "here": True}]
    assert people("photo", "remove", "adam").code == 0
    assert people("photo", "show", "adam", "--json").json["photos"] == []
    assert people("undo").code == 0
    assert people("photo", "export", "adam", "-o", str(back), "--yes").code == 0
    assert back.read_bytes() == JPEG


def test_what_is_no_picture(people: Cli, tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_bytes(b"hello")
    assert people("photo", "set", "adam", str(text)).code == 1
    assert people("photo").code == 2


@pytest.mark.parametrize("command", [["phone"], ["email"], ["birthdays"]])
def test_nothing_of_an_empty_book(book: Cli, command: list[str]) -> None:
    ran = book(*command)
    assert (ran.code, ran.out) == (1, "")
