"""Deleting sets in the relay's store (SPEC 13.14): the word, the end of everything else, and the tombstone.

A deleted set keeps its row, its records and the word: whoever was a member can then be told apart from a stranger, and
verify who had the right. Its logs, boxes, blobs, slots and rates go in the transaction that deletes it.
"""

from __future__ import annotations

from dataclasses import replace

from e2esync.epoch.chain import replay_chain
from e2esync.limits import TOMBSTONE_RETENTION
from e2esync.session import deleting
from e2esync.session.commands import Change
from e2esync.session.holds import NONE
from e2esync.session.messages import Delete, Deleted
from e2esync.session.rules import SetView
from e2esync.stores.relay_batch import Batch, DeletionSaid, Outcome
from e2esync.stores.relay_rows import Key, Rows, SetRow

CONTENT = ("envelopes", "boxes", "parts", "blobs", "slots", "openings", "seeding")
"""The tables whose rows of a set go with it."""


def take_word(batch: Batch, change: Change, request: Delete) -> Outcome:
    """DELETE: the word is the set's newest one from now on; the root's word to delete is carried out at once."""
    known = batch.member(change.set_id, change.member)
    view = known.view
    word = deleting.read_word(request.deletion)
    if request.deletion == view.deletion:
        # The answer was lost, the word was not.
        return Outcome(Deleted(view.due))
    deleting.check_word(view, change.member, word, batch.identity.key.verify_key, batch.now)
    due = deleting.due_of(view, word, batch.now)
    after = replace(view, deletion=word.raw, due=due)
    if due and due <= batch.now:
        erase(batch.rows, known.row)
        after, due = as_tombstone(after, batch.now), 0
    batch.update(known, after)
    return Outcome(Deleted(due), DeletionSaid(view.set_id, word.raw, after.gone, change.session))


def as_tombstone(view: SetView, now: int) -> SetView:
    """What a relay knows of a set that has just been deleted."""
    return replace(view, seq=0, log_hash=view.record_hash, held=0, leaving=frozenset(), waits_for=None,
                   holds=NONE, gone=True, due=now + TOMBSTONE_RETENTION)


def erase(rows: Rows, owner: Key) -> None:
    """Everything of a set goes but its records, its kits' places and its row."""
    for table in CONTENT:
        rows.run(f"DELETE FROM {table} WHERE owner = ?", (owner,))
    rows.run("UPDATE records SET closed = NULL, box_list = ? WHERE owner = ?", (b"", owner))


def sweep_deletion(rows: Rows, set_id: bytes, now: int) -> DeletionSaid | None:
    """Deletes a set whose day has come, or drops a tombstone that was kept for long enough.

    Within the transaction at hand. Returns what its sessions are to hear, if there is something.
    """
    found = rows.find_set(set_id)
    if found is None or not found.due or found.due > now:
        return None
    if found.gone:
        _drop(rows, set_id, found)
        return None
    erase(rows, found.key)
    rows.run(
        "UPDATE sets SET seq = 0, log_hash = record_hash, held = 0, holds = ?, gone = 1, due = ?, "
        "version = version + 1 WHERE owner = ?", (b"", now + TOMBSTONE_RETENTION, found.key),
    )
    return DeletionSaid(set_id, found.deletion, True)


def _drop(rows: Rows, set_id: bytes, found: SetRow) -> None:
    """The last that is known of a set."""
    records = [raw for (raw,) in rows.all("SELECT record FROM records WHERE owner = ? ORDER BY epoch", (found.key,))]
    members = replay_chain(set_id, records).members.values()
    rows.many("DELETE FROM kits WHERE verify_key = ? AND set_id = ?",
              [(member.verify_key, set_id) for member in members if not member.is_device])
    for table in ("records", "sets"):
        rows.run(f"DELETE FROM {table} WHERE owner = ?", (found.key,))
