"""A small set that the upper layers take their examples from: Alice's and Bob's devices and kits, two epochs.

Every key is a named draw, so it is the same on every machine. Records 0 and 1 are valid, with real boxes; what a case
spoils is made by `record` and `announce` with one field replaced.

    0 Alice's root · 1, 2 her devices, owners · 3 her device, a writer · 4 her device, a reader
    5 Bob's device, a writer · 6 Bob's recovery kit
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.crypto import Label, Secret, SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.announcement import Announcement, Request, sign_announcement
from e2esync.epoch.boxes import epoch_commit, epoch_key, list_hash, seal_boxes
from e2esync.epoch.chain import Chain
from e2esync.epoch.record import Add, Change, Record, Remove, make_add, set_id_of, sign_record
from e2esync.epoch.roles import DEVICES, Role
from e2esync.wire import encode

NOW: Final = 1_800_000_000_000
ALICE: Final = b"alice's devices."
BOB: Final = b"bob's devices..."

_FOUNDERS: Final = (("root", Role.ROOT), ("laptop", Role.OWNER), ("phone", Role.OWNER))
_JOINERS: Final = (
    ("tablet", ALICE, Role.WRITER), ("kiosk", ALICE, Role.READER),
    ("bob", BOB, Role.WRITER), ("kit", BOB, Role.RECOVERY),
)


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody with keys: a device or a kit, in the set or about to be."""

    person: bytes
    signing: SigningKey
    sealing: SealingKey

    @property
    def seed(self) -> str:
        """The signing seed, in hex."""
        return self.signing.seed.reveal().hex()

    @property
    def sealing_secret(self) -> str:
        """The sealing key's 96 secret bytes, in hex."""
        return self.sealing.secret.reveal().hex()


@lru_cache(maxsize=64)
def party(name: str, person: bytes = ALICE) -> Party:
    """The keys of that name, which no other name has."""
    entropy = NamedEntropy(f"world::{name}")
    return Party(person, SigningKey(entropy.draw("signing key", 32)), SealingKey.generate(entropy))


@dataclass(frozen=True, slots=True)
class Opening:
    """An epoch as it was opened: the chain up to it, its record, secret, box list and boxes."""

    chain: Chain
    record: Record
    secret: Secret
    box_list: bytes
    boxes: list[bytes]


