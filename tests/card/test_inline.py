"""Photos of a file of cards, decoded where they are wanted."""

from __future__ import annotations

import tracemalloc
from base64 import b64encode

import pytest

from e2esync.card import ReadCard
from e2esync.card.digests import media_digest
from e2esync.card.lexer import STRETCH_MAX
from e2esync.card.vcard import vcard_parts

from .helpers import SALT, again, one, read, vcard

PICTURE = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 3
BASE64 = b64encode(PICTURE).decode()
FOLDED = "\r\n ".join(BASE64[start : start + 70] for start in range(0, len(BASE64), 70))


@pytest.mark.parametrize(("version", "line"), [
    ("2.1", f"PHOTO;ENCODING=BASE64;JPEG:{BASE64}\r\n"),
    ("2.1", f"PHOTO;JPEG;ENCODING=BASE64:\r\n {FOLDED}\r\n"),
    ("3.0", f"PHOTO;ENCODING=b;TYPE=JPEG:{FOLDED}"),
    ("3.0", f"item1.PHOTO;ENCODING=b:{BASE64}"),
    ("4.0", f"PHOTO:data:image/jpeg;base64,{FOLDED}"),
    ("4.0", f"PHOTO:data:image/jpeg\\;base64\\,{BASE64}"),
])
def test_a_photo_is_given_each_time_it_is_asked_for(version: str, line: str) -> None:
    card = one("FN:Ada", line, version=version)
    digest = media_digest(SALT, PICTURE)
    assert digest in card.media
    assert card.media[digest] == card.media[digest] == PICTURE
    assert card.media[digest] is not card.media[digest]  # Nothing is kept.


def test_all_that_a_card_holds_is_given_and_nothing_else() -> None:
    other = b"GIF89a" + bytes(30)
    # Base64 in an odd shape cannot be told in short words: the line itself is kept as media.
    odd = f"LOGO;ENCODING=b:{b64encode(other).decode()[:9]}\r\n  {b64encode(other).decode()[9:]}\r\n "
    card = one("FN:Ada", f"PHOTO;ENCODING=b:{FOLDED}", odd)
    assert {media_digest(SALT, data) for data in card.media.values()} == set(card.media)
    assert {PICTURE, other} <= set(card.media.values())
    with pytest.raises(KeyError):
        card.media["A" * 22]


def test_a_photo_is_that_of_its_own_card_in_any_encoding() -> None:
    def photos(data: bytes) -> list[list[bytes]]:
        cards: list[ReadCard] = read(data).cards
        return [list(card.media.values()) for card in cards]

    first, second = b"\xff\xd8\xff\xe0first", b"\xff\xd8\xff\xe0second"
    text = b"".join(vcard(f"FN:B\u00f6rje {data[4:].decode()}", f"PHOTO;ENCODING=b:{b64encode(data).decode()}")
                    for data in (first, second)).decode()
    for data in (text.encode(), b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16"), text.encode("utf-16-be"),
                 b"\xe4\xf6 junk\r\n" + text.encode(), text.replace("\r\n", "\r").encode()):
        assert photos(data) == [[first], [second]]
        assert again(read(data)) == data


def test_what_is_too_long_for_a_card_is_left_in_the_file_and_the_rest_is_read() -> None:
    file = read(vcard("FN:Ada", "NOTE:" + "x" * STRETCH_MAX) + vcard("FN:Bob"))
    assert [card.registers["name"]["full"] for card in file.cards] == ["Bob"]
    (left,) = file.quarantine
    assert (left.raw, left.line) == (b"", 1)
    assert "64 MiB" in left.reason


def test_a_file_full_of_photos_is_in_memory_once() -> None:
    photos = [b"\xff\xd8\xff\xe0" + bytes([number]) * (256 << 10) for number in range(24)]
    data = b"".join(vcard(f"FN:Ada {number}", f"PHOTO;ENCODING=b:{b64encode(photo).decode()}")
                    for number, photo in enumerate(photos))
    tracemalloc.start()
    try:
        file = read(data)
        kept, peak = tracemalloc.get_traced_memory()
        assert kept < len(data) // 8
        assert peak < len(data) // 2
        tracemalloc.reset_peak()
        assert [photo for card in file.cards for photo in map(len, card.media.values())] == list(map(len, photos))
        written = sum(map(len, vcard_parts([card.registers for card in file.cards], version=None, media={
            digest: photos[0] for card in file.cards for digest in card.media}.get)))
        assert written > len(data) // 2
        assert tracemalloc.get_traced_memory()[1] - kept < len(data) // 2
    finally:
        tracemalloc.stop()
