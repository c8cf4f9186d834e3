"""Importing cards into a book: a plan first, then one step that carries it out (SPEC 7.2, 7.3, 11.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from e2esync.card import Layout, ReadCard, VCardFile, changes, display_name, summary
from e2esync.card.digests import IdMaker
from e2esync.card.merging import merge_registers
from e2esync.card.restoring import parts_as_imported
from e2esync.client.duplicates import match_new
from e2esync.contactset import view
from e2esync.errors import NotFound
from e2esync.replica.contacts import contact_id, media_blobs
from e2esync.replica.history import Step
from e2esync.replica.writing import shown_state, write_batch
from e2esync.stores.index import CardRow
from e2esync.wire import Value, decode, encode

if TYPE_CHECKING:
    from e2esync.client.book import Book

BATCH_FROM = 50
"""From this many contacts on an import goes as batches over chunks instead of inline."""
BATCH_BLOBS = 4000
"""Photo parts that one batch may carry: its envelope names them all (SPEC 10.4)."""
BATCH_BYTES = 16 << 20
"""And how large they may be together: sealed photos are in memory until their batch is written."""
LAYOUTS = "import/"
"""Names in the book's store under which the layouts of imported files lie."""
PLACES = "blobs/"
"""Registers that say where media lie: no file has them."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A card of an import and what it would write."""

    contact: bytes
    name: str
    values: dict[str, Value]
    media: Mapping[str, bytes]
    """Read from the file only when they are written."""


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import would do; nothing is changed before `Book.apply`."""

    new: list[Planned] = field(default_factory=list)
    updated: list[Planned] = field(default_factory=list)
    identical: list[bytes] = field(default_factory=list)
    duplicates: dict[bytes, CardRow] = field(default_factory=dict)
    """Of the new: contact → the one in the book that may be the same person (`client.duplicates`)."""
    skipped: list[bytes] = field(default_factory=list)
    """New ones that are not wanted, because of those."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did."""

    new: int
    updated: int
    identical: int
    photos: int


def plan_import(book: Book, cards: VCardFile | Iterable[ReadCard]) -> ImportPlan:
    """See `Book.plan`."""
    plan = ImportPlan()
    returning = set[bytes]()
    for card in cards.cards if isinstance(cards, VCardFile) else cards:
        contact = contact_id(book.set_id, card.uid, card.ordinal)
        state = shown_state(book.store, contact)
        shown = view(state) if state else None
        current = shown.registers if shown else {}
        known = {path: value for path, value in current.items() if not path.startswith(PLACES)}
        values = changes(known, card.registers) if shown else card.registers
        if not values:
            plan.identical.append(contact)
            continue
        wanted = _only(card.media, {digest for digest in card.media if f"{PLACES}{digest}" not in current})
        target = plan.updated if shown else plan.new
        if state and not shown:
            returning.add(contact)
        target.append(Planned(contact, display_name(card.registers), values, wanted))
    if plan.new:
        plan.duplicates.update(match_new(book, map(_row, plan.new)))
    # One that was merged into another contact, and says nothing that is not there, is in the book already.
    return settle_duplicates(book, plan, lambda item, _row: "merge" if item.contact in returning else "ask", whole=True)


def settle_duplicates(book: Book, plan: ImportPlan, decide: Callable[[Planned, CardRow], str], *, whole: bool = False,
                      ) -> ImportPlan:
    """The plan once it is decided about each possible duplicate: `skip` it, `merge` it into the other, or `keep` both.

    What a merge would not change counts as identical; with `whole` only such merges are done. `ask` leaves it open.
    """
    merged: dict[bytes, Planned] = {}
    kept: list[Planned] = []
    left = dict(plan.duplicates)
    identical, skipped = [*plan.identical], [*plan.skipped]
    for item in plan.new:
        row = plan.duplicates.get(item.contact)
        choice = decide(item, row) if row else "keep"
        if row and choice == "merge":
            found = _merged(book, merged.get(row.contact), item, row)
            if not found.values:
                identical.append(item.contact)
            elif whole:
                choice = "ask"
            else:
                merged[row.contact] = found
        elif choice == "skip":
            skipped.append(item.contact)
        if choice in ("keep", "ask"):
            kept.append(item)
        if choice != "ask":
            left.pop(item.contact, None)
    return ImportPlan(kept, _with_updates(plan.updated, merged), identical, left, skipped)


