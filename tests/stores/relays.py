"""A relay's store with one set in it, and short ways to ask it things."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from e2esync.limits import SET_BYTES_MAX
from e2esync.session import messages as m
from e2esync.session.commands import Change, Consult
from e2esync.session.kinds import Refusal
from e2esync.session.policy import Policy
from e2esync.stores.relay import RelayStore
from tests.session.world import NOW, Book, blob_of


class Place:
    """The store, the set, and the moment."""

    def __init__(self, path: Path, *, devices: int = 2, quota: int = SET_BYTES_MAX) -> None:
        self.path = path
        self.quota = quota
        self.now = NOW
        self.store = self._open()
        self.book = Book(self.store.key.verify_key, devices=devices)
        assert self.visit(self.book.create()) == m.Created(self.book.set_id)

    def _open(self) -> RelayStore:
        return RelayStore(self.path, draw=lambda size: b"r" * size, policy=Policy(set_bytes=self.quota))

    def reopen(self) -> None:
        """As after a restart."""
        self.store.close()
        self.store = self._open()

    def change(self, member: int, request: Any, session: int = 1) -> Change:
        """The command for a member's request."""
        return Change(self.book.set_id, member, session, request)

    def do(self, member: int, request: Any) -> Any:
        """The answer to one request that changes something, in a batch of its own."""
        (outcome,) = self.store.execute([self.change(member, request)], self.now).outcomes
        return outcome.result

    def visit(self, request: Any, mailbox: m.UseMailbox | None = None) -> Any:
        """The answer to a visitor's request."""
        (outcome,) = self.store.execute([Change(b"", 0, 1, request, mailbox)], self.now).outcomes
        return outcome.result

    def ask(self, member: int, request: Any) -> Any:
        """The answer to a reading request."""
        return self.store.read(Consult(self.book.set_id, member, request), self.now)

    def append(self, member: int = 1, **options: Any) -> m.Appended:
        """An append that is accepted."""
        request = self.book.append(**options)
        answer = self.do(member, request)
        assert isinstance(answer, m.Appended), answer
        self.book.landed(request.envelope)
        return answer

    def blob(self, content: bytes = b"content") -> bytes:
        """A complete blob's id."""
        name, data = blob_of(content)
        assert self.do(1, m.PutBlob(name, len(data), 0, data)) == m.BlobStored(len(data))
        return name

    def open(self, opener: int = 1, changes: Any = (), **options: Any) -> m.Opened:
        """An opening that is accepted."""
        request, record = self.book.open(opener, changes, manifest=self.blob(b"%d" % self.book.chain.epoch), **options)
        answer = self.do(opener, request)
        assert isinstance(answer, m.Opened), answer
        self.book.opened(record)
        return answer

    def counts(self) -> dict[str, int]:
        """INSPECT."""
        answer = self.ask(1, m.Inspect())
        assert isinstance(answer, m.Inspected)
        return answer.counts

    def held(self) -> int:
        """The bytes that the quota counts."""
        known = self.store._views.get(self.store._rows, self.book.set_id)
        assert known is not None
        return known.view.held


def code(answer: Any) -> Refusal:
    """The code of a refusal."""
    assert isinstance(answer, m.RefusalAnswer), answer
    return answer.code
