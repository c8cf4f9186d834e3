"""A set with real keys, and every message that its members may send: what a relay can be fed with."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from e2esync.crypto import Label, Secret, SigningKey, blake2b
from e2esync.crypto.kem import encapsulate
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.announcement import Request, sign_announcement
from e2esync.epoch.boxes import epoch_commit, list_hash, seal_boxes
from e2esync.epoch.chain import Chain
from e2esync.epoch.deletion import Act, Deletion, sign_deletion
from e2esync.epoch.record import Add, Change, Record, Remove, make_add, set_id_of, sign_record
from e2esync.epoch.roles import Role
from e2esync.log.envelope import envelope_header, next_log_hash
from e2esync.log.heartbeat import HEADER as HEARTBEAT_HEADER
from e2esync.session.messages import Append, Create, Open

NOW = 1_800_000_000_000
ALICE = b"alice".ljust(16, b".")
BOB = b"bob".ljust(16, b".")


class Draws:
    """Fast deterministic entropy; encapsulation is the suite's own."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._count = 0

    def draw(self, name: str, length: int) -> bytes:
        self._count += 1
        return blake2b(Label.SET_ID, self._seed, name.encode(), self._count.to_bytes(8, "big"), size=64)[:length].ljust(
            length, b"\1"
        )

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        return encapsulate(public_key)


