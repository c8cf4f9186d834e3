"""What other relay processes did to the sets that this one knows (SPEC 13.3, pushes).

A set's version rises with every change to it. Whoever finds another version than the one that it knows has missed
something: it extends what it knows, verifying records as always, and tells what came between in the set's order. What
is too much to tell becomes one `Moved`: devices that are behind then read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from e2esync.epoch.record import parse_record
from e2esync.errors import E2esyncError
from e2esync.limits import READ_BATCH
from e2esync.log.head import ShortHead
from e2esync.session.holds import unpack
from e2esync.session.rules import SetView
from e2esync.stores.relay_batch import (
    DeletionSaid,
    EpochOpened,
    Identity,
    Known,
    Logged,
    Moved,
    News,
    SlotChanged,
    Views,
    load,
    with_leaving,
)
from e2esync.stores.relay_log import ended_by
from e2esync.stores.relay_rows import Row, Rows, SetRow

NOBODY: Final = -1
"""The session, and for an opening the member, of what another process was asked to do."""
TOLD_MAX: Final = 256
"""More envelopes than these are read, not pushed."""


class SharedViews(Views):
    """The sets seen last, in a store that others change too: what is known is compared with the row at every look.

    `news` and `positions` gather what others did, until the batch at hand takes them along.
    """

    def __init__(self, identity: Identity, size: int) -> None:
        super().__init__(size)
        self._identity = identity
        self.now = 0
        self.news: list[News] = []
        self.positions: dict[tuple[bytes, int], SetView] = {}

    def peek(self, set_id: bytes) -> Known | None:
        """The set as last known, however long ago that was."""
        return self._known.get(set_id)

    def get(self, rows: Rows, set_id: bytes) -> Known | None:
        """The set as it is now; None if there is none."""
        row = rows.find_set(set_id)
        return None if row is None else self.compare(rows, set_id, row)

    def compare(self, rows: Rows, set_id: bytes, row: SetRow) -> Known:
        """The set as its row says that it is; what was missed is told. Declined with Busy if it is damaged."""
        known = self._known.get(set_id)
        if known is None:
            known = load(rows, set_id, row)
            self._moved(known.view)
        elif known.version != row.version:
            try:
                known = self._follow(rows, known, row)
            except E2esyncError:
                # What was known does not lead to what is there: verified anew, it may be whole all the same.
                known = load(rows, set_id, row)
                self._moved(known.view)
            known = self.worded(known, row)
        self.put(known)
        self._known.move_to_end(set_id)
        return known

    def take(self) -> tuple[list[News], dict[tuple[bytes, int], SetView]]:
        """What has gathered; the next batch begins anew."""
        taken = self.news, self.positions
        self.news, self.positions = [], {}
        return taken

    def appended(self, known: Known, row: SetRow, fresh: list[Row]) -> Known:
        """The set after others' envelopes, `fresh` as (seq, member, log hash, envelope), and nothing else."""
        view = known.view
        if len(fresh) > TOLD_MAX or sum(len(each[3]) for each in fresh) > READ_BATCH:
            after = replace(view, seq=row.seq, log_hash=row.log_hash, held=row.held, holds=unpack(row.holds))
            self._moved(after)
        else:
            after = replace(self._log(view, fresh), held=row.held, holds=unpack(row.holds))
        return Known(known.row, after, row.version)

    def worded(self, known: Known, row: SetRow) -> Known:
        """The set with the newest word on deleting it, and without all else once it was deleted."""
        view = known.view
        if (view.deletion, view.gone) == (row.deletion, bool(row.gone)):
            return replace(known, view=replace(view, due=row.due))
        self.news.append(News(DeletionSaid(view.set_id, row.deletion, bool(row.gone))))
        after = replace(view, deletion=row.deletion, due=row.due)
        if row.gone:
            after = replace(after, seq=row.seq, log_hash=row.log_hash, held=row.held, leaving=frozenset(),
                            waits_for=None, holds=unpack(row.holds), gone=True)
        return replace(known, view=after)

    def _follow(self, rows: Rows, known: Known, row: SetRow) -> Known:
        view = known.view
        if row.epoch > view.epoch + 1 or row.epoch < view.epoch:
            known = load(rows, view.set_id, row)
            self._moved(known.view)
            return known
        if row.epoch == view.epoch:
            known = self.appended(known, row, _log_after(rows, known, view.epoch, view.seq))
        else:
            self._log(view, _log_after(rows, known, view.epoch, view.seq))
            known = self._opened(rows, known, row)
        return self._slots(rows, known, since=self._known[view.set_id].version)

    def _log(self, view: SetView, fresh: list[Row]) -> SetView:
        self.news += [News(Logged(view.set_id, view.epoch, seq, envelope, member, NOBODY))
                      for seq, member, _log_hash, envelope in fresh]
        if fresh:
            view = replace(view, seq=fresh[-1][0], log_hash=fresh[-1][2])
            self.positions[view.set_id, view.epoch] = view
        return view

    def _opened(self, rows: Rows, known: Known, row: SetRow) -> Known:
        view = known.view
        found = rows.one("SELECT record FROM records WHERE owner = ? AND epoch = ?", (known.row, row.epoch))
        chain = view.chain.extend(parse_record(found[0] if found else b""))
        record = chain.head
        after = replace(view, chain=chain, epoch=record.epoch, record_hash=record.hash, seq=0, log_hash=record.hash,
                        held=row.held, leaving=frozenset(), waits_for=None)
        effect = EpochOpened(view.set_id, record.epoch, record.raw, NOBODY, NOBODY, ended_by(view.chain, chain))
        self.news.append(News(effect, self._head(after)))
        return self.appended(Known(known.row, after), row, _log_after(rows, known, row.epoch, 0))

    def _slots(self, rows: Rows, known: Known, since: int) -> Known:
        return self.slots(rows, known, since, rows.all(
            "SELECT member, announcement, heartbeat, time, announced FROM slots WHERE owner = ? AND version > ?",
            (known.row, since),
        ))

    def slots(self, rows: Rows, known: Known, since: int, fresh: list[Row]) -> Known:
        """The set after others' slots, `fresh` as (member, announcement, heartbeat, time, announced)."""
        set_id = known.view.set_id
        for member, announcement, heartbeat, time, announced in fresh:
            self.news.append(News(
                SlotChanged(set_id, member, announcement, heartbeat, time, NOBODY, urgent=announced > since)
            ))
        # An opening removes members, and with them what they asked for.
        return replace(known, view=with_leaving(rows, known.row, known.view))

    def _moved(self, view: SetView) -> None:
        if view.gone:
            self.news.append(News(DeletionSaid(view.set_id, view.deletion, gone=True)))
            return
        self.news.append(News(Moved(view.set_id, view.epoch, view.seq), self._head(view)))

    def _head(self, view: SetView) -> ShortHead:
        return self._identity.head(view.set_id, view.epoch, view.seq, view.log_hash, view.record_hash, self.now)


def _log_after(rows: Rows, known: Known, epoch: int, seq: int) -> list[Row]:
    return rows.all(
        "SELECT seq, member, log_hash, envelope FROM envelopes WHERE owner = ? AND epoch = ? AND seq > ? "
        "ORDER BY seq LIMIT ?",
        (known.row, epoch, seq, TOLD_MAX + 1),
    )
