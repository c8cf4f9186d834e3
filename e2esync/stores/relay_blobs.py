"""Blobs in the relay's store (SPEC 11.1, 11.5): parts, liveness, and what is swept away when.

A blob arrives in parts, from its beginning on; what has arrived stays when the connection breaks. It is checked
against its name when it is complete, and only a complete blob can be named by an append or opening.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from e2esync.limits import BLOB_UNNAMED_RETENTION
from e2esync.session import rules
from e2esync.session.commands import Change
from e2esync.session.kinds import Refusal
from e2esync.session.messages import BlobStored, PutBlob
from e2esync.session.rules import Declined
from e2esync.stores.relay_batch import Batch, Outcome
from e2esync.stores.relay_rows import Key, Rows

UNNAMED: Final = 0
LIVE: Final = 1
DEAD: Final = 2
SWEEP_ROWS: Final = 1000
PIECE_BYTES: Final = 1 << 20
"""Where a transaction of the sweep ends: everybody's appends wait for it."""


def put_blob(batch: Batch, change: Change, request: PutBlob) -> Outcome:
    """A part of a blob. A part that was there, or that leaves a gap, changes nothing: the answer says what is there."""
    known = batch.member(change.set_id, change.member)
    rules.check_may_upload(known.view, change.member)
    found = batch.rows.one(
        "SELECT size, received FROM blobs WHERE owner = ? AND blob = ?", (known.row, request.blob)
    )
    size, received = found or (None, 0)
    rules.check_part(request.size, size, request.offset, request.part)
    if request.offset != received:
        return Outcome(BlobStored(received))
    rules.check_quota(known.view, len(request.part), batch.policy.set_bytes + rules.OPENING_RESERVE)
    if found is None:
        batch.rows.run(
            "INSERT INTO blobs (owner, blob, size, received, state, since) VALUES (?, ?, ?, 0, ?, ?)",
            (known.row, request.blob, request.size, UNNAMED, batch.now),
        )
    received += len(request.part)
    batch.rows.run(
        "INSERT INTO parts (owner, blob, start, bytes) VALUES (?, ?, ?, ?)",
        (known.row, request.blob, request.offset, request.part),
    )
    batch.rows.run(
        "UPDATE blobs SET received = ? WHERE owner = ? AND blob = ?", (received, known.row, request.blob)
    )
    if received == request.size and not _whole(batch.rows, known.row, request.blob):
        # What is wrong about it cannot be known, so all of it goes; whoever has the right bytes begins again.
        _forget(batch.rows, known.row, request.blob)
        after = replace(known.view, held=known.view.held - request.offset)
        batch.update(known, after)
        return Outcome(Declined(Refusal.BAD_BLOB, "the bytes do not have the hash that names the blob").answer())
    batch.update(known, replace(known.view, held=known.view.held + len(request.part)))
    return Outcome(BlobStored(received))


def missing_blobs(rows: Rows, owner: Key, blobs: Iterable[bytes]) -> list[bytes]:
    """Which of the blobs are not complete."""
    return [
        blob for blob in blobs
        if rows.one("SELECT 1 FROM blobs WHERE owner = ? AND blob = ? AND received = size", (owner, blob)) is None
    ]


def mark_live(batch: Batch, owner: Key, blobs: Iterable[bytes], epoch: int, seq: int) -> None:
    """Named by an append (epoch, seq) or an opening (epoch, 0). A blob that is live already keeps its first namer."""
    batch.rows.many(
        "UPDATE blobs SET state = 1, since = ?, epoch = ?, seq = ? WHERE owner = ? AND blob = ? AND state != 1",
        [(batch.now, epoch, seq, owner, blob) for blob in blobs],
    )


def mark_dead(batch: Batch, owner: Key, blobs: Iterable[bytes]) -> None:
    """Named as dying by an opening; kept for the retention time (SPEC 11.5)."""
    batch.rows.many(
        "UPDATE blobs SET state = 2, since = ? WHERE owner = ? AND blob = ? AND state != 2",
        [(batch.now, owner, blob) for blob in blobs],
    )


def sweep_blobs(rows: Rows, owner: Key, now: int, dead_for: int) -> tuple[int, int]:
    """Deletes a piece of a set's blobs that are dead or unnamed for longer than the retention.

    Returns (how many, their bytes).
    """
    count = freed = 0
    for state, retention in ((DEAD, dead_for), (UNNAMED, BLOB_UNNAMED_RETENTION)):
        for blob, received in rows.all(
            "SELECT blob, received FROM blobs WHERE owner = ? AND state = ? AND since < ? LIMIT ?",
            (owner, state, now - retention, SWEEP_ROWS),
        ):
            if freed >= PIECE_BYTES:
                return count, freed
            _forget(rows, owner, blob)
            count, freed = count + 1, freed + received
    return count, freed


def forget_dead(rows: Rows, owner: Key) -> int:
    """Deletes all dead blobs of a set at once. Returns the bytes that went."""
    dead = rows.all("SELECT blob, received FROM blobs WHERE owner = ? AND state = ?", (owner, DEAD))
    for blob, _received in dead:
        _forget(rows, owner, blob)
    return sum(received for _blob, received in dead)


def owners_of_old_blobs(rows: Rows, now: int, dead_for: int) -> set[Key]:
    """The sets that have something for `sweep_blobs` to delete; of many, some."""
    return {
        owner
        for state, retention in ((DEAD, dead_for), (UNNAMED, BLOB_UNNAMED_RETENTION))
        for (owner,) in rows.all(
            "SELECT owner FROM blobs WHERE state = ? AND since < ? LIMIT ?", (state, now - retention, SWEEP_ROWS)
        )
    }


def _whole(rows: Rows, owner: Key, blob: bytes) -> bool:
    parts = rows.all("SELECT bytes FROM parts WHERE owner = ? AND blob = ? ORDER BY start", (owner, blob))
    try:
        rules.check_blob(blob, [part for (part,) in parts])
    except Declined:
        return False
    return True


def _forget(rows: Rows, owner: Key, blob: bytes) -> None:
    rows.run("DELETE FROM parts WHERE owner = ? AND blob = ?", (owner, blob))
    rows.run("DELETE FROM blobs WHERE owner = ? AND blob = ?", (owner, blob))
