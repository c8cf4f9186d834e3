"""Hearing what other relay processes did: all sets of a notification in three statements, or set by set."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from e2esync.session.rules import Declined
from e2esync.stores.postgres_rows import PostgresRows
from e2esync.stores.relay_batch import Known, Mailed, News
from e2esync.stores.relay_news import TOLD_MAX, SharedViews
from e2esync.stores.relay_rows import COLUMNS, SetRow
from e2esync.stores.relay_slots import mail


def hear_mailbox(rows: PostgresRows, mailbox: bytes) -> list[News]:
    """Everything that was said in a mailbox; who has heard some of it is told the rest."""
    return [News(Mailed(mailbox, n % 2, n, message)) for n, message in mail(rows, mailbox)]


def hear_sets(rows: PostgresRows, views: SharedViews, set_ids: Sequence[bytes], *, by_set: bool) -> None:
    """Brings what is known of these sets up to date; the news gather in `views`."""
    if by_set:
        for set_id in set_ids:
            _hear_one(rows, views, set_id, rows.find_set(set_id))
        return
    appended: list[tuple[Known, SetRow]] = []
    for row in _rows_of(rows, set_ids):
        known = views.peek(row.key)
        if known is None or known.view.epoch != row.epoch:
            _hear_one(rows, views, row.key, row)
        elif known.version != row.version:
            appended.append((known, row))
    if appended:
        _hear_appended(rows, views, appended)


def _hear_one(rows: PostgresRows, views: SharedViews, set_id: bytes, row: SetRow | None) -> None:
    if row is None:
        return
    try:
        views.compare(rows, set_id, row)
    except Declined:
        # Damaged here: whoever asks for it is told so.
        return


def _rows_of(rows: PostgresRows, set_ids: Sequence[bytes]) -> list[SetRow]:
    found = rows.all(
        f"SELECT {COLUMNS} FROM sets WHERE owner = ANY(?)",
        (list(set_ids),),
    )
    return [SetRow(*row) for row in found]


def _hear_appended(rows: PostgresRows, views: SharedViews, changed: Sequence[tuple[Known, SetRow]]) -> None:
    keys = [row.key for _, row in changed]
    versions = [known.version for known, _ in changed]
    envelopes = _by_owner(rows.all(
        "SELECT e.owner, e.seq, e.member, e.log_hash, e.envelope FROM unnest(?::bytea[], ?::int8[], ?::int8[]) "
        "AS k(owner, epoch, seq) CROSS JOIN LATERAL (SELECT * FROM envelopes x WHERE x.owner = k.owner "
        "AND x.epoch = k.epoch AND x.seq > k.seq ORDER BY x.seq LIMIT ?) AS e ORDER BY e.owner, e.seq",
        (keys, [known.view.epoch for known, _ in changed], [known.view.seq for known, _ in changed], TOLD_MAX + 1),
    ))
    slots = _by_owner(rows.all(
        "SELECT s.owner, s.member, s.announcement, s.heartbeat, s.time, s.announced FROM "
        "unnest(?::bytea[], ?::int8[]) AS k(owner, version) "
        "JOIN slots s ON s.owner = k.owner AND s.version > k.version ORDER BY s.owner",
        (keys, versions),
    ))
    for known, row in changed:
        after = views.appended(known, row, envelopes.get(row.key, []))
        if row.key in slots:
            after = views.slots(rows, after, known.version, slots[row.key])
        views.put(views.worded(after, row))


def _by_owner(found: list[tuple[object, ...]]) -> dict[object, list[tuple[object, ...]]]:
    return {owner: [row[1:] for row in group] for owner, group in groupby(found, key=itemgetter(0))}
