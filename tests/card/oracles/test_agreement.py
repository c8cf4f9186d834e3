"""Other implementations read in real cards what we read, property by property, but for a list of exceptions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from e2esync.card.lexer import blocks, decode_file
from tests.helpers.node import check_package_files, install

from ..test_corpus import VCARDS, load
from .accepted import ACCEPTED, is_accepted
from .reading import PROPERTIES, Reading, alike, by_node, by_vobject, ours

HERE = Path(__file__).parent
SAMPLE = HERE.parents[2] / "e2esync" / "demo" / "sample.vcf"
WRITTEN = (
    # As an iPhone, Google, Android, Outlook, Thunderbird and a server write them; nobody's real card.
    "BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:-//Apple Inc.//iPhone OS 17.0//EN\r\nN:Ng;Ada;Q\\,R;Dr.;\r\nFN:Dr. Ada Ng\r\n"
    "ORG:Engines;Notes;\r\nTITLE:Chief\\, Notes\r\nitem1.EMAIL;type=INTERNET;type=pref:ada@one.example\r\n"
    "item1.X-ABLabel:_$!<Other>!$_\r\nTEL;type=CELL;type=VOICE:+44 20 7946 0001\r\n"
    "NOTE:one\\ntwo\\, three\\; four\\\\five\r\nEND:VCARD\r\n",
    "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Zoë Müller\r\nN:Müller;Zoë;;;\r\nCATEGORIES:myContacts,Crew\r\n"
    "URL:https\\://zoe.example/a\r\nNICKNAME:Zo,Zed\r\nTEL;TYPE=CELL:0700\r\nEND:VCARD\r\n",
    "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;Zo=C3=AB;;;\r\n"
    "FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Zo=C3=AB=20M=C3=BC=\r\nller\r\nTEL;CELL;PREF:0700\r\nEND:VCARD\r\n",
    "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Simon Perrier\r\nN:Perrier;Simon;;;ing. jr,M.Sc.\r\n"
    "EMAIL;PREF=1:s@p.example\r\nTEL;VALUE=uri;TYPE=\"voice,home\":tel:+33-01-23-45-67\r\nORG:Viag\r\n"
    "NOTE:a long note that is folded in the middle of its words because it does not fit on one l\r\n ine\r\n"
    "URL:https://s.example/?a=b,c;d\r\nEND:VCARD\r\n",
)


def cards() -> list[str]:
    """The texts of single cards: our own, and those of the corpus where it is."""
    files = [SAMPLE.read_bytes(), *(text.encode() for text in WRITTEN)]
    if os.environ.get("E2ESYNC_CORPUS"):
        files += [load(name) for name in VCARDS]
    return [block.text for data in files for block in blocks(decode_file(data)) if block.card]


CARDS = cards()


def differences(text: str, votes: dict[str, Reading]) -> list[str]:
    """What an oracle reads otherwise, without what is accepted."""
    mine = ours(text)
    assert mine is not None
    found = []
    for oracle, reading in votes.items():
        if not any(prop in reading for prop in PROPERTIES):
            continue  # It found nothing at all: no vote.
        for prop in PROPERTIES:
            here, there = alike(mine.get(prop, [])), alike(reading.get(prop, []))
            if here != there and not is_accepted(oracle, prop, text):
                found.append(f"{oracle} reads {prop} as {there}, we as {here}")
    return found


def test_vobject_agrees_on_every_property() -> None:
    found = []
    read = 0
    for text in CARDS:
        reading = by_vobject(text)
        read += reading is not None
        found += differences(text, {"vobject": reading} if reading is not None else {})
    assert found == []
    assert read >= len(CARDS) // 2


@pytest.mark.slow
def test_ical_js_and_vcard4_ts_agree_on_every_property(tmp_path: Path) -> None:
    folder = install(HERE, tmp_path / "oracles")
    answers = by_node([text.encode("utf-8", "replace").decode() for text in CARDS], folder)
    found = [each for text, votes in zip(CARDS, answers, strict=True) for each in differences(text, votes)]
    assert found == []
    assert {name for votes in answers for name in votes} == {"ical.js", "vcard4-ts"}


def test_exceptions_are_explained_and_narrow() -> None:
    assert all(len(each.why) > 5 for each in ACCEPTED)
    apple = WRITTEN[0]
    assert not is_accepted("vobject", "TEL", apple)
    assert differences(apple, {"vobject": {**(by_vobject(apple) or {}), "TEL": ["1"]}}) == [
        "vobject reads TEL as ['1'], we as ['+44 20 7946 0001']"]


def test_package_files_name_no_download_address() -> None:
    check_package_files(HERE)
