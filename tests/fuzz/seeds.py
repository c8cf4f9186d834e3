"""What the targets begin from where no case of `vectors/` has it as it is: one well-formed input of each, at least.

A target that begins from noise alone gets no further than its first check; a test counts on a valid seed for each.
"""

from __future__ import annotations

from typing import Final

from e2esync.access.code import PairingCode, Purpose
from e2esync.access.kit import RecoveryKit, render_kit_file
from e2esync.card import read_file
from e2esync.card.types import ORIGIN
from e2esync.client import backup
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.crypto import Secret, seal
from e2esync.crypto.sealing import seal_to
from e2esync.wire import encode

SET_ID: Final = bytes(32)
KEY: Final = Secret(b"k" * 32)
NONCE: Final = bytes(24)
KIT: Final = RecoveryKit(Secret(bytes(range(32))))


def backup_part(data: bytes, number: int, last: bool) -> bytes:
    """A part of a backup that was sealed to this kit's public key, as anybody can."""
    return backup._framed(seal(KEY, NONCE, backup._context(HEAD, number, last), data))


def _header() -> bytes:
    box = seal_to(KIT.sealing_key(0).public, backup._CONTEXT, KEY, NamedEntropy("fuzz"))
    return encode(["kit", [[KIT.signing_key(0).verify_key, box]]])


HEAD: Final = _header()
"""A backup's header, for this kit."""

_BOOK = encode([["book", "b", bytes(32), 1], ["contact", "uid", 0, {"uid": "uid"}]])
_REST = encode([["layout", "a", b"x"], ["step", 1, "import", 1, 5, 0], ["change", 1, "uid", 0, b"x"],
                ["photo", "d", True, b"x"]])
BACKUP_ITEMS: Final = [_BOOK, _REST]
BACKUPS: Final = [
    backup._framed(HEAD) + backup_part(_BOOK, 0, False) + backup_part(_REST, 1, True),
    backup._framed(HEAD) + backup._framed(b"x" * 100),
]

CODES: Final = [
    PairingCode(url, bytes(8), Secret(bytes(range(16))), purpose).text().encode()
    for url in (None, "wss://relay.example:443/a") for purpose in Purpose
]
KITS: Final = [" ".join(KIT.words()).encode(), render_kit_file(KIT, "wss://relay.example", SET_ID, bytes(32)).encode()]
ADDRESSES: Final = [b"wss://relay.example:443/a", b"[::1]:1", b"unix:/a", b"ssh://u@host:22/db", b"tcps://a:1"]
HISTORY: Final = [b"", encode({"phones/a": [{"number": "1"}, "2"], "uid": ["u"]})]

_CARD = b"BEGIN:VCARD\r\nVERSION:%s\r\nN:Abernathy;Zelda;Q.;Ms.;\r\nFN:Ms. Zelda Q. Abernathy\r\n%sEND:VCARD\r\n"
CARDS: Final = {
    "vcard": [
        _CARD % (b"2.1", b"TEL;HOME;VOICE:+44 7700\r\nNOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:a=0D=0Ab=\r\nc\r\n"
                         b"PHOTO;ENCODING=BASE64;JPEG:/9j/\r\n\r\nAGENT:\r\nBEGIN:VCARD\r\nEND:VCARD\r\n"),
        _CARD % (b"3.0", b"item1.TEL;TYPE=CELL,pref:1\r\nitem1.X-ABLabel:_$!<Home>!$_\r\nBDAY:1985-04-12\r\n"
                         b"PHOTO;ENCODING=b;TYPE=PNG:iVBORw0K\r\nCATEGORIES:a,b\r\nADR:;;1 St;Town;;;UK\r\n"),
        _CARD % (b"4.0", b"UID:urn:uuid:1\r\nTEL;VALUE=uri;PREF=1:tel:+1\r\nBDAY:--0412\r\nLANG:fr\r\nGEO:geo:1,2\r\n"
                         b"PHOTO:data:image/png;base64,iVBORw0K\r\nJSPROP;JSPTR=a/b:{}\r\nN;ALTID=1;LANGUAGE=ja:a;b\r\n"
                         b"ORG;ALTID=1:a\r\nORG;ALTID=1;LANGUAGE=ja:b\r\n"),
    ],
    "jcard": [b'["vcard",[["version",{},"text","4.0"],["fn",{},"text","Z"],["tel",{"type":["home"]},"uri","tel:1"]]]'],
    "jscontact": [b'[{"@type":"Card","version":"1.0","uid":"1","name":{"full":"Z"},"phones":{"a":{"number":"1"}}}]'],
    "google-csv": [b"Name,Given Name,Labels,Phone 1 - Type,Phone 1 - Value\nZelda,Zelda,* myContacts,Mobile,1 ::: 2\n"],
    "outlook-csv": [b"First Name,Last Name,E-mail Address,Home Phone,Birthday\nZelda,A,z@example.com,1,1985/4/12\n"],
    "ldif": [b"dn: cn=Zelda\nobjectclass: inetOrgPerson\ncn:: WmVsZGE=\nmail: z@example.com\ntelephoneNumber: 1\n\n"],
    "auto": [b"\xff\xfeB\0E\0G\0I\0N\0", b"\xef\xbb\xbfBEGIN:VCARD\nEND:VCARD\n"],
}


def origins() -> list[bytes]:
    """The origin records of cards that files gave."""
    return [encode(card.registers[ORIGIN]) for content in CARDS["vcard"]
            for card in read_file(content, salt=SET_ID, form="vcard").cards if ORIGIN in card.registers]


def layouts() -> list[bytes]:
    """The layouts of files."""
    files = (read_file(content, salt=SET_ID, form=form) for form in ("vcard", "jcard") for content in CARDS[form])
    return [encode(file.layout.to_value()) for file in files if file.layout is not None]
