"""Blobs (SPEC 11.1): immutable encrypted bytes, named by the hash of the ciphertext.

Except for the manifest each blob has its own random key, used once and carried in what refers to it. So opening an
epoch encrypts the manifest anew and nothing else, and forgetting a blob is forgetting its key.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from e2esync.crypto import AEAD_OVERHEAD, Label, Secret, blake2b, open_sealed, pad, padded_size, seal, unpad
from e2esync.epoch.shape import u64
from e2esync.errors import LimitExceeded, SnapshotInvalid
from e2esync.limits import BLOB_MAX, SUITE


class BlobType(IntEnum):
    """What a blob holds: its second byte, and part of its context."""

    MANIFEST = 2
    INDEX = 3
    CHUNK = 4
    MEDIA = 5


HEADER: Final = 2
OVERHEAD: Final = HEADER + AEAD_OVERHEAD


def seal_blob(kind: BlobType, key: Secret, nonce: bytes, set_id: bytes, content: bytes) -> bytes:
    """The blob of `content` under `key` (draw `blob key`), which seals nothing else, and `nonce` (draw `blob nonce`).

    Raises LimitExceeded if it would be more than 1 MiB. Manifests are sealed by `seal_manifest`.
    """
    return _seal(kind, key, nonce, set_id + bytes([kind]), content)


def open_blob(kind: BlobType, key: Secret, set_id: bytes, blob: bytes) -> bytes:
    """The content of a blob. Raises SnapshotInvalid, CommitMismatch or AuthFailed."""
    return _open(kind, key, set_id + bytes([kind]), blob)


def seal_manifest(key: Secret, nonce: bytes, set_id: bytes, epoch: int, content: bytes) -> bytes:
    """The manifest's blob under the epoch's key and `nonce` (draw `manifest nonce`)."""
    return _seal(BlobType.MANIFEST, key, nonce, _manifest_context(set_id, epoch), content)


def open_manifest(key: Secret, set_id: bytes, epoch: int, blob: bytes) -> bytes:
    """The content of the manifest's blob. Raises SnapshotInvalid, CommitMismatch or AuthFailed."""
    return _open(BlobType.MANIFEST, key, _manifest_context(set_id, epoch), blob)


def blob_id(blob: bytes) -> bytes:
    """The name of a blob: 32 bytes."""
    return blake2b(Label.BLOB, blob)


def check_blob_id(expected: bytes, blob: bytes) -> None:
    """Raises SnapshotInvalid unless the blob is the one of that name."""
    if blob_id(blob) != expected:
        raise SnapshotInvalid(f"the bytes served for blob {expected.hex()[:8]} are another blob's or altered")


def check_blob_size(size: int) -> None:
    """What the relay can check before it takes a blob: its size is an allowed one. Raises SnapshotInvalid."""
    if size > BLOB_MAX or padded_size(size) != size:
        raise SnapshotInvalid(f"a blob of {size} bytes has no allowed size")


def _seal(kind: BlobType, key: Secret, nonce: bytes, context: bytes, content: bytes) -> bytes:
    padded = pad(content, OVERHEAD)
    if len(padded) + OVERHEAD > BLOB_MAX:
        raise LimitExceeded(f"a {kind.name.lower()} of {len(content)} bytes does not fit a blob")
    return bytes([SUITE, kind]) + seal(key, nonce, context, padded)


def _open(kind: BlobType, key: Secret, context: bytes, blob: bytes) -> bytes:
    check_blob_size(len(blob))
    # The two bytes in clear are not part of the ciphertext; the type is in the context, but the suite is not.
    if blob[:HEADER] != bytes([SUITE, kind]):
        raise SnapshotInvalid(f"a blob is not a {kind.name.lower()} of suite {SUITE}")
    return unpad(open_sealed(key, context, blob[HEADER:]), OVERHEAD)


def _manifest_context(set_id: bytes, epoch: int) -> bytes:
    return set_id + bytes([BlobType.MANIFEST]) + u64(epoch)
