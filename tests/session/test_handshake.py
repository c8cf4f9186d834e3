"""What is signed in the handshake (SPEC 13.2): every byte that either side chose is in the binding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2esync.crypto import Label, SigningKey, blake2b
from e2esync.errors import AuthFailed, HandshakeFailed
from e2esync.session import handshake
from e2esync.session.messages import Hello
from e2esync.wire import encode

RELAY, DEVICE = SigningKey(b"r" * 32), SigningKey(b"d" * 32)
HELLO = Hello(1, b"s" * 32, 4, b"c" * 32)
BINDING = handshake.binding_of(HELLO, b"R" * 32, RELAY.verify_key)


def test_the_binding_is_the_specs() -> None:
    expected = blake2b(Label.TRANSCRIPT, encode([1, b"s" * 32, 4, b"c" * 32, b"R" * 32, RELAY.verify_key]))
    assert expected == BINDING


def test_every_field_changes_the_binding() -> None:
    others = {
        handshake.binding_of(replace(HELLO, version=2), b"R" * 32, RELAY.verify_key),
        handshake.binding_of(replace(HELLO, set_id=b"t" * 32), b"R" * 32, RELAY.verify_key),
        handshake.binding_of(replace(HELLO, member=5), b"R" * 32, RELAY.verify_key),
        handshake.binding_of(replace(HELLO, nonce=b"C" * 32), b"R" * 32, RELAY.verify_key),
        handshake.binding_of(HELLO, b"Q" * 32, RELAY.verify_key),
        handshake.binding_of(HELLO, b"R" * 32, DEVICE.verify_key),
    }
    assert len(others | {BINDING}) == 7


def test_a_proof_is_for_one_key_set_and_binding() -> None:
    proof = handshake.sign_proof(DEVICE, HELLO.set_id, BINDING)
    handshake.check_proof(DEVICE.verify_key, HELLO.set_id, BINDING, proof)
    for arguments in (
        (RELAY.verify_key, HELLO.set_id, BINDING, proof), (DEVICE.verify_key, b"t" * 32, BINDING, proof),
        (DEVICE.verify_key, HELLO.set_id, b"x" * 32, proof), (DEVICE.verify_key, HELLO.set_id, BINDING, b""),
    ):
        with pytest.raises(AuthFailed):
            handshake.check_proof(*arguments)


def test_a_relays_word_to_a_visitor_is_no_members_proof() -> None:
    signature = handshake.sign_visit(RELAY, BINDING)
    handshake.check_visit(RELAY.verify_key, BINDING, signature)
    with pytest.raises(HandshakeFailed):
        handshake.check_visit(RELAY.verify_key, b"x" * 32, signature)
    with pytest.raises(AuthFailed):
        handshake.check_proof(RELAY.verify_key, HELLO.set_id, BINDING, signature)
