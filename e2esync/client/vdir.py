"""The bridge to a vdir folder, which khard and vdirsyncer speak: one vCard a file, two ways (README "With khard, …").

A pass plans first and changes nothing: `plan_bridge` compares each file and each contact with what both last agreed on
(`stores.copies`), so that it knows who changed what. `client.vdir_writing` carries the plan out.

Invariants: an edit on one side goes over, edits of both sides are merged by registers, an edit beats a deletion; what
cannot be read stays where it is, and never counts as a deletion; a plan that removes much, or all, on either side says
so in `stop` and is carried out only when somebody has agreed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from e2esync.card import ORIGIN, ReadCard, display_name, read_vcards
from e2esync.card.copies import Base, Edits, file_edits, meet
from e2esync.card.digests import IdMaker
from e2esync.card.origin import UID_DERIVED, decode_origin
from e2esync.card.vcard import UNCLOSED
from e2esync.client.importing import PLACES, Planned
from e2esync.contactset import view
from e2esync.errors import BadCard
from e2esync.replica.contacts import contact_id
from e2esync.replica.writing import shown_state
from e2esync.stores.copies import CopyRow
from e2esync.wire import Value, decode_checked

if TYPE_CHECKING:
    from e2esync.client.book import Book
    from e2esync.client.folder import Folder, Look

MASS_COUNT: Final = 10
MASS_SHARE: Final = 10
"""More contacts than this, and more per cent, do not leave without a person's word."""

Registers = dict[str, Value]


@dataclass(frozen=True, slots=True)
class FileRead:
    """A file that is another one than last time, or new."""

    name: str
    contact: bytes
    card: ReadCard
    hash: bytes
    stamp: bytes
    row: CopyRow | None
    """What was agreed on last; None for a file that is new."""
    named: bool
    """Whether it says its uid."""


@dataclass(slots=True)
class BridgePlan:
    """What a pass would do."""

    look: Look
    new: list[Planned] = field(default_factory=list)
    updated: list[Planned] = field(default_factory=list)
    removed: dict[bytes, str] = field(default_factory=dict)
    """Contact → name, of those whose file was deleted."""
    write: dict[bytes, str] = field(default_factory=dict)
    """Contact → its file, empty for one that has none yet."""
    unlink: list[CopyRow] = field(default_factory=list)
    """Files whose contact was deleted."""
    both: list[str] = field(default_factory=list)
    """Names of contacts of which both sides changed the same thing; the folder's value stands."""
    problems: list[tuple[str, str]] = field(default_factory=list)
    """(file, reason) of what was left alone."""
    unreadable: list[tuple[str, bytes, str]] = field(default_factory=list)
    """(file, content, reason) of what is no card: for the quarantine."""
    stop: str = ""
    """Why this is not carried out before somebody agrees; empty if there is no reason."""
    read: dict[bytes, FileRead] = field(default_factory=dict)
    edits: dict[bytes, Edits] = field(default_factory=dict)
    """Of the contacts in `read` that the book knew already."""
    refreshed: list[CopyRow] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    @property
    def quiet(self) -> bool:
        """Whether both sides say the same already."""
        return not (self.new or self.updated or self.removed or self.write or self.unlink)


def shown_registers(book: Book, contact: bytes) -> tuple[bytes, Registers | None]:
    """(a hash of what the book shows of a contact, its registers without the places of media or None)."""
    state = shown_state(book.store, contact)
    shown = view(state) if state else None
    registers = {path: value for path, value in shown.registers.items()
                 if not path.startswith(PLACES)} if shown else None
    return content_hash(state or b""), registers


def content_hash(content: bytes) -> bytes:
    """What tells contents apart."""
    return blake2b(content, digest_size=16).digest()


def plan_bridge(book: Book, folder: Folder, *, refill: bool = False) -> BridgePlan:
    """Compare the book and the folder. `refill`: a file that is missing is written again, and deletes nobody.

    Raises ProfileError for a folder that cannot be read.
    """
    rows = settle_journal(book, folder)
    look = folder.look()
    return _Planning(book, folder, BridgePlan(look), rows, refill).run()


