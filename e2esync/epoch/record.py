"""Epoch records and the changes in them (SPEC 9.2, 9.3): what is signed, how it is spelled, what it hashes to.

A record that parses is well-formed and nothing more: whether it follows from the chain before it is `chain`'s to say.
`raw` is what came over the wire; signatures and hashes are always taken over those bytes, never over a re-encoding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Final

from e2esync.crypto import Label, SigningKey, blake2b, verify
from e2esync.epoch import shape
from e2esync.epoch.roles import KITS, Role
from e2esync.errors import AuthFailed, ChainInvalid, NonCanonical
from e2esync.limits import CHANGES_MAX, HASH, MEMBERS_MAX, PERSON, RECORD_MAX, SEAL_PUBLIC, SIGNATURE, SUITE, VERIFY_KEY
from e2esync.wire import Value, decode, encode


class Flag(IntFlag):
    """Bits of a record's flags."""

    NONE = 0
    FORGET = 1
    NEWER_VERSION = 2
    SEED = 4


KIT_PROOF_SET: Final = bytes(HASH)
"""The set that a kit proof names: none, as a kit is made before the sets that it will be in."""

_FLAGS_MAX: Final = int(Flag.FORGET | Flag.NEWER_VERSION | Flag.SEED)


@dataclass(frozen=True, slots=True)
class Add:
    """A new member; it gets the next unused index."""

    person: bytes
    role: Role
    verify_key: bytes
    seal_key: bytes = field(repr=False)
    possession: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Remove:
    """A member is out from this epoch on; its index is never used again."""

    member: int


@dataclass(frozen=True, slots=True)
class Rekey:
    """A new verify key for the opener itself."""

    member: int
    verify_key: bytes
    possession: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChangeRole:
    """Another role for a device."""

    member: int
    role: Role


@dataclass(frozen=True, slots=True)
class KitHalf:
    """The public halves of one recovery key of a kit, and its proof: what a person brings into a further set."""

    verify_key: bytes
    seal_key: bytes = field(repr=False)
    proof: bytes = field(repr=False)

    def add(self, person: bytes, role: Role) -> Add:
        """The change that makes the kit a recovery member of this person, or the root."""
        return Add(person, role, self.verify_key, self.seal_key, self.proof)


Change = Add | Remove | Rekey | ChangeRole


@dataclass(frozen=True, slots=True)
class Record:
    """One epoch's record (SPEC 9.2). `numbers` maps each device to the number of the key its box is sealed to."""

    epoch: int
    prev: bytes
    relay: bytes
    closes_seq: int
    closes_hash: bytes
    time: int
    opener: int
    changes: tuple[Change, ...]
    numbers: dict[int, int]
    flags: Flag
    commit: bytes
    boxes: bytes
    manifest: bytes
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    raw: bytes = field(repr=False)
    hash: bytes

    @property
    def forgets(self) -> bool:
        """Whether what was deleted or replaced before this epoch is to be purged everywhere."""
        return bool(self.flags & Flag.FORGET)

    @property
    def is_seed(self) -> bool:
        """Whether it only brings back what a relay has lost, and gives way to a branch that does more (SPEC 14.7)."""
        return bool(self.flags & Flag.SEED)

    @property
    def removes(self) -> frozenset[int]:
        """Indices of the members that this record removes."""
        return frozenset(change.member for change in self.changes if isinstance(change, Remove))

    @property
    def only_removes(self) -> bool:
        """Whether members are removed and nothing else is changed: what no relay puts off (SPEC 13.5 step 9)."""
        return len(self.removes) == len(self.changes) > 0


def set_id_of(root_verify_key: bytes) -> bytes:
    """The id of the set whose record 0 that key signs (SPEC 9.1)."""
    return blake2b(Label.SET_ID, bytes([SUITE]), root_verify_key)


