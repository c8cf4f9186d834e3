"""Heads (SPEC 10.2): the relay's word, long and short."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.crypto import Label, SigningKey
from e2esync.errors import AuthFailed, E2esyncError, LocalProtocolError, NonCanonical
from e2esync.log.head import Head, ShortHead, from_short, parse_head, parse_short, sign_head, to_short, verify_head
from e2esync.wire import decode, encode

RELAY = SigningKey(b"relay".ljust(32, b"."))
SET = b"\5" * 32


def head(**override: Any) -> Head:
    fields: dict[str, Any] = {
        "epoch": 3, "seq": 9, "log_hash": b"\1" * 32, "record_hash": b"\2" * 32, "time": 77, "incarnation": 4,
    } | override
    return sign_head(RELAY, SET, **fields)


def test_the_layout_is_that_of_the_spec() -> None:
    bound = head(binding=b"\3" * 32)
    assert decode(bound.body) == [3, 9, b"\1" * 32, b"\2" * 32, 77, 4, b"\3" * 32]
    assert bound.signature == RELAY.sign(Label.SIGN_HEAD, SET, bound.body)
    assert decode(head().body)[6] == b""


def test_a_head_reads_back_and_verifies() -> None:
    signed = head()
    assert parse_head(signed.body, signed.signature) == signed
    verify_head(signed, SET, RELAY.verify_key)


@pytest.mark.parametrize(("set_id", "key"), [
    (bytes(32), RELAY.verify_key), (SET, SigningKey(bytes(32)).verify_key), (SET, b""), (SET, bytes(32)),
])
def test_another_relay_or_set_does_not_verify(set_id: bytes, key: bytes) -> None:
    with pytest.raises(AuthFailed):
        verify_head(head(), set_id, key)


def test_every_flipped_bit_is_refused() -> None:
    signed = head()
    for bit in range((len(signed.body) + 64) * 8):
        flipped = bytearray(signed.body + signed.signature)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(E2esyncError):
            verify_head(parse_head(bytes(flipped[:-64]), bytes(flipped[-64:])), SET, RELAY.verify_key)


def test_a_short_head_stands_for_the_whole() -> None:
    signed = head()
    short = parse_short(to_short(signed).to_value())
    assert short == ShortHead(9, 77, signed.signature)
    whole = from_short(short, 3, b"\1" * 32, b"\2" * 32, 4)
    assert whole == signed
    verify_head(whole, SET, RELAY.verify_key)


@pytest.mark.parametrize("known", [
    (4, b"\1" * 32, b"\2" * 32, 4), (3, b"\0" * 32, b"\2" * 32, 4), (3, b"\1" * 32, b"\0" * 32, 4),
    (3, b"\1" * 32, b"\2" * 32, 5),
])
def test_it_verifies_only_if_both_have_the_same(known: tuple[int, bytes, bytes, int]) -> None:
    with pytest.raises(AuthFailed):
        verify_head(from_short(to_short(head()), *known), SET, RELAY.verify_key)


def test_a_bound_head_has_no_short_form() -> None:
    with pytest.raises(LocalProtocolError):
        to_short(head(binding=bytes(32)))


@pytest.mark.parametrize(("index", "value"), [
    (0, -1), (1, True), (1, -1), (2, b""), (3, bytes(31)), (4, -1), (5, "4"), (6, bytes(16)), (6, 0),
])
def test_a_field_that_does_not_fit_is_refused(index: int, value: Any) -> None:
    fields = decode(head().body)
    fields[index] = value
    with pytest.raises(NonCanonical):
        parse_head(encode(fields), bytes(64))


@pytest.mark.parametrize(("body", "signature"), [
    (encode([]), bytes(64)), (head().body, bytes(63)), (head().body, "x"), (5, bytes(64)),
    (head().body + b"\0", b"\1" * 64),
])
def test_another_form_is_refused(body: Any, signature: Any) -> None:
    with pytest.raises(NonCanonical):
        parse_head(body, signature)


@pytest.mark.parametrize("value", [
    [], {}, [1, 2], [-1, 2, bytes(64)], [1, -2, bytes(64)], [1, 2, b""], [True, 2, bytes(64)],
])
def test_a_malformed_short_head_is_refused(value: Any) -> None:
    with pytest.raises(NonCanonical):
        parse_short(value)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_only_our_errors(body: bytes) -> None:
    with pytest.raises(E2esyncError):
        parse_head(body, bytes(64))
