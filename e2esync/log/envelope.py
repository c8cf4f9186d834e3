"""Envelopes (SPEC 10.1, 10.4): an entry as the relay sees it, padded and encrypted under the epoch's key.

The header is in clear so that the relay can refuse one for another epoch, or one that names a blob which is not there;
it is part of the context, so that moving an envelope makes it unreadable. The log hash chains envelopes, and so the
order that the relay gave them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from e2esync.crypto import AEAD_OVERHEAD, Label, Secret, blake2b, open_sealed, pad, padded_size, seal, unpad
from e2esync.epoch.chain import Chain
from e2esync.epoch.shape import u64
from e2esync.errors import EntryInvalid, LimitExceeded
from e2esync.limits import ENVELOPE_MAX, HASH, SUITE
from e2esync.log.entry import Entry, check_entry, parse_entry

HEADER: Final = 12
"""suite (1) ‖ 0x01 ‖ u64(epoch) ‖ u16(count), before the ids of blobs."""

OVERHEAD: Final = HEADER + AEAD_OVERHEAD
"""What an envelope adds to its entry, where it names no blob; each that it names takes 32 bytes more."""
_START: Final = bytes([SUITE, 0x01])


def envelope_header(epoch: int, blobs: Sequence[bytes] = ()) -> bytes:
    """What is in clear: suite, type, epoch, and the blobs that the envelope makes live, ascending by id."""
    return _START + u64(epoch) + len(blobs).to_bytes(2) + b"".join(sorted(blobs))


def seal_envelope(
    key: Secret, set_id: bytes, epoch: int, entry_raw: bytes, nonce: bytes, blobs: Sequence[bytes] = (),
) -> bytes:
    """The envelope of an entry, naming the blobs that its operations need. `nonce` is the draw `envelope nonce`.

    Raises LimitExceeded above 256 KiB. A retry within the epoch is these bytes again, never a second sealing
    (SPEC 10.5).
    """
    header = envelope_header(epoch, blobs)
    padded = pad(entry_raw, len(header) + AEAD_OVERHEAD)
    if len(header) + AEAD_OVERHEAD + len(padded) > ENVELOPE_MAX:
        raise LimitExceeded(f"an entry of {len(entry_raw)} bytes does not fit an envelope", "split the operations")
    return header + seal(key, nonce, set_id + header, padded)


def envelope_blobs(envelope: bytes) -> tuple[bytes, ...]:
    """The ids that an envelope names, as far as its bytes go; `check_envelope_shape` says whether they are in order."""
    count = int.from_bytes(envelope[HEADER - 2 : HEADER])
    if not count:
        return ()
    ids = envelope[HEADER : HEADER + count * HASH]
    return tuple(ids[start : start + HASH] for start in range(0, len(ids), HASH))


def check_envelope_shape(envelope: bytes, epoch: int) -> None:
    """What the relay can check (SPEC 13.4 step 3): an allowed size, a header that names suite, type and epoch, and
    blobs in ascending order. Raises EntryInvalid.
    """
    size = len(envelope)
    if size > ENVELOPE_MAX or padded_size(size) != size:
        raise EntryInvalid(f"an envelope of {size} bytes has no allowed size")
    blobs = envelope_blobs(envelope)
    if (blobs and len(set(blobs)) != len(blobs)) or not envelope.startswith(envelope_header(epoch, blobs)):
        raise EntryInvalid(f"an envelope's header does not name this suite, an envelope, epoch {epoch} and its blobs")


def open_envelope(key: Secret, set_id: bytes, epoch: int, envelope: bytes) -> bytes:
    """The bytes of the entry in an envelope. Raises EntryInvalid, CommitMismatch or AuthFailed."""
    check_envelope_shape(envelope, epoch)
    header = envelope_header(epoch, envelope_blobs(envelope))
    sealed = envelope[len(header) :]
    return unpad(open_sealed(key, set_id + header, sealed), len(header) + AEAD_OVERHEAD)


def read_envelope(key: Secret, chain: Chain, envelope: bytes) -> Entry:
    """The entry in an envelope of the chain's epoch, opened, parsed and checked (SPEC 10.4) but for its operations.

    Raises only what says that the envelope has no effect: EntryInvalid, WireError or CryptoError. It takes its
    position in the log all the same.
    """
    entry = parse_entry(open_envelope(key, chain.set_id, chain.epoch, envelope))
    check_entry(entry, chain, chain.set_id)
    return entry


def envelope_hash(envelope: bytes) -> bytes:
    """The hash of an envelope: what the relay knows a repetition by."""
    return blake2b(Label.ENVELOPE, envelope)


def next_log_hash(prev: bytes, envelope: bytes) -> bytes:
    """log_hash(n) from log_hash(n−1) and envelope n. log_hash(0) is the hash of the epoch's record."""
    return log_hash_after(prev, envelope_hash(envelope))


def log_hash_after(prev: bytes, digest: bytes) -> bytes:
    """log_hash(n) from log_hash(n−1) and the hash of envelope n."""
    return blake2b(Label.LOG, prev, digest)
