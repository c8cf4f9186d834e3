"""The canaries, and what they could look like at a relay: as they are, as digits only, in one case, hashed.

`e2esync.demo.search` then seeks each of these forms in UTF-8, UTF-16, base64 at every alignment and hex.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from e2esync.demo.search import Needle

TEXTS: Final = {
    "name": "Zebedee Quagmire-Oswin", "later name": "Thessaly Brambledown", "number": "+49 170 5550199 42",
    "mail": "zq.canary@harbour.example", "note": "met at the harbour by the green boat", "label": "Lighthouse keepers",
    "address": "17 Marlinspike Terrace", "organization": "Gannet & Fulmar Chandlers", "uid": "urn:canary:51f0c2aa",
    "book": "Harbour people", "phone": "Pocket albatross", "laptop": "Folding cormorant",
    "person": "Quillon Ravensworth", "guest": "Isolde Featherstonehaugh", "kept": "Wrenfield Osprey-Tern",
    "trashed": "Corvina Jackdaw-Rook",
}
PHOTO: Final = b"\xff\xd8\xff\xe0" + hashlib.shake_256(b"photo of a canary").digest(9000) + b"\xff\xd9"
_DIGITS_MIN: Final = 7


def forms(text: str) -> Iterator[bytes]:
    """The ways in which somebody may keep a text who means not to keep it as it is."""
    plain = {text, text.lower(), text.upper()}
    digits = "".join(letter for letter in text if letter.isdigit())
    if len(digits) >= _DIGITS_MIN:
        plain.add(digits)
    for each in sorted(plain):
        content = each.encode()
        yield content
        yield hashlib.sha256(content).digest()
        for size in (16, 20, 32, 64):
            yield hashlib.blake2b(content, digest_size=size).digest()


def needles(texts: Iterable[str] = TEXTS.values(), photo: bytes = PHOTO) -> list[Needle]:
    """What is sought."""
    found = [Needle(text, form) for text in texts for form in forms(text)]
    for at in (0, 1000, 4500, len(photo) - 48):
        found.append(Needle("photo", photo[at : at + 48]))
    hashes = hashlib.sha256(photo).digest(), hashlib.blake2b(photo, digest_size=32).digest()
    return found + [Needle("photo", digest) for digest in hashes]
