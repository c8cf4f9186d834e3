"""What the relay's store drops because its time is over (SPEC 11.5, 13.7, 13.14): blobs, logs, mailboxes, deleted sets.

A sweep goes piece by piece. Each is one transaction, after about a megabyte it is over, and whoever waits to write has
his turn; a piece that drops nothing is the last. Only a closed log goes as a whole: half of one would be no log.
"""

from __future__ import annotations

from e2esync.stores.relay_blobs import PIECE_BYTES, owners_of_old_blobs, sweep_blobs
from e2esync.stores.relay_deletion import being_erased, erase_piece
from e2esync.stores.relay_invitations import sweep_invitations
from e2esync.stores.relay_log import owners_of_old_logs, sweep_logs
from e2esync.stores.relay_rows import Key, Rows
from e2esync.stores.relay_slots import expire_mailbox, old_mailboxes


def sweep(rows: Rows, now: int, retention: int) -> int:
    """Drops a piece of what is past its retention, in the transaction at hand. Returns how many things went."""
    swept = freed = 0
    for owner in owners_of_old_things(rows, now, retention):
        count, size = sweep_set(rows, owner, now, retention)
        swept, freed = swept + count, freed + size
        if freed >= PIECE_BYTES:
            return swept
    return swept + sweep_erasing(rows) + sweep_mailboxes(rows, now) + sweep_invitations(rows, now)


def owners_of_old_things(rows: Rows, now: int, retention: int) -> set[Key]:
    """The sets that have something to drop; of many, some."""
    return owners_of_old_blobs(rows, now, retention) | owners_of_old_logs(rows, now, retention)


def sweep_set(rows: Rows, owner: Key, now: int, retention: int) -> tuple[int, int]:
    """Drops what is past its retention in one set, and gives its bytes back to the quota.

    Returns (how many things went, their bytes).
    """
    blobs, blob_bytes = sweep_blobs(rows, owner, now, retention)
    envelopes, envelope_bytes = sweep_logs(rows, owner, now, retention)
    if blob_bytes or envelope_bytes:
        rows.run(
            "UPDATE sets SET held = held - ?, version = version + 1 WHERE owner = ?",
            (blob_bytes + envelope_bytes, owner),
        )
    return blobs + envelopes, blob_bytes + envelope_bytes


def sweep_erasing(rows: Rows) -> int:
    """Erases a piece of a set that was deleted. Returns how many rows went, one at least for a set that is done."""
    owner = being_erased(rows)
    if owner is None:
        return 0
    # Of several processes that come to it at once, one goes first; and of a set that lives nothing is erased.
    if not rows.run("UPDATE sets SET due = due WHERE owner = ? AND gone = 1", (owner,)):
        return rows.run("DELETE FROM erasing WHERE owner = ?", (owner,))
    return max(1, erase_piece(rows, owner))


def sweep_mailboxes(rows: Rows, now: int) -> int:
    """Deletes mailboxes past their five minutes. Returns how many."""
    old = old_mailboxes(rows, now)
    for mailbox in old:
        expire_mailbox(rows, mailbox)
    return len(old)