class World:
    """The set. `chain` ends in epoch 1; `openings` are its two epochs."""

    def __init__(self) -> None:
        self.entropy = NamedEntropy("world")
        self.relay = SigningKey(self.entropy.draw("signing key", 32))
        self.parties = [party(name) for name, _ in _FOUNDERS]
        self.set_id = set_id_of(self.parties[0].signing.verify_key)
        self.openings: list[Opening] = []
        self._open(0, tuple(self.add(role, name) for name, role in _FOUNDERS))
        self.parties += [party(name, person) for name, person, _ in _JOINERS]
        self._open(1, tuple(self.add(role, name, person) for name, person, role in _JOINERS))

    @property
    def chain(self) -> Chain:
        """The chain up to epoch 1."""
        return self.openings[-1].chain

    @property
    def records(self) -> list[str]:
        """Records 0 and 1, in hex."""
        return [opening.record.raw.hex() for opening in self.openings]

    @property
    def key(self) -> Secret:
        """K of epoch 1."""
        return epoch_key(self.set_id, 1, self.openings[1].secret)

    def add(self, role: Role, name: str, person: bytes = ALICE) -> Add:
        """The change that adds a party."""
        added = party(name, person)
        return make_add(added.signing, self.set_id, person, role, added.sealing.public)

    def record(self, opener: int = 1, changes: tuple[Change, ...] = (), **override: Any) -> Record:
        """Record 2 by `opener`, valid if `changes` are, with fields replaced; `signer` and `set_id` too."""
        chain = override.pop("chain", self.chain)
        epoch = chain.epoch + 1
        fields: dict[str, Any] = {
            "epoch": epoch, "prev": chain.head.hash, "closes_hash": chain.head.hash, "time": NOW + epoch,
            "opener": opener, "changes": changes, "numbers": numbers_after(chain, changes),
            "commit": epoch_commit(self.set_id, epoch, self.openings[1].secret), "boxes": b"\xb0" * 32,
            "manifest": b"\x3a" * 32,
        } | override
        signer = fields.pop("signer", None) or self.parties[opener].signing
        return sign_record(signer, fields.pop("set_id", self.set_id), **fields)

    def record_zero(self, **override: Any) -> Record:
        """Record 0 again, with fields replaced; `signer` and `set_id` too."""
        first = self.openings[0].record
        fields: dict[str, Any] = {
            "epoch": 0, "relay": first.relay, "time": first.time, "opener": 0, "changes": first.changes,
            "numbers": first.numbers, "commit": first.commit, "boxes": first.boxes,
        } | override
        signer = fields.pop("signer", self.parties[0].signing)
        return sign_record(signer, fields.pop("set_id", self.set_id), **fields)

    def announce(self, member: int = 2, *requests: Request, **override: Any) -> Announcement:
        """An announcement of `member` that is valid in epoch 1, with fields replaced; `signer` and `set_id` too."""
        fields: dict[str, Any] = {
            "member": member, "number": self.chain.numbers.get(member, 0) + 1, "revision": 7,
            "seal_key": self.parties[member].sealing.public, "version": 1, "requests": requests,
        } | override
        signer = fields.pop("signer", self.parties[member].signing)
        return sign_announcement(signer, fields.pop("set_id", self.set_id), **fields)

    def recipients(self, indices: Iterable[int], numbers: dict[int, int]) -> list[tuple[int, int, bytes]]:
        """Whom boxes go to: each member's first sealing key."""
        return [(index, numbers.get(index, 0), self.parties[index].sealing.public) for index in indices]

    def _open(self, opener: int, changes: tuple[Change, ...]) -> None:
        """The next epoch, sealed to everybody who is in it then."""
        epoch = len(self.openings)
        secret = Secret(self.entropy.draw("epoch secret", 32))
        chain = self.openings[-1].chain if epoch else None
        numbers = numbers_after(chain, changes)
        members = range((chain.next_index if chain else 0) + len(changes))
        box_list, boxes = seal_boxes(self.set_id, epoch, secret, self.recipients(members, numbers), self.entropy)
        fields: dict[str, Any] = {
            "epoch": epoch, "time": NOW + epoch, "opener": opener, "changes": changes, "numbers": numbers,
            "commit": epoch_commit(self.set_id, epoch, secret), "boxes": list_hash(box_list),
        }
        if chain is None:
            record = sign_record(self.parties[0].signing, self.set_id, relay=self.relay.verify_key, **fields)
            chain = Chain.begin(record, self.set_id)
        else:
            head = chain.head.hash
            record = sign_record(self.parties[opener].signing, self.set_id, prev=head, closes_hash=head,
                                 manifest=b"\x3a" * 32, **fields)
            chain = chain.extend(record)
        self.openings.append(Opening(chain, record, secret, box_list, boxes))


@lru_cache(maxsize=1)
def world() -> World:
    """The one set of all examples. Nobody changes it."""
    return World()


def numbers_after(chain: Chain | None, changes: tuple[Change, ...]) -> dict[int, int]:
    """Key numbers as a record with these changes must have them, none advanced."""
    numbers = dict(chain.numbers) if chain else {}
    index = chain.next_index if chain else 0
    for change in changes:
        if isinstance(change, Add):
            if change.role in DEVICES:
                numbers[index] = 1
            index += 1
        elif isinstance(change, Remove):
            numbers.pop(change.member, None)
    return numbers


def signed(signing: SigningKey, label: Label, set_id: bytes, fields: Any) -> bytes:
    """`encode([body, signature])` of a body with these fields, whatever they are."""
    body = encode(fields)
    return encode([body, signing.sign(label, set_id, body)])


def replaced(fields: list[Any], index: int, value: Any) -> list[Any]:
    """The fields with one of them replaced."""
    return [*fields[:index], value, *fields[index + 1 :]]
