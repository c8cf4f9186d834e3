"""Carrying out what `client.vdir` has planned: the book first, in one step; then the folder, file by file.

Invariants: what the files brought and what is known of them are written in one transaction; each file is staged,
announced in the store, renamed and noted, in this order, so that after a crash at any point the next pass knows what
was done; a file that somebody has touched meanwhile is left for the next pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from e2esync.card import display_name, read_vcards, write_card
from e2esync.card.copies import Base, agree, for_file, heard
from e2esync.card.export import default_style
from e2esync.client.folder import ENDING, Folder, file_name
from e2esync.client.importing import carry_out as write_contacts
from e2esync.client.vdir import BridgePlan, FileRead, content_hash, shown_registers
from e2esync.replica.history import Step
from e2esync.stores.copies import CopyRow
from e2esync.wire import Value, decode_checked, encode

if TYPE_CHECKING:
    from e2esync.client.book import Book

STEP: Final = "vdir"
_BATCH: Final = 100
"""Files that are announced together."""
_VERSION: Final = "3.0"
"""Of new files: every vdir program and CardDAV server reads it, and khard spoils the photos of a vCard 4 it edits.
They are made anew, because raw lines of an import may be such that other programs read no more of the file."""


@dataclass(slots=True)
class Bridged:
    """What a pass did."""

    new: int = 0
    updated: int = 0
    removed: int = 0
    written: int = 0
    unlinked: int = 0
    left: int = 0
    """Files that changed under the pass: the next one takes them."""


@dataclass(slots=True)
class _Made:
    """A file that is about to appear."""

    row: CopyRow
    content: bytes
    before: bytes
    """The stamp of the file that it replaces; empty if there is none."""
    staged: str = ""


def carry_out_bridge(book: Book, folder: Folder, plan: BridgePlan) -> Bridged:
    """Carry a plan out, whatever its `stop` says: to ask is the caller's. Raises ReadOnly, DiskFull, ProfileError."""
    done = Bridged(len(plan.new), len(plan.updated), len(plan.removed))
    _Carrying(book, folder, plan, done).run()
    return done


