"""Invented cards by the thousand: plain people, 300 to 500 bytes of msgpack each, the same everywhere for a seed.

`python -m tests.bench.cards COUNT [PHOTOS]` prints them, the first PHOTOS of them each with a photo of 40 kB.
"""

from __future__ import annotations

import base64
import random
import sys

PHOTO_BYTES = 40_000

_SYLLABLES = ("ba", "co", "du", "el", "fi", "gor", "hu", "in", "ja", "kel", "lo", "mar", "ni", "or", "pe", "qui", "ro",
              "sa", "ten", "ul", "ver", "wy", "xan", "yo", "zim")
_STREETS = ("Lantern Row", "Mill Street", "Harbour Road", "Station Square", "Orchard Lane", "Chapel Hill")
_TOWNS = ("Applewick", "Northaven", "Saltmarsh", "Millbrook", "Fernley", "Kingsbridge", "Oldcastle")
_COMPANIES = ("Quill & Sons", "Harbour Clinic", "Northern Kites", "The Evening Ledger", "Two Bridges Bakery")
_WORDS = ("met", "at", "the", "lighthouse", "ask", "before", "noon", "likes", "maps", "brings", "tea", "second",
          "floor", "cousin", "of", "train", "every", "spring", "choir")


def vcards(count: int, photos: int = 0, seed: int = 1) -> bytes:
    """A vCard 3.0 file of `count` people, the first `photos` of them with a photo."""
    dice = random.Random(seed)
    return "".join(_vcard(number, dice, photo=number < photos) for number in range(count)).encode()


def _vcard(number: int, dice: random.Random, *, photo: bool) -> str:
    given, family = _name(dice), _name(dice)
    town = dice.choice(_TOWNS)
    lines = [
        "BEGIN:VCARD", "VERSION:3.0", f"UID:{dice.getrandbits(128):032x}", f"FN:{given} {family}",
        f"N:{family};{given};;;", f"TEL;TYPE=CELL:{_phone(dice)}",
    ]
    if number % 2:
        lines.append(f"TEL;TYPE=WORK:{_phone(dice)}")
    lines.append(f"EMAIL;TYPE=HOME:{given.lower()}.{family.lower()}{number}@{town.lower()}.example")
    if number % 3 == 0:
        street = f"{dice.randrange(1, 200)} {dice.choice(_STREETS)}"
        lines.append(f"ADR;TYPE=HOME:;;{street};{town};;{dice.randrange(10000, 99999)};Albion")
    else:
        lines.append(f"ORG:{dice.choice(_COMPANIES)}")
        lines.append(f"NOTE:{' '.join(dice.choice(_WORDS) for _ in range(dice.randrange(4, 12)))}")
    if photo:
        lines.append(_photo(dice))
    return "\r\n".join([*lines, "END:VCARD", ""])


def _photo(dice: random.Random) -> str:
    """A property as phones write it; the bytes are a picture's as far as anybody looks, its first four."""
    text = base64.b64encode(b"\xff\xd8\xff\xe0" + dice.randbytes(PHOTO_BYTES - 4)).decode()
    head = "PHOTO;ENCODING=b;TYPE=JPEG:"
    return head + "\r\n ".join([text[:48], *(text[start : start + 74] for start in range(48, len(text), 74))])


def _name(dice: random.Random) -> str:
    return "".join(dice.choice(_SYLLABLES) for _ in range(dice.randrange(2, 4))).title()


def _phone(dice: random.Random) -> str:
    return f"+44 {dice.randrange(1000, 9999)} {dice.randrange(100000, 999999)}"


if __name__ == "__main__":
    sys.stdout.buffer.write(vcards(*map(int, sys.argv[1:])))
