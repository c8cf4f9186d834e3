"""How old keys are (SPEC 14.3): a device that was copied unnoticed heals when it replaces its own.

Since when a key is in use stands in the chain: a verify key since the record that added or rekeyed its member, a
sealing key since the first record that was sealed to its number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from e2esync.epoch.record import Record, Rekey, parse_record
from e2esync.epoch.roles import RIGHTS
from e2esync.replica.core import Replica
from e2esync.replica.writing import last_own
from e2esync.wire import decode, encode


@dataclass(frozen=True, slots=True)
class KeyAge:
    """The record that a member was added by, and those since which its two keys are in use."""

    added: Record
    signing: Record
    sealing: Record


def key_ages(replica: Replica) -> dict[int, KeyAge]:
    """The ages of every device's keys, by member."""
    records = [parse_record(raw) for raw in replica.store.records()]
    return {member: _age(replica, records, member) for member in replica.chain.numbers}


def rotation_due(replica: Replica, now: int, every: int, after: int) -> bool:
    """Whether this device's signing key is older than `every` ms, or has signed more than `after` entries; 0: never."""
    if not (every or after) or not RIGHTS[replica.chain.members[replica.member].role].rekeys:
        return False
    since, counter = _since(replica)
    return bool((every and now - since >= every) or (after and last_own(replica)[0] - counter >= after))


def rekeyed(replica: Replica) -> None:
    """This device signs with another key from the open epoch on."""
    replica.store.put("rekeyed", encode([replica.chain.head.time, last_own(replica)[0]]))


def _since(replica: Replica) -> tuple[int, int]:
    """(time, own counter) at which this device's signing key came into use."""
    stored = replica.store.get("rekeyed")
    if stored is not None:
        time, counter = decode(stored)
        return time, counter
    added = replica.chain.members[replica.member].added
    return parse_record(replica.store.records()[added]).time, 0


def _age(replica: Replica, records: Sequence[Record], member: int) -> KeyAge:
    added = records[replica.chain.members[member].added]
    signing = next((record for record in reversed(records) if any(
        isinstance(change, Rekey) and change.member == member for change in record.changes)), added)
    number = replica.chain.numbers[member]
    sealing = next(record for record in records if record.numbers.get(member) == number)
    return KeyAge(added, signing, sealing)
