"""Envelopes (SPEC 10.1, 10.4): nothing opens that was altered, moved, or padded in another way."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.crypto import Label, Secret, seal
from e2esync.crypto.hashing import blake2b
from e2esync.crypto.padding import padded_size
from e2esync.epoch.record import Remove
from e2esync.errors import AuthFailed, CommitMismatch, CryptoError, E2esyncError, EntryInvalid, LimitExceeded
from e2esync.log.envelope import (
    OVERHEAD,
    check_envelope_shape,
    envelope_blobs,
    envelope_hash,
    envelope_header,
    next_log_hash,
    open_envelope,
    read_envelope,
    seal_envelope,
)
from tests.epoch.builders import Book
from tests.log.test_entry import write

KEY = Secret(b"\7" * 32)
SET = b"\5" * 32
NONCE = b"\3" * 24
ENVELOPE = seal_envelope(KEY, SET, 4, b"an entry", NONCE)


def test_the_layout_is_that_of_the_spec() -> None:
    header = b"\1\1" + bytes(7) + b"\4\0\0"
    assert envelope_header(4) == header
    padded = b"an entry" + b"\x80" + bytes(512 - OVERHEAD - 9)
    assert seal(KEY, NONCE, SET + header, padded) == ENVELOPE[12:]
    assert (OVERHEAD, len(ENVELOPE)) == (84, 512)


@pytest.mark.parametrize("size", [0, 1, 427, 428, 5_000, 65_451, 65_452, 200_000, (256 << 10) - 85])
def test_it_opens_to_what_was_sealed_at_an_allowed_size(size: int) -> None:
    envelope = seal_envelope(KEY, SET, 4, b"\x80" * size, NONCE)
    assert len(envelope) == padded_size(size + 1 + OVERHEAD)
    check_envelope_shape(envelope, 4)
    assert open_envelope(KEY, SET, 4, envelope) == b"\x80" * size


def test_an_envelope_names_its_blobs_in_order() -> None:
    blobs = [b"b" * 32, b"a" * 32]
    envelope = seal_envelope(KEY, SET, 4, b"an entry", NONCE, blobs)
    assert envelope[:12] == b"\1\1" + bytes(7) + b"\4\0\2"
    assert envelope_blobs(envelope) == (b"a" * 32, b"b" * 32)
    assert len(envelope) == 512
    assert open_envelope(KEY, SET, 4, envelope) == b"an entry"


@pytest.mark.parametrize("blobs", [[b"b" * 32, b"a" * 32], [b"a" * 32, b"a" * 32]], ids=["unsorted", "twice"])
def test_the_relay_refuses_blobs_out_of_order(blobs: list[bytes]) -> None:
    header = envelope_header(4)[:10] + b"\0\2" + b"".join(blobs)
    with pytest.raises(EntryInvalid, match="its blobs"):
        check_envelope_shape(header.ljust(512, b"e"), 4)


def test_the_relay_refuses_more_blobs_than_there_are_bytes() -> None:
    with pytest.raises(EntryInvalid, match="its blobs"):
        check_envelope_shape((envelope_header(4)[:10] + b"\xff\xff").ljust(512, b"e"), 4)


def test_a_blob_taken_from_the_header_leaves_nothing_that_opens() -> None:
    envelope = seal_envelope(KEY, SET, 4, b"an entry", NONCE, [b"a" * 32])
    bare = envelope_header(4) + envelope[44:]
    with pytest.raises((CommitMismatch, EntryInvalid)):
        open_envelope(KEY, SET, 4, bare.ljust(512, b"\0"))


def test_above_256_kib_there_is_no_envelope() -> None:
    with pytest.raises(LimitExceeded):
        seal_envelope(KEY, SET, 4, bytes((256 << 10) - 84), NONCE)


@pytest.mark.parametrize(("key", "set_id", "epoch", "error"), [
    (Secret(bytes(32)), SET, 4, CommitMismatch), (KEY, bytes(32), 4, CommitMismatch), (KEY, SET, 5, EntryInvalid),
])
def test_under_another_key_set_or_epoch_it_does_not_open(
    key: Secret, set_id: bytes, epoch: int, error: type[E2esyncError],
) -> None:
    with pytest.raises(error):
        open_envelope(key, set_id, epoch, ENVELOPE)


def test_moved_to_another_epoch_with_its_header_changed_it_does_not_open() -> None:
    with pytest.raises(CommitMismatch):
        open_envelope(KEY, SET, 5, envelope_header(5) + ENVELOPE[12:])


@pytest.mark.parametrize("header", [b"\2\1" + bytes(7) + b"\4", b"\1\2" + bytes(7) + b"\4", b"\1\1" + bytes(7) + b"\5"])
def test_the_relay_refuses_another_header(header: bytes) -> None:
    with pytest.raises(EntryInvalid, match="header"):
        check_envelope_shape(header + ENVELOPE[10:], 4)


@pytest.mark.parametrize("size", [0, 9, 511, 513, 1023, 65_537, (256 << 10) + 1, (256 << 10) + 16_384])
def test_the_relay_refuses_another_size(size: int) -> None:
    with pytest.raises(EntryInvalid, match="no allowed size"):
        check_envelope_shape(envelope_header(4).ljust(size, b"\0")[:size], 4)


def test_every_flipped_bit_is_refused() -> None:
    for bit in range(len(ENVELOPE) * 8):
        flipped = bytearray(ENVELOPE)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises((CryptoError, EntryInvalid)):
            open_envelope(KEY, SET, 4, bytes(flipped))


@pytest.mark.parametrize("padded", [
    bytes(428), b"x" * 428, b"an entry\x80" + bytes(931), b"an entry\x80" + bytes(418) + b"\1", b"\x80" * 427 + b"\0\0",
])
def test_other_padding_is_refused(padded: bytes) -> None:
    header = envelope_header(4)
    envelope = header + seal(KEY, NONCE, SET + header, padded)
    with pytest.raises((AuthFailed, EntryInvalid)):
        open_envelope(KEY, SET, 4, envelope)


def test_the_log_hash_chains_envelopes() -> None:
    assert envelope_hash(ENVELOPE) == blake2b(Label.ENVELOPE, ENVELOPE)
    first = next_log_hash(b"\1" * 32, ENVELOPE)
    assert first == blake2b(Label.LOG, b"\1" * 32 + envelope_hash(ENVELOPE))
    other = seal_envelope(KEY, SET, 4, b"an entry", b"\4" * 24)
    assert next_log_hash(next_log_hash(b"\1" * 32, other), ENVELOPE) != next_log_hash(first, other)


def test_reading_opens_parses_and_checks() -> None:
    book = Book()
    entry = write(book)
    envelope = seal_envelope(book.key, book.set_id, 0, entry.raw, NONCE)
    assert read_envelope(book.key, book.chain, envelope) == entry
    with pytest.raises(EntryInvalid, match="is a root"):
        read_envelope(book.key, book.chain, seal_envelope(book.key, book.set_id, 0, write(book, 0).raw, NONCE))
    with pytest.raises(E2esyncError):
        read_envelope(book.key, book.chain, seal_envelope(book.key, book.set_id, 0, b"no entry", NONCE))


def test_an_entry_is_sent_again_under_a_later_epoch() -> None:
    book = Book()
    entry = write(book, 2)
    book.open(1)
    envelope = seal_envelope(book.key, book.set_id, 1, entry.raw, NONCE)
    assert read_envelope(book.key, book.chain, envelope).id == entry.id
    book.open(1, (Remove(2),))
    with pytest.raises(EntryInvalid, match="no member"):
        read_envelope(book.key, book.chain, seal_envelope(book.key, book.set_id, 2, entry.raw, NONCE))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.binary(max_size=600), st.booleans())
def test_arbitrary_bytes_raise_only_our_errors(raw: bytes, headed: bool) -> None:
    envelope = (envelope_header(4) + raw).ljust(512, b"\0")[:512] if headed else raw
    with pytest.raises(E2esyncError):
        open_envelope(KEY, SET, 4, envelope)
