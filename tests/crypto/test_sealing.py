"""sealing.py and kem.py (SPEC 5.5): against pyca's X25519, kyber-py and libsodium's own sealed boxes."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from kyber_py.ml_kem import ML_KEM_768
from nacl.public import PrivateKey, SealedBox

from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.crypto import Secret, kem
from e2esync.crypto.sealing import SealingKey, check_seal_public, open_box, seal_to
from e2esync.errors import AuthFailed, BadKey, CommitMismatch, CryptoError, SuiteUnavailable
from e2esync.limits import SEAL_PUBLIC, SEALED_BOX
from tests.helpers.entropy import FastEntropy

P = 2**255 - 19
EPOCH_SECRET = Secret(b"epoch secret, thirty-two bytes..")
SMALL = [
    0, 1, P - 1, 325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
]


@pytest.fixture(scope="module")
def key() -> SealingKey:
    return SealingKey.generate(FastEntropy("sealing"))


@pytest.fixture(scope="module")
def box(key: SealingKey) -> bytes:
    return seal_to(key.public, b"here", EPOCH_SECRET, FastEntropy("box"))


class TestIndependent:
    def test_public_half_is_pycas_x25519_and_kyber_pys_ml_kem(self, key: SealingKey) -> None:
        secret = key.secret.reveal()
        x25519 = X25519PrivateKey.from_private_bytes(secret[:32]).public_key().public_bytes_raw()
        assert key.public == x25519 + ML_KEM_768.key_derive(secret[32:])[0]
        assert len(key.public) == SEAL_PUBLIC

    def test_box_opens_with_kyber_py_and_libsodiums_sealed_box(self, key: SealingKey, box: bytes) -> None:
        secret = key.secret.reveal()
        shared = ML_KEM_768.decaps(ML_KEM_768.key_derive(secret[32:])[1], box[:1088])
        both = hashlib.blake2b(
            box[:1088] + b"here", digest_size=64, key=shared, person=b"e2e sealed box".ljust(16, b"\0")).digest()
        assert box[1088:1120] == both[32:]
        from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as decrypt

        inner = decrypt(box[1120:], b"here", bytes(24), both[:32])
        assert len(inner) == 80
        assert SealedBox(PrivateKey(secret[:32])).decrypt(inner) == EPOCH_SECRET.reveal()

    def test_kyber_py_and_the_provider_agree(self, key: SealingKey) -> None:
        shared, ciphertext = NamedEntropy("kem").encapsulate(key.public[32:])
        assert kem.decapsulate(Secret(key.secret.reveal()[32:]), ciphertext).reveal() == shared
        shared, ciphertext = kem.encapsulate(key.public[32:])
        assert ML_KEM_768.decaps(ML_KEM_768.key_derive(key.secret.reveal()[32:])[1], ciphertext) == shared


class TestBox:
    def test_opens(self, key: SealingKey, box: bytes) -> None:
        assert open_box(key, b"here", box).reveal() == EPOCH_SECRET.reveal()
        assert len(box) == SEALED_BOX

    def test_depends_on_its_draws_alone(self, key: SealingKey) -> None:
        boxes = [seal_to(key.public, b"", EPOCH_SECRET, NamedEntropy("same")) for _ in range(2)]
        assert boxes[0] == boxes[1]
        assert seal_to(key.public, b"", EPOCH_SECRET, NamedEntropy("other")) != boxes[0]

    def test_uses_the_draws_of_spec(self) -> None:
        entropy = NamedEntropy("draws")
        seal_to(SealingKey.generate(entropy).public, b"", EPOCH_SECRET, entropy)
        assert [(name, len(value)) for name, value in entropy.draws] == [
            ("sealing key x25519", 32), ("sealing key ml-kem", 64), ("sealed box ephemeral x25519", 32),
            ("ml-kem message", 32),
        ]

    # Every bit would be 9,728 openings; every byte of the short parts and a sample of the long one is enough.
    @pytest.mark.parametrize("place", [*range(0, 1088, 97), 1087, *range(1088, SEALED_BOX)])
    def test_flipped_bits_are_refused(self, key: SealingKey, box: bytes, place: int) -> None:
        changed = bytearray(box)
        changed[place] ^= 1 << place % 8
        with pytest.raises(CommitMismatch if place < 1120 else AuthFailed):
            open_box(key, b"here", bytes(changed))

    @pytest.mark.parametrize("length", [0, 1, 1088, 1120, SEALED_BOX - 1, SEALED_BOX + 1])
    def test_other_lengths(self, key: SealingKey, length: int) -> None:
        with pytest.raises(AuthFailed):
            open_box(key, b"here", bytes(length))

    def test_another_place(self, key: SealingKey, box: bytes) -> None:
        with pytest.raises(CommitMismatch):
            open_box(key, b"there", box)

    def test_both_halves_are_needed(self, key: SealingKey, box: bytes) -> None:
        own, other = key.secret.reveal(), SealingKey.generate(FastEntropy("other")).secret.reveal()
        with pytest.raises(AuthFailed):
            open_box(SealingKey.from_secret(other[:32] + own[32:]), b"here", box)
        with pytest.raises(CommitMismatch):
            open_box(SealingKey.from_secret(own[:32] + other[32:]), b"here", box)

    @settings(max_examples=20, derandomize=True, deadline=None)
    @given(st.binary(min_size=SEALED_BOX, max_size=SEALED_BOX))
    def test_any_bytes_give_our_error(self, data: bytes) -> None:
        with pytest.raises(CryptoError):
            open_box(SealingKey.from_secret(bytes(96)), b"", data)


class TestSealTo:
    @pytest.mark.parametrize("length", [0, 32, SEAL_PUBLIC - 1, SEAL_PUBLIC + 1])
    def test_refuses_other_lengths(self, length: int) -> None:
        with pytest.raises(BadKey):
            seal_to(bytes(length), b"", EPOCH_SECRET, FastEntropy("x"))

    @pytest.mark.parametrize("length", [0, 31, 33])
    def test_seals_32_bytes(self, key: SealingKey, length: int) -> None:
        with pytest.raises(BadKey):
            seal_to(key.public, b"", Secret(bytes(length)), FastEntropy("x"))

    def test_refuses_keys_that_are_none(self, key: SealingKey) -> None:
        with pytest.raises(BadKey):
            seal_to(bytes(32) + key.public[32:], b"", EPOCH_SECRET, FastEntropy("x"))
        with pytest.raises(BadKey):
            seal_to(key.public[:32] + b"\xff" * 1184, b"", EPOCH_SECRET, FastEntropy("x"))


class TestCheckSealPublic:
    def test_takes_an_honest_key(self, key: SealingKey) -> None:
        check_seal_public(key.public)

    @pytest.mark.parametrize("u", SMALL)
    def test_refuses_small_order(self, key: SealingKey, u: int) -> None:
        with pytest.raises(BadKey, match="small order"):
            check_seal_public(u.to_bytes(32, "little") + key.public[32:])

    @pytest.mark.parametrize("u", [P, P + 1, P + 9, 2**255 - 1, 2**255, 2**255 + 9, 2**256 - 1])
    def test_refuses_second_spellings(self, key: SealingKey, u: int) -> None:
        with pytest.raises(BadKey, match="canonical"):
            check_seal_public(u.to_bytes(32, "little") + key.public[32:])

    @pytest.mark.parametrize("place", [0, 1, 2, 511, 767])
    @pytest.mark.parametrize("coefficient", [3329, 3330, 4095])
    def test_refuses_coefficients_out_of_range(self, key: SealingKey, place: int, coefficient: int) -> None:
        packed = int.from_bytes(key.public[32:-32], "little")
        shift = 12 * place
        packed = packed & ~(0xFFF << shift) | coefficient << shift
        with pytest.raises(BadKey, match="coefficient"):
            check_seal_public(key.public[:32] + packed.to_bytes(1152, "little") + key.public[-32:])

    def test_takes_the_largest_coefficient(self, key: SealingKey) -> None:
        packed = int.from_bytes(key.public[32:-32], "little") & ~0xFFF | 3328
        check_seal_public(key.public[:32] + packed.to_bytes(1152, "little") + key.public[-32:])

    @pytest.mark.parametrize("length", [0, 32, SEAL_PUBLIC - 1, SEAL_PUBLIC + 1])
    def test_refuses_other_lengths(self, length: int) -> None:
        with pytest.raises(BadKey):
            check_seal_public(b"\1" * length)


class TestSealingKey:
    @pytest.mark.parametrize("length", [0, 32, 95, 97])
    def test_secret_has_96_bytes(self, length: int) -> None:
        with pytest.raises(BadKey):
            SealingKey.from_secret(bytes(length))

    def test_repr_is_short(self, key: SealingKey) -> None:
        assert len(repr(key)) < 60


class TestKem:
    def test_wrong_lengths(self) -> None:
        with pytest.raises(BadKey):
            kem.check_kem_key(bytes(1183))
        with pytest.raises(BadKey):
            kem.encapsulate(bytes(1185))
        with pytest.raises(AuthFailed):
            kem.decapsulate(Secret(bytes(64)), bytes(1087))

    def test_a_forged_ciphertext_gives_an_unrelated_secret(self) -> None:
        secrets = {kem.decapsulate(Secret(bytes(64)), bytes([n]) * 1088).reveal() for n in range(3)}
        assert len(secrets) == 3

    def test_without_a_provider_there_is_no_suite(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import mlkem

        def unsupported(_seed: bytes) -> None:
            raise UnsupportedAlgorithm("no ML-KEM here")

        class Key:
            from_seed_bytes = staticmethod(unsupported)

        kem._provider.cache_clear()
        monkeypatch.setattr(mlkem, "MLKEM768PrivateKey", Key)
        try:
            with pytest.raises(SuiteUnavailable) as caught:
                SealingKey.from_secret(bytes(96))
            assert "cryptography" in caught.value.hint
        finally:
            kem._provider.cache_clear()
