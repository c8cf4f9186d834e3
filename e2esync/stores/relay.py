"""The relay's embedded store: SQLite, one writer, group commit (SPEC 13.4 to 13.7, 4.1).

`execute` decides a whole batch of commands in one transaction with one fsync: what waits is committed together, and
nothing is answered before it is durable. A command that is declined is rolled back alone. `read` answers from a
connection of its own. Both are synchronous, each is for one thread at a time, and the two may run at once.

If the disk fails, the whole batch is undone and DiskFull is raised: every command of it may simply be sent again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import apsw

from e2esync.crypto import SigningKey
from e2esync.errors import ProfileBusy, ProfileDamaged
from e2esync.session import messages as m
from e2esync.session.commands import Consult, Written
from e2esync.session.policy import DEFAULT_POLICY, Policy
from e2esync.session.rules import Declined
from e2esync.stores.relay_batch import Batch, BatchResult, Identity, News, Views
from e2esync.stores.relay_decide import Decided, decide, outcome
from e2esync.stores.relay_deletion import being_erased, sweep_deletion
from e2esync.stores.relay_plan import Plan, grouped, plain_groups, plan_appends
from e2esync.stores.relay_rows import Row, SqliteRows
from e2esync.stores.relay_schema import (
    FileLock,
    check_not_moved,
    open_checkpointer,
    open_reader,
    open_writer,
    storage_error,
)
from e2esync.stores.relay_sweep import sweep

_WAL_PAGES_MAX: Final = 16_384
"""Beyond 64 MiB of log the writer stops for a checkpoint: the background one is not keeping up."""


class RelayStore:
    """One relay's data. Close it, or use it in a `with` block."""

    def __init__(
        self, path: str | Path, *, draw: Callable[[int], bytes] = os.urandom, policy: Policy = DEFAULT_POLICY,
        restored: bool = False,
    ) -> None:
        """Opens the file, and makes it if there is none. Raises ProfileDamaged, ProfileBusy or DiskFull.

        `draw` is where the relay's own key and incarnation come from; a `restored` file begins a new incarnation.
        """
        self.path = Path(path)
        self._lock = FileLock(self.path)
        self._policy = policy
        self._views = Views()
        self._wal_pages = 0
        self._news: list[News] = []
        self._connections: list[apsw.Connection] = []
        self.commits = 0
        try:
            self._writer = self._opened(open_writer(self.path))
            self._reader = self._opened(open_reader(self.path))
            self._checkpointer = self._opened(open_checkpointer(self.path))
            self._identity = self._load_identity(draw, restored=restored)
        except BaseException as error:
            self.close()
            if isinstance(error, apsw.Error):
                raise storage_error(error, self.path) from error
            raise
        self._writer.set_wal_hook(self._wal_grew)

    @property
    def key(self) -> SigningKey:
        """The relay's signing key: it signs heads and proves who answers."""
        return self._identity.key

    @property
    def incarnation(self) -> int:
        """The number of this store's life (SPEC 10.2)."""
        return self._identity.incarnation

    def execute(self, commands: Sequence[Written], now: int) -> BatchResult:
        """Decides the commands in order, in one transaction, and returns once it is durable.

        Raises DiskFull or ProfileDamaged if the file cannot be written; then none of them has happened.
        """
        batch = Batch(self._rows, self._views, self._identity, now, self._policy)
        with self._transaction():
            self._check_same_file()
            decided = self._decide(batch, commands)
            batch.flush()
        batch.commit()
        self.commits += 1
        heads = batch.heads()
        if any(known.view.gone for known in batch.dirty.values()) and being_erased(self._rows) is None:
            self._empty_log()
        self._checkpoint_if_large()
        return BatchResult([outcome(each, heads) for each in decided], heads)

    def _decide(self, batch: Batch, commands: Sequence[Written]) -> list[Decided]:
        """Each set's commands in order; of the sets that are only appended to, all rows at once."""
        decided: dict[int, Decided] = {}
        groups = grouped(commands)
        plans: dict[bytes, Plan] = {}
        for key, indices in plain_groups(commands, groups).items():
            # A set that is not there, or is damaged, is no matter of many rows.
            with suppress(Declined):
                known = batch.find(key)
                plan = None if known is None else plan_appends(batch, known, [commands[each] for each in indices])
                if plan is not None:
                    plans[key] = plan
        if self._stored([row for plan in plans.values() for row in plan.rows]):
            for key, plan in plans.items():
                decided.update(zip(groups.pop(key), plan.decided, strict=True))
                if plan.rows:
                    batch.update(plan.known, plan.after.view)
                    batch.appended(plan.after.view)
        for indices in groups.values():
            for each in indices:
                decided[each] = decide(batch, commands[each])
        return [decided[each] for each in range(len(commands))]

    def _stored(self, envelopes: list[Row]) -> bool:
        """Whether these rows are stored; if some envelope was there already, nothing is."""
        try:
            if envelopes:
                with self._rows.savepoint():
                    self._rows.many(
                        "INSERT INTO envelopes (owner, epoch, seq, member, time, hash, log_hash, envelope) "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)", envelopes,
                    )
        except apsw.ConstraintError:
            return False
        return True

    def hear(self, keys: Iterable[bytes], now: int) -> BatchResult:
        """What sweeps did. Nobody else writes to this file, but for a backup that is put in its place."""
        del keys, now
        self._check_same_file()
        news, self._news = self._news, []
        return BatchResult([], {}, news)

    def read(self, consult: Consult, now: int) -> m.Message:
        """The answer to a reading request; a RefusalAnswer where there is none to give."""
        from e2esync.stores.relay_reads import answer

        try:
            with self._reader:
                self._check_incarnation(self._reader)
                message = answer(SqliteRows(self._reader), self._identity, consult, now)
        except Declined as declined:
            return declined.answer()
        except apsw.Error as error:
            raise storage_error(error, self.path) from error
        return message

    def sweep(self, now: int) -> int:
        """Drops a piece of what is past its retention (SPEC 11.5, 13.7, 13.14), in one transaction.

        Returns how many things went.
        """
        with self._transaction():
            self._check_same_file()
            erasing = being_erased(self._rows) is not None
            due = self._rows.due_sets(now)
            said = [sweep_deletion(self._rows, set_id, now) for set_id in due]
            gone = sweep(self._rows, now, self._policy.retention)
            erased = (erasing or due) and being_erased(self._rows) is None
        if gone or due:
            self._views.clear()
            self.commits += 1
        if erased:
            self._empty_log()
        self._news += [News(each) for each in said if each is not None]
        return gone + len(due)

    def probe(self, now: int) -> None:
        """Makes one row durable, to see that it can."""
        with self._transaction():
            self._writer.execute("INSERT OR REPLACE INTO meta VALUES ('probe', ?)", (now,))

    def checkpoint(self) -> None:
        """Moves what is durable in the log to the file; may run beside everything else, in a thread of its own."""
        try:
            self._checkpointer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.BusyError:
            return
        except apsw.Error as error:
            raise storage_error(error, self.path) from error

    def notifier(self) -> None:
        """Nobody else may use this file."""

    def close(self) -> None:
        """Closes the file; idempotent."""
        while self._connections:
            # The writer is the last one: closing it moves the log into the file. If the disk fails at that, nothing is
            # lost: the log stays where it is, and the file has to be free for the next relay.
            with suppress(apsw.Error):
                self._connections.pop().close()
        self._lock.release()

    def __enter__(self) -> RelayStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self, connection: apsw.Connection) -> apsw.Connection:
        self._connections.append(connection)
        return connection

    @property
    def _rows(self) -> SqliteRows:
        return SqliteRows(self._writer)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, and durable when it ends. Raises what the disk's error means to people."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            yield
            self._writer.execute("COMMIT")
        except BaseException as error:
            self._undo()
            if isinstance(error, apsw.Error):
                raise storage_error(error, self.path) from error
            raise

    def _check_same_file(self) -> None:
        """If a backup was restored under this relay, takes note of it and raises ProfileBusy: devices come again."""
        try:
            self._check_incarnation(self._writer)
        except ProfileBusy:
            self._views.clear()
            self._identity = self._load_identity(os.urandom, restored=False)
            raise

    def _check_incarnation(self, connection: apsw.Connection) -> None:
        (incarnation,) = connection.execute("SELECT value FROM meta WHERE name = 'incarnation'").fetchone() or (None,)
        if incarnation != self._identity.incarnation:
            raise ProfileBusy("the relay was restored from a backup while it ran", "devices bring what it lacks")

    def _undo(self) -> None:
        self._views.clear()
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def _wal_grew(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint_if_large(self) -> None:
        if self._wal_pages > _WAL_PAGES_MAX:
            self._wal_pages = 0
            try:
                self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
            except apsw.Error:
                # A reader is in the way, or the disk is full: the log only grows on, and the next batch tries again.
                return

    def _empty_log(self) -> None:
        """After a set was deleted: deleted rows are overwritten in the file (SQLite's secure_delete), and its log
        holds what they were until it is begun anew."""
        try:
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.Error:
            # A reader is in the way, or the disk is full: a later checkpoint does it.
            return

    def _load_identity(self, draw: Callable[[int], bytes], *, restored: bool) -> Identity:
        with self._writer:
            stored = dict(self._writer.execute("SELECT name, value FROM meta"))
            if not stored:
                # 48 bits: two stores of one relay practically never have the same, and it is a wire integer.
                stored = {"key": draw(32), "incarnation": int.from_bytes(draw(6), "big")}
                self._writer.executemany("INSERT INTO meta VALUES (?, ?)", list(stored.items()))
            elif restored:
                stored["incarnation"] = int.from_bytes(draw(6), "big")
                self._writer.execute("UPDATE meta SET value = ? WHERE name = 'incarnation'", (stored["incarnation"],))
        check_not_moved("moved" in stored)
        key, incarnation = stored.get("key"), stored.get("incarnation")
        if not isinstance(key, bytes) or len(key) != 32 or not isinstance(incarnation, int):
            raise ProfileDamaged(f"{self.path} has lost the relay's key", "restore the file from a backup")
        return Identity(SigningKey(key), incarnation)