def _merged(book: Book, before: Planned | None, item: Planned, row: CardRow) -> Planned:
    """What a contact of the book gets from a card, besides what it gets from others already."""
    mine = {**book.registers(row.contact), **(before.values if before else {})}
    theirs = {path: value for path, value in item.values.items() if value is not None}
    values, _left = merge_registers(mine, theirs, IdMaker(book.set_id, str(mine.get("uid", ""))).make)
    told = {value["digest"] for value in values.values() if isinstance(value, dict) and "digest" in value}
    wanted = _only(item.media, told & set(item.media))
    earlier = before or Planned(row.contact, row.name, {}, {})
    return Planned(row.contact, row.name, {**earlier.values, **values}, _both(earlier.media, wanted))


def _with_updates(updated: list[Planned], merged: dict[bytes, Planned]) -> list[Planned]:
    """What the file changes and what its other cards add, one plan for a contact."""
    found = []
    for item in updated:
        more = merged.pop(item.contact, None)
        found.append(item if more is None else Planned(
            item.contact, item.name, {**more.values, **item.values}, _both(more.media, item.media)))
    return [*found, *merged.values()]


def _only(media: Mapping[str, bytes], wanted: set[str]) -> Mapping[str, bytes]:
    """Those of a card's media; all of them stay unread."""
    return media if len(wanted) == len(media) else {digest: media[digest] for digest in wanted}


def _both(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> Mapping[str, bytes]:
    return {**one, **other} if one and other else one or other


def _row(item: Planned) -> CardRow:
    """A new card as a line of the list: what duplicates are found by."""
    told = summary({path: value for path, value in item.values.items() if value is not None})
    return CardRow(item.contact, "", told.name, told.sort, told.phones, told.emails, told.org)


def keep_layout(book: Book, name: str, layout: Layout) -> None:
    """See `Book.keep_layout`."""
    book.store.put(LAYOUTS + _file_name(name), encode(layout.to_value()))


def as_imported(book: Book, name: str) -> Iterator[bytes]:
    """See `Book.as_imported`; piece by piece."""
    value = book.store.get(LAYOUTS + _file_name(name))
    if value is None:
        raise NotFound(f"no file {name!r} was imported into this book on this device",
                       "give the name that it had then, without its folder")

    def card(uid: str, ordinal: int) -> dict[str, Value] | None:
        try:
            registers = book.registers(contact_id(book.set_id, uid, ordinal))
        except NotFound:
            return None
        return {path: value for path, value in registers.items() if not path.startswith(PLACES)}

    layout = Layout.from_value(decode(value, limit=len(value)))
    return parts_as_imported(layout, card, book.media)


def _file_name(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2].encode("utf-8", "replace").decode()


def apply_plan(book: Book, plan: ImportPlan, name: str = "import") -> ImportResult:
    """See `Book.apply`."""
    with book.step(Step(name, book.now())):
        photos = carry_out(book, [*plan.new, *plan.updated])
    return ImportResult(len(plan.new), len(plan.updated), len(plan.identical), photos)


def carry_out(book: Book, planned: Iterable[Planned]) -> int:
    """Write what was planned, photos into encrypted blobs; returns how many of those there were."""
    items = sorted(planned, key=lambda item: item.contact)
    photos = size = 0
    with book.profile.store.transaction():
        blobs: list[tuple[bytes, bytes]] = []
        whole: list[tuple[bytes, dict[str, Value]]] = []
        for item in items:
            values = {path: value for path, value in item.values.items() if value is not None}
            gone = {path: None for path, value in item.values.items() if value is None}
            for digest, data in item.media.items():
                place, sealed = media_blobs(book.set_id, data, book.entropy)
                values[f"{PLACES}{digest}"] = place
                blobs += sealed
                size += sum(len(blob) for _name, blob in sealed)
                book.store.put_media(digest, data)
                photos += 1
            if len(items) < BATCH_FROM and not item.media:
                book.write(item.contact, {**values, **gone})
                continue
            # A batch removes nothing (SPEC 11.4): what goes is written by itself.
            if gone:
                book.write(item.contact, {**gone})
            whole += [(item.contact, values)] if values else []
            if len(blobs) >= BATCH_BLOBS or size >= BATCH_BYTES:
                write_batch(book.replica, whole, book.now(), book.entropy, blobs)
                whole, blobs, size = [], [], 0
        if whole:
            write_batch(book.replica, whole, book.now(), book.entropy, blobs)
    return photos
