"""A contact and its copy in a file of another program: which of both has changed what (a three-way comparison).

vCard 2.1 and 3.0 carry no ids, and cannot say everything: an entry may have another id in the file than in the book,
and less in it. So what both agreed on is kept as *ties*: this register of the file is that register of the book.

Invariants: pure; registers here are without ``blobs/``; ``uid`` and the origin are never compared; an edit in the
file changes in the book only what changed in the file; what both have edited differently is kept twice where there
can be two (a number, an address), else the file's value stands and the path is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from ..errors import NonCanonical
from ..wire import decode_checked, encode
from .merging import meaning_of, merge_registers
from .origin import changes
from .registers import MAPS, PROPS
from .types import ORIGIN, Registers, Value

_DIGEST: Final = 8
_SKIPPED: Final = frozenset(("uid", ORIGIN))

MakeId = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Tie:
    """A register of the file and the one of the book that it stands for."""

    file: str
    book: str
    """Its path in the book; empty for what only the file says (a name derived for a card that has none)."""
    digest: bytes
    """Of the file's value."""
    value: Value = None
    """The file's value, kept only where the book's is another."""


@dataclass(frozen=True, slots=True)
class Base:
    """What file and book said when they last agreed."""

    ties: tuple[Tie, ...] = ()
    book: Mapping[str, bytes] = field(default_factory=dict)
    """Path → digest, of all registers of the book."""
    missing: tuple[str, ...] = ()
    """Digests of photos that the file lacks because they were not on this device."""

    def encode(self) -> bytes:
        """The base as bytes for the store."""
        ties = [[tie.file, tie.book, tie.digest, tie.value] for tie in self.ties]
        return encode([ties, dict(self.book), list(self.missing)])

    @classmethod
    def decode(cls, raw: bytes) -> Base:
        """The base of bytes that ``encode`` gave."""
        ties, book, missing = decode_checked(raw)
        return cls(tuple(Tie(*tie) for tie in ties), book, tuple(missing))

    def is_current(self, book: Registers) -> bool:
        """Whether the book still says what it said."""
        return {path: digest(value) for path, value in _compared(book)} == self.book


@dataclass(slots=True)
class Edits:
    """What an edit of the file means for the book."""

    values: dict[str, Value] = field(default_factory=dict)
    """Path → value, None to remove."""
    known: dict[str, str] = field(default_factory=dict)
    """Path in the file → path in the book, as far as that is certain."""
    both: list[str] = field(default_factory=list)
    """Paths that the book had changed too, to something else, and where the file's value stands now."""


def digest(value: Value) -> bytes:
    """Eight bytes that change when a value changes."""
    try:
        raw = encode(value)
    except NonCanonical:
        # Text of a file that is no Unicode; the book would refuse it too.
        raw = repr(value).encode("utf-8", "backslashreplace")
    return blake2b(raw, digest_size=_DIGEST).digest()


def agree(file: Registers, book: Registers, known: Mapping[str, str], missing: tuple[str, ...] = ()) -> Base:
    """The base after a file was written from the book, or the book from a file. ``known`` ties what is certain."""
    left = dict(_compared(book))
    found: dict[str, str] = {}
    for match in (_by_knowledge(known), _by_value, _by_path, _by_meaning, _by_order):
        open_ones = {path: value for path, value in _compared(file) if path not in found}
        for here, there in match(open_ones, left):
            if here not in found and there in left:
                found[here] = there
                del left[there]
    ties = []
    for path, value in _compared(file):
        # What is certain and not in the book was removed there: the file still has it.
        there, same = found.get(path) or known.get(path, ""), digest(value)
        lossy = there not in book or digest(book[there]) != same
        ties.append(Tie(path, there, same, value if lossy else None))
    return Base(tuple(ties), {path: digest(value) for path, value in _compared(book)}, missing)


