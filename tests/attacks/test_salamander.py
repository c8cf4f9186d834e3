"""One ciphertext with two contents (SPEC 5.4): what it commits to is asked before it is opened."""

from __future__ import annotations

import pytest

from e2esync.card import read_vcards
from e2esync.crypto import Secret, aead
from e2esync.epoch.boxes import epoch_key
from e2esync.errors import CommitMismatch
from e2esync.limits import COMMITMENT, LADDER_MIN, NONCE
from e2esync.log.envelope import envelope_header, open_envelope
from e2esync.testing import Network
from tests.attacks.salamander import salamander, search
from tests.attacks.scene import MOMENTS, Peer, Weak, attack, defences, heals, ignored, three


def card(name: str) -> bytes:
    """A card that is found among noise."""
    return f"\r\nBEGIN:VCARD\r\nVERSION:4.0\r\nFN:{name}\r\nEND:VCARD\r\n".encode()


def plainly(key: Secret, context: bytes, sealed: bytes) -> list[object]:
    """Whose cards a reader finds who does not ask which key the ciphertext commits to."""
    nonce = sealed[:NONCE]
    text = aead._decrypt(sealed[NONCE + COMMITMENT:], context, nonce, aead._derive(key, nonce, context)[0])
    return [each.registers["name"] for each in read_vcards(text, salt=bytes(32)).cards]


def two_in_one(keys: tuple[Secret, Secret], context: bytes, size: int, *, commits: bool) -> bytes:
    """A ciphertext of so many bytes of padded plaintext: Ada's card under one key, Mallory's under the other.

    It commits to the second key, or to none.
    """
    def make(nonce: bytes) -> bytes | None:
        one, other = (aead._derive(key, nonce, context)[0] for key in keys)
        return salamander((one, other), context, nonce, (card("Ada"), card("Mallory")), size, 0x80)
    nonce, body = search(make)
    return nonce + (aead._derive(keys[1], nonce, context)[1] if commits else bytes(COMMITMENT)) + body


@pytest.mark.parametrize("carried", ["of the other key", "of none"])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("crypto.aead:check_commitment"))
async def test_a27_invisible_salamander(net: Network, moment: str, carried: str) -> None:
    """One envelope that is a card for either of two readers, and another one for each: plain XChaCha20 opens both.

    One key is the epoch's, the other what a rotator could seal to one member if A28 did not stand in the way. An
    envelope commits to one of them at most: no reader with another key comes as far as the cipher.
    """
    phone, laptop, evil = await three(net, moment)
    replica = evil.replica
    set_id, epoch = replica.set_id, replica.position.epoch
    assert replica.key is not None
    keys = replica.key, epoch_key(set_id, epoch, Secret(b"K" * 32))
    header = envelope_header(epoch)
    size = LADDER_MIN - len(header) - aead.AEAD_OVERHEAD
    sealed = two_in_one(keys, set_id + header, size, commits=carried == "of the other key")
    assert [plainly(key, set_id + header, sealed) for key in keys] == [[{"full": "Ada"}], [{"full": "Mallory"}]]
    for key in keys[:1] if carried == "of the other key" else keys:
        with defences(), pytest.raises(CommitMismatch):
            open_envelope(key, set_id, epoch, header + sealed)
    Peer(evil).append_raw(header + sealed)
    await ignored(phone, behind=laptop)
    await heals(net, phone, laptop, evil)
