"""What the relay's store drops because its time is over (SPEC 11.5, 13.7): blobs, closed logs, mailboxes."""

from __future__ import annotations

from e2esync.stores.relay_blobs import owners_of_old_blobs, sweep_blobs
from e2esync.stores.relay_invitations import sweep_invitations
from e2esync.stores.relay_log import owners_of_old_logs, sweep_logs
from e2esync.stores.relay_rows import Key, Rows
from e2esync.stores.relay_slots import expire_mailbox, old_mailboxes


def sweep(rows: Rows, now: int, retention: int) -> int:
    """Drops what is past its retention, all in the transaction at hand. Returns how many things went."""
    swept = sum(sweep_set(rows, owner, now, retention) for owner in owners_of_old_things(rows, now, retention))
    return swept + sweep_mailboxes(rows, now) + sweep_invitations(rows, now)


def owners_of_old_things(rows: Rows, now: int, retention: int) -> set[Key]:
    """The sets that have something to drop; of many, some."""
    return owners_of_old_blobs(rows, now, retention) | owners_of_old_logs(rows, now, retention)


def sweep_set(rows: Rows, owner: Key, now: int, retention: int) -> int:
    """Drops what is past its retention in one set, and gives its bytes back to the quota."""
    blobs, blob_bytes = sweep_blobs(rows, owner, now, retention)
    envelopes, envelope_bytes = sweep_logs(rows, owner, now, retention)
    if blob_bytes or envelope_bytes:
        rows.run(
            "UPDATE sets SET held = held - ?, version = version + 1 WHERE owner = ?",
            (blob_bytes + envelope_bytes, owner),
        )
    return blobs + envelopes


def sweep_mailboxes(rows: Rows, now: int) -> int:
    """Deletes mailboxes past their five minutes. Returns how many."""
    old = old_mailboxes(rows, now)
    for mailbox in old:
        expire_mailbox(rows, mailbox)
    return len(old)
