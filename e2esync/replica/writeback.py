"""What a snapshot did not have (SPEC 14.8): kept aside on entering, and written back once, after a random time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from e2esync.contactset import DeleteOp, SetOp, changes, delete_ops, set_ops, view
from e2esync.contactset.diff import same
from e2esync.crypto import Entropy
from e2esync.epoch.roles import WRITERS
from e2esync.limits import WRITE_BACK_DELAY
from e2esync.replica.core import Replica
from e2esync.replica.port import KeptRow, ReplicaStore
from e2esync.replica.writing import shown_state, write
from e2esync.wire import Value, decode, decode_values, encode

ASIDE = "aside"
"""Kind of kept rows: contact → `[gone, {path: value wanted}, {path: value of the snapshot}]`."""
DUE = "write back due"


def keep_aside(replica: Replica, before: Mapping[bytes, bytes], now: int, entropy: Entropy) -> int:
    """Keep how contacts were shown `before` (contact → packed state, empty for none) where they differ by now.

    Returns how many differ. That they left the view is in the history, as whatever a snapshot changes is.
    """
    store = replica.store
    rows = []
    for contact, state in before.items():
        row = store.contact(contact)
        own, other = _registers(state), _registers(row.state if row else b"")
        wanted = changes(other, own)
        if not wanted:
            continue
        found = {path: other[path] for path in wanted if path in other}
        rows.append(KeptRow(contact, encode([not own, wanted, found]), now))
    if rows:
        store.keep(ASIDE, rows)
        delay = int.from_bytes(entropy.draw("write-back delay", 4)) % WRITE_BACK_DELAY
        store.put(DUE, encode(now + delay))
    return len(rows)


def write_back(replica: Replica, now: int) -> int:
    """Write back what is due; returns how many contacts. A reader, and a device that has stopped writing, waits."""
    store = replica.store
    due = store.get(DUE)
    may = replica.chain.members[replica.member].role in WRITERS and not replica.frozen
    if due is None or now < decode(due) or not may:
        return 0
    with store.transaction():
        rows = store.kept(ASIDE)
        ops = [op for row in rows for op in _ops(store, row, now)]
        if ops:
            write(replica, ops)
        store.unkeep(ASIDE, [row.key for row in rows])
        store.drop(DUE)
    return len({op.contact for op in ops})


def _ops(store: ReplicaStore, row: KeptRow, now: int) -> Iterable[SetOp | DeleteOp]:
    """The operations for one contact: only where it still shows what the snapshot gave."""
    gone, wanted, found = decode_values(row.value)
    state = shown_state(store, row.key)
    shown = _registers(state or b"")
    if gone:
        return delete_ops(row.key, state, now) if not changes(shown, found) else ()
    untouched = {path: value for path, value in wanted.items()
                 if (path in shown) == (path in found) and (path not in found or same(shown[path], found[path]))}
    return set_ops(row.key, state, now, untouched) if untouched else ()


def _registers(state: bytes) -> Mapping[str, Value]:
    shown = view(state) if state else None
    return shown.registers if shown else {}