def settle_journal(book: Book, folder: Folder) -> list[CopyRow]:
    """The rows of a folder, after what a process that died had announced is known to be done, or not done."""
    key, rows, changed, undone = str(folder.path), [], [], []
    for row in book.store.copies.of_folder(str(folder.path)):
        if row.next:
            staged, hashed, shown, base = decode_checked(row.next)
            content = folder.read(row.name) if folder.stamp(row.name) else None
            now = content_hash(content) if content is not None else b""
            # The content says it; where somebody has edited the file since, the hidden name does.
            done = now == hashed or (now != row.hash and not folder.is_staged(staged))
            if not done and not row.hash:
                undone.append(row.name)
                continue
            row = row._replace(next=b"", stamp=b"", **({"hash": hashed, "shown": shown, "base": base} if done else {}))
            changed.append(row)
        rows.append(row)
    with book.profile.store.transaction():
        book.store.copies.put(key, changed)
        book.store.copies.drop(key, undone)
    folder.sweep()
    return rows


@dataclass(slots=True)
class _Planning:
    """One comparison."""

    book: Book
    folder: Folder
    plan: BridgePlan
    rows: list[CopyRow]
    refill: bool
    uids: dict[str, bytes] = field(default_factory=dict)
    names: dict[bytes, str] = field(default_factory=dict)
    extra: set[bytes] = field(default_factory=set)
    """Contacts that share a uid with another one: a vdir has one file for a uid."""

    def run(self) -> BridgePlan:
        self._index()
        by_name = {row.name: row for row in self.rows}
        read, same = self._read(by_name)
        lost = {row.contact: row for row in self.rows if row.name not in self.plan.look.files}
        # What cannot be read stays, and its contact is neither deleted nor written beside it.
        taken = {row.name for row in same} | {file.name for file in read}
        kept = {row.contact for row in same}
        kept |= {row.contact for row in self.rows if row.name in self.plan.look.files and row.name not in taken}
        for file in read:
            self._take(file, lost, kept)
        for row in same:
            self._compare(row)
        for row in lost.values():
            self._missing(row, kept)
        for contact in self.names:
            if contact not in kept and contact not in lost and contact not in self.extra:
                self.plan.write.setdefault(contact, "")
        self._guard()
        return self.plan

    def _index(self) -> None:
        bridged = {row.contact for row in self.rows}
        for row in self.book.list():
            self.names[row.contact] = row.name or row.uid
            other = self.uids.setdefault(row.uid, row.contact)
            if other != row.contact:
                first = contact_id(self.book.set_id, row.uid, 0)
                winner = min((other, row.contact), key=lambda one: (one not in bridged, one != first, one))
                self.uids[row.uid] = winner
                self.extra.add(row.contact if winner == other else other)
        for contact in self.extra:
            self.plan.problems.append((self.names[contact], "another contact has the same uid; a folder takes one"))

    def _read(self, by_name: dict[str, CopyRow]) -> tuple[list[FileRead], list[CopyRow]]:
        """The files that are new or changed, by name, and the rows of those that are not."""
        found, same = [], []
        self.plan.problems += self.plan.look.refused
        for name, stamp in sorted(self.plan.look.files.items()):
            row = by_name.get(name)
            if row is not None and row.stamp == stamp:
                same.append(row)
                continue
            try:
                content = self.folder.read(name)
            except BadCard as error:
                self.plan.problems.append((name, error.message))
                continue
            if content is None:
                self.plan.look.files.pop(name)
                continue
            hashed = content_hash(content)
            if row is not None and row.hash == hashed:
                fresh = row._replace(stamp=self.folder.settled_stamp(name, self.book.now()))
                if fresh != row:
                    self.plan.refreshed.append(fresh)
                same.append(fresh)
            elif (card := self._card(name, content)) is not None:
                contact = self.uids.get(card.uid) or contact_id(self.book.set_id, card.uid, 0)
                found.append(FileRead(name, contact, card, hashed, stamp, row, _is_named(card)))
        return found, same

    def _card(self, name: str, content: bytes) -> ReadCard | None:
        """The one card of a file; what is none is left where it is."""
        read = read_vcards(content, salt=self.book.set_id)
        reason = next((item.reason for item in read.quarantine), "")
        if len(read.cards) > 1:
            reason = f"it holds {len(read.cards)} cards; `e2esync import` takes such files"
            self.plan.problems.append((name, reason))
            return None
        if not read.cards or reason or UNCLOSED in read.cards[0].notices:
            reason = reason or (UNCLOSED if read.cards else "it holds no card")
            self.plan.problems.append((name, reason))
            if content:
                self.plan.unreadable.append((name, content, reason))
            return None
        return read.cards[0]

    def _take(self, file: FileRead, lost: dict[bytes, CopyRow], kept: set[bytes]) -> None:
        """Plan what a new or changed file means."""
        row = file.row
        if row is not None and row.contact != file.contact:
            # Its uid is another one: the contact that it was has gone from here.
            lost.setdefault(row.contact, row)
            row = None
        if file.contact in kept:
            self.plan.problems.append((file.name, "another file has the same uid"))
            return
        kept.add(file.contact)
        moved = lost.pop(file.contact, None)
        if moved is not None and moved.name != file.name:
            self.plan.dropped.append(moved.name)
        row = row or moved
        self.plan.read[file.contact] = replace(file, row=row)
        _hash, registers = shown_registers(self.book, file.contact)
        if registers is None:
            self._arrive(file)
        elif row is None or not row.base:
            self._meet(file, registers)
        else:
            self._edit(file, Base.decode(row.base), registers)

    def _arrive(self, file: FileRead) -> None:
        card = file.card
        self.plan.new.append(Planned(file.contact, display_name(card.registers), dict(card.registers), card.media))
        if not file.named:
            self.plan.write[file.contact] = file.name

    def _meet(self, file: FileRead, registers: Registers) -> None:
        make_id = IdMaker(self.book.set_id, file.card.uid).make
        self._update(file, Edits(meet(file.card.registers, registers, make_id)))
        self.plan.write[file.contact] = file.name

    def _edit(self, file: FileRead, base: Base, registers: Registers) -> None:
        make_id = IdMaker(self.book.set_id, file.card.uid).make
        edits = file_edits(base, file.card.registers, registers, make_id)
        self._update(file, edits)
        if not base.is_current(registers) or not file.named:
            self.plan.write[file.contact] = file.name

    def _update(self, file: FileRead, edits: Edits) -> None:
        name = display_name(file.card.registers)
        if edits.both:
            self.plan.both.append(name)
        self.plan.edits[file.contact] = edits
        if edits.values:
            digests = {str(value.get("digest")) for value in edits.values.values() if isinstance(value, dict)}
            media = {digest: file.card.media[digest] for digest in digests & set(file.card.media)}
            self.plan.updated.append(Planned(file.contact, name, edits.values, media))

    def _compare(self, row: CopyRow) -> None:
        """Plan for a file that nobody touched."""
        hashed, registers = shown_registers(self.book, row.contact)
        if registers is None:
            self.plan.unlink.append(row)
            return
        base = Base.decode(row.base) if row.base else Base()
        changed = row.shown != hashed and not base.is_current(registers)
        if changed or any(self.book.media(digest) is not None for digest in base.missing):
            self.plan.write[row.contact] = row.name
        elif row.shown != hashed:
            self.plan.refreshed.append(row._replace(shown=hashed))

    def _missing(self, row: CopyRow, kept: set[bytes]) -> None:
        """Plan for a file that has gone."""
        if row.name not in self.plan.look.files:
            self.plan.dropped.append(row.name)
        if row.contact in kept:
            return
        hashed, registers = shown_registers(self.book, row.contact)
        if registers is None:
            return
        changed = row.shown != hashed and bool(row.base) and not Base.decode(row.base).is_current(registers)
        if self.refill or changed:
            self.plan.write[row.contact] = ""
        else:
            self.plan.removed[row.contact] = self.names.get(row.contact, display_name(registers))

    def _guard(self) -> None:
        plan, files = self.plan, self.plan.look.files
        gone, going = len(plan.removed), len(plan.unlink)
        if gone and not files:
            plan.stop = f"the folder is empty; that would delete {_contacts(gone)}"
        elif _is_mass(gone, len(self.names)):
            plan.stop = f"this would delete {gone:,} of {_contacts(len(self.names))}"
        elif going and not self.names:
            plan.stop = f"the book is empty; that would delete {_files(going)}"
        elif _is_mass(going, len(files)):
            plan.stop = f"this would delete {going:,} of {_files(len(files))}"


def going_names(plan: BridgePlan) -> Iterable[str]:
    """The contacts, or else the files, that would leave: for a preview."""
    return plan.removed.values() if plan.removed else _file_names(plan)


def _file_names(plan: BridgePlan) -> Iterator[str]:
    return (row.name for row in plan.unlink)


def _is_named(card: ReadCard) -> bool:
    """Whether a card says its uid."""
    origin = decode_origin(card.registers.get(ORIGIN))
    return origin is None or origin.uid_place != UID_DERIVED


def _is_mass(count: int, total: int) -> bool:
    return count > MASS_COUNT and count * 100 > total * MASS_SHARE


def _contacts(count: int) -> str:
    return f"{count:,} contact{'' if count == 1 else 's'}"


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"