def sign_record(
    signing_key: SigningKey, set_id: bytes, *,
    epoch: int, prev: bytes = shape.ZERO_HASH, relay: bytes = b"",
    closes_seq: int = 0, closes_hash: bytes = shape.ZERO_HASH, time: int, opener: int,
    changes: tuple[Change, ...] = (), numbers: dict[int, int], flags: int = 0,
    commit: bytes, boxes: bytes, manifest: bytes = shape.ZERO_HASH,
) -> Record:
    """A signed record. It is read back by `parse_record`, so that nobody signs what nobody would read.

    Whether the chain accepts it is not checked here: run `chain.extend` on the result before sending it.
    """
    body = encode([
        SUITE, epoch, prev, relay, closes_seq, closes_hash, time, opener,
        [change_value(change) for change in changes], shape.pairs(numbers), int(flags), commit, boxes, manifest,
    ])
    return parse_record(encode([body, signing_key.sign(Label.SIGN_RECORD, set_id, body)]))


def parse_record(raw: bytes) -> Record:
    """The record that `raw` spells, at most 64 KiB (SPEC 9.2, 9.4 step 7).

    Raises LimitExceeded, NonCanonical, or ChainInvalid for another suite. No signature is checked here.
    """
    body, signature = shape.array(decode(raw, limit=RECORD_MAX), 2, "a record")
    shape.octets(signature, SIGNATURE, "a record's signature")
    fields = decode(shape.any_octets(body, "a record's body"), limit=RECORD_MAX)
    check_suite(fields)
    shape.array(fields, 14, "a record's body")
    return Record(
        epoch=shape.integer(fields[1], "a record's epoch"),
        prev=shape.octets(fields[2], HASH, "a record's predecessor"),
        relay=shape.optional(fields[3], VERIFY_KEY, "a record's relay key"),
        closes_seq=shape.integer(fields[4], "a record's closed position"),
        closes_hash=shape.octets(fields[5], HASH, "a record's closed log hash"),
        time=shape.integer(fields[6], "a record's time"),
        opener=shape.index(fields[7], "a record's opener"),
        changes=tuple(_parse_change(change) for change in shape.items(fields[8], CHANGES_MAX, "a record's changes")),
        numbers=shape.counters(shape.items(fields[9], MEMBERS_MAX, "a record's numbers"), "a record's numbers"),
        flags=Flag(shape.integer(fields[10], "a record's flags", 0, _FLAGS_MAX)),
        commit=shape.octets(fields[11], HASH, "a record's commitment"),
        boxes=shape.octets(fields[12], HASH, "a record's box list hash"),
        manifest=shape.octets(fields[13], HASH, "a record's manifest id"),
        body=body, signature=signature, raw=raw, hash=blake2b(Label.RECORD, raw),
    )


def check_suite(fields: Value) -> None:
    """Raises ChainInvalid for another suite (SPEC 9.4 step 1), before the rest, which it may spell otherwise."""
    if type(fields) is not list or not fields:
        raise NonCanonical("a record's body is not an array")
    if shape.integer(fields[0], "a record's suite") != SUITE:
        raise ChainInvalid(f"a record is of suite {fields[0]}, this version knows suite {SUITE} only", "update e2esync")


def check_record_signature(record: Record, set_id: bytes, verify_key: bytes) -> None:
    """Raises ChainInvalid unless `verify_key` signed the record for this set (SPEC 9.4 step 2)."""
    try:
        verify(Label.SIGN_RECORD, set_id, record.body, record.signature, verify_key)
    except AuthFailed as error:
        raise ChainInvalid(f"record {record.epoch} is not signed by its opener, member {record.opener}") from error


def possession_message(person: bytes, role: Role, verify_key: bytes, seal_key: bytes) -> bytes:
    """What a new key signs to prove that somebody holds it (SPEC 9.3); for a rekey, `seal_key` is empty.

    No index and no epoch stands in it, so that a lost race is repeated without asking the newcomer again.
    """
    return encode([person, int(role), verify_key, seal_key])


def sign_possession(signing_key: SigningKey, set_id: bytes, person: bytes, role: Role, seal_key: bytes = b"") -> bytes:
    """The 64-byte proof that the holder of `signing_key` wants to be in, as that person and role."""
    message = possession_message(person, role, signing_key.verify_key, seal_key)
    return signing_key.sign(Label.SIGN_POSSESSION, set_id, message)


