"""Where a check plays: engines on one store, a set with real keys in it, and short ways to ask for things.

A check raises `Broken` with what it saw; whatever else it raises counts as broken too. Stored data is only looked at
as a relay's client could, through `execute` and `read`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from e2esync.conformance.engine.book import NOW, Book, blob_of
from e2esync.errors import ProfileBusy
from e2esync.limits import SET_BYTES_MAX
from e2esync.log.envelope import next_log_hash
from e2esync.log.head import ShortHead, from_short, verify_head
from e2esync.session import messages as m
from e2esync.session.commands import Change, Consult
from e2esync.session.kinds import Refusal
from e2esync.session.policy import Policy
from e2esync.stores.relay_batch import BatchResult
from e2esync.stores.relay_engine import Engine, open_engine


class Broken(Exception):
    """The engine broke a rule; the message says how."""


def expect(right: bool, what: str) -> None:
    """Raises Broken with what went wrong, unless it is right."""
    if not right:
        raise Broken(what)


class Stage:
    """One store. Each check gets a stage of its own, with a new set on it, and the clock at noon."""

    def __init__(self, url: str, *, quota: int = SET_BYTES_MAX, devices: int = 2) -> None:
        self.url = url
        self.quota = quota
        self.now = NOW
        self.engines: list[Engine] = []
        try:
            self.engine = self.open_engine()
            self.book = self.new_book(devices)
        except BaseException:
            self.close()
            raise

    def open_engine(self) -> Engine:
        """Another relay process's door to the store. Raises ProfileBusy where there may be one only."""
        engine = open_engine(self.url, policy=Policy(set_bytes=self.quota))
        self.engines.append(engine)
        return engine

    def second(self) -> Engine | None:
        """A second engine; None where the store is for one process only."""
        try:
            return self.open_engine()
        except ProfileBusy:
            return None

    def close(self) -> None:
        """Closes every engine."""
        while self.engines:
            self.engines.pop().close()

    def reopen(self) -> None:
        """As after a restart."""
        self.close()
        self.engine = self.open_engine()

    def new_book(self, devices: int = 2) -> Book:
        """A new set in the store."""
        book = Book(self.engine.key.verify_key, seed=os.urandom(16).hex(), devices=devices)
        answer = self.visit(book.create())
        expect(answer == m.Created(book.set_id), f"CREATE was answered by {answer}")
        return book

    def change(self, member: int, request: Any, session: int = 1) -> Change:
        """The command for a member's request."""
        return Change(self.book.set_id, member, session, request)

    def batch(self, commands: Sequence[Change], engine: Engine | None = None) -> BatchResult:
        """Several commands at once."""
        return (engine or self.engine).execute(commands, self.now)

    def do(self, member: int, request: Any, engine: Engine | None = None) -> Any:
        """The answer to one request that changes something, in a batch of its own."""
        (outcome,) = self.batch([self.change(member, request)], engine).outcomes
        return outcome.result

    def visit(self, request: Any, mailbox: m.UseMailbox | None = None, engine: Engine | None = None) -> Any:
        """The answer to a visitor's request."""
        (outcome,) = self.batch([Change(b"", 0, 1, request, mailbox)], engine).outcomes
        return outcome.result

    def ask(self, member: int, request: Any, engine: Engine | None = None) -> Any:
        """The answer to a reading request."""
        return (engine or self.engine).read(Consult(self.book.set_id, member, request), self.now)

    def append(self, member: int = 1, engine: Engine | None = None, **options: Any) -> m.Appended:
        """An append that is accepted."""
        request = self.book.append(**options)
        answer = self.do(member, request, engine)
        if not isinstance(answer, m.Appended):
            raise Broken(f"an append was answered by {answer}")
        self.book.landed(request.envelope)
        return answer

    def blob(self, content: bytes = b"content", engine: Engine | None = None) -> bytes:
        """A complete blob's id."""
        name, data = blob_of(content)
        answer = self.do(1, m.PutBlob(name, len(data), 0, data), engine)
        expect(answer == m.BlobStored(len(data)), f"a blob was answered by {answer}")
        return name

    def opening(self, opener: int = 1, changes: Any = (), engine: Engine | None = None, **options: Any) -> Any:
        """An OPEN that is right, and its record."""
        manifest = self.blob(b"manifest %d" % self.book.chain.epoch, engine)
        return self.book.open(opener, changes, manifest=manifest, **options)

    def open(self, opener: int = 1, changes: Any = (), engine: Engine | None = None, **options: Any) -> m.Opened:
        """An opening that is accepted."""
        request, record = self.opening(opener, changes, engine, **options)
        answer = self.do(opener, request, engine)
        if not isinstance(answer, m.Opened):
            raise Broken(f"an opening was answered by {answer}")
        self.book.opened(record)
        return answer

    def counts(self, engine: Engine | None = None) -> dict[str, int]:
        """INSPECT."""
        answer = self.ask(1, m.Inspect(), engine)
        if not isinstance(answer, m.Inspected):
            raise Broken(f"INSPECT was answered by {answer}")
        return answer.counts

    def log(self, epoch: int, engine: Engine | None = None) -> tuple[list[bytes], ShortHead | None]:
        """The whole log of an epoch, and the head if it is the open one's."""
        envelopes: list[bytes] = []
        while True:
            part = self.ask(1, m.Read(epoch, len(envelopes) + 1), engine)
            if not isinstance(part, m.LogPart):
                raise Broken(f"READ was answered by {part}")
            envelopes += part.envelopes
            if part.head is not None or not part.envelopes:
                return envelopes, part.head

    def check_log(self, envelopes: Sequence[bytes], head: ShortHead | None, record_hash: bytes, epoch: int) -> None:
        """The head is the relay's for exactly this log. Raises Broken or AuthFailed."""
        log_hash = record_hash
        for envelope in envelopes:
            log_hash = next_log_hash(log_hash, envelope)
        if head is None or head.seq != len(envelopes):
            raise Broken(f"the head of a log of {len(envelopes)} is {head}")
        whole = from_short(head, epoch, log_hash, record_hash, self.engine.incarnation)
        verify_head(whole, self.book.set_id, self.engine.key.verify_key)


def refused(answer: Any, code: Refusal) -> m.RefusalAnswer:
    """The refusal, if it is this one."""
    if not isinstance(answer, m.RefusalAnswer) or answer.code is not code:
        raise Broken(f"{code.value} was due, and {answer} came")
    return answer
