"""The relay's embedded store: SQLite, one writer, group commit (SPEC 13.4 to 13.7, 4.1).

`execute` decides a whole batch of commands in one transaction with one fsync: what waits is committed together, and
nothing is answered before it is durable. A command that is declined is rolled back alone. `read` answers from a
connection of its own. Both are synchronous, each is for one thread at a time, and the two may run at once.

If the disk fails, the whole batch is undone and DiskFull is raised: every command of it may simply be sent again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import apsw

from e2esync.crypto import SigningKey
from e2esync.errors import E2esyncError, ProfileDamaged
from e2esync.limits import SET_BYTES_MAX
from e2esync.log.head import ShortHead, sign_head
from e2esync.session import handshake
from e2esync.session import messages as m
from e2esync.session.commands import Admit, Change, Consult
from e2esync.session.kinds import Refusal
from e2esync.session.rules import Declined
from e2esync.stores import relay_log, relay_slots
from e2esync.stores.relay_batch import Admitted, Batch, BatchResult, Identity, Logged, Outcome, Views
from e2esync.stores.relay_blobs import put_blob, sweep_blobs
from e2esync.stores.relay_schema import FileLock, open_checkpointer, open_reader, open_writer, storage_error

_WAL_PAGES_MAX: Final = 16_384
"""Beyond 64 MiB of log the writer stops for a checkpoint: the background one is not keeping up."""


class RelayStore:
    """One relay's data. Close it, or use it in a `with` block."""

    def __init__(
        self, path: str | Path, *, draw: Callable[[int], bytes] = os.urandom, set_bytes_max: int = SET_BYTES_MAX,
    ) -> None:
        """Opens the file, and makes it if there is none. Raises ProfileDamaged, ProfileBusy or DiskFull.

        `draw` is where the relay's own key and incarnation come from.
        """
        self.path = Path(path)
        self._lock = FileLock(self.path)
        self._quota = set_bytes_max
        self._views = Views()
        self._wal_pages = 0
        self._connections: list[apsw.Connection] = []
        self.commits = 0
        try:
            self._writer = self._opened(open_writer(self.path))
            self._reader = self._opened(open_reader(self.path))
            self._checkpointer = self._opened(open_checkpointer(self.path))
            self._identity = self._load_identity(draw)
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

    def execute(self, commands: Sequence[Admit | Change], now: int) -> BatchResult:
        """Decides the commands in order, in one transaction, and returns once it is durable.

        Raises DiskFull or ProfileDamaged if the file cannot be written; then none of them has happened.
        """
        batch = Batch(self._writer, self._views, self._identity, now, self._quota)
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            decided = [self._decide(batch, command) for command in commands]
            batch.flush()
            self._writer.execute("COMMIT")
        except BaseException as error:
            self._undo()
            if isinstance(error, apsw.Error):
                raise storage_error(error, self.path) from error
            raise
        batch.commit()
        self.commits += 1
        heads = batch.heads()
        self._checkpoint_if_large()
        return BatchResult([_outcome(each, heads) for each in decided], heads)

    def read(self, consult: Consult, now: int) -> m.Message:
        """The answer to a reading request; a RefusalAnswer where there is none to give."""
        from e2esync.stores.relay_reads import answer

        try:
            return answer(self._reader, self._identity, consult, now)
        except Declined as declined:
            return declined.answer()
        except apsw.Error as error:
            raise storage_error(error, self.path) from error

    def sweep(self, now: int) -> int:
        """Drops what is past its retention (SPEC 11.5, 13.7); for the writer's thread. Returns how many things went."""
        batch = Batch(self._writer, self._views, self._identity, now, self._quota)
        try:
            with self._writer:
                gone = sweep_blobs(batch) + relay_log.sweep_logs(batch) + relay_slots.sweep_mailboxes(batch)
        except apsw.Error as error:
            self._undo()
            raise storage_error(error, self.path) from error
        if gone:
            self._views.clear()
        return gone

    def checkpoint(self) -> None:
        """Moves what is durable in the log to the file; may run beside everything else, in a thread of its own."""
        try:
            self._checkpointer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.BusyError:
            return
        except apsw.Error as error:
            raise storage_error(error, self.path) from error

    def close(self) -> None:
        """Closes the file; idempotent."""
        while self._connections:
            # The writer is the last one: closing it moves the log into the file.
            self._connections.pop().close()
        self._lock.release()

    def __enter__(self) -> RelayStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self, connection: apsw.Connection) -> apsw.Connection:
        self._connections.append(connection)
        return connection

    def _decide(self, batch: Batch, command: Admit | Change) -> Outcome | Logged | tuple[bytes, int, int]:
        try:
            if isinstance(command, Admit):
                return self._admit(batch, command)
            if isinstance(command.request, m.Append) and not command.request.live:
                # One INSERT behind all checks: SQLite undoes a failing statement by itself, without a savepoint.
                return relay_log.append(batch, command, command.request)
            return self._within_savepoint(batch, command)
        except Declined as declined:
            return Outcome(declined.answer())

    def _within_savepoint(self, batch: Batch, command: Change) -> Outcome | Logged | tuple[bytes, int, int]:
        self._writer.execute("SAVEPOINT command")
        try:
            return _change(batch, command)
        except Declined:
            self._writer.execute("ROLLBACK TO command")
            raise
        finally:
            # An error of the disk may have ended the transaction, and with it the savepoint.
            if self._writer.in_transaction:
                self._writer.execute("RELEASE command")

    def _admit(self, batch: Batch, admit: Admit) -> Outcome:
        """SPEC 13.2 step 2: stranger, removed member and bad signature are one and the same refusal."""
        known = batch.member(admit.set_id, admit.member)
        view = known.view
        try:
            handshake.check_proof(
                view.chain.members[admit.member].verify_key, admit.set_id, admit.binding, admit.signature
            )
        except E2esyncError as error:
            raise Declined(
                Refusal.NOT_MEMBER, "no such set, no such member, or a wrong signature"
            ) from error
        head = sign_head(
            self.key, view.set_id, epoch=view.epoch, seq=view.seq, log_hash=view.log_hash,
            record_hash=view.record_hash, time=batch.now, incarnation=self.incarnation, binding=admit.binding,
        )
        return Outcome(m.Welcome(head.body, head.signature), Admitted(view.set_id, view.epoch, view.seq))

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

    def _load_identity(self, draw: Callable[[int], bytes]) -> Identity:
        with self._writer:
            stored = dict(self._writer.execute("SELECT name, value FROM meta"))
            if not stored:
                # 48 bits: two stores of one relay practically never have the same, and it is a wire integer.
                stored = {"key": draw(32), "incarnation": int.from_bytes(draw(6), "big")}
                self._writer.executemany("INSERT INTO meta VALUES (?, ?)", list(stored.items()))
        key, incarnation = stored.get("key"), stored.get("incarnation")
        if not isinstance(key, bytes) or len(key) != 32 or not isinstance(incarnation, int):
            raise ProfileDamaged(f"{self.path} has lost the relay's key", "restore the file from a backup")
        return Identity(SigningKey(key), incarnation)


def _change(batch: Batch, command: Change) -> Outcome | Logged | tuple[bytes, int, int]:
    request = command.request
    if isinstance(request, m.Append):
        return relay_log.append(batch, command, request)
    if isinstance(request, m.Open):
        return relay_log.open_epoch(batch, command, request)
    if isinstance(request, m.PutBlob):
        return put_blob(batch, command, request)
    if isinstance(request, m.PutSlot):
        return relay_slots.put_slot(batch, command, request)
    if isinstance(request, m.Create):
        return relay_log.create_set(batch, request)
    if isinstance(request, m.UseMailbox):
        return relay_slots.use_mailbox(batch, command, request)
    return relay_slots.put_mail(batch, command.mailbox, request)


def _outcome(
    decided: Outcome | Logged | tuple[bytes, int, int], heads: dict[tuple[bytes, int], ShortHead]
) -> Outcome:
    """Appends are answered with the batch's head, which is signed when the batch is over."""
    if isinstance(decided, Outcome):
        return decided
    if isinstance(decided, Logged):
        return Outcome(m.Appended(decided.seq, heads[decided.set_id, decided.epoch]), decided)
    set_id, epoch, seq = decided
    return Outcome(m.Appended(seq, heads[set_id, epoch]))
