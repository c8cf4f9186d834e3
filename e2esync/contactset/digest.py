"""The state digest (SPEC 8.7): one hash per contact, one per bucket, one over all.

A bucket holds the contacts whose ids begin with one byte value, so that an edit costs one bucket's hashing, not the
book's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from e2esync.crypto.hashing import Label, blake2b
from e2esync.limits import DIGEST_BUCKETS


def contact_hash(contact: bytes, packed: bytes) -> bytes:
    """The hash of one contact: its id (16 bytes) and its packed state."""
    return blake2b(Label.CONTACT_HASH, contact, packed)


def bucket_digest(hashes: Iterable[bytes]) -> bytes:
    """The digest of a bucket from the contact hashes in it, ascending by contact id."""
    return blake2b(Label.DIGEST, b"".join(hashes))


def state_digest(buckets: Iterable[bytes]) -> bytes:
    """The digest of the set from its 256 bucket digests."""
    return blake2b(Label.DIGEST, b"".join(buckets))


def digest_of(contacts: Mapping[bytes, bytes]) -> bytes:
    """The state digest of contacts held in memory (id -> packed state), computed in full."""
    buckets: list[list[bytes]] = [[] for _ in range(DIGEST_BUCKETS)]
    for contact in sorted(contacts):
        buckets[contact[0]].append(contact_hash(contact, contacts[contact]))
    return state_digest(map(bucket_digest, buckets))


class DigestTree:
    """The state digest, kept incrementally.

    `hashes(i)` gives the contact hashes of bucket i, ascending by contact id, as they are now; the owner of the
    contacts reports each change with `touch`. `buckets` are digests kept from before, if there are any.
    """

    def __init__(self, hashes: Callable[[int], Iterable[bytes]], buckets: Iterable[bytes] = ()) -> None:
        self._hashes = hashes
        self._buckets = list(buckets)
        self._stale = set[int]()
        if len(self._buckets) != DIGEST_BUCKETS:
            self._buckets = [b""] * DIGEST_BUCKETS
            self.touch_all()

    def touch(self, contact: bytes) -> None:
        """A contact was changed, added or dropped."""
        self._stale.add(contact[0])

    def touch_all(self) -> None:
        """The contacts were replaced."""
        self._stale = set(range(DIGEST_BUCKETS))

    @property
    def buckets(self) -> tuple[bytes, ...]:
        """The bucket digests, brought up to date: what a store keeps."""
        for bucket in self._stale:
            self._buckets[bucket] = bucket_digest(self._hashes(bucket))
        self._stale.clear()
        return tuple(self._buckets)

    def digest(self) -> bytes:
        """The state digest."""
        return state_digest(self.buckets)
