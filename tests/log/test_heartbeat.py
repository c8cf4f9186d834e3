"""Heartbeats (SPEC 10.7): sealed for the members, signed by the device, with the relay's own head inside."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.crypto import Label, Secret, SigningKey
from e2esync.epoch.roles import Role
from e2esync.epoch.shape import u64
from e2esync.errors import AuthFailed, CommitMismatch, E2esyncError, LimitExceeded, NonCanonical, SlotInvalid
from e2esync.log import heartbeat as module
from e2esync.log.head import sign_head
from e2esync.log.heartbeat import (
    OVERHEAD,
    Heartbeat,
    check_heartbeat,
    check_heartbeat_shape,
    open_heartbeat,
    seal_heartbeat,
)
from e2esync.wire import decode, encode
from tests.epoch.builders import NOW, Book


@pytest.fixture(scope="module")
def book() -> Book:
    """Epoch 2: 0 root, 1 and 2 owners, 3 reader, 4 recovery."""
    book = Book()
    book.join(Role.READER)
    book.join(Role.RECOVERY)
    return book


def beat(book: Book, member: int = 1, **override: Any) -> bytes:
    """A valid heartbeat of `member`, with fields replaced; `relay` signs the head inside."""
    relay = override.pop("relay", book.relay)
    head = sign_head(
        relay, book.set_id, epoch=2, seq=3, log_hash=bytes(32), record_hash=book.chain.head.hash, time=NOW,
        incarnation=1,
    )
    fields: dict[str, Any] = {
        "member": member, "epoch": 2, "time": NOW, "until": NOW + 5, "vector": {2: 7, 1: 4}, "head": head,
        "entropy": book.entropy,
    } | override
    signer = fields.pop("signer", None) or book.parties[member].signing
    return seal_heartbeat(book.key, signer, fields.pop("set_id", book.set_id), **fields)


def read(book: Book, raw: bytes, member: int = 1) -> Heartbeat:
    heartbeat = open_heartbeat(book.key, book.set_id, 2, member, raw)
    check_heartbeat(heartbeat, member, book.chain)
    return heartbeat


def test_a_heartbeat_reads_back(book: Book) -> None:
    raw = beat(book)
    heartbeat = read(book, raw)
    assert (heartbeat.member, heartbeat.epoch, heartbeat.time, heartbeat.until) == (1, 2, NOW, NOW + 5)
    assert heartbeat.vector == {1: 4, 2: 7}
    assert heartbeat.head.seq == 3
    assert raw[:8] == u64(2)
    assert (OVERHEAD, len(raw)) == (80, 512)
    head = [heartbeat.head.body, heartbeat.head.signature]
    assert decode(heartbeat.body) == [1, 2, NOW, NOW + 5, [[1, 4], [2, 7]], head]
    assert heartbeat.signature == book.parties[1].signing.sign(Label.SIGN_HEARTBEAT, book.set_id, heartbeat.body)
    assert book.entropy.draws[-1][0] == "heartbeat nonce"


def test_readers_beat_too(book: Book) -> None:
    assert read(book, beat(book, 3), 3).member == 3


def test_a_recovery_member_has_no_slot(book: Book) -> None:
    with pytest.raises(SlotInvalid, match="no slot"):
        read(book, beat(book, 4), 4)


@pytest.mark.parametrize(("override", "check"), [
    ({"signer": SigningKey(b"x" * 32)}, "verify"), ({"relay": SigningKey(b"x" * 32)}, "verify_head"),
])
def test_a_wrong_signature_is_refused(
    book: Book, override: dict[str, Any], check: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = beat(book, **override)
    with pytest.raises(AuthFailed):
        read(book, raw)
    monkeypatch.setattr(module, check, lambda *_: None)
    assert read(book, raw)


def test_a_reader_does_not_put_anothers_beat_into_its_slot(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    heartbeat = open_heartbeat(book.key, book.set_id, 2, 1, beat(book))
    with pytest.raises(SlotInvalid, match="slot of member 2 is of member 1"):
        check_heartbeat(heartbeat, 2, book.chain)
    monkeypatch.setattr(module, "check_place", lambda *_: None)
    with pytest.raises(AuthFailed):
        check_heartbeat(heartbeat, 2, book.chain)


def test_a_beat_of_an_earlier_epoch_is_not_one_of_this(book: Book) -> None:
    heartbeat = open_heartbeat(book.key, book.set_id, 2, 1, beat(book))
    with pytest.raises(SlotInvalid):
        check_heartbeat(heartbeat, 1, book.chain.extend(book.record(1)))


def test_moved_to_another_slot_set_or_epoch_it_does_not_open(book: Book) -> None:
    raw = beat(book)
    with pytest.raises(CommitMismatch):
        open_heartbeat(book.key, book.set_id, 2, 2, raw)
    with pytest.raises(CommitMismatch):
        open_heartbeat(book.key, bytes(32), 2, 1, raw)
    with pytest.raises(CommitMismatch):
        open_heartbeat(Secret(bytes(32)), book.set_id, 2, 1, raw)
    with pytest.raises(SlotInvalid):
        open_heartbeat(book.key, book.set_id, 3, 1, raw)
    with pytest.raises(CommitMismatch):
        open_heartbeat(book.key, book.set_id, 3, 1, u64(3) + raw[8:])


@pytest.mark.parametrize("size", [0, 7, 511, 513, 32 << 10])
def test_the_relay_refuses_another_size(size: int) -> None:
    with pytest.raises(SlotInvalid, match="no allowed size"):
        check_heartbeat_shape(u64(2).ljust(size, b"\0")[:size], 2)


def test_the_relay_takes_one_of_the_open_epoch(book: Book) -> None:
    check_heartbeat_shape(beat(book), 2)
    with pytest.raises(SlotInvalid, match="epoch 3"):
        check_heartbeat_shape(beat(book), 3)


def test_a_heartbeat_fits_a_slot(book: Book) -> None:
    with pytest.raises(LimitExceeded):
        beat(book, vector=dict.fromkeys(range(2_000), 2**53 - 1))


@pytest.mark.parametrize(("index", "value"), [
    (0, -1), (1, True), (2, -1), (3, "x"), (4, [[1, 0]]), (4, {}), (5, []), (5, [b"", bytes(64)]), (5, [b"\x90", b""]),
])
def test_a_field_that_does_not_fit_is_refused(
    book: Book, index: int, value: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:
    fields = decode(open_heartbeat(book.key, book.set_id, 2, 1, beat(book)).body)
    fields[index] = value
    monkeypatch.setattr(module, "encode", lambda whole: encode(whole if isinstance(whole[0], bytes) else fields))
    raw = beat(book)
    with pytest.raises(NonCanonical):
        open_heartbeat(book.key, book.set_id, 2, 1, raw)


def test_every_flipped_bit_is_refused(book: Book) -> None:
    raw = beat(book)
    for bit in range(0, len(raw) * 8, 3):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(E2esyncError):
            open_heartbeat(book.key, book.set_id, 2, 1, bytes(flipped))


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.binary(max_size=512))
def test_arbitrary_bytes_raise_only_our_errors(raw: bytes) -> None:
    for candidate in (raw, (u64(2) + raw).ljust(512, b"\0")[:512]):
        with pytest.raises(E2esyncError):
            open_heartbeat(Secret(bytes(32)), bytes(32), 2, 1, candidate)
