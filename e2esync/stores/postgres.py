"""The relay's store in PostgreSQL, for any number of relay processes over one database (SPEC 13.4 to 13.7).

What a process knows of a set may be old: it is checked by the set's version in the very statement that changes it, so
compare-and-set holds between processes too. Appends of a whole batch are one statement and one commit; where somebody
else was faster, what is known is brought up to date and the appends are decided again. Everything else is a
transaction of its own set, under that set's lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from e2esync.crypto import SigningKey
from e2esync.errors import ProfileBusy
from e2esync.limits import HASH
from e2esync.session import messages as m
from e2esync.session.commands import Admit, Consult, Written
from e2esync.session.policy import DEFAULT_POLICY, Policy
from e2esync.session.rules import Declined
from e2esync.stores.postgres_append import append_all
from e2esync.stores.postgres_hear import hear_mailbox, hear_sets
from e2esync.stores.postgres_notifier import CHANNEL, ListenNotifier, PollingNotifier, item, payloads
from e2esync.stores.postgres_rows import PostgresRows, parse_place, snapshot, translated
from e2esync.stores.postgres_schema import IN_USE, hang_up, identity, set_up
from e2esync.stores.relay_batch import Batch, BatchResult, Mailed, News, Outcome
from e2esync.stores.relay_blobs import PIECE_BYTES
from e2esync.stores.relay_decide import Decided, decide, outcome
from e2esync.stores.relay_deletion import sweep_deletion
from e2esync.stores.relay_engine import Notifier
from e2esync.stores.relay_invitations import sweep_invitations
from e2esync.stores.relay_news import SharedViews
from e2esync.stores.relay_plan import grouped, plain_groups
from e2esync.stores.relay_reads import answer
from e2esync.stores.relay_sweep import owners_of_old_things, sweep_erasing, sweep_mailboxes, sweep_set

_VIEWS_MAX: Final = 8192
_TRIES: Final = 5
_LOST_A_RACE: Final = (
    psycopg.errors.UniqueViolation, psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected,
)


class PostgresStore:
    """One relay process's door to the database. Close it, or use it in a `with` block."""

    def __init__(
        self, url: str, *, draw: Callable[[int], bytes] = os.urandom, policy: Policy = DEFAULT_POLICY,
    ) -> None:
        """Connects, and makes the tables if there are none. Raises Unreachable or ProfileDamaged.

        `draw` is where the relay's own key and incarnation come from, and the name under which it notifies.
        """
        self._place = parse_place(url)
        self._policy = policy
        self._sender = os.urandom(6).hex()
        self._reading: psycopg.Connection[Any] | None = None
        self._writing: psycopg.Connection[Any] | None = None
        self.commits = 0
        try:
            self._writing = self._connected()
            with translated():
                self._identity = set_up(self._writing, draw)
        except BaseException:
            self.close()
            raise
        self._views = SharedViews(self._identity, _VIEWS_MAX)

    @property
    def key(self) -> SigningKey:
        """The relay's signing key, which all processes on this database share."""
        return self._identity.key

    @property
    def incarnation(self) -> int:
        """The number of this store's life (SPEC 10.2)."""
        return self._identity.incarnation

    def execute(self, commands: Sequence[Written], now: int) -> BatchResult:
        """Decides the commands, each set's in order, and returns once all of it is durable."""
        self._views.now = now
        decided: dict[int, Decided] = {}
        heads: dict[tuple[bytes, int], Any] = {}
        with self._writer() as connection:
            batch = self._batch(PostgresRows(connection, locking=False), now)
            groups = grouped(commands)
            plain = {} if self._place.by_set else plain_groups(commands, groups)
            left = append_all(connection, batch, self._views, self._sender, plain, commands, decided)
            heads |= batch.heads()
            for key, indices in groups.items():
                if key in left or key not in plain:
                    heads |= self._one_set(connection, [commands[each] for each in indices], indices, decided, now)
            self.commits += 1
        return self._result([decided[number] for number in range(len(commands))], heads)

    def hear(self, keys: Iterable[bytes], now: int) -> BatchResult:
        """What other processes did to these sets and mailboxes."""
        self._views.now = now
        with self._writer() as connection, snapshot(connection):
            rows = PostgresRows(connection, locking=False)
            wanted = list(keys)
            hear_sets(rows, self._views, [key for key in wanted if len(key) == HASH], by_set=self._place.by_set)
            for key in wanted:
                if len(key) != HASH:
                    self._views.news += hear_mailbox(rows, key)
        return self._result([], {})

    def read(self, consult: Consult, now: int) -> m.Message:
        """The answer to a reading request, from the database that writes: a replica may be behind."""
        with self._reader() as connection, connection.transaction():
            try:
                return answer(PostgresRows(connection, locking=False), self._identity, consult, now)
            except Declined as declined:
                return declined.answer()

    def sweep(self, now: int) -> int:
        """Drops a piece of what is past its retention, set by set; several processes may do so at once."""
        gone = freed = 0
        with self._writer() as connection:
            rows = PostgresRows(connection, locking=True)
            for owner in owners_of_old_things(rows, now, self._policy.retention):
                with connection.transaction():
                    rows.find_set(owner)
                    count, size = sweep_set(rows, owner, now, self._policy.retention)
                gone, freed = gone + count, freed + size
                if freed >= PIECE_BYTES:
                    return gone
            for set_id in rows.due_sets(now):
                with connection.transaction():
                    said = sweep_deletion(rows, set_id, now)
                    for payload in payloads(self._sender, [item(set_id)]):
                        connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
                self._views.forget(set_id)
                self._views.news += [News(said)] if said is not None else []
                gone += 1
            with connection.transaction():
                gone += sweep_erasing(rows)
            with connection.transaction():
                gone += sweep_mailboxes(rows, now) + sweep_invitations(rows, now)
        return gone

    def probe(self, now: int) -> None:
        """Makes one row durable, to see that it can."""
        with self._writer() as connection:
            connection.execute(
                "INSERT INTO meta (name, value) VALUES ('probe', %s) "
                "ON CONFLICT (name) DO UPDATE SET value = excluded.value", (now.to_bytes(8, "big"),),
            )

    def checkpoint(self) -> None:
        """PostgreSQL does that by itself."""

    def notifier(self) -> Notifier:
        """Who tells what other processes do. Raises Unreachable."""
        if self._place.polls:
            return PollingNotifier()
        with translated():
            return ListenNotifier(self._place, self._sender)

    def close(self) -> None:
        """Hangs up; idempotent."""
        for connection in (self._reading, self._writing):
            if connection is not None:
                hang_up(connection)
        self._reading = self._writing = None

    def __enter__(self) -> PostgresStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connected(self) -> psycopg.Connection[Any]:
        """A connection that shares the lock of those who use the database."""
        connection = self._place.connect()
        with translated():
            if connection.execute("SELECT pg_try_advisory_lock_shared(%s)", (IN_USE,)).fetchone() != (True,):
                connection.close()
                raise ProfileBusy("the relay is being moved to or from this database", "wait until it is done")
        return connection

    def _batch(self, rows: PostgresRows, now: int) -> Batch:
        return Batch(rows, self._views, self._identity, now, self._policy, self._sender)

    def _one_set(
        self, connection: psycopg.Connection[Any], commands: Sequence[Written], indices: Sequence[int],
        decided: dict[int, Decided], now: int,
    ) -> dict[tuple[bytes, int], Any]:
        """One set's commands, in order, in a transaction of its own. Returns the heads of what they appended."""
        only_admits = all(isinstance(command, Admit) for command in commands)
        for attempt in range(_TRIES):
            batch = self._batch(PostgresRows(connection, locking=not only_admits), now)
            try:
                with snapshot(connection) if only_admits else connection.transaction():
                    outcomes = [decide(batch, command) for command in commands]
                    batch.flush()
                    self._notify(connection, batch, outcomes)
            except _LOST_A_RACE:
                if attempt == _TRIES - 1:
                    raise
                continue
            batch.commit()
            decided.update(zip(indices, outcomes, strict=True))
            return batch.heads()
        raise AssertionError("unreachable")

    def _notify(self, connection: psycopg.Connection[Any], batch: Batch, outcomes: Sequence[Decided]) -> None:
        changed = [
            item(known.view.set_id, known.view.epoch, known.view.seq) for known in batch.dirty.values()
        ] + [
            item(each.effect.mailbox) for each in outcomes
            if isinstance(each, Outcome) and isinstance(each.effect, Mailed)
        ]
        for payload in payloads(self._sender, changed):
            connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))

    def _result(self, decided: Sequence[Decided], heads: dict[tuple[bytes, int], Any]) -> BatchResult:
        news, positions = self._views.take()
        for key, view in positions.items():
            if key not in heads:
                heads[key] = self._identity.head(
                    view.set_id, view.epoch, view.seq, view.log_hash, view.record_hash, self._views.now
                )
        return BatchResult([outcome(each, heads) for each in decided], heads, news)

    @contextmanager
    def _writer(self) -> Iterator[psycopg.Connection[Any]]:
        """The connection that writes; a new one after a break. What was known may then be of a commit that was not."""
        try:
            if self._writing is None or self._writing.closed:
                self._writing = self._connected()
                with translated():
                    identity(self._writing)
            with translated():
                yield self._writing
        except BaseException:
            self._views.clear()
            raise

    @contextmanager
    def _reader(self) -> Iterator[psycopg.Connection[Any]]:
        if self._reading is None or self._reading.closed:
            self._reading = self._place.connect()
            self._reading.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            self._reading.read_only = True
        with translated():
            yield self._reading
