"""SPEC 8.7: the digest kept incrementally is the digest computed in full."""

from __future__ import annotations

import hashlib
from random import Random

from e2esync.contactset import DigestTree, bucket_digest, contact_hash, digest_of, state_digest


def by_hand(person: bytes, data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32, person=person.ljust(16, b"\0")).digest()


def test_the_formulas() -> None:
    contacts = {bytes([7]) * 16: b"a", bytes([7]) + bytes(15): b"b", bytes([9]) * 16: b"c"}
    hashes = {contact: by_hand(b"e2e contact", contact + packed) for contact, packed in contacts.items()}
    assert all(contact_hash(contact, contacts[contact]) == found for contact, found in hashes.items())
    buckets = [by_hand(b"e2e digest", b"".join(hashes[contact] for contact in sorted(hashes) if contact[0] == bucket))
               for bucket in range(256)]
    assert bucket_digest([]) == buckets[0]
    assert state_digest(buckets) == by_hand(b"e2e digest", b"".join(buckets))
    assert digest_of(contacts) == state_digest(buckets)


def test_incremental_equals_full() -> None:
    rng = Random(1)
    contacts: dict[bytes, bytes] = {}
    calls = []

    def hashes(bucket: int) -> list[bytes]:
        calls.append(bucket)
        return [contact_hash(contact, contacts[contact]) for contact in sorted(contacts) if contact[0] == bucket]

    tree = DigestTree(hashes)
    assert tree.digest() == digest_of({})
    for _ in range(60):
        contact = bytes([rng.choice([0, 1, 255]), rng.randrange(4)]) + bytes(14)
        if contact in contacts and rng.random() < 0.4:
            del contacts[contact]
        else:
            contacts[contact] = rng.randbytes(3)
        tree.touch(contact)
        calls.clear()
        assert tree.digest() == digest_of(contacts)
        assert calls == [contact[0]]
    assert DigestTree(lambda _: [], tree.buckets).digest() == digest_of(contacts)
    contacts.clear()
    tree.touch_all()
    assert tree.digest() == digest_of({})
