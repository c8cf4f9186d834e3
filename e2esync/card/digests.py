"""Short hashes of card values (SPEC 7): entry ids, the uid of a card that has none, base and media digests.

Invariants: equal input gives equal output on every device; ids and media digests are keyed with the salt (the set
id), so that they tell nothing outside the set; base digests never leave the origin register.
"""

from __future__ import annotations

import hashlib
import json.encoder
from binascii import b2a_base64
from typing import Final

from .types import Value

BASE_LENGTH: Final = 4
MEDIA_LENGTH: Final = 16
_PERSON_ID: Final = b"e2esync-entry-id"
_PERSON_UID: Final = b"e2esync-card-uid"
_PERSON_MEDIA: Final = b"e2esync-media-dg"
_PERSON_BASE: Final = b"e2esync-cardbase"
_BASE: Final = hashlib.blake2b(digest_size=BASE_LENGTH, person=_PERSON_BASE)

_ENCODER: Final = json.encoder.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False
)
_MAKE: Final = getattr(json.encoder, "c_make_encoder", None)
# JSONEncoder.encode builds this C object anew at every call, which takes half of its time.
_CHUNKS: Final = _MAKE and _MAKE(
    None, _ENCODER.default, json.encoder.encode_basestring, None, ":", ",", True, False, False
)
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def encode_json(value: Value) -> str:
    """The one JSON spelling of a value: sorted keys, no white space, text as it is."""
    return "".join(_CHUNKS(value, 0)) if _CHUNKS else _ENCODER.encode(value)


def _letters(digest: bytes) -> str:
    return str(b2a_base64(digest, newline=False).translate(_URL_SAFE), "ascii")


def base_digest(path: str, value: Value) -> bytes:
    """Four bytes that change when a register changes: ``BLAKE2b-4(path NUL json(value))``."""
    state = _BASE.copy()
    state.update(f"{path}\0{encode_json(value)}".encode())
    return state.digest()


class IdMaker:
    """Makes the entry ids of one card: eight letters from what the entry says, not from where it stands."""

    __slots__ = ("_counts", "_state")

    def __init__(self, salt: bytes, uid: str) -> None:
        self._state = hashlib.blake2b(
            uid.encode("utf-8", "surrogatepass") + b"\0", key=salt[:64], digest_size=6, person=_PERSON_ID
        )
        self._counts: dict[str, int] = {}

    def make(self, prop: str, normal: str) -> str:
        """The id of an entry of ``prop`` with this normalised value; equal entries are told apart by ordinal."""
        text = f"{prop}\0{normal}"
        counts = self._counts
        counts[text] = ordinal = counts.get(text, -1) + 1
        state = self._state.copy()
        state.update((f"{text}\0{ordinal}" if ordinal else text).encode("utf-8", "surrogatepass"))
        return _letters(state.digest())


def derive_uid(salt: bytes, lines: list[str]) -> str:
    """A version 8 UUID from the normalised lines of a card without a UID; the order of the lines does not count."""
    state = hashlib.blake2b(key=salt[:64], digest_size=16, person=_PERSON_UID)
    for line in sorted(lines):
        state.update(line.encode("utf-8", "surrogatepass") + b"\n")
    digest = bytearray(state.digest())
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def media_digest(salt: bytes, data: bytes) -> str:
    """The keyed digest, in hex, that stands for inline media in a register."""
    return hashlib.blake2b(data, key=salt[:64], digest_size=MEDIA_LENGTH, person=_PERSON_MEDIA).hexdigest()


def content_id(value: Value) -> str:
    """An id from content alone, for arrays that become maps (``vCardProps``)."""
    text = encode_json(value).encode("utf-8", "surrogatepass")
    return _letters(hashlib.blake2b(text, digest_size=6, person=_PERSON_ID).digest())