def check_possession(
    set_id: bytes, person: bytes, role: Role, verify_key: bytes, seal_key: bytes, possession: bytes,
) -> None:
    """Raises ChainInvalid unless the added key itself signed its enrolment (SPEC 9.4 step 4).

    For a recovery member its kit proof does as well: the kit lies in a drawer when its person joins a further set.
    """
    try:
        message = possession_message(person, role, verify_key, seal_key)
        verify(Label.SIGN_POSSESSION, set_id, message, possession, verify_key)
    except AuthFailed as error:
        if role not in KITS:
            raise ChainInvalid("a new verify key does not prove that its holder has it") from error
        check_kit_proof(verify_key, seal_key, possession)


def sign_kit_proof(signing_key: SigningKey, seal_key: bytes) -> bytes:
    """The 64-byte proof that the holder of a kit made this pair of keys (SPEC 12.4); it names no set and no person."""
    message = possession_message(bytes(PERSON), Role.RECOVERY, signing_key.verify_key, seal_key)
    return signing_key.sign(Label.SIGN_POSSESSION, KIT_PROOF_SET, message)


def check_kit_proof(verify_key: bytes, seal_key: bytes, proof: bytes) -> None:
    """Raises ChainInvalid unless `proof` is the kit proof of these public keys (SPEC 12.4)."""
    message = possession_message(bytes(PERSON), Role.RECOVERY, verify_key, seal_key)
    try:
        verify(Label.SIGN_POSSESSION, KIT_PROOF_SET, message, proof, verify_key)
    except AuthFailed as error:
        raise ChainInvalid("a recovery key does not prove that its holder has it") from error


def make_add(signing_key: SigningKey, set_id: bytes, person: bytes, role: Role, seal_key: bytes) -> Add:
    """The change that adds the holder of `signing_key` and of the public sealing key `seal_key` (1216 bytes)."""
    possession = sign_possession(signing_key, set_id, person, role, seal_key)
    return Add(person, role, signing_key.verify_key, seal_key, possession)


def make_rekey(signing_key: SigningKey, set_id: bytes, member: int, person: bytes, role: Role) -> Rekey:
    """The change that gives the opener, `member`, the new `signing_key`."""
    return Rekey(member, signing_key.verify_key, sign_possession(signing_key, set_id, person, role))


def change_value(change: Change) -> list[Value]:
    """The array of a change (SPEC 9.3)."""
    match change:
        case Add(person, role, verify_key, seal_key, possession):
            return [1, person, int(role), verify_key, seal_key, possession]
        case Remove(member):
            return [2, member]
        case Rekey(member, verify_key, possession):
            return [3, member, verify_key, possession]
        case ChangeRole(member, role):
            return [4, member, int(role)]


def _parse_change(value: Value) -> Change:
    kind = value[0] if type(value) is list and value else None
    if type(kind) is not int or kind not in _CHANGES:
        raise NonCanonical("a change is of no known kind")
    length, parse = _CHANGES[kind]
    return parse(shape.array(value, length, "a change"))


def parse_add(value: list[Value]) -> Add:
    """An add from its array, whose first element is the caller's."""
    return Add(
        shape.octets(value[1], PERSON, "an added member's person"),
        parse_role(value[2]),
        shape.octets(value[3], VERIFY_KEY, "an added verify key"),
        shape.octets(value[4], SEAL_PUBLIC, "an added sealing key"),
        shape.octets(value[5], SIGNATURE, "a proof of possession"),
    )


def _parse_remove(value: list[Value]) -> Remove:
    return Remove(shape.index(value[1], "a removed member"))


def _parse_rekey(value: list[Value]) -> Rekey:
    return Rekey(
        shape.index(value[1], "a rekeyed member"),
        shape.octets(value[2], VERIFY_KEY, "a new verify key"),
        shape.octets(value[3], SIGNATURE, "a proof of possession"),
    )


def _parse_role_change(value: list[Value]) -> ChangeRole:
    return ChangeRole(shape.index(value[1], "a member"), parse_role(value[2]))


def parse_role(value: Value) -> Role:
    """A role from its number, 1..5."""
    return Role(shape.integer(value, "a role", Role.READER, Role.ROOT))


_CHANGES: Final[dict[int, tuple[int, Callable[[list[Value]], Change]]]] = {
    1: (6, parse_add), 2: (2, _parse_remove), 3: (4, _parse_rekey), 4: (3, _parse_role_change),
}
