"""`e2esync import FILE|DIR|-`."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any, Final

from e2esync.errors import BadCard

from ..context import Context
from ..exits import OK, PARTLY, FileProblem
from ..files import read_input
from ..prompts import ask
from ..watching import watch_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2esync.card import Layout, ReadCard, Unreadable, VCardFile
    from e2esync.client.importing import ImportPlan, Planned
    from e2esync.stores.index import CardRow

ABOUT = """\
Reads vCard 2.1, 3.0 and 4.0, JSContact, jCard, CSV of Google, Outlook and Thunderbird, and LDIF: one file, a folder of
them, or stdin (-). What a file says decides which it is, not its name. Importing a file again changes nothing; a newer
export of the same contacts changes only what changed in it, so it never undoes your edits. A card that cannot be read
is kept aside (`e2esync quarantine`), the rest is imported, and the exit code is 3. Nothing is ever fetched from an
address in a card."""
EXAMPLES = """\
  e2esync import contacts.vcf --dry-run      say what would happen
  e2esync import contacts.vcf --label Imported
  e2esync import phone.vcf --on-duplicate merge
  e2esync import ~/sync/phone --watch        whatever a phone's backup puts there
  e2esync import google.csv --from google-csv
  e2esync import ~/addressbook/              every .vcf, .json, .csv and .ldif in a folder"""

_ENDINGS: Final = (".vcf", ".vcard", ".json", ".jcard", ".csv", ".ldif", ".ldi")
_FORMATS: Final = ("auto", "vcard", "jcard", "jscontact", "google-csv", "outlook-csv", "ldif")
_LISTED: Final = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The source."""
    parser.add_argument("source", metavar="FILE|DIR|-", help="a file, a folder, or - for stdin")
    parser.add_argument("--from", dest="form", choices=_FORMATS, default="auto", metavar="FORMAT",
                        help=f"{', '.join(_FORMATS)}; default: auto")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would happen and change nothing")
    parser.add_argument("--on-duplicate", choices=("ask", "skip", "merge", "keep"), default="keep",
                        help="a new card that may be somebody who is there (same number or address, fitting name): "
                             "ask, leave it out, merge it in, or keep both (default; see `e2esync dedupe`)")
    parser.add_argument("--watch", action="store_true",
                        help="stay, and import what changes in the folder, until Ctrl-C")
    parser.add_argument("--label", metavar="NAME", help="put this label on every contact of the file")


def run(context: Context) -> int:
    """Import once, or whenever something changes."""
    if context.args.watch:
        return watch_folder(context, context.args.source, lambda: import_once(context))
    return import_once(context)


def import_once(context: Context) -> int:
    """Read, plan, apply."""
    args, out = context.args, context.out
    book = context.book()
    cards, refused, layouts = read_sources(context, book.set_id)
    if args.label:
        for card in cards:
            card.registers[f"keywords/{args.label}"] = True
    plan = settle(context, book.plan(cards))
    out.note(plan_line(plan, len(cards) + len(refused), len(refused)))
    if not args.dry_run:
        book.apply(plan, f"import {os.path.basename(os.path.normpath(args.source))}")
        for name, layout in layouts:
            book.keep_layout(name, layout)
        keep_refused(context, refused)
        if plan.new or plan.updated:
            out.note("`e2esync sync` sends them to your other devices")
    out.note(*refusal_lines(refused, dry_run=args.dry_run))
    out.result(cards=len(cards) + len(refused), new=len(plan.new), identical=len(plan.identical),
               updated=len(plan.updated), applied=not args.dry_run, duplicates=len(plan.duplicates),
               skipped=len(plan.skipped),
               quarantined=[{"source": source, "line": item.line, "reason": item.reason} for source, item in refused])
    return PARTLY if refused else OK


def plan_line(plan: ImportPlan, total: int, refused: int) -> str:
    """`1,204 cards: 1,150 new, 40 identical, 9 updated, 5 unreadable -> quarantine`."""
    parts = [f"{len(plan.new):,} new", f"{len(plan.identical):,} identical", f"{len(plan.updated):,} updated"]
    if plan.duplicates:
        parts.append(f"{len(plan.duplicates):,} possible duplicates (`e2esync dedupe`)")
    if plan.skipped:
        parts.append(f"{len(plan.skipped):,} skipped")
    if refused:
        parts.append(f"{refused:,} unreadable -> quarantine")
    return f"{total:,} card{'' if total == 1 else 's'}: {', '.join(parts)}"