@dataclass(slots=True)
class _Carrying:
    book: Book
    folder: Folder
    plan: BridgePlan
    done: Bridged
    names: set[str] = field(default_factory=set)

    def run(self) -> None:
        self.names = {name.casefold() for name in self.plan.look.files}
        self._into_book()
        self._into_folder()
        self._unlink()

    def _into_book(self) -> None:
        """What the folder says, and that it was heard, in one transaction."""
        book, plan, copies = self.book, self.plan, self.book.store.copies
        key = str(self.folder.path)
        with book.step(Step(STEP, book.now())):
            write_contacts(book, [*plan.new, *plan.updated])
            if plan.removed:
                book.remove(plan.removed)
            copies.drop(key, plan.dropped)
            copies.put(key, plan.refreshed)
            copies.put(key, [self._heard(file) for file in plan.read.values()])
            known = {(item.source, item.raw) for item in book.profile.store.quarantined()} if plan.unreadable else set()
            for name, content, reason in plan.unreadable:
                if (name, content) not in known:
                    book.profile.store.quarantine(name, content, reason, book.now())

    def _heard(self, file: FileRead) -> CopyRow:
        """The row of a file that was read, and whose edits the book has now."""
        shown, registers = shown_registers(self.book, file.contact)
        registers, edits = registers or {}, self.plan.edits.get(file.contact)
        if edits is None:
            base = agree(file.card.registers, registers, {})
        else:
            old = Base.decode(file.row.base) if file.row is not None and file.row.base else None
            base = heard(old, file.card.registers, registers, edits)
        stamp = self.folder.settled_stamp(file.name, self.book.now())
        return CopyRow(file.name, file.contact, stamp if stamp == file.stamp else b"", file.hash,
                       shown if base.is_current(registers) else b"", base.encode(), b"")

    def _into_folder(self) -> None:
        rows = {row.name: row for row in self.book.store.copies.of_folder(str(self.folder.path))}
        batch: list[_Made] = []
        for contact, name in sorted(self.plan.write.items()):
            made = self._make(contact, name, rows.get(name))
            if made is not None:
                batch.append(made)
            if len(batch) == _BATCH:
                self._publish(batch)
                batch = []
        self._publish(batch)

    def _make(self, contact: bytes, name: str, row: CopyRow | None) -> _Made | None:
        """The file of a contact; None if it says already what it has to."""
        shown, registers = shown_registers(self.book, contact)
        if registers is None:
            return None
        missing: list[str] = []
        text, known = self._text(registers, name, row, missing)
        if text is None:
            self.done.left += 1
            return None
        content = text.encode("utf-8", "surrogateescape")
        read = read_vcards(content, salt=self.book.set_id)
        if len(read.cards) != 1 or read.cards[0].uid != registers.get("uid"):
            self.plan.problems.append((display_name(registers), "it cannot be written as one vCard"))
            return None
        base = agree(read.cards[0].registers, registers, known, tuple(dict.fromkeys(missing)))
        before = self.plan.look.files.get(name, b"") if name else b""
        hashed = content_hash(content)
        old = row or CopyRow(name or self._free_name(registers, contact), contact, b"", b"", b"", b"", b"")
        if row is not None and row.hash == hashed:
            self.book.store.copies.put(str(self.folder.path), [row._replace(shown=shown, base=base.encode())])
            return None
        return _Made(old._replace(next=encode(["", hashed, shown, base.encode()])), content, before)

    def _text(self, registers: dict[str, Value], name: str, row: CopyRow | None, missing: list[str],
              ) -> tuple[str | None, dict[str, str]]:
        """The text of a card in the shape of the file that lies there, if one does; None if that has changed."""
        def media(digest: str) -> bytes | None:
            content = self.book.media(digest)
            # A line of the file itself is no photo of the book's; it is made anew.
            if content is None and _names(registers, digest):
                missing.append(digest)
            return content

        if not name or row is None:
            text = write_card(registers, _VERSION, media, default_style(_VERSION))
            return _with_uid(text, registers), {}
        content = self.folder.read(name)
        if content is None or content_hash(content) != row.hash:
            return None, {}
        file = read_vcards(content, salt=self.book.set_id).cards[0]
        base = Base.decode(row.base) if row.base else agree(file.registers, registers, {})
        shaped, known = for_file(base, registers, file.registers)
        text = write_card(shaped, None, lambda digest: media(digest) or file.media.get(digest))
        return _with_uid(text, shaped), known

    def _free_name(self, registers: dict[str, Value], contact: bytes) -> str:
        """A name that no file has, not even for a file system without case."""
        uid = str(registers.get("uid", ""))
        name = file_name(uid)
        if (name + ENDING).casefold() in self.names:
            name = file_name(uid + "\0" + contact.hex())
        self.names.add((name + ENDING).casefold())
        return name + ENDING

    def _publish(self, batch: list[_Made]) -> None:
        """Stage, announce, rename, note."""
        key, copies, ready = str(self.folder.path), self.book.store.copies, []
        for number, made in enumerate(batch):
            made.staged = self.folder.stage(made.content, number)
            _empty, *rest = _next(made.row)
            made.row = made.row._replace(next=encode([made.staged, *rest]))
        copies.put(key, [made.row for made in batch])
        for made in batch:
            if self.folder.stamp(made.row.name) == made.before:
                self.folder.publish(made.staged, made.row.name)
                ready.append(made)
            else:
                self.folder.discard(made.staged)
                self.done.left += 1
        self.folder.settle()
        now = self.book.now()
        with self.book.profile.store.transaction():
            copies.put(key, [_noted(made.row, self.folder.settled_stamp(made.row.name, now)) for made in ready])
            for made in batch:
                if made not in ready:
                    copies.put(key, [made.row._replace(next=b"")]) if made.row.hash else copies.drop(
                        key, [made.row.name])
        self.done.written += len(ready)

    def _unlink(self) -> None:
        """Files whose contact has gone. One that was edited meanwhile stays, and brings the contact back."""
        key, gone = str(self.folder.path), []
        for row in self.plan.unlink:
            if self.folder.stamp(row.name) == self.plan.look.files.get(row.name):
                self.folder.discard(row.name)
                gone.append(row.name)
            else:
                self.done.left += 1
        if gone:
            self.folder.settle()
            self.book.store.copies.drop(key, gone)
        self.done.unlinked = len(gone)


def _next(row: CopyRow) -> list[Any]:
    value: list[Any] = decode_checked(row.next)
    return value


def _noted(row: CopyRow, stamp: bytes) -> CopyRow:
    """The row once its file is there."""
    _staged, hashed, shown, base = _next(row)
    return CopyRow(row.name, row.contact, stamp, hashed, shown, base, b"")


def _names(registers: dict[str, Value], digest: str) -> bool:
    return any(isinstance(value, dict) and value.get("digest") == digest for value in registers.values())


def _with_uid(text: str, registers: dict[str, Value]) -> str:
    """A card's text with its uid, which every card of a folder needs: a card that came without one is written
    without one."""
    uid = registers.get("uid")
    head, end, tail = text.rpartition("END:VCARD")
    if not isinstance(uid, str) or not end or any(_uid_lines(head)):
        return text
    eol = "\r\n" if "\r\n" in text else "\n"
    return f"{head}UID:{uid}{eol}{end}{tail}"


def _uid_lines(text: str) -> Iterator[str]:
    return (line for line in text.upper().splitlines()
            if line.partition(":")[0].partition(";")[0].rpartition(".")[2] == "UID")
