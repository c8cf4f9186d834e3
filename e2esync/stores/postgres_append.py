"""Group commit in PostgreSQL: the appends of many sets in one statement, compare-and-set per set (SPEC 13.4).

The statement moves a set's row only if its version is the one that the appends were decided on, stores the envelopes of
the sets that it moved, and notifies the other processes of those; it is a transaction of its own. Sets are locked in
the order of their ids, so that two processes wait for one another and never both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg

from e2esync.session.commands import Written
from e2esync.session.rules import Declined
from e2esync.stores.postgres_notifier import CHANNEL, item
from e2esync.stores.postgres_rows import snapshot
from e2esync.stores.relay_batch import Batch, Known
from e2esync.stores.relay_decide import Decided
from e2esync.stores.relay_news import SharedViews
from e2esync.stores.relay_plan import Plan, plan_appends

_TRIES: Final = 3
_SETS_MAX: Final = 100
"""As many as one notification has room for."""

_STATEMENT: Final = f"""
WITH given AS (
    SELECT * FROM unnest(%b::bytea[], %b::int8[], %b::int8[], %b::bytea[], %b::int8[], %b::text[])
    AS t(owner, version, seq, log_hash, held, item)
), free AS (
    SELECT s.owner FROM sets s JOIN given g USING (owner) WHERE s.version = g.version ORDER BY s.owner FOR UPDATE OF s
), moved AS (
    UPDATE sets s SET version = s.version + 1, seq = g.seq, log_hash = g.log_hash, held = g.held
    FROM given g JOIN free USING (owner) WHERE s.owner = g.owner RETURNING s.owner, g.item
), stored AS (
    INSERT INTO envelopes (owner, epoch, seq, member, time, hash, log_hash, envelope)
    SELECT e.* FROM unnest(
        %b::bytea[], %b::int8[], %b::int8[], %b::int8[], %b::int8[], %b::bytea[], %b::bytea[], %b::bytea[]
    ) AS e(owner, epoch, seq, member, time, hash, log_hash, envelope) JOIN moved USING (owner)
)
SELECT array_agg(owner),
    CASE WHEN count(*) > 0 THEN pg_notify('{CHANNEL}', %b || ' ' || string_agg(item, ' ')) END
FROM moved
"""


def append_all(
    connection: psycopg.Connection[Any], batch: Batch, views: SharedViews, sender: str,
    groups: Mapping[bytes, Sequence[int]], commands: Sequence[Written], decided: dict[int, Decided],
) -> set[bytes]:
    """Decides the appends of these sets and makes them durable. Returns the sets that have to be decided one by one.

    Those are the sets that others keep changing, that are full, and where an envelope comes again.
    """
    waiting, left = list(groups), set()
    for attempt in range(_TRIES):
        again: list[bytes] = []
        for start in range(0, len(waiting), _SETS_MAX):
            plans = []
            for set_id in waiting[start : start + _SETS_MAX]:
                own = [commands[each] for each in groups[set_id]]
                plan = _plan(connection, batch, views, set_id, own, fresh=attempt > 0)
                if plan is None:
                    left.add(set_id)
                else:
                    plans.append(plan)
            moved = _store(connection, sender, plans)
            if moved is None:
                left |= {plan.known.view.set_id for plan in plans}
                continue
            for plan in plans:
                set_id = plan.known.view.set_id
                if plan.rows and set_id not in moved:
                    again.append(set_id)
                    continue
                decided.update(zip(groups[set_id], plan.decided, strict=True))
                if plan.rows:
                    batch.appended(plan.after.view)
                    views.put(Known(plan.after.row, plan.after.view, plan.known.version + 1))
        waiting = again
    return left | set(waiting)


def _plan(
    connection: psycopg.Connection[Any], batch: Batch, views: SharedViews, set_id: bytes, commands: Sequence[Any], *,
    fresh: bool,
) -> Plan | None:
    """None if these commands are better decided one by one."""
    known = None if fresh else views.peek(set_id)
    if known is None:
        try:
            with snapshot(connection):
                known = views.get(batch.rows, set_id)
        except Declined:
            return None
        fresh = True
    plan = None if known is None else plan_appends(batch, known, commands)
    if plan is not None and plan.declined and not fresh:
        # Known of old: only the row itself may say no.
        return _plan(connection, batch, views, set_id, commands, fresh=True)
    return plan


def _store(connection: psycopg.Connection[Any], sender: str, plans: Sequence[Plan]) -> set[bytes] | None:
    """The sets whose appends are durable now; None if some envelope was there already, and nothing was done."""
    plans = [plan for plan in plans if plan.rows]
    if not plans:
        return set()
    sets = [
        (plan.known.row, plan.known.version, view.seq, view.log_hash, view.held, name)
        for plan in plans
        for view in (plan.after.view,)
        for name in (item(view.set_id, view.epoch, view.seq),)
    ]
    envelopes = [row for plan in plans for row in plan.rows]
    columns = [*map(list, zip(*sets, strict=True)), *map(list, zip(*envelopes, strict=True)), sender]
    try:
        found = connection.execute(_STATEMENT, columns, prepare=True, binary=True).fetchone()
    except psycopg.errors.UniqueViolation:
        return None
    return set(found[0] or ()) if found else set()
