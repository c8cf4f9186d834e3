"""Deleting sets in the relay's store (SPEC 13.14): the word, the end of everything else, and the tombstone.

A deleted set keeps its row, its records and the word: whoever was a member can then be told apart from a stranger, and
verify who had the right. In the transaction that deletes it, it is gone for everybody. Its rows go with it as far as
one piece goes; what is more, gigabytes perhaps, the sweep erases piece by piece, so that nobody waits for it.
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
from e2esync.stores.relay_blobs import PIECE_BYTES, SWEEP_ROWS
from e2esync.stores.relay_rows import Key, Row, Rows, SetRow

_AT_ONCE = ("slots", "openings", "seeding")
_PIECEMEAL = {
    "boxes": ("epoch, member", "length(box)"), "envelopes": ("epoch, seq", "length(envelope)"),
    "parts": ("blob, start", "length(bytes)"), "blobs": ("blob", "0"),
}
"""The tables that may be large: the rest of the primary key, and what a row weighs."""

CONTENT = (*_AT_ONCE, *_PIECEMEAL)
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
    """Everything of a set goes but its records, its kits' places and its row; what is many rows, by and by."""
    for table in _AT_ONCE:
        rows.run(f"DELETE FROM {table} WHERE owner = ?", (owner,))
    rows.run("UPDATE records SET closed = NULL, box_list = ? WHERE owner = ?", (b"", owner))
    rows.run("INSERT INTO erasing (owner) VALUES (?) ON CONFLICT DO NOTHING", (owner,))
    erase_piece(rows, owner)


def erase_piece(rows: Rows, owner: Key) -> int:
    """Erases one more piece of a deleted set; with the last one it is done. Returns how many rows went."""
    gone, room = 0, PIECE_BYTES
    for table, (order, size) in _PIECEMEAL.items():
        found = rows.all(
            f"SELECT {order}, {size} FROM {table} WHERE owner = ? ORDER BY {order} LIMIT ?", (owner, SWEEP_ROWS)
        )
        last: Row = ()
        for row in found:
            last = row[:-1]
            gone, room = gone + 1, room - row[-1]
            if room <= 0:
                break
        if last:
            marks = ", ".join("?" * len(last))
            rows.run(f"DELETE FROM {table} WHERE owner = ? AND ({order}) <= ({marks})", (owner, *last))
        if room <= 0 or len(found) == SWEEP_ROWS:
            return gone
    rows.run("DELETE FROM erasing WHERE owner = ?", (owner,))
    return gone


def is_erased(rows: Rows, owner: Key) -> bool:
    """Whether nothing of a deleted set is left to go."""
    return rows.one("SELECT 1 FROM erasing WHERE owner = ?", (owner,)) is None


def being_erased(rows: Rows) -> Key | None:
    """A deleted set of which something is left, if there is one."""
    found = rows.one("SELECT owner FROM erasing LIMIT 1")
    return None if found is None else found[0]


def sweep_deletion(rows: Rows, set_id: bytes, now: int) -> DeletionSaid | None:
    """Deletes a set whose day has come, or drops a tombstone that was kept for long enough.

    Within the transaction at hand. Returns what its sessions are to hear, if there is something.
    """
    found = rows.find_set(set_id)
    if found is None or not found.due or found.due > now:
        return None
    if found.gone:
        # What is left of it has to go under its own key: a new set may get the same.
        if is_erased(rows, found.key):
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
