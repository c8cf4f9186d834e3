"""The rescue file (SPEC 14.13): the kit opens it, and no other file in its place."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from e2esync.access.kit import RecoveryKit
from e2esync.access.rescue import RescueHeader, open_rescue, read_header, seal_rescue
from e2esync.crypto import Secret
from e2esync.errors import AuthFailed, BadCode, CommitMismatch, E2esyncError, LimitExceeded
from e2esync.wire import Value
from tests.helpers.entropy import FastEntropy

KIT = RecoveryKit(Secret(b"k" * 32))
OTHER = RecoveryKit(Secret(b"o" * 32))
HEADER = RescueHeader(b"s" * 32, 3, 7, 1_700_000_000_000, KIT.signing_key(2).verify_key)
CONTENTS: list[Value] = [[1, "Family", "wss://relay.example"], [2, "aa", 0, b"photo"], [4, []]]


def sealed(contents: list[Value] = CONTENTS) -> bytes:
    return b"".join(seal_rescue(HEADER, KIT.sealing_key(2).public, contents, FastEntropy("rescue")))


def opened(raw: bytes, kit: RecoveryKit = KIT) -> list[Value]:
    header, contents = open_rescue(kit, io.BytesIO(raw).read)
    assert header == HEADER
    return list(contents)


@pytest.mark.parametrize("contents", [CONTENTS, CONTENTS[:1], [[1.5, None]]])
def test_what_was_sealed_comes_back(contents: list[Value]) -> None:
    assert opened(sealed(contents)) == contents


def test_the_header_is_in_clear_and_nothing_else_is() -> None:
    raw = sealed()
    assert read_header(io.BytesIO(raw).read) == HEADER
    for secret in (b"Family", b"relay.example", b"photo"):
        assert secret not in raw


def test_another_kit_is_told_so() -> None:
    with pytest.raises(BadCode):
        opened(sealed(), OTHER)


def test_no_byte_can_be_changed_left_out_or_added() -> None:
    raw = sealed()
    for place in [*range(0, 140, 7), *range(140, len(raw), 61)]:
        with pytest.raises(E2esyncError):
            opened(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1:])
    for cut in (0, 3, 50, 200, len(raw) - 1):
        with pytest.raises(AuthFailed):
            opened(raw[:cut])
    with pytest.raises(AuthFailed):
        opened(raw + b"\0")


def _parts(raw: bytes) -> tuple[bytes, list[bytes]]:
    start = 4 + int.from_bytes(raw[:4], "big") + 1216
    parts, place = [], start
    while place < len(raw):
        end = place + 4 + int.from_bytes(raw[place : place + 4], "big")
        parts.append(raw[place:end])
        place = end
    return raw[:start], parts


@pytest.mark.parametrize(("name", "spoil"), [
    ("last left out", lambda parts: parts[:-1]),
    ("swapped", lambda parts: [parts[1], parts[0], parts[2]]),
    ("twice", lambda parts: [parts[0], *parts]),
    ("first left out", lambda parts: parts[1:]),
    ("cut and marked as the end", lambda parts: [parts[0], parts[1][:4] + b"\1" + parts[1][5:]]),
])
def test_parts_have_their_places(name: str, spoil: Callable[[list[bytes]], list[bytes]]) -> None:
    head, parts = _parts(sealed())
    assert len(parts) == 3, name
    with pytest.raises((AuthFailed, CommitMismatch)):
        opened(head + b"".join(spoil(parts)))


def test_a_part_of_another_file_does_not_fit() -> None:
    other = b"".join(seal_rescue(HEADER, KIT.sealing_key(2).public, CONTENTS, FastEntropy("another")))
    head, parts = _parts(sealed())
    with pytest.raises((AuthFailed, CommitMismatch)):
        opened(head + _parts(other)[1][0] + b"".join(parts[1:]))


@pytest.mark.parametrize("raw", [b"", b"\0\0\0\1\xc0", b"\xff" * 64, b"BEGIN:VCARD\r\nVERSION:3.0\r\n" * 99])
def test_what_is_no_rescue_file(raw: bytes) -> None:
    with pytest.raises((AuthFailed, LimitExceeded, E2esyncError)):
        opened(raw)
