"""fingerprint.py (SPEC 12.5): words that differ when anything differs, and are the same for the same state."""

from __future__ import annotations

import hashlib

from e2esync import wire
from e2esync.access.fingerprint import device_fingerprint, state_phrase
from e2esync.access.words import word_list

A, B, C = b"a" * 32, b"b" * 32, b"c" * 32


def reference(person: bytes, message: bytes, count: int) -> list[str]:
    digest = hashlib.blake2b(message, digest_size=32, person=person.ljust(16, b"\0")).digest()
    bits = "".join(f"{byte:08b}" for byte in digest)
    return [word_list()[int(bits[11 * place : 11 * place + 11], 2)] for place in range(count)]


def test_fingerprint_is_what_spec_says() -> None:
    assert device_fingerprint(A, B) == reference(b"e2e fingerprint", A + B, 4)


def test_state_phrase_is_what_spec_says() -> None:
    expected = reference(b"e2e phrase", A + B + C + wire.encode([[1, 2], [3, 4]]), 6)
    assert state_phrase(A, B, C, {3: 4, 1: 2}) == expected


def test_counters_of_zero_say_nothing() -> None:
    assert state_phrase(A, B, C, {1: 2, 5: 0}) == state_phrase(A, B, C, {1: 2})


def test_every_part_counts() -> None:
    phrases = {tuple(state_phrase(*parts, vector)) for parts in ((A, B, C), (B, A, C), (A, C, B), (A, B, B))
               for vector in ({}, {1: 1}, {1: 2}, {2: 1})}
    assert len(phrases) == 16
    assert len({tuple(device_fingerprint(*pair)) for pair in ((A, B), (B, A), (A, C))}) == 3
