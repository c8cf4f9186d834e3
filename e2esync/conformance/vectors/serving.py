"""What a relay serves to one member, as a scenario of the vectors writes it, and answers to requests made of it.

It keeps no rule of SPEC 13: a scenario says what is served, right or wrong, and the rules of the relay have vectors of
their own. What it is sent it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from e2esync.conformance.vectors.case import Inputs, Json
from e2esync.conformance.vectors.world import NOW
from e2esync.crypto import SigningKey
from e2esync.epoch.record import parse_record
from e2esync.errors import Refused
from e2esync.limits import BLOB_PART
from e2esync.log.envelope import next_log_hash
from e2esync.log.head import Head, sign_head, to_short
from e2esync.procedures.steps import Procedure
from e2esync.session import messages as m
from e2esync.snapshot.blob import blob_id
from e2esync.wire import decode

INCARNATION = 1


@dataclass(slots=True)
class Serving:
    """A set as a relay serves it. `logs` are the envelopes by epoch, `boxes` (list, box by member) by epoch."""

    set_id: bytes
    key: SigningKey
    records: list[bytes] = field(default_factory=list)
    boxes: dict[int, tuple[bytes, dict[int, bytes]]] = field(default_factory=dict)
    logs: dict[int, list[bytes]] = field(default_factory=dict)
    blobs: dict[bytes, bytes] = field(default_factory=dict)
    slots: dict[int, m.Slot] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """The open epoch."""
        return len(self.records) - 1

    def head(self) -> Head:
        """The relay's head of what it serves."""
        log, record_hash = self.logs.get(self.epoch, []), parse_record(self.records[-1]).hash
        log_hash = record_hash
        for envelope in log:
            log_hash = next_log_hash(log_hash, envelope)
        return sign_head(self.key, self.set_id, epoch=self.epoch, seq=len(log), log_hash=log_hash,
                         record_hash=record_hash, time=NOW, incarnation=INCARNATION)

    def copy(self) -> Serving:
        """The same, to be changed."""
        return replace(self, records=list(self.records), boxes=dict(self.boxes), blobs=dict(self.blobs),
                       logs={epoch: list(log) for epoch, log in self.logs.items()}, slots=dict(self.slots))

    # As cases write it.

    def written(self, member: int, give: Callable[[bytes], Json]) -> Inputs:
        """What the member is served. `give` writes a byte string, perhaps at the head of the file."""
        return {
            "records": [give(record) for record in self.records],
            "boxes": [[epoch, give(box_list), give(boxes.get(member, b""))]
                      for epoch, (box_list, boxes) in sorted(self.boxes.items())],
            "logs": [[epoch, [give(envelope) for envelope in log]] for epoch, log in sorted(self.logs.items())],
            "blobs": [give(blob) for blob in self.blobs.values()],
        }

    # As a device meets it.

    def run(self, member: int, procedure: Procedure[Any]) -> Any:
        """Run a member's procedure against it. Raises what the procedure raises."""
        try:
            requests = next(procedure)
            while True:
                requests = procedure.send([self._answer(member, request) for request in requests])
        except StopIteration as stop:
            return stop.value

    def _answer(self, member: int, request: m.Request) -> m.Answer | Refused:
        match request:
            case m.Append(_epoch, envelope):
                log = self.logs.setdefault(self.epoch, [])
                if envelope not in log:
                    log.append(envelope)
                return m.Appended(log.index(envelope) + 1, to_short(self.head()))
            case m.Read(epoch, start):
                return self._log_part(epoch, start)
            case m.ReadChain(epoch):
                return m.ChainPart(tuple(self.records[epoch:]))
            case m.ReadBox(epoch) if epoch in self.boxes:
                box_list, boxes = self.boxes[epoch]
                return m.BoxAnswer(box_list, boxes.get(member, b""))
            case m.Open():
                return self._open(request)
            case m.GetBlob(blob, offset) if blob in self.blobs:
                content = self.blobs[blob]
                return m.BlobPart(len(content), content[offset : offset + BLOB_PART])
            case m.PutBlob(blob, _size, _offset, part):
                self.blobs[blob] = self.blobs.get(blob, b"") + part
                return m.BlobStored(len(self.blobs[blob]))
            case m.Have(blobs):
                return m.HaveAnswer(tuple(len(self.blobs.get(blob, b"")) for blob in blobs))
            case m.PutSlot(announcement, heartbeat):
                before = self.slots.get(member, m.Slot(member, b"", b"", NOW))
                self.slots[member] = m.Slot(member, announcement or before.announcement,
                                            heartbeat or before.heartbeat, NOW)
                return m.SlotStored()
            case m.ReadSlots():
                return m.SlotList(1, tuple(self.slots[each] for each in sorted(self.slots)))
            case _:
                return Refused("NotFound", "it is not served")

    def _log_part(self, epoch: int, start: int) -> m.LogPart | Refused:
        if epoch not in self.logs and epoch != self.epoch:
            return Refused("NotFound", "no such epoch")
        envelopes = tuple(self.logs.get(epoch, [])[start - 1 :])
        return m.LogPart(epoch, start, envelopes, to_short(self.head()) if epoch == self.epoch else None)

    def _open(self, request: m.Open) -> m.Opened:
        record = parse_record(request.record)
        self.logs[self.epoch] = self.logs.get(self.epoch, [])[: record.closes_seq]
        self.records.append(request.record)
        members = [line[0] for line in decode(request.box_list)]
        self.boxes[record.epoch] = request.box_list, dict(zip(members, request.boxes, strict=True))
        self.logs[record.epoch] = []
        self.slots = {} if not request.announcement else {
            record.opener: m.Slot(record.opener, request.announcement, b"", NOW), **{
                member: slot for member, slot in self.slots.items() if member != record.opener}}
        return m.Opened(record.epoch, to_short(self.head()))


def served(set_id: bytes, relay_key: SigningKey, written: Inputs, member: int) -> Serving:
    """What a case wrote, served again. The relay signs its heads over just that."""
    serving = Serving(set_id, relay_key, _bytes(written["records"]))
    serving.boxes = {epoch: (bytes.fromhex(box_list), {member: bytes.fromhex(box)})
                     for epoch, box_list, box in written["boxes"]}
    serving.logs = {epoch: _bytes(log) for epoch, log in written["logs"]}
    serving.blobs = {blob_id(blob): blob for blob in _bytes(written["blobs"])}
    return serving


def _bytes(values: Iterable[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in values]
