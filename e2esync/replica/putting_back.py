"""Putting a book back as it was (SPEC 12.7): the difference to an earlier state, as new operations of this device.

Nothing is rewritten: what was changed since stays in the history, and a device that was offline meanwhile merges its
edits as always.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from e2esync.contactset import DeleteOp, SetOp, changes, delete_ops, set_ops, view
from e2esync.replica.core import Replica
from e2esync.replica.port import RESERVED, ReplicaStore
from e2esync.replica.writing import shown_state, write

_TOGETHER = 500
"""Contacts whose operations are journalled in one transaction."""


def put_back(replica: Replica, past: ReplicaStore, now: int) -> tuple[int, int, int]:
    """Make the book show what `past` shows. Returns how many contacts came back, were changed back, and went.

    The set's own object stays: names of devices, settings and the list of sets are no contacts.
    """
    came = changed = went = 0
    waiting: list[SetOp | DeleteOp] = []
    contacts = sorted({*_ids(replica.store), *_ids(past)} - RESERVED)
    for group in _groups(contacts):
        for contact in group:
            packed, then = shown_state(replica.store, contact), shown_state(past, contact)
            ops = list(_difference(contact, packed, then, now))
            if ops and then is not None and view(then) is not None:
                came, changed = (came, changed + 1) if packed and view(packed) else (came + 1, changed)
            elif ops:
                went += 1
            waiting += ops
        if waiting:
            write(replica, waiting)
            waiting = []
    return came, changed, went


def _difference(contact: bytes, packed: bytes | None, then: bytes | None, now: int) -> Iterator[SetOp | DeleteOp]:
    wanted, shown = view(then) if then else None, view(packed) if packed else None
    if wanted is None:
        if shown is not None:
            yield from delete_ops(contact, packed, now)
        return
    edits = changes(shown.registers if shown else {}, wanted.registers)
    if edits:
        yield from set_ops(contact, packed, now, edits)


def _ids(store: ReplicaStore) -> Iterable[bytes]:
    yield from store.contact_ids()
    yield from store.overlaid()


def _groups(contacts: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(contacts), _TOGETHER):
        yield contacts[start : start + _TOGETHER]
