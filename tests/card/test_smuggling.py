"""Values that try to be something else: another property, another card, a fetch (attacks A51, A53)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2esync.card import (
    VERSIONS,
    assemble,
    check_card,
    flatten,
    jcard,
    jscontact,
    read_file,
    write_google,
    write_vcards,
)
from e2esync.card.profiles import PROFILES, dress, write_for

from .helpers import SALT, one, read

ENDS = ("\r\n", "\n", "\r", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1e", "\\n", "\r\n ", "=0D=0A", "\0")
ENDS_IDS = [ascii(end) for end in ENDS]


def evil(end: str) -> str:
    return f"A{end}TEL:666{end}END:VCARD{end}BEGIN:VCARD{end}VERSION:3.0{end}FN:Mallory{end}"


def full_of(text: str) -> dict[str, Any]:
    """A card that says the text wherever a card says one."""
    entry = {"label": text, "contexts": {text: True}, "vCardParams": {"x-a": text, "type": [text], "group": text}}
    return {
        "@type": "Card", "version": "1.0", "uid": text, "kind": text, "language": text, "prodId": text,
        "name": {"full": text, "components": [{"kind": "given", "value": text, "phonetic": text}], "isOrdered": True,
                 "defaultSeparator": text, "sortAs": {"surname": text}, "vCardParams": {"altid": text}},
        "phones": {"a": {**entry, "number": text}}, "emails": {"a": {**entry, "address": text}},
        "notes": {"a": {**entry, "note": text, "author": {"name": text}}}, "titles": {"a": {**entry, "name": text}},
        "nicknames": {"a": {"name": text}}, "links": {"a": {**entry, "uri": text}},
        "addresses": {"a": {**entry, "full": text, "components": [{"kind": "name", "value": text}],
                            "countryCode": text, "coordinates": text}},
        "organizations": {"a": {**entry, "name": text, "units": [{"name": text}], "sortAs": text}},
        "onlineServices": {"a": {**entry, "service": text, "uri": text, "user": text, "vCardName": text}},
        "anniversaries": {"a": {**entry, "kind": text, "date": {"month": 1, "day": 2}, "e2esync.org:label": text}},
        "media": {"a": {**entry, "kind": "photo", "uri": text, "mediaType": text}},
        "keywords": {text: True}, "members": {text: True}, "relatedTo": {text: {**entry, "relation": {text: True}}},
        "speakToAs": {"grammaticalGender": text, "pronouns": {"a": {"pronouns": text}}},
        "personalInfo": {"a": {"kind": "hobby", "value": text, "level": text}},
        "localizations": {text: {"name/full": text}}, "vCardProps": [[text, {text: text}, text, text]],
        f"x.example:{text}": text,
    }


@pytest.mark.parametrize("end", ENDS, ids=ENDS_IDS)
def test_no_value_becomes_a_card_or_a_property_of_another_name(end: str) -> None:
    card = full_of(evil(end))
    check_card(card)
    registers = flatten(card)
    for version in VERSIONS:
        written = write_vcards([registers], version=version, media={}.get)
        (back,) = read(written).cards
        assert "666" not in [entry["number"] for path, entry in back.registers.items() if path.startswith("phones/")]
        again = write_vcards([flatten(assemble(back.registers))], version=version, media={}.get)
        assert len(read(again).cards) == 1
    for name in PROFILES:
        texts = [write_for(name, each, {}.get) for each in dress(name, {b"a": registers}, SALT).values()]
        assert len(read("".join(texts).encode("utf-8", "surrogateescape")).cards) == len(texts)
    for module in (jcard, jscontact):
        text = module.write([registers], media={}.get)
        assert len(json.loads(text)) == 1
        assert len(read_file(text.encode("utf-8", "surrogatepass"), salt=SALT).cards) <= 1
    assert len(read_file(write_google([registers]), salt=SALT).cards) == 1


@pytest.mark.parametrize("end", [end for end in ENDS if end.strip("\r\n ") and end != "\\n"])
def test_what_is_no_line_end_stays_inside_its_value(end: str) -> None:
    card = one(f"NOTE:A{end}TEL:666", "FN:x", "UID:u")
    assert [path.partition("/")[0] for path in card.registers if "/" in path] == ["notes"]


URIS = tuple(scheme + rest for scheme in ("http://", "https://", "file:///", "gopher://", "ftp://", "//", "javascript:",
                                          "data:text/html,", "ldap://", "cid:") for rest in
             ("127.0.0.1:9/x.jpg", "localhost/@tracker", "[::1]/redirect?to=http://evil.example"))


@pytest.mark.parametrize("form", ["vcard", "jcard", "jscontact", "google-csv", "ldif"])
def test_addresses_are_kept_and_are_no_media(form: str) -> None:
    """That nothing is fetched follows from the architecture: below the I/O line nobody can (tests/test_architecture);
    that the command line does not either is tested there. Here: no address is mistaken for the bytes of a photo."""
    vcard = "".join(f"PHOTO;VALUE=uri:{uri}\r\nKEY:{uri}\r\nLOGO:{uri}\r\nSOUND:{uri}\r\nURL:{uri}\r\n" for uri in URIS)
    data = {
        "vcard": f"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:x\r\n{vcard}END:VCARD\r\n",
        "jcard": json.dumps(["vcard", [["fn", {}, "text", "x"], *(["photo", {}, "uri", uri] for uri in URIS)]]),
        "jscontact": json.dumps({"uid": "a", "media": {f"m{n}": {"kind": "photo", "uri": uri}
                                                       for n, uri in enumerate(URIS)}}),
        "google-csv": "Given Name,Photo,Labels\r\n" + "".join(f'"x{n}","{uri}",\r\n' for n, uri in enumerate(URIS)),
        "ldif": "".join(f"dn: cn={n}\ncn: {n}\njpegPhoto:< {uri}\n\n" for n, uri in enumerate(URIS)),
    }[form]
    file = read_file(data.encode(), salt=SALT, form=form)
    assert file.cards
    assert all(card.media == {} for card in file.cards)
    kept = json.dumps([assemble(card.registers) for card in file.cards])
    assert all(json.dumps(uri)[1:-1] in kept for uri in URIS)


def test_giant_cards_are_refused_and_the_others_are_read() -> None:
    giant = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\nNOTE:" + b"a" * (300 << 10) + b"\r\nEND:VCARD\r\n"
    small = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:y\r\nEND:VCARD\r\n"
    file = read(giant + small)
    assert [card.registers["name"]["full"] for card in file.cards] == ["y"]
    assert [item.raw for item in file.quarantine] == [giant]
    for data in (b'["vcard",[["note",{},"text","' + b"a" * (300 << 10) + b'"]]]',
                 b"Labels,Notes\nx," + b"a" * (300 << 10) + b"\n"):
        assert [len(read_file(data, salt=SALT).cards), len(read_file(data, salt=SALT).quarantine)] == [0, 1]