def settle(context: Context, plan: ImportPlan) -> ImportPlan:
    """The plan once each possible duplicate is decided as the options, or the person, say."""
    from e2esync.client.importing import settle_duplicates

    choice = context.args.on_duplicate
    if choice == "keep" or not plan.duplicates:
        return plan
    return settle_duplicates(context.book(), plan, _ask if choice == "ask" else lambda _item, _row: str(choice))


def _ask(item: Planned, row: CardRow) -> str:
    """What a person says of one possible duplicate; nothing else than the three words is an answer."""
    words = {"s": "skip", "m": "merge", "k": "keep"}
    while True:
        answer = ask(f"{item.name} may be {row.name}, who is there: [s]kip, [m]erge or [k]eep both?",
                     why="say --on-duplicate skip, merge or keep").casefold()
        if answer[:1] in words and words[answer[0]].startswith(answer):
            return words[answer[0]]


def refusal_lines(refused: Sequence[tuple[str, Unreadable]], *, dry_run: bool) -> list[str]:
    """Which cards could not be read, and why."""
    lines = [f"{source}:{item.line}: {item.reason}" for source, item in refused[:_LISTED]]
    if len(refused) > _LISTED:
        lines.append(f"and {len(refused) - _LISTED:,} more")
    if any(item.raw for _source, item in refused) and not dry_run:
        lines.append("they are kept as they came: `e2esync quarantine`")
    return lines


def keep_refused(context: Context, refused: Sequence[tuple[str, Unreadable]]) -> None:
    """Put what could not be read into quarantine, once however often the file is imported."""
    if not refused:
        return
    store = context.profile().store
    known = {(item.source, item.raw) for item in store.quarantined()}
    with store.transaction():
        for source, item in refused:
            if item.raw and (source, item.raw) not in known:
                store.quarantine(source, item.raw, item.reason, context.now())


def read_sources(
    context: Context, salt: bytes
) -> tuple[list[ReadCard], list[tuple[str, Unreadable]], list[tuple[str, Layout]]]:
    """The cards of everything that the source names, what could not be read with where it stood, and the layouts."""
    from e2esync.card import Unreadable

    paths = _paths(context.args.source)
    bar = context.progress()
    cards: dict[tuple[str, int], Any] = {}
    refused: list[tuple[str, Unreadable]] = []
    layouts: list[tuple[str, Layout]] = []
    for count, path in enumerate(paths):
        bar.update("reading", count, len(paths))
        name = "stdin" if path == "-" else os.path.basename(path)
        try:
            found = _read(read_input(path), name, salt, context.args.form)
        except (BadCard, FileProblem) as error:
            if path == context.args.source:
                raise
            # One bad file of a folder stops the others as little as one bad card of a file. It stays where it is.
            refused.append((name, Unreadable(b"", 1, error.message)))
            continue
        layouts.append((name, found.layout))
        refused += [(name, item) for item in found.quarantine]
        # The same uid in a later file is the same contact, newer; within one file it would be another card.
        cards.update({(card.uid, card.ordinal): card for card in found.cards})
    bar.close()
    return list(cards.values()), refused, layouts


def _read(data: bytes, name: str, salt: bytes, form: str) -> VCardFile:
    """The cards of a file. Raises BadCard where it is another kind of file, which is nothing for the quarantine."""
    from e2esync.card import read_file
    from e2esync.card.vcard import OUTSIDE

    try:
        found = read_file(data, salt=salt, form=form)
    except BadCard as error:
        raise BadCard(f"{name}: {error.message}", error.hint) from None
    if found.quarantine and not found.cards and all(item.reason == OUTSIDE for item in found.quarantine):
        raise BadCard(f"{name} holds no contact: it is no vCard, JSContact, jCard, CSV of contacts or LDIF",
                      "export the contacts as vCard (.vcf) where they are now: `e2esync help phones`")
    return found


def _paths(source: str) -> list[str]:
    if source == "-" or not os.path.isdir(source):
        return [source]
    try:
        names = sorted(os.listdir(source))
    except OSError as error:
        raise FileProblem(f"cannot read the folder {source}: {error.strerror}") from None
    paths = [os.path.join(source, name) for name in names
             if name.lower().endswith(_ENDINGS) and not name.startswith(".")]
    if not paths:
        raise FileProblem(f"the folder {source} holds no .vcf, .json, .csv or .ldif file")
    return paths
