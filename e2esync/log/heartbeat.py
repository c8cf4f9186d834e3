"""Heartbeats (SPEC 10.7): a member is here, has seen this much, and means to stay until then.

Sealed like an envelope, so that the relay learns only that a member beat; signed, so that no other member can speak
for it; and with the relay's own signed head inside, so that members whom the relay tells different things find out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from e2esync.crypto import (
    AEAD_OVERHEAD,
    Entropy,
    Label,
    Secret,
    SigningKey,
    open_sealed,
    pad,
    padded_size,
    seal,
    unpad,
    verify,
)
from e2esync.epoch import shape
from e2esync.epoch.announcement import check_slot_owner
from e2esync.epoch.chain import Chain
from e2esync.errors import LimitExceeded, SlotInvalid
from e2esync.limits import NONCE, SIGNATURE, SLOT_MAX
from e2esync.log.head import Head, parse_head, verify_head
from e2esync.wire import decode, encode

HEADER: Final = 8
"""u64(epoch)."""

OVERHEAD: Final = HEADER + AEAD_OVERHEAD


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a member says of itself. `head` is the newest that it has seen; `until`, how long it means to stay."""

    member: int
    epoch: int
    time: int
    until: int
    vector: dict[int, int]
    head: Head
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def seal_heartbeat(
    key: Secret, signing_key: SigningKey, set_id: bytes, *, member: int, epoch: int, time: int, until: int,
    vector: dict[int, int], head: Head, entropy: Entropy,
) -> bytes:
    """A signed and sealed heartbeat; draws `heartbeat nonce`. Raises LimitExceeded above the size of a slot."""
    body = encode([member, epoch, time, until, shape.pairs(vector), [head.body, head.signature]])
    signed = encode([body, signing_key.sign(Label.SIGN_HEARTBEAT, set_id, body)])
    padded = pad(signed, OVERHEAD)
    if len(padded) + OVERHEAD > SLOT_MAX:
        raise LimitExceeded(f"a heartbeat of {len(signed)} bytes does not fit a slot")
    nonce = entropy.draw("heartbeat nonce", NONCE)
    return shape.u64(epoch) + seal(key, nonce, _context(set_id, epoch, member), padded)


def check_heartbeat_shape(heartbeat: bytes, epoch: int) -> None:
    """What the relay can check: an allowed size, and the open epoch's number. Raises SlotInvalid."""
    size = len(heartbeat)
    if size > SLOT_MAX or padded_size(size) != size:
        raise SlotInvalid(f"a heartbeat of {size} bytes has no allowed size")
    if heartbeat[:HEADER] != shape.u64(epoch):
        raise SlotInvalid(f"a heartbeat does not belong to epoch {epoch}")


def open_heartbeat(key: Secret, set_id: bytes, epoch: int, member: int, heartbeat: bytes) -> Heartbeat:
    """The heartbeat in the slot of `member`, unchecked but for its form and place (`check_heartbeat`).

    Raises SlotInvalid, CommitMismatch, AuthFailed, NonCanonical or LimitExceeded.
    """
    check_heartbeat_shape(heartbeat, epoch)
    opened = open_sealed(key, _context(set_id, epoch, member), heartbeat[HEADER:])
    body, signature = shape.array(decode(unpad(opened, OVERHEAD), limit=SLOT_MAX), 2, "a heartbeat")
    shape.octets(signature, SIGNATURE, "a heartbeat's signature")
    fields = decode(shape.any_octets(body, "a heartbeat's body"), limit=SLOT_MAX)
    shape.array(fields, 6, "a heartbeat's body")
    head_bytes, head_signature = shape.array(fields[5], 2, "a heartbeat's head")
    return Heartbeat(
        member=shape.index(fields[0], "a heartbeat's member"),
        epoch=shape.integer(fields[1], "a heartbeat's epoch"),
        time=shape.integer(fields[2], "a heartbeat's time"),
        until=shape.integer(fields[3], "a heartbeat's end"),
        vector=shape.counters(fields[4], "a heartbeat's vector"),
        head=parse_head(head_bytes, head_signature),
        body=body, signature=signature,
    )


def check_heartbeat(heartbeat: Heartbeat, member: int, chain: Chain) -> None:
    """The heartbeat is that of `member`, whose slot it lay in, in the chain's epoch; the relay signed its head.

    Raises SlotInvalid or AuthFailed.
    """
    device = check_slot_owner(chain, member)
    check_place(heartbeat, member, chain.epoch)
    verify(Label.SIGN_HEARTBEAT, chain.set_id, heartbeat.body, heartbeat.signature, device.verify_key)
    verify_head(heartbeat.head, chain.set_id, chain.relay_key)


def check_place(heartbeat: Heartbeat, member: int, epoch: int) -> None:
    """The signed body names the slot and epoch that the sealing binds: readers hold the key too. Raises SlotInvalid."""
    if heartbeat.member != member or heartbeat.epoch != epoch:
        raise SlotInvalid(f"a heartbeat in the slot of member {member} is of member {heartbeat.member}")


def _context(set_id: bytes, epoch: int, member: int) -> bytes:
    return set_id + b"\x06" + shape.u64(epoch) + shape.u32(member)
