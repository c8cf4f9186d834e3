"""Forget (SPEC 14.4): what was deleted or replaced goes for good, from snapshots, archives, undo and old keys.

An epoch flagged *forget* rewrites every run that holds anything superseded and drops all dead lives. The boxes that the
relay archives open with nobody's key once every device was sealed to a key that is younger than that epoch, has entered
by it, and has said so: `Forgetting` keeps the count. Nobody is waited for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass

from e2esync.epoch.record import Flag, Record, parse_record
from e2esync.epoch.roles import RIGHTS
from e2esync.replica.announcing import acknowledged, valid_announcement
from e2esync.replica.core import Replica
from e2esync.replica.guarding import forget_counted, holds_forgotten
from e2esync.replica.port import ReplicaStore, RunRow
from e2esync.wire import decode, encode


@dataclass(frozen=True, slots=True)
class Forgetting:
    """How far a forget has come, as far as this device has heard: its epoch, who opened it, and the devices."""

    epoch: int
    opener: int
    done: frozenset[int]
    """They were sealed to a key first used at or after the epoch, and were heard since."""
    ready: frozenset[int]
    """They were heard since, by an older key, and have announced a fresh one: one more epoch, and they are done."""
    silent: frozenset[int]
    """Nothing was heard of them since, or they have announced no fresh key yet; or it is this device, whose person
    has not decided yet about what the guard holds (SPEC 14.9)."""

    @property
    def complete(self) -> bool:
        """Whether no device can open what the relay may have archived."""
        return not self.ready and not self.silent


def clean_runs(store: ReplicaStore, runs: Sequence[RunRow], changes: Container[bytes]) -> int:
    """How many runs, oldest first, hold nothing but the state that the boundary leaves.

    `changes` are the contacts that the boundary changes. A run with an item that is overlaid, absent, or about to
    change holds something superseded, and so is every run behind it written anew (SPEC 11.3: a prefix stays).
    """
    present = Counter(row.run for row in store.contacts() if row.state and row.contact not in changes)
    clean = 0
    while clean < len(runs) and present[runs[clean].number] == runs[clean].count:
        clean += 1
    return clean


def entered(store: ReplicaStore, records: Sequence[Record]) -> None:
    """After entering by `records`: if one of them is flagged, drop what undo, media and index kept of what went.

    What the guard holds in view stays until its person has decided (SPEC 14.9).
    """
    flagged = [record.epoch for record in records if record.flags & Flag.FORGET]
    if flagged:
        store.forget()
        forget_counted(store)
        store.put("forget", encode(flagged[-1]))


def forgets(records: Sequence[Record]) -> bool:
    """Whether one of these records is flagged."""
    return any(record.flags & Flag.FORGET for record in records)


def forgetting(replica: Replica) -> Forgetting | None:
    """The newest forget that this device has entered and that is not complete; None if there is none."""
    stored = replica.store.get("forget")
    if stored is None:
        return None
    epoch = decode(stored)
    records = [parse_record(raw) for raw in replica.store.records()]
    heard = {**acknowledged(replica.store), replica.member: replica.position.epoch}
    done, ready = set(), set()
    for member in replica.chain.numbers:
        last = heard.get(member, -1)
        if last < epoch or member not in records[last].numbers:
            continue
        if member == replica.member and holds_forgotten(replica, epoch):
            continue
        if first_used(records, member, records[last].numbers[member]) >= epoch:
            done.add(member)
        elif _announces_fresh(replica, member):
            ready.add(member)
    silent = replica.chain.numbers.keys() - done - ready
    return Forgetting(epoch, records[epoch].opener, frozenset(done), frozenset(ready), frozenset(silent))


def note_complete(replica: Replica) -> None:
    """Once every device is done nothing is left to watch: `forgotten` says since which epoch."""
    state = forgetting(replica)
    if state is not None and state.complete:
        with replica.store.transaction():
            replica.store.drop("forget")
            replica.store.put("forgotten", encode(state.epoch))


def forgotten(store: ReplicaStore) -> int:
    """The epoch of the newest forget that every device has acknowledged; 0 for none."""
    stored = store.get("forgotten")
    return int(decode(stored)) if stored else 0


def first_used(records: Sequence[Record], member: int, number: int) -> int:
    """The epoch that a member's key number was first used at."""
    return next(record.epoch for record in records if record.numbers.get(member) == number)


def one_more_due(replica: Replica) -> bool:
    """Whether this device has to open an epoch because that is all that a forget lacks (SPEC 14.4 step 4).

    Its opener does, and where that is no device of the set any more, every device that may sign a forget.
    """
    state = forgetting(replica)
    if state is None or not state.ready or state.silent:
        return False
    if state.opener in replica.chain.numbers:
        return state.opener == replica.member
    return RIGHTS[replica.chain.members[replica.member].role].governs


def _announces_fresh(replica: Replica, member: int) -> bool:
    slot = next((row for row in replica.store.slots() if row.member == member), None)
    served = valid_announcement(replica.chain, slot)
    return served is not None and served.number > replica.chain.numbers[member]
