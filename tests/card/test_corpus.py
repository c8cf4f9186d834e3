"""Real files, where they are: ``E2ESYNC_CORPUS`` names their folder, INDEX.tsv in it says what each is."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

from e2esync.card import VERSIONS, assemble, check_card, jcard, jscontact, read_vcards, write_vcards
from e2esync.errors import BadCard

from .helpers import SALT, again, read

FOLDER = Path(os.environ["E2ESYNC_CORPUS"]) if os.environ.get("E2ESYNC_CORPUS") else None


def files(*classes: str) -> list[str]:
    if FOLDER is None or not (FOLDER / "INDEX.tsv").is_file():
        return []
    with (FOLDER / "INDEX.tsv").open(encoding="utf-8", newline="") as table:
        return [row["file"] for row in csv.DictReader(table, delimiter="\t") if row["class"] in classes]


def load(name: str) -> bytes:
    assert FOLDER is not None
    return (FOLDER / name).read_bytes()


VCARDS = files("vcard", "vcard-utf16")
ALL = files("vcard", "vcard-utf16", "vcard-malformed", "vcard-fuzz")
JSON = files("jscontact", "jscontact-invalid", "jcard")


@pytest.mark.parametrize("any_file", ALL)
def test_every_file_comes_back_byte_for_byte(any_file: str) -> None:
    data = load(any_file)
    assert again(read(data)) == data


@pytest.mark.parametrize("vcard_file", VCARDS)
def test_every_readable_card_survives(vcard_file: str) -> None:
    file = read(load(vcard_file))
    assert file.cards
    for card in file.cards:
        check_card(assemble(card.registers))


@pytest.mark.parametrize("any_file", ALL)
def test_export_import_export_is_a_fixpoint(any_file: str) -> None:
    for card in read(load(any_file)).cards:
        for first in VERSIONS:
            exported = write_vcards([card.registers], version=first, media=card.media.get)
            (back,) = read_vcards(exported, salt=SALT).cards
            assert back.uid == card.uid
            assert write_vcards([back.registers], version=first, media=back.media.get) == exported
            for second in VERSIONS:
                there = write_vcards([back.registers], version=second, media=back.media.get)
                (other,) = read_vcards(there, salt=SALT).cards
                assert write_vcards([other.registers], version=second, media=other.media.get) == there


@pytest.mark.parametrize("json_file", JSON)
def test_json_files_are_equal_as_json(json_file: str) -> None:
    text = load(json_file)
    try:
        value = json.loads(text)
    except ValueError:
        with pytest.raises(BadCard):
            jscontact.read(text, salt=SALT)
        return
    module = jcard if value and "vcard" in (value[0] if isinstance(value, list) else ()) else jscontact
    assert json.loads(again(module.read(text, salt=SALT))) == value
