"""Words by which people compare what two devices hold (SPEC 12.5).

A fingerprint says which device; a state phrase says that two devices stand at the same record with the same contacts.
Both are hashes under labels of their own: words of one kind are never words of another.
"""

from __future__ import annotations

from collections.abc import Mapping

from e2esync import wire
from e2esync.access.words import words_of
from e2esync.crypto import Label, blake2b
from e2esync.limits import FINGERPRINT_WORDS, STATE_PHRASE_WORDS


def device_fingerprint(set_id: bytes, verify_key: bytes) -> list[str]:
    """Four words for a member's verify key (32 bytes) in one set (SPEC 12.5)."""
    return words_of(blake2b(Label.FINGERPRINT, set_id, verify_key), FINGERPRINT_WORDS)


def state_phrase(set_id: bytes, record_hash: bytes, state_digest: bytes, vector: Mapping[int, int]) -> list[str]:
    """Six words for a state: the set, the epoch's record, the digest of the contacts, the version vector (SPEC 12.5).

    The three byte strings are 32 bytes each, so only the encoded vector at the end has a variable length.
    """
    counters = [[member, counter] for member, counter in sorted(vector.items()) if counter]
    hashed = blake2b(Label.STATE_PHRASE, set_id, record_hash, state_digest, wire.encode(counters))
    return words_of(hashed, STATE_PHRASE_WORDS)
