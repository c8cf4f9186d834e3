"""Heads (SPEC 10.2): the relay's signed statement of how far an epoch's log goes, and what is in it.

A relay that signs two heads for one position has proved its own lie to everybody who sees both.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from e2esync.crypto import Label, SigningKey, verify
from e2esync.epoch import shape
from e2esync.errors import LocalProtocolError
from e2esync.limits import HASH, SIGNATURE, SLOT_MAX
from e2esync.wire import Value, decode, encode


@dataclass(frozen=True, slots=True)
class Head:
    """A position. `binding` ties it to one handshake (SPEC 13.2) or is empty; `incarnation` names one relay store."""

    epoch: int
    seq: int
    log_hash: bytes
    record_hash: bytes
    time: int
    incarnation: int
    binding: bytes
    signature: bytes = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ShortHead:
    """What of a head its receiver does not know. It verifies only if both sides have the same log."""

    seq: int
    time: int
    signature: bytes = field(repr=False)

    def to_value(self) -> list[Value]:
        """The array that stands in a frame."""
        return [self.seq, self.time, self.signature]


def head_body(
    epoch: int, seq: int, log_hash: bytes, record_hash: bytes, time: int, incarnation: int, binding: bytes = b"",
) -> bytes:
    """The bytes that the relay signs."""
    return encode([epoch, seq, log_hash, record_hash, time, incarnation, binding])


def sign_head(
    relay_key: SigningKey, set_id: bytes, *, epoch: int, seq: int, log_hash: bytes, record_hash: bytes, time: int,
    incarnation: int, binding: bytes = b"",
) -> Head:
    """A head signed by the relay."""
    body = head_body(epoch, seq, log_hash, record_hash, time, incarnation, binding)
    return parse_head(body, relay_key.sign(Label.SIGN_HEAD, set_id, body))


def parse_head(body: bytes, signature: bytes) -> Head:
    """The head of a body and a signature as they came. Raises NonCanonical or LimitExceeded; checks no signature."""
    fields = shape.array(decode(shape.any_octets(body, "a head's body"), limit=SLOT_MAX), 7, "a head's body")
    return Head(
        epoch=shape.integer(fields[0], "a head's epoch"),
        seq=shape.integer(fields[1], "a head's position"),
        log_hash=shape.octets(fields[2], HASH, "a head's log hash"),
        record_hash=shape.octets(fields[3], HASH, "a head's record hash"),
        time=shape.integer(fields[4], "a head's time"),
        incarnation=shape.integer(fields[5], "a head's incarnation"),
        binding=shape.optional(fields[6], HASH, "a head's binding"),
        signature=shape.octets(signature, SIGNATURE, "a head's signature"),
        body=body,
    )


def verify_head(head: Head, set_id: bytes, relay_key: bytes) -> None:
    """Raises AuthFailed unless the relay with this key signed the head for this set."""
    verify(Label.SIGN_HEAD, set_id, head.body, head.signature, relay_key)


def to_short(head: Head) -> ShortHead:
    """The short form of a head without a binding."""
    if head.binding:
        raise LocalProtocolError("a head bound to a handshake has no short form")
    return ShortHead(head.seq, head.time, head.signature)


def parse_short(value: Value) -> ShortHead:
    """A short head from its array in a frame. Raises NonCanonical."""
    seq, time, signature = shape.array(value, 3, "a short head")
    return ShortHead(
        shape.integer(seq, "a short head's position"),
        shape.integer(time, "a short head's time"),
        shape.octets(signature, SIGNATURE, "a short head's signature"),
    )


def from_short(short: ShortHead, epoch: int, log_hash: bytes, record_hash: bytes, incarnation: int) -> Head:
    """The head that a short one stands for, given what the receiver holds itself. Verify it with `verify_head`."""
    body = head_body(epoch, short.seq, log_hash, record_hash, short.time, incarnation)
    return parse_head(body, short.signature)
