"""padding.py (SPEC 5.6): the allowed sizes, the smallest of them, and one padding per content."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.crypto import pad, padded_size, unpad
from e2esync.errors import AuthFailed

LADDER = [512 << k for k in range(8)]


def padme(size: int) -> int:
    """Padmé as its authors write it."""
    exponent = math.floor(math.log2(size))
    mantissa = exponent - (math.floor(math.log2(exponent)) + 1)
    step = 2**mantissa
    return -(-size // step) * step


@settings(max_examples=200, derandomize=True)
@given(st.integers(0, 20 << 20))
def test_is_the_smallest_allowed_size(size: int) -> None:
    expected = next((step for step in LADDER if size <= step), None) or padme(size)
    assert padded_size(size) == expected
    assert padded_size(expected) == expected


def test_grows_with_the_content_and_wastes_little() -> None:
    sizes = [padded_size(size) for size in range(0, 300_000, 7)]
    assert sizes == sorted(sizes)
    assert all(padded_size(size) < size * 1.12 for size in range(65_537, 300_000, 11))
    assert len({padded_size(size) for size in range(65_537, 1 << 20)}) == 4 * 32


@settings(max_examples=150, derandomize=True)
@given(st.binary(max_size=1_500), st.integers(0, 200))
def test_comes_back(plaintext: bytes, overhead: int) -> None:
    padded = pad(plaintext, overhead)
    assert unpad(padded, overhead) == plaintext
    assert padded_size(len(padded) + overhead) == len(padded) + overhead


@pytest.mark.parametrize("plaintext", [b"\x80", b"\x80\x80", b"\0", b"a\x80\0\0", b"\0\x80\0", b""])
def test_content_may_look_like_padding(plaintext: bytes) -> None:
    assert unpad(pad(plaintext, 82), 82) == plaintext


@pytest.mark.parametrize("size", [65_536 - 82 - 1, 65_536 - 82, 100_000, 262_062])
def test_large_contents(size: int) -> None:
    assert len(unpad(pad(bytes(size), 82), 82)) == size


@pytest.mark.parametrize("wrong", [
    b"", bytes(430), b"a" * 430, b"a\x80" + bytes(427), b"a\x80" + bytes(429), b"a\x81" + bytes(428),
    b"a\x80" + bytes(427) + b"\1", b"a\x80" + bytes(940), b"\x80", b"\0",
])
def test_refuses_every_other_padding(wrong: bytes) -> None:
    with pytest.raises(AuthFailed):
        unpad(wrong, 82)


@settings(max_examples=150, derandomize=True)
@given(st.binary(max_size=600), st.integers(0, 100))
def test_what_unpads_pads_to_the_same_bytes(data: bytes, overhead: int) -> None:
    try:
        plaintext = unpad(data, overhead)
    except AuthFailed:
        return
    assert pad(plaintext, overhead) == data
