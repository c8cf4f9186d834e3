"""What attackers make: records, devices and envelopes that are well-formed, and signed by whoever."""

from __future__ import annotations

from e2esync.contactset import SetOp
from e2esync.crypto import SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.boxes import epoch_key
from e2esync.epoch.chain import Chain
from e2esync.epoch.record import Add, Record, make_add, sign_record
from e2esync.epoch.roles import Role
from e2esync.log.envelope import open_envelope
from e2esync.session import messages as m
from e2esync.testing import Device, Network
from tests.attacks.scene import Weak, defences

ANY_GENESIS = Weak("epoch.chain:check_genesis", lambda record, _set_id: record.changes[0], late=True, also=(
    Weak("epoch.record:check_possession"), Weak("epoch.record:check_record_signature")))
"""A set id that says nothing of its root."""


def stranger(net: Network, set_id: bytes, role: Role = Role.OWNER) -> tuple[SigningKey, Add]:
    """A device of Mallory's, with a good possession proof."""
    signing = SigningKey(net.entropy.draw("signing key", 32))
    sealing = SealingKey.generate(net.entropy)
    return signing, make_add(signing, set_id, b"m" * 16, role, sealing.public)


def forged(chain: Chain, signer: SigningKey, opener: int, change: Add, net: Network, **more: object) -> Record:
    """A record that adds somebody, signed by whoever."""
    numbers = {**chain.numbers, chain.next_index: 1}
    return sign_record(signer, chain.set_id, **{  # type: ignore[arg-type]
        "epoch": chain.epoch + 1, "prev": chain.head.hash, "closes_hash": chain.head.hash, "time": net.clock(),
        "opener": opener, "changes": (change,), "numbers": numbers, "commit": bytes(32), "boxes": bytes(32),
        "manifest": b"\7" * 32, **more,
    })


def envelopes(net: Network) -> list[bytes]:
    """Every envelope that the relay ever took."""
    return [done.change.request.envelope for done in net.relay.main.journal
            if isinstance(done.change.request, m.Append)]


def note(device: Device, text: str = "framed") -> list[SetOp]:
    """A note in Ada's card."""
    return [SetOp(device.book.find("Ada").contact, 1, device.now(), {"notes/e": {"note": text}})]


async def unframed(*readers: Device) -> None:
    """A sync over an attacker's `note`, with true news around it or without: the news count, and the note does not."""
    for reader in readers:
        with defences():
            await reader.sync()
        assert "notes/e" not in reader.book.registers(reader.book.find("Ada").contact)


def key_opens(device: Device, envelope: bytes, at: Device) -> bool:
    """Whether any secret that a device holds opens an envelope of the epoch that `at` is in."""
    chain = at.replica.chain
    for number in device.store.secret_numbers("epoch"):
        secret = device.store.secret("epoch", number)
        assert secret is not None
        try:
            open_envelope(epoch_key(chain.set_id, chain.epoch, secret), chain.set_id, chain.epoch, envelope)
        except Exception:
            continue
        return True
    return False
