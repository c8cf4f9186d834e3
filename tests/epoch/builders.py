"""A small set to test with: its people, their keys, and records that are valid unless a test says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from e2esync.crypto import Secret, SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.boxes import epoch_commit, epoch_key, list_hash, seal_boxes
from e2esync.epoch.chain import Chain
from e2esync.epoch.record import Add, Change, Record, Remove, make_add, set_id_of, sign_record
from e2esync.epoch.roles import Role
from tests.helpers.entropy import FastEntropy

NOW = 1_800_000_000_000
ALICE = b"alice".ljust(16, b".")
BOB = b"bob".ljust(16, b".")


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody with keys: a device or a kit, in the set or about to be."""

    person: bytes
    signing: SigningKey
    sealing: SealingKey


class Book:
    """A set of Alice's: index 0 the root, 1 and 2 her devices (owners). Every record is opened through `record`."""

    def __init__(self, seed: str = "book", devices: int = 2) -> None:
        self.entropy = FastEntropy(seed)
        self.relay = SigningKey(self.entropy.draw("signing key", 32))
        self.parties = {index: self.party() for index in range(devices + 1)}
        self.set_id = set_id_of(self.parties[0].signing.verify_key)
        self.secret = Secret(self.entropy.draw("epoch secret", 32))
        self.genesis = self.record_zero()
        self.chain = Chain.begin(self.genesis, self.set_id)
        self.records = [self.genesis]

    def party(self, person: bytes = ALICE) -> Party:
        """Fresh keys for somebody."""
        signing = SigningKey(self.entropy.draw("signing key", 32))
        return Party(person, signing, SealingKey.generate(self.entropy))

    def add(self, role: Role = Role.WRITER, person: bytes = ALICE, party: Party | None = None) -> Add:
        """The change that adds a new party."""
        party = party or self.party(person)
        return make_add(party.signing, self.set_id, person, role, party.sealing.public)

    def record_zero(self, **override: Any) -> Record:
        """Record 0, with fields replaced by `override`; `signer` and `set_id` too."""
        roles = {0: Role.ROOT}
        adds = tuple(self.add(roles.get(i, Role.OWNER), ALICE, party) for i, party in self.parties.items())
        fields: dict[str, Any] = {
            "epoch": 0, "relay": self.relay.verify_key, "time": NOW, "opener": 0, "changes": adds,
            "numbers": {i: 1 for i in self.parties if i}, "commit": epoch_commit(self.set_id, 0, self.secret),
            "boxes": bytes(32),
        } | override
        signer = fields.pop("signer", self.parties[0].signing)
        return sign_record(signer, fields.pop("set_id", self.set_id), **fields)

    def record(self, opener: int = 1, changes: tuple[Change, ...] = (), **override: Any) -> Record:
        """The next record by `opener`, valid if `changes` are, with fields replaced by `override`."""
        fields: dict[str, Any] = {
            "epoch": self.chain.epoch + 1, "prev": self.chain.head.hash, "closes_hash": self.chain.head.hash,
            "time": NOW, "opener": opener, "changes": changes, "numbers": self.numbers(changes),
            "commit": epoch_commit(self.set_id, self.chain.epoch + 1, self.secret),
            "boxes": bytes(32), "manifest": b"\7" * 32,
        } | override
        signer = fields.pop("signer", None) or self.parties[opener].signing
        return sign_record(signer, fields.pop("set_id", self.set_id), **fields)

    def numbers(self, changes: tuple[Change, ...]) -> dict[int, int]:
        """Key numbers as a record with these changes must have them, none advanced."""
        numbers = dict(self.chain.numbers)
        index = self.chain.next_index
        for change in changes:
            if isinstance(change, Add):
                if change.role <= Role.OWNER:
                    numbers[index] = 1
                index += 1
            elif isinstance(change, Remove):
                numbers.pop(change.member, None)
        return numbers

    def open(self, opener: int = 1, changes: tuple[Change, ...] = (), **override: Any) -> Record:
        """Extend the chain by such a record."""
        return self.accept(self.record(opener, changes, **override))

    def accept(self, record: Record) -> Record:
        """Extend the chain."""
        self.chain = self.chain.extend(record)
        self.records.append(record)
        return record

    def join(self, role: Role, person: bytes = ALICE, opener: int = 1) -> int:
        """Add a new member; its index."""
        party = self.party(person)
        index = self.chain.next_index
        self.open(opener, (self.add(role, person, party),))
        self.parties[index] = party
        return index

    def sealed(self, opener: int = 1, **override: Any) -> tuple[Record, bytes, list[bytes]]:
        """(record, box list, boxes) of an opening without changes, sealed to all members by their first keys."""
        epoch = self.chain.epoch + 1
        recipients = [
            (index, self.chain.numbers.get(index, 0), self.parties[index].sealing.public)
            for index in self.chain.members
        ]
        box_list, boxes = seal_boxes(self.set_id, epoch, self.secret, recipients, self.entropy)
        return self.record(opener, boxes=list_hash(box_list), **override), box_list, boxes

    @property
    def key(self) -> Secret:
        """The key of the open epoch."""
        return epoch_key(self.set_id, self.chain.epoch, self.secret)
