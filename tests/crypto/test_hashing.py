"""hashing.py (SPEC 5.2): against libsodium's BLAKE2b, and no two purposes alike."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_generichash_blake2b_salt_personal as sodium_blake2b

from e2esync.crypto import Label, blake2b, equal


@settings(max_examples=60, derandomize=True)
@given(st.sampled_from(Label), st.binary(max_size=300), st.binary(max_size=64), st.integers(16, 64))
def test_is_libsodiums_personalized_blake2b(label: Label, message: bytes, key: bytes, size: int) -> None:
    expected = sodium_blake2b(message, digest_size=size, key=key, person=label.value)
    assert blake2b(label, message, key=key, size=size) == expected


@settings(max_examples=30, derandomize=True)
@given(st.lists(st.binary(max_size=20), max_size=5))
def test_parts_are_concatenated(parts: list[bytes]) -> None:
    assert blake2b(Label.LOG, *parts) == blake2b(Label.LOG, b"".join(parts))


def test_every_label_fits_and_is_its_own() -> None:
    assert all(0 < len(label.value) <= 16 and len(label.person) == 16 for label in Label)
    assert not any(label.value.endswith(b"\0") for label in Label)
    assert len({label.person for label in Label}) == len(list(Label))
    assert all(label.name == name for name, label in Label.__members__.items())


def test_purposes_keys_and_sizes_hash_differently() -> None:
    digests = [blake2b(label, b"x") for label in Label] + [blake2b(Label.LOG, b"x", key=b"k")]
    digests += [blake2b(Label.LOG, b"x", size=64)[:32], blake2b(Label.LOG, b"y")]
    assert all(left != right for left, right in itertools.combinations(digests, 2))


@pytest.mark.parametrize(("left", "right", "same"), [
    (b"", b"", True), (b"a", b"a", True), (b"a", b"b", False), (b"a", b"ab", False), (b"a", b"", False),
])
def test_equal(left: bytes, right: bytes, same: bool) -> None:
    assert equal(left, right) is same