class Book:
    """Index 0 is the root, then owners of Alice's. It follows what the relay has accepted of it."""

    def __init__(self, relay_key: bytes, seed: str = "book", devices: int = 2) -> None:
        self.entropy = Draws(seed)
        self.relay_key = relay_key
        self.signing: dict[int, SigningKey] = {}
        self.sealing: dict[int, SealingKey] = {}
        self.secret = Secret(self.entropy.draw("epoch secret", 32))
        adds = [self._party(index, ALICE, Role.OWNER if index else Role.ROOT) for index in range(devices + 1)]
        self.set_id = set_id_of(self.signing[0].verify_key)
        self._adds = adds
        self.seq = 0
        record, self._create = self._first([self._add(*add) for add in adds])
        self.chain = Chain.begin(record, self.set_id)
        self.log_hash = record.hash
        self._revision = 0
        self._envelopes = 0

    def create(self, announcements: Sequence[bytes] = ()) -> Create:
        """CREATE for this set."""
        return Create(self._create.record, self._create.box_list, self._create.boxes, tuple(announcements))

    def envelope(self, size: int = 512, epoch: int | None = None, live: Sequence[bytes] = ()) -> bytes:
        """The next envelope: right in everything that the relay can see."""
        self._envelopes += 1
        head = envelope_header(self.chain.epoch if epoch is None else epoch, live)
        return (head + self._envelopes.to_bytes(8, "big") + self.set_id).ljust(size, b"e")

    def append(self, live: Sequence[bytes] = (), size: int = 512) -> Append:
        """APPEND of the next envelope."""
        return Append(self.chain.epoch, self.envelope(size, live=live))

    def landed(self, *envelopes: bytes) -> None:
        """Notes envelopes that the relay has accepted, in its order."""
        for envelope in envelopes:
            self.seq += 1
            self.log_hash = next_log_hash(self.log_hash, envelope)

    def heartbeat(self, epoch: int | None = None) -> bytes:
        """A heartbeat as the relay sees it."""
        beat = (self.chain.epoch if epoch is None else epoch).to_bytes(HEARTBEAT_HEADER, "big") + os.urandom(64)
        return beat.ljust(512, b"h")

    def announcement(
        self, member: int, number: int | None = None, revision: int | None = None, requests: tuple[Request, ...] = (),
        signer: SigningKey | None = None, key: SealingKey | None = None,
    ) -> bytes:
        """The member's next announcement, unless a test says otherwise."""
        self._revision += 1
        return sign_announcement(
            signer or self.signing[member], self.set_id, member=member,
            number=self.chain.numbers[member] + 1 if number is None else number,
            revision=self._revision if revision is None else revision,
            seal_key=(key or self.sealing[member]).public, version=1, requests=requests,
        ).raw

    def word(
        self, member: int, act: Act = Act.DELETE, revision: int = 1, signer: SigningKey | None = None, **override: Any,
    ) -> Deletion:
        """A member's word on deleting the set, said now unless a field is overridden."""
        fields: dict[str, Any] = {
            "member": member, "epoch": self.chain.epoch, "record_hash": self.chain.head.hash, "relay": self.relay_key,
            "time": NOW,
        } | override
        return sign_deletion(signer or self.signing[member], self.set_id, act, revision=revision, **fields)

    def newcomer(self, role: Role = Role.WRITER, person: bytes = ALICE) -> Add:
        """The change that adds somebody new under the next index, whose keys this book keeps."""
        return self._add(*self._party(self.chain.next_index, person, role))

    def open(
        self, opener: int = 1, changes: tuple[Change, ...] = (), *, manifest: bytes, live: Sequence[bytes] = (),
        dead: Sequence[bytes] = (), announcement: bytes | None = None, signed: tuple[Change, ...] | None = None,
        **override: Any,
    ) -> tuple[Open, Record]:
        """OPEN by `opener`, right unless a field of the record is overridden; `opened` follows it.

        `signed` puts other changes into the record than those that the rest is made for.
        """
        after = self.chain.after(opener, changes)
        epoch = self.chain.epoch + 1
        removed = {change.member for change in changes if isinstance(change, Remove)}
        numbers = {
            index: self.chain.numbers.get(index, 1) for index, member in after.members.items()
            if member.is_device and index not in removed
        }
        if opener in numbers:
            numbers[opener] += 1
        recipients = [(index, numbers.get(index, 0), self.sealing[index].public) for index in after.members]
        box_list, boxes = seal_boxes(self.set_id, epoch, self.secret, recipients, self.entropy)
        fields: dict[str, Any] = {
            "epoch": epoch, "prev": self.chain.head.hash, "closes_seq": self.seq, "closes_hash": self.log_hash,
            "time": NOW, "opener": opener, "changes": changes if signed is None else signed,
            "numbers": numbers, "commit": epoch_commit(self.set_id, epoch, self.secret), "boxes": list_hash(box_list),
            "manifest": manifest,
        } | override
        signer = fields.pop("signer", None) or self.signing[opener]
        record = sign_record(signer, self.set_id, **fields)
        if announcement is None:
            announcement = self.announcement(opener, number=numbers[opener]) if opener in numbers else b""
        return Open(record.raw, box_list, tuple(boxes), announcement, tuple(live), tuple(dead)), record

    def opened(self, record: Record) -> None:
        """Notes that the relay has accepted the opening."""
        self.chain = self.chain.extend(record)
        self.seq, self.log_hash = 0, record.hash

    def _party(self, index: int, person: bytes, role: Role) -> tuple[int, bytes, Role]:
        self.signing[index] = SigningKey(self.entropy.draw("signing key", 32))
        self.sealing[index] = SealingKey.generate(self.entropy)
        return index, person, role

    def _add(self, index: int, person: bytes, role: Role) -> Add:
        return make_add(self.signing[index], self.set_id, person, role, self.sealing[index].public)

    def _first(self, adds: list[Add]) -> tuple[Record, Create]:
        numbers = {index: 1 for index in self.signing if index}
        recipients = [(index, numbers.get(index, 0), key.public) for index, key in self.sealing.items()]
        box_list, boxes = seal_boxes(self.set_id, 0, self.secret, recipients, self.entropy)
        record = sign_record(
            self.signing[0], self.set_id, epoch=0, relay=self.relay_key, time=NOW, opener=0, changes=tuple(adds),
            numbers=numbers, commit=epoch_commit(self.set_id, 0, self.secret), boxes=list_hash(box_list),
        )
        return record, Create(record.raw, box_list, tuple(boxes), ())


def blob_of(content: bytes) -> tuple[bytes, bytes]:
    """(id, bytes) of a blob that holds `content`."""
    data = b"\x01\x04" + content
    return blake2b(Label.BLOB, data), data
