"""LDIF as Thunderbird writes it."""

from __future__ import annotations

from base64 import b64encode

from e2esync.card import assemble, check_card, detect, read_file

from ..helpers import SALT

PHOTO = b"\xff\xd8\xff\xe0photo"
FILE = (
    "version: 1\r\n# a comment\r\n\r\n"
    "dn: cn=Ada Lovelace,mail=ada@one.example\r\nobjectclass: top\r\nobjectclass: person\r\n"
    "cn:: " + b64encode("Ada, Gräfin".encode()).decode() + "\r\nsn: Love\r\n lace\r\ngivenName: Ada\r\n"
    "mail: ada@one.example\r\nmozillaSecondEmail: ada@two.example\r\ntelephoneNumber: 020 1\r\nmobile: 0700\r\n"
    "mozillaHomeStreet: 1 St\r\nmozillaHomeLocalityName: Town\r\nl: City\r\no: Engines\r\nou: Notes\r\n"
    "birthyear: 1815\r\nbirthmonth: 12\r\nbirthday: 10\r\nmozillaCustom1: kept\r\nmodifytimestamp: 0\r\n"
    "_JabberId: ada@chat.example\r\njpegPhoto:: " + b64encode(PHOTO).decode() + "\r\n"
    "description;lang-de: Notiz\r\n\r\n"
    "dn: cn=Bea,mail=bea@one.example\r\ncn: Bea\r\njpegPhoto:< https://tracker.example/b.jpg\r\n\r\n"
    "dn: cn=Nobody\r\nobjectclass: top\r\n\r\n"
    "dn: cn=Crew\r\nobjectclass: groupOfNames\r\ncn: Crew\r\nmember: cn=Ada Lovelace, mail=ada@one.example\r\n"
    "member: cn=gone\r\n"
).encode()


def test_people_photos_and_groups() -> None:
    assert detect(FILE) == "ldif"
    file = read_file(FILE, salt=SALT)
    ada, bea, crew = (assemble(card.registers) for card in file.cards)
    for card in (ada, bea, crew):
        check_card(card)
    assert ada["name"]["full"] == "Ada, Gräfin"
    assert ada["name"]["components"][0] == {"kind": "surname", "value": "Lovelace"}
    assert [entry["address"] for entry in ada["emails"].values()] == ["ada@one.example", "ada@two.example"]
    assert [entry["number"] for entry in ada["phones"].values()] == ["020 1", "0700"]
    assert [entry["contexts"] for entry in ada["addresses"].values()] == [{"work": True}, {"private": True}]
    assert [entry["date"] for entry in ada["anniversaries"].values()] == [{"year": 1815, "month": 12, "day": 10}]
    assert [entry["note"] for entry in ada["notes"].values()] == ["Notiz"]
    assert [prop[1:] for prop in ada["vCardProps"]] == [[{"x-label": "mozillacustom1"}, "text", "kept"]]
    assert list(file.cards[0].media.values()) == [PHOTO]
    assert file.cards[1].media == {}
    assert [entry["uri"] for entry in bea["media"].values()] == ["https://tracker.example/b.jpg"]
    assert (crew["kind"], crew["members"]) == ("group", {ada["uid"]: True})
    assert [(item.line, item.reason) for item in file.quarantine] == [(33, "the card is empty")]


def test_an_image_that_is_no_base64_and_other_damage_raise_nothing() -> None:
    data = b"dn: x\njpegPhoto:: !!!\ncn:: ====\n\n: novalue\n\n \n continued\nnocolon\n\ndn: y\ncn: B\n"
    cards = read_file(data, salt=SALT, form="ldif").cards
    assert cards[-1].registers["name"] == {"full": "B"}
