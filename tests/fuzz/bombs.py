"""Bombs: short inputs that would cost much to whoever takes them at their word, by target (SPEC 6.2, 12.1, 7).

Depth, lengths and counts that are claimed or there; what people paste, photograph and import: pairing codes, kits,
addresses, files of contacts in every form. What comes as a frame is besides in A45 and in the tests of `wire`.
"""

from __future__ import annotations

from typing import Final

MANY, LONG = 20_000, 300_000


def _card(body: bytes, version: bytes = b"4.0") -> bytes:
    return b"BEGIN:VCARD\r\nVERSION:" + version + b"\r\nFN:x\r\n" + body + b"\r\nEND:VCARD\r\n"


def _json_card(value: bytes) -> bytes:
    return b'{"@type":"Card","version":"1.0","uid":"1","a":' + value + b"}"


_LDIF = b"dn: cn=Z\nobjectclass: inetOrgPerson\n"
_DEEP = b"\x91" * LONG
_CLAIMS = b"\xdd\xff\xff\xff\xff"

BOMBS: Final[dict[str, dict[str, bytes]]] = {
    "codes": {"long": b"A" * LONG, "hashes": b"#" * LONG, "groups": b"-" * LONG},
    "kits": {
        "words": b"abandon " * MANY, "lines": b"\n" * LONG, "letters": b"a" * LONG, "shares": b"academic acid " * MANY,
    },
    "addresses": {
        "host": b"ws://" + b"a" * LONG, "port": b"ws://a:" + b"9" * LONG, "brackets": b"ws://" + b"[" * LONG,
        "users": b"ssh://" + b"@" * LONG,
    },
    "cards-vcard": {
        "cards in cards": b"BEGIN:VCARD\r\nVERSION:2.1\r\nAGENT:\r\n" * 2000, "never ends": b"BEGIN:VCARD\r\n" * 5000,
        "only ends": b"END:VCARD\r\n" * MANY, "empty cards": b"BEGIN:VCARD\nEND:VCARD\n" * 500,
        "folds": _card(b"NOTE:" + b"a\r\n " * MANY), "empty folds": _card(b"NOTE:" + b"\r\n " * MANY),
        "line": _card(b"NOTE:" + b"a" * LONG), "backslashes": _card(b"NOTE:" + b"\\" * LONG),
        "semicolons": _card(b"N:" + b";" * LONG), "commas": _card(b"CATEGORIES:" + b"a," * MANY),
        "parameters": _card(b"TEL" + b";X=1" * MANY + b":1"), "types": _card(b"TEL;TYPE=" + b"a," * MANY + b":1"),
        "quotes": _card(b'TEL;X="' + b'"' * LONG + b":1"), "properties": _card(b"TEL:1\r\n" * 2000),
        "groups": _card(b"".join(b"g%d.TEL:1\r\ng%d.X-ABLABEL:a\r\n" % (n, n) for n in range(1000))),
        "one group": _card(b"g.TEL:1\r\ng.X-ABLABEL:a\r\n" * 1000),
        "alternatives": _card(b"N;ALTID=1;LANGUAGE=ja:a;b\r\n" * 4000), "same uid": _card(b"UID:1") * 300,
        "soft breaks": _card(b"NOTE;ENCODING=QUOTED-PRINTABLE:" + b"=\r\n" * MANY, b"2.1"),
        "base64": _card(b"PHOTO;ENCODING=b:" + b"AAAA" * LONG, b"3.0"), "date": _card(b"BDAY:" + b"9" * LONG),
        "deep JSPROP": _card(b"JSPROP;JSPTR=a:" + b"[" * MANY), "path": _card(b"JSPROP;JSPTR=" + b"a/" * MANY + b":{}"),
        "number": _card(b"JSPROP;JSPTR=a:" + b"9" * MANY), "preference": _card(b"TEL;PREF=" + b"9" * MANY + b":1"),
        "place": _card(b"GEO:geo:" + b"9" * LONG + b",1"), "name": b"X" * LONG + b":" + b"\n" * MANY,
    },
    "cards-auto": {
        "wide": b"\xff\xfe" + ("BEGIN:VCARD\r\n" * 5000).encode("utf-16-le"), "spaces": b" " * LONG,
        "lines": b"\n" * LONG,
    },
    "cards-jcard": {
        "deep": b"[" * LONG, "deep and closed": b"[" * 900 + b"]" * 900, "maps": b'{"a":' * MANY,
        "number": b'["vcard",[["x",{},"integer",' + b"9" * MANY + b"]]]",
        "exponent": b'["vcard",[["x",{},"float",1e999999]]]',
    },
    "cards-jscontact": {
        "deep": _json_card(b"[" * LONG), "deep and closed": _json_card(b"[" * 900 + b"]" * 900),
        "deeper than values": _json_card(b"[" * 60 + b"]" * 60), "number": _json_card(b"9" * MANY),
        "members": _json_card(b"1," + b",".join(b'"k%d":1' % number for number in range(MANY // 10))),
    },
    "cards-google-csv": {
        "columns": b"Name," + b"a," * MANY + b"\n" + b"1," * MANY, "quote": b'Name\n"' + b"a" * LONG,
        "values": b"Name,Phone 1 - Value\nZ," + b"1 ::: " * MANY + b"\n",
        "number": b"Name,Phone " + b"9" * MANY + b" - Value\nZ,1\n",
    },
    "cards-outlook-csv": {"columns": b"First Name," + b"a," * MANY + b"\n" + b"1," * MANY},
    "cards-ldif": {
        "folds": _LDIF + b"cn: " + b"a\n " * MANY, "base64": _LDIF + b"cn:: " + b"AAAA" * LONG + b"\n",
        "attributes": _LDIF + b"cn: Z\n" + b"mail: a\n" * 2000, "comments": _LDIF + b"# a\n" * MANY,
    },
    "backups": {"part": b"\xff\xff\xff\xff" + b"x" * LONG, "parts": b"\0\0\0\1x" * MANY},
    "box-lists": {"many": b"\xdc\xff\xff" + b"\xc0" * 65_535},
    **{name: {"deep": _DEEP, "claims": _CLAIMS} for name in (
        "wire", "values", "frames", "records", "announcements", "entries", "heads", "manifests", "run-indexes",
        "run-chunks", "operations", "states", "evidence", "pairing-messages", "origins", "history",
    )},
}
"""Target → what the bomb has too much of → the bomb."""
