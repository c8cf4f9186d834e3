"""When a recovery kit has opened an epoch, and what it did (SPEC 12.6 step 5): every other device says so."""

from __future__ import annotations

from dataclasses import dataclass

from e2esync.epoch.record import Add, Record, parse_record
from e2esync.replica.core import Replica
from e2esync.replica.own_object import device_names


@dataclass(frozen=True, slots=True)
class KitUse:
    """One epoch that a recovery member opened."""

    time: int
    """Of the record, ms."""
    replaced: bool
    """Whether another kit has taken its place."""
    added: tuple[str, ...]
    removed: tuple[str, ...]
    """Names of the devices that it let in, and shut out."""

    def told(self, day: str) -> str:
        """The sentence for people; `day` is that of `time`, as they write it."""
        did = [f"{what} {', '.join(names)}" for what, names in (("added", self.added), ("shut out", self.removed))
               if names]
        done = f", and has {' and '.join(did)}" if did else ""
        return (f"the recovery kit was {'replaced' if self.replaced else 'used'} on {day}{done}; if that was not you, "
                "make sure that nobody else has it")


def kit_uses(replica: Replica) -> list[KitUse]:
    """All of them, the oldest first; the one-time root of a further book is no kit (SPEC 12.4)."""
    members, names = replica.chain.all_members, device_names(replica)

    def is_use(record: Record) -> bool:
        return not (members[record.opener].is_device or (record.epoch == 1 and record.opener in record.removes))

    def named(indices: list[int]) -> tuple[str, ...]:
        return tuple(names.get(index) or f"device {index}" for index in indices if members[index].is_device)

    found = []
    for record in filter(is_use, map(parse_record, replica.store.records()[1:])):
        keys = {change.verify_key for change in record.changes if isinstance(change, Add)}
        added = [index for index, member in sorted(members.items()) if member.verify_key in keys]
        found.append(KitUse(record.time, record.opener in record.removes, named(added), named(sorted(record.removes))))
    return found
