"""Blobs (SPEC 11.1): named by their bytes, opened only as what and where they were sealed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.crypto import Label, Secret, seal
from e2esync.crypto.hashing import blake2b
from e2esync.crypto.padding import padded_size
from e2esync.errors import CommitMismatch, CryptoError, E2esyncError, LimitExceeded, SnapshotInvalid
from e2esync.limits import BLOB_MAX
from e2esync.snapshot.blob import (
    OVERHEAD,
    BlobType,
    blob_id,
    check_blob_id,
    check_blob_size,
    open_blob,
    open_manifest,
    seal_blob,
    seal_manifest,
)

KEY = Secret(b"\7" * 32)
SET = b"\5" * 32
NONCE = b"\3" * 24
KINDS = [BlobType.INDEX, BlobType.CHUNK, BlobType.MEDIA]
BLOB = seal_blob(BlobType.CHUNK, KEY, NONCE, SET, b"content")
MANIFEST = seal_manifest(KEY, NONCE, SET, 4, b"content")


@pytest.mark.parametrize("kind", KINDS)
def test_the_layout_is_that_of_the_spec(kind: BlobType) -> None:
    blob = seal_blob(kind, KEY, NONCE, SET, b"content")
    padded = b"content\x80" + bytes(512 - 8 - OVERHEAD)
    assert blob == bytes([1, kind]) + seal(KEY, NONCE, SET + bytes([kind]), padded)
    assert (OVERHEAD, len(blob)) == (74, 512)


def test_a_manifest_names_its_epoch() -> None:
    padded = b"content\x80" + bytes(512 - 8 - OVERHEAD)
    assert b"\1\2" + seal(KEY, NONCE, SET + b"\2" + bytes(7) + b"\4", padded) == MANIFEST
    assert open_manifest(KEY, SET, 4, MANIFEST) == b"content"
    with pytest.raises(CommitMismatch):
        open_manifest(KEY, SET, 5, MANIFEST)


def test_types_are_those_of_the_spec() -> None:
    assert {kind.name: int(kind) for kind in BlobType} == {"MANIFEST": 2, "INDEX": 3, "CHUNK": 4, "MEDIA": 5}


@pytest.mark.parametrize("size", [0, 1, 437, 438, 130_997, 512 << 10, BLOB_MAX - OVERHEAD - 1])
def test_it_opens_to_what_was_sealed_at_an_allowed_size(size: int) -> None:
    blob = seal_blob(BlobType.MEDIA, KEY, NONCE, SET, b"\x80" * size)
    assert len(blob) == padded_size(size + 1 + OVERHEAD) <= BLOB_MAX
    check_blob_size(len(blob))
    assert open_blob(BlobType.MEDIA, KEY, SET, blob) == b"\x80" * size


def test_above_a_mebibyte_there_is_no_blob() -> None:
    with pytest.raises(LimitExceeded):
        seal_blob(BlobType.MEDIA, KEY, NONCE, SET, bytes(BLOB_MAX - OVERHEAD))
    with pytest.raises(SnapshotInvalid):
        check_blob_size(padded_size(BLOB_MAX + 1))


@pytest.mark.parametrize("size", [0, 1, 511, 513, 65_537])
def test_another_size_is_refused(size: int) -> None:
    with pytest.raises(SnapshotInvalid, match="no allowed size"):
        open_blob(BlobType.CHUNK, KEY, SET, BLOB.ljust(size, b"\0")[:size])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not BlobType.CHUNK])
def test_one_type_is_not_another(kind: BlobType) -> None:
    with pytest.raises(SnapshotInvalid, match="is not a"):
        open_blob(kind, KEY, SET, BLOB)
    with pytest.raises(CommitMismatch):
        open_blob(kind, KEY, SET, bytes([1, kind]) + BLOB[2:])


def test_another_key_set_or_suite_is_refused() -> None:
    with pytest.raises(CommitMismatch):
        open_blob(BlobType.CHUNK, Secret(bytes(32)), SET, BLOB)
    with pytest.raises(CommitMismatch):
        open_blob(BlobType.CHUNK, KEY, bytes(32), BLOB)
    with pytest.raises(SnapshotInvalid, match="suite 1"):
        open_blob(BlobType.CHUNK, KEY, SET, b"\2" + BLOB[1:])


def test_a_blob_is_named_by_its_bytes() -> None:
    assert blob_id(BLOB) == blake2b(Label.BLOB, BLOB)
    check_blob_id(blob_id(BLOB), BLOB)
    with pytest.raises(SnapshotInvalid, match="another blob's"):
        check_blob_id(blob_id(BLOB), MANIFEST)


def test_every_flipped_bit_is_refused() -> None:
    for bit in range(len(BLOB) * 8):
        flipped = bytearray(BLOB)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises((CryptoError, SnapshotInvalid)):
            open_blob(BlobType.CHUNK, KEY, SET, bytes(flipped))
        with pytest.raises(SnapshotInvalid):
            check_blob_id(blob_id(BLOB), bytes(flipped))


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.binary(max_size=600), st.booleans())
def test_arbitrary_bytes_raise_only_our_errors(raw: bytes, headed: bool) -> None:
    blob = (b"\1\4" + raw).ljust(512, b"\0")[:512] if headed else raw
    with pytest.raises(E2esyncError):
        open_blob(BlobType.CHUNK, KEY, SET, blob)
    with pytest.raises(E2esyncError):
        open_manifest(KEY, SET, 1, blob)
