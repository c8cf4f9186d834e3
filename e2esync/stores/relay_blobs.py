"""Blobs in the relay's store (SPEC 11.1, 11.5): parts, liveness, and what is swept away when.

A blob arrives in parts, from its beginning on; what has arrived stays when the connection breaks. It is checked
against its name when it is complete, and only a complete blob can be named by an append or opening.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import apsw

from e2esync.limits import BLOB_DEAD_RETENTION, BLOB_UNNAMED_RETENTION
from e2esync.session import rules
from e2esync.session.commands import Change
from e2esync.session.kinds import Refusal
from e2esync.session.messages import BlobStored, PutBlob
from e2esync.session.rules import Declined
from e2esync.stores.relay_batch import Batch, Outcome

UNNAMED: Final = 0
LIVE: Final = 1
DEAD: Final = 2
_SWEEP_ROWS: Final = 1000


def put_blob(batch: Batch, change: Change, request: PutBlob) -> Outcome:
    """A part of a blob. A part that was there, or that leaves a gap, changes nothing: the answer says what is there."""
    known = batch.member(change.set_id, change.member)
    rules.check_may_upload(known.view, change.member)
    found = batch.connection.execute(
        "SELECT id, size, received FROM blobs WHERE owner = ? AND blob = ?", (known.row, request.blob)
    ).fetchone()
    row, size, received = found or (None, None, 0)
    rules.check_part(request.size, size, request.offset, request.part)
    if request.offset != received:
        return Outcome(BlobStored(received))
    rules.check_quota(known.view, len(request.part), batch.quota + rules.OPENING_RESERVE)
    if row is None:
        batch.connection.execute(
            "INSERT INTO blobs (owner, blob, size, received, state, since) VALUES (?, ?, ?, 0, ?, ?)",
            (known.row, request.blob, request.size, UNNAMED, batch.now),
        )
        row = batch.connection.last_insert_rowid()
    received += len(request.part)
    batch.connection.execute("INSERT INTO parts VALUES (?, ?, ?)", (row, request.offset, request.part))
    batch.connection.execute("UPDATE blobs SET received = ? WHERE id = ?", (received, row))
    if received == request.size and not _whole(batch.connection, row, request.blob):
        # What is wrong about it cannot be known, so all of it goes; whoever has the right bytes begins again.
        _forget(batch.connection, row)
        after = replace(known.view, held=known.view.held - request.offset)
        batch.update(known, after)
        return Outcome(Declined(Refusal.BAD_BLOB, "the bytes do not have the hash that names the blob").answer())
    batch.update(known, replace(known.view, held=known.view.held + len(request.part)))
    return Outcome(BlobStored(received))


def missing_blobs(connection: apsw.Connection, owner: int, blobs: Iterable[bytes]) -> list[bytes]:
    """Which of the blobs are not complete."""
    return [
        blob for blob in blobs
        if connection.execute(
            "SELECT 1 FROM blobs WHERE owner = ? AND blob = ? AND received = size", (owner, blob)
        ).get is None
    ]


def mark_live(batch: Batch, owner: int, blobs: Iterable[bytes], epoch: int, seq: int) -> None:
    """Named by an append (epoch, seq) or an opening (epoch, 0). A blob that is live already keeps its first namer."""
    batch.connection.executemany(
        "UPDATE blobs SET state = 1, since = ?, epoch = ?, seq = ? WHERE owner = ? AND blob = ? AND state != 1",
        [(batch.now, epoch, seq, owner, blob) for blob in blobs],
    )


def mark_dead(batch: Batch, owner: int, blobs: Iterable[bytes]) -> None:
    """Named as dying by an opening; kept for the retention time (SPEC 11.5)."""
    batch.connection.executemany(
        "UPDATE blobs SET state = 2, since = ? WHERE owner = ? AND blob = ? AND state != 2",
        [(batch.now, owner, blob) for blob in blobs],
    )


def sweep_blobs(batch: Batch) -> int:
    """Deletes blobs that are dead or unnamed for longer than the retention; at most 1,000. Returns how many."""
    connection = batch.connection
    gone = 0
    for state, retention in ((DEAD, BLOB_DEAD_RETENTION), (UNNAMED, BLOB_UNNAMED_RETENTION)):
        rows: list[tuple[Any, ...]] = connection.execute(
            "SELECT id, owner, received FROM blobs WHERE state = ? AND since < ? LIMIT ?",
            (state, batch.now - retention, _SWEEP_ROWS),
        ).fetchall()
        for row, owner, received in rows:
            _forget(connection, row)
            connection.execute("UPDATE sets SET held = held - ? WHERE id = ?", (received, owner))
        gone += len(rows)
    return gone


def _whole(connection: apsw.Connection, row: int, blob: bytes) -> bool:
    parts = connection.execute("SELECT bytes FROM parts WHERE blob = ? ORDER BY start", (row,))
    try:
        rules.check_blob(blob, [part for (part,) in parts])
    except Declined:
        return False
    return True


def _forget(connection: apsw.Connection, row: int) -> None:
    connection.execute("DELETE FROM parts WHERE blob = ?", (row,))
    connection.execute("DELETE FROM blobs WHERE id = ?", (row,))