def heard(old: Base | None, file: Registers, book: Registers, edits: Edits) -> Base:
    """The base after a file's edits went into the book: the file is read, but has not what the book changed itself.

    ``old`` is None where the two met for the first time.
    """
    base = agree(file, book, edits.known)
    if old is None:
        same = {tie.book: tie.digest for tie in base.ties if tie.book in book and tie.value is None}
        return Base(base.ties, same, base.missing)
    said = {path: kept for path, kept in old.book.items() if path not in edits.values}
    said |= {path: digest(book[path]) for path, value in edits.values.items() if value is not None and path in book}
    return Base(base.ties, said, old.missing)


def file_edits(base: Base, file: Registers, book: Registers, make_id: MakeId) -> Edits:
    """What changed in the file since both agreed, as an edit of the book as it is now."""
    edits = Edits()
    ties = {tie.file: tie for tie in base.ties}
    gone = [tie for tie in base.ties if tie.file not in file]
    fresh = {path: value for path, value in _compared(file) if path not in ties}
    for tie, path in _respelled(gone, fresh, book):
        gone.remove(tie)
        del fresh[path]
        edits.known[path] = tie.book
    for tie, path in _in_place(base, gone, fresh, book):
        gone.remove(tie)
        _change(edits, base, tie, path, fresh.pop(path), book, make_id)
    for tie in gone:
        if tie.book in book and _untouched(base, tie.book, book):
            edits.values[tie.book] = None
    for path, value in _compared(file):
        if path in fresh:
            _add(edits, path, value, book, make_id)
        elif path in ties and digest(value) != ties[path].digest:
            _change(edits, base, ties[path], path, value, book, make_id)
        elif path in ties:
            edits.known[path] = ties[path].book
    return edits


def meet(file: Registers, book: Registers, make_id: MakeId) -> Registers:
    """What a file adds to a contact that the book knows, where nothing is known of an earlier agreement.

    As in an import: what the book's last import of the contact had already is no edit; the rest is united.
    """
    new = {path: value for path, value in changes(book, file).items() if value is not None and path not in _SKIPPED}
    values, _left = merge_registers(book, new, make_id)
    return values


def for_file(base: Base, book: Registers, file: Registers) -> tuple[Registers, dict[str, str]]:
    """(the book's registers with the ids and in the shape of a file that lies there, path in it → path in the book).

    What did not change since both agreed has the file's own value, so that its lines stay as they are.
    """
    by_book = {tie.book: tie for tie in base.ties if tie.book}
    untied = {path.partition("/")[0] for path in base.book if path not in by_book}
    shaped: Registers = {path: file[path] for path in _SKIPPED if path in file}
    known: dict[str, str] = {}
    for tie in base.ties:
        if tie.book and tie.book in book and tie.file in file and _untouched(base, tie.book, book):
            shaped[tie.file], known[tie.file] = file[tie.file], tie.book
        elif not tie.book and tie.file in file and tie.file.partition("/")[0] not in untied:
            shaped[tie.file] = file[tie.file]
    placed = set(known.values())
    for path, value in _compared(book):
        if path in placed:
            continue
        target = by_book[path].file if path in by_book else path
        number = 1
        while target in known and "/" in path:
            number += 1
            target = f"{path}-{number}"
        shaped[target], known[target] = value, path
    return shaped, known


def _compared(registers: Registers) -> Iterator[tuple[str, Value]]:
    return ((path, value) for path, value in registers.items() if path not in _SKIPPED)


def _untouched(base: Base, path: str, book: Registers) -> bool:
    return base.book.get(path) == digest(book[path])


def _respelled(gone: list[Tie], fresh: Registers, book: Registers) -> list[tuple[Tie, str]]:
    """Unknown properties of which only the backslashes are others: vobject, and so khard, adds some at each edit."""
    def plain(value: Value) -> Value:
        parts = value if isinstance(value, list) else [value]
        return [part.replace("\\", "") if isinstance(part, str) else part for part in parts]

    found, left = [], {path: digest(plain(value)) for path, value in fresh.items() if path.startswith(PROPS + "/")}
    for tie in gone:
        value = book.get(tie.book) if tie.value is None else tie.value
        same = [path for path, told in left.items() if told == digest(plain(value))] if value is not None else []
        if same and tie.file.startswith(PROPS + "/"):
            found.append((tie, same[0]))
            del left[same[0]]
    return found


