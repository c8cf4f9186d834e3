"""What was detected, kept until it is over (SPEC 14.6), and the evidence, kept until a person deletes it (SPEC 10.8).

A finding is one row for each thing that is wrong: found again it is renewed, and it is healed when the relay, or the
device, is honest again. Data and outbox are none of this module's business: a finding changes neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from e2esync.crypto import Label, blake2b
from e2esync.errors import CloneDetected, Detection, ForkDetected, WithheldDetected
from e2esync.limits import EVIDENCE_FILES
from e2esync.replica.core import Replica
from e2esync.replica.port import KeptRow, ReplicaStore
from e2esync.wire import decode, encode

FINDING, EVIDENCE = "finding", "evidence"
_FINDINGS = 256
"""Findings that are kept: whoever makes more of them makes older ones go."""
_LASTING = (CloneDetected.code,)
"""Codes that no honest relay heals: a person has to act."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, or was."""

    code: str
    about: str
    message: str
    hint: str
    counter: int
    first: int
    """When it was found first and last, ms."""
    last: int
    healed: int
    """When it was over, ms; 0 while it is not."""

    def to_row(self) -> KeptRow:
        """The row that keeps it."""
        value = encode([self.code, self.about, self.message, self.hint, self.counter, self.first, self.healed])
        return KeptRow(f"{self.code} {self.about}".encode(), value, self.last)


def note(replica: Replica, detections: Iterable[Detection], now: int) -> None:
    """Keep what was detected; the same thing again only moves its time."""
    store = replica.store
    with store.transaction():
        for detection in detections:
            key = f"{detection.code} {detection.about}".encode()
            before = store.kept_one(FINDING, key)
            first = now if before is None or _read(before).healed else _read(before).first
            store.keep(FINDING, [Finding(detection.code, detection.about, detection.message, detection.hint,
                                         detection.counter, first, now, 0).to_row()])
            if detection.evidence:
                name = blake2b(Label.EVIDENCE, detection.evidence)[:8]
                store.keep(EVIDENCE, [KeptRow(name, encode([detection.code, detection.message, detection.evidence]),
                                              now)])
        _limit(store, FINDING, _FINDINGS)
        _limit(store, EVIDENCE, EVIDENCE_FILES)


def findings(store: ReplicaStore) -> list[Finding]:
    """All that is kept, the newest first."""
    return sorted(map(_read, store.kept(FINDING)), key=_last, reverse=True)


def heal(replica: Replica, renewed: Iterable[Detection], now: int) -> None:
    """After a sync that came to its end: what it did not find again is over (SPEC 14.6 step 6)."""
    store = replica.store
    again = {f"{detection.code} {detection.about}".encode() for detection in renewed}
    counters = {member: counter for member, (counter, _id) in store.vector().items()}
    rows = []
    for row in store.kept(FINDING):
        finding = _read(row)
        if row.key in again or finding.healed or finding.code in _LASTING or _is_open(replica, finding, counters):
            continue
        rows.append(Finding(finding.code, finding.about, finding.message, finding.hint, finding.counter,
                            finding.first, finding.last, now).to_row())
    if rows:
        with store.transaction():
            store.keep(FINDING, rows)


def _is_open(replica: Replica, finding: Finding, counters: dict[int, int]) -> bool:
    """Whether something is still as it was found, whatever else a sync has done."""
    if finding.code == WithheldDetected.code and finding.about.isdecimal():
        author = int(finding.about)
        return author in replica.chain.members and counters.get(author, 0) < finding.counter
    if finding.code == ForkDetected.code and finding.about.startswith("author "):
        return int(finding.about.removeprefix("author ")) in replica.chain.members
    return False


def _read(row: KeptRow) -> Finding:
    code, about, message, hint, counter, first, healed = decode(row.value)
    return Finding(code, about, message, hint, counter, first, row.time, healed)


def _limit(store: ReplicaStore, kind: str, most: int) -> None:
    rows = sorted(store.kept(kind), key=_time)
    store.unkeep(kind, [row.key for row in rows[: max(len(rows) - most, 0)]])


def _last(finding: Finding) -> int:
    return finding.last


def _time(row: KeptRow) -> int:
    return row.time
