"""messages.py (SPEC 12.2): sealed per number and mailbox, decoded strictly, bound by a hash of every byte."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync import wire
from e2esync.access import messages
from e2esync.access.code import PairingCode, Purpose
from e2esync.access.kit import RecoveryKit
from e2esync.access.messages import Guest, Inviter, Keys, Landing, Offer
from e2esync.access.words import word_list
from e2esync.crypto import Label, Secret, SigningKey, open_sealed, seal, verify
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.record import KitHalf
from e2esync.errors import AuthFailed, BadKey, ChainInvalid, CommitMismatch, E2esyncError, NonCanonical, PairingAborted
from tests.helpers.entropy import FastEntropy

CODE = PairingCode(None, b"mailbox!", Secret(b"secret of pairin"))
OFFER = Offer(b"s" * 32, b"p" * 16, 2, b"r" * 32, b"h" * 32, 7)
OFFER_BODY = [b"n" * 32, b"s" * 32, b"p" * 16, 2, b"r" * 32, b"h" * 32, 7]
KEYS_BODY = [b"n" * 32, [b"v" * 32, b"k" * 1216, "Laptop"], b"g" * 64]
KEYS = Keys(b"n" * 32, b"v" * 32, b"k" * 1216, b"g" * 64, "Laptop")
INVITED_BODY = [*OFFER_BODY, b"i" * 32, "Ada", "Family"]
INVITED = replace(OFFER, inviter=Inviter(b"i" * 32, "Ada", "Family"))
GUEST = Guest("Bob", KitHalf(b"V" * 32, b"K" * 1216, b"G" * 64))
GUEST_BODY = [b"n" * 32, [b"v" * 32, b"k" * 1216, "Laptop", "Bob", b"V" * 32, b"K" * 1216, b"G" * 64], b"g" * 64]
INVITATION = Purpose.INVITATION
LANDING_BODY = [b"R" * 32, 8, 3, b"L" * 32, 5]


def without(body: list[Any], place: int) -> list[Any]:
    return body[:place] + body[place + 1 :]


def replaced(body: list[Any], place: int, value: Any) -> list[Any]:
    return [*body[:place], value, *body[place + 1 :]]


class TestSealed:
    def test_is_what_spec_says(self) -> None:
        sealed = messages.seal_message(CODE, 2, b"N" * 24, b"body")
        key = hashlib.blake2b(b"\2", digest_size=32, key=b"secret of pairin", person=b"e2e pairing key\0").digest()
        padded = b"body\x80" + bytes(512 - 72 - 5)
        assert open_sealed(Secret(key), b"e2e pairingmailbox!\2", sealed) == padded
        assert messages.open_message(CODE, 2, sealed) == b"body"

    @pytest.mark.parametrize(("code", "n"), [
        (CODE, 1), (CODE, 3), (PairingCode(None, b"mailbox?", CODE.secret), 2),
        (PairingCode(None, b"mailbox!", Secret(bytes(16))), 2),
    ])
    def test_opens_nowhere_else(self, code: PairingCode, n: int) -> None:
        with pytest.raises(CommitMismatch):
            messages.open_message(code, n, messages.seal_message(CODE, 2, b"N" * 24, b"body"))

    @pytest.mark.parametrize("padded", [
        b"body", b"body\x80", b"body\x80" + bytes(512 - 72 - 6), b"body\x80" + bytes(1024 - 72 - 5),
        b"body\x80" + bytes(512 - 72 - 6) + b"\1", b"body\0" + bytes(512 - 72 - 5), bytes(512 - 72),
    ], ids=["none", "marker", "short", "next size", "filling", "no marker", "zeros"])
    def test_opens_with_the_only_padding(self, padded: bytes) -> None:
        sealed = seal(messages.message_key(CODE, 2), b"N" * 24, messages.message_context(CODE, 2), padded)
        with pytest.raises(AuthFailed):
            messages.open_message(CODE, 2, sealed)

    def test_is_at_most_8_kib(self) -> None:
        body = bytes((8 << 10) - 72 - 1)
        assert messages.open_message(CODE, 0, messages.seal_message(CODE, 0, b"N" * 24, body)) == body
        with pytest.raises(PairingAborted, match="8192"):
            messages.open_message(CODE, 0, messages.seal_message(CODE, 0, b"N" * 24, body + b"\0"))


class TestWords:
    def test_are_33_bits_of_the_transcript(self) -> None:
        bodies = [b"zero", b"one", b"nonce"]
        transcript = messages.transcript_of(*bodies)
        assert transcript == hashlib.blake2b(
            wire.encode(bodies), digest_size=32, person=b"e2e transcript\0\0").digest()
        digest = hashlib.blake2b(transcript, digest_size=32, person=b"e2e words".ljust(16, b"\0")).digest()
        bits = int.from_bytes(digest, "big") >> 223
        expected = tuple(word_list()[bits >> shift & 2047] for shift in (22, 11, 0))
        assert messages.transcript_words(transcript) == expected

    def test_every_part_counts_and_where_it_ends(self) -> None:
        variants = [[b"a", b"b", b"c"], [b"x", b"b", b"c"], [b"a", b"x", b"c"], [b"a", b"b", b"x"], [b"ab", b"", b"c"]]
        assert len({messages.transcript_of(*bodies) for bodies in variants}) == len(variants)


class TestDecoders:
    def test_take_what_spec_writes(self) -> None:
        assert messages.decode_commitment(wire.encode([1, b"c" * 32])) == b"c" * 32
        assert messages.decode_offer(wire.encode(OFFER_BODY)) == OFFER
        assert messages.decode_keys(wire.encode(KEYS_BODY)) == KEYS
        assert messages.decode_offer(wire.encode(INVITED_BODY), INVITATION) == INVITED
        assert messages.decode_keys(wire.encode(GUEST_BODY), INVITATION) == replace(KEYS, guest=GUEST)
        assert messages.decode_landing(wire.encode(LANDING_BODY), OFFER) == Landing(*LANDING_BODY)

    @pytest.mark.parametrize(("decode", "body"), [
        (messages.decode_commitment, [1, b"c" * 32]),
        (messages.decode_offer, OFFER_BODY),
        (messages.decode_keys, KEYS_BODY),
        (lambda claims: messages.decode_keys(replaced_claims(KEYS_BODY, claims)), KEYS_BODY[1]),
        (lambda body: messages.decode_offer(body, INVITATION), INVITED_BODY),
        (lambda body: messages.decode_keys(body, INVITATION), GUEST_BODY),
        (lambda claims: messages.decode_keys(replaced_claims(GUEST_BODY, claims), INVITATION), GUEST_BODY[1]),
        (lambda body: messages.decode_landing(body, OFFER), LANDING_BODY),
    ])
    def test_refuse_every_other_shape(self, decode: Any, body: list[Any]) -> None:
        wrong: list[Any] = [[], [*body, 0], {}, {"a": body}, b"", 1, "text", [body]]
        for place, value in enumerate(body):
            wrong.append(without(body, place))
            others: list[Any] = [True, False, "text" if type(value) is not str else b"x", [value], {}, -1]
            if type(value) is list:
                others.remove([value])
            if type(value) is bytes:
                others += [value[:-1], value + b"\0", b"", 1]
            wrong += [replaced(body, place, other) for other in others]
        for shape in wrong:
            with pytest.raises(E2esyncError) as caught:
                decode(wire.encode(shape))
            assert isinstance(caught.value, NonCanonical | PairingAborted)

    @pytest.mark.parametrize("role", [0, 4, 5, 6, 2**31])
    def test_only_devices_join(self, role: int) -> None:
        with pytest.raises(NonCanonical, match="role"):
            messages.decode_offer(wire.encode(replaced(OFFER_BODY, 3, role)))

    @pytest.mark.parametrize("role", [1, 2, 3])
    def test_every_device_role_joins(self, role: int) -> None:
        assert messages.decode_offer(wire.encode(replaced(OFFER_BODY, 3, role))).role == role

    @pytest.mark.parametrize("version", [0, 2, 2**53 - 1])
    def test_another_version_says_what_to_do(self, version: int) -> None:
        with pytest.raises(PairingAborted, match=f"version {version}") as caught:
            messages.decode_commitment(wire.encode([version, b"c" * 32]))
        assert "update" in caught.value.hint

    @pytest.mark.parametrize(("place", "value"), [(1, 7), (1, 6), (1, 0), (4, 0), (2, -1)])
    def test_the_landing_is_after_the_offer_and_not_the_roots(self, place: int, value: int) -> None:
        with pytest.raises(NonCanonical):
            messages.decode_landing(wire.encode(replaced(LANDING_BODY, place, value)), OFFER)

    @settings(max_examples=60, derandomize=True)
    @given(st.binary(max_size=80))
    def test_any_bytes_give_our_error(self, data: bytes) -> None:
        for decode in (messages.decode_commitment, messages.decode_offer, messages.decode_keys):
            with pytest.raises(E2esyncError):
                decode(data)


    def test_who_declines_says_so(self) -> None:
        with pytest.raises(PairingAborted, match="declined"):
            messages.decode_keys(messages.DECLINED, INVITATION)
        with pytest.raises(NonCanonical):
            messages.decode_keys(messages.DECLINED)


def replaced_claims(body: list[Any], claims: bytes) -> bytes:
    """An encoded body 2 with other claims."""
    return wire.encode(replaced(body, 1, wire.decode(claims)))


class TestDeviceName:
    @pytest.mark.parametrize("name", ["a", "Zoë's laptop", "電話", "x" * 64, "é" * 32, "👩‍💻"])
    def test_takes_any_script(self, name: str) -> None:
        messages.check_name(name)

    @pytest.mark.parametrize("name", ["", "x" * 65, "é" * 32 + "x", "Zoe\u0308", "\u212b"])
    def test_refuses_long_empty_and_not_composed(self, name: str) -> None:
        with pytest.raises(PairingAborted) as caught:
            messages.check_name(name)
        assert caught.value.hint == "choose another name"


class TestKeys:
    def setup_method(self) -> None:
        self.signing = SigningKey(b"\1" * 32)
        self.sealing = SealingKey.generate(FastEntropy("keys"))
        possession = messages.possession_for(OFFER, self.signing, self.sealing.public)
        self.keys = Keys(b"n" * 32, self.signing.verify_key, self.sealing.public, possession, "Laptop")

    def check(self, offer: Offer = OFFER, **changes: Any) -> None:
        values = {name: getattr(self.keys, name) for name in Keys.__slots__} | changes
        keys = Keys(**values)
        messages.check_keys(keys, offer, messages.commitment_of(keys.nonce, keys.claims()))

    def test_possession_is_what_spec_says(self) -> None:
        statement = wire.encode([OFFER.person, OFFER.role, self.signing.verify_key, self.sealing.public])
        verify(Label.SIGN_POSSESSION, OFFER.set_id, statement, self.keys.possession, self.signing.verify_key)

    def test_honest_ones_pass(self) -> None:
        self.check()

    def test_the_commitment_covers_each_part(self) -> None:
        committed = messages.commitment_of(self.keys.nonce, self.keys.claims())
        claims = wire.encode([self.keys.verify_key, self.keys.seal_key, "Laptop"])
        expected = hashlib.blake2b(self.keys.nonce + claims, digest_size=32, person=b"e2e pair commit\0").digest()
        assert committed == expected
        for place in range(32):
            wrong = bytearray(committed)
            wrong[place] ^= 1
            with pytest.raises(PairingAborted, match="committed"):
                messages.check_keys(self.keys, OFFER, bytes(wrong))

    def test_a_guest_is_committed_to_and_proves_its_kit(self) -> None:
        kit = RecoveryKit(Secret(b"k" * 32)).half(3)
        self.check(guest=Guest("Bob", kit))
        for other in (Guest("Rob", kit), Guest("Bob", RecoveryKit(Secret(b"x" * 32)).half(3)), None):
            keys = replace(self.keys, guest=Guest("Bob", kit))
            committed = messages.commitment_of(keys.nonce, keys.claims())
            with pytest.raises(PairingAborted, match="committed"):
                messages.check_keys(replace(keys, guest=other), INVITED, committed)
        with pytest.raises(ChainInvalid):
            self.check(guest=Guest("Bob", replace(kit, proof=self.keys.possession)))
        with pytest.raises(BadKey):
            self.check(guest=Guest("Bob", replace(kit, verify_key=b"\1" + bytes(31))))

    @pytest.mark.parametrize("offer", [
        Offer(b"S" * 32, OFFER.person, 2, b"", b"", 0), Offer(OFFER.set_id, b"P" * 16, 2, b"", b"", 0),
        Offer(OFFER.set_id, OFFER.person, 3, b"", b"", 0),
    ])
    def test_possession_holds_for_one_place(self, offer: Offer) -> None:
        with pytest.raises(ChainInvalid):
            self.check(offer)

    def test_possession_holds_for_one_pair_of_keys(self) -> None:
        with pytest.raises(ChainInvalid):
            self.check(verify_key=SigningKey(b"\2" * 32).verify_key)
        with pytest.raises(ChainInvalid):
            self.check(seal_key=SealingKey.generate(FastEntropy("other")).public)
        with pytest.raises(ChainInvalid):
            self.check(possession=bytes(64))

    def test_bad_keys_are_refused_even_if_committed_to(self) -> None:
        with pytest.raises(BadKey):
            self.check(verify_key=b"\1" + bytes(31))
        with pytest.raises(BadKey):
            self.check(seal_key=bytes(32) + self.keys.seal_key[32:])