def _in_place(base: Base, gone: list[Tie], fresh: Registers, book: Registers) -> list[tuple[Tie, str]]:
    """Entries that were changed rather than replaced: one left, one came, and the book still has the one that left."""
    found = []
    for prop in MAPS:
        left = [tie for tie in gone if tie.file.startswith(prop + "/")]
        came = [path for path in fresh if path.startswith(prop + "/")]
        if len(left) == len(came) == 1 and left[0].book in book and _untouched(base, left[0].book, book):
            found.append((left[0], came[0]))
    return found


def _change(edits: Edits, base: Base, tie: Tie, path: str, value: Value, book: Registers, make_id: MakeId) -> None:
    """A value of the file that is another than it was."""
    if tie.book not in book:
        _add(edits, path, value, book, make_id)
    elif _untouched(base, tie.book, book):
        here = book[tie.book]
        edits.values[tie.book] = _blend(here if tie.value is None else tie.value, value, here)
        edits.known[path] = tie.book
    elif digest(book[tie.book]) != digest(value):
        _add(edits, tie.book, value, book, make_id, here=path)


def _add(edits: Edits, path: str, value: Value, book: Registers, make_id: MakeId, *, here: str = "") -> None:
    """A value that the book does not have, or another one than the book has come to have there."""
    prop, slash, _id = path.partition("/")
    here = here or path
    if path in book and digest(book[path]) == digest(value):
        edits.known[here] = path
        return
    if slash and prop in MAPS:
        meaning = meaning_of(prop, value)
        same = [other for other, entry in book.items() if other.startswith(prop + "/") and meaning is not None
                and meaning_of(prop, entry) == meaning and digest(entry) == digest(value)]
        if same:
            edits.known[here] = same[0]
            return
        while path in book or path in edits.values:
            path = f"{prop}/{make_id(prop, repr(value))}"
    elif path in book:
        edits.both.append(path)
    edits.values[path] = value
    edits.known[here] = path


def _blend(old: Any, new: Any, here: Any) -> Value:
    """The book's value with what changed in the file's: what the file cannot say stays."""
    if not (isinstance(old, dict) and isinstance(new, dict) and isinstance(here, dict)):
        return new
    result = dict(here)
    for name in {**old, **new}:
        if name not in new:
            result.pop(name, None)
        elif name not in old or digest(old[name]) != digest(new[name]):
            result[name] = new[name]
    return result


Matches = Iterator[tuple[str, str]]


def _by_knowledge(known: Mapping[str, str]) -> Callable[[Registers, Registers], Matches]:
    def match(file: Registers, _book: Registers) -> Matches:
        return ((path, known[path]) for path in file if known.get(path))
    return match


def _by_value(file: Registers, book: Registers) -> Matches:
    by_value: dict[tuple[str, bytes], list[str]] = {}
    for path, value in book.items():
        by_value.setdefault((path.partition("/")[0], digest(value)), []).append(path)
    for path, value in file.items():
        same = by_value.get((path.partition("/")[0], digest(value)), [])
        if same:
            at = same.index(path) if path in same else 0
            yield path, same.pop(at)


def _by_path(file: Registers, book: Registers) -> Matches:
    return ((path, path) for path in file if path in book)


def _by_meaning(file: Registers, book: Registers) -> Matches:
    by_meaning: dict[tuple[str, str], list[str]] = {}
    for path, value in book.items():
        prop = path.partition("/")[0]
        if prop in MAPS and (meaning := meaning_of(prop, value)) is not None:
            by_meaning.setdefault((prop, meaning), []).append(path)
    for path, value in file.items():
        prop = path.partition("/")[0]
        meaning = meaning_of(prop, value) if prop in MAPS else None
        if meaning is not None and (same := by_meaning.get((prop, meaning))):
            yield path, same.pop(0)


def _by_order(file: Registers, book: Registers) -> Matches:
    """What is left of a property, if it is as many on both sides: entries are written in their order."""
    for prop in {path.partition("/")[0] for path in file}:
        here = [path for path in file if path.partition("/")[0] == prop]
        there = [path for path in book if path.partition("/")[0] == prop]
        if len(here) == len(there):
            yield from zip(here, there, strict=True)
