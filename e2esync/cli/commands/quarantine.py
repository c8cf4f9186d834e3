"""`e2esync quarantine list|export|retry|drop`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from e2esync.errors import BadCard, NotFound

from ..context import Context
from ..exits import OK, PARTLY
from ..files import write_private
from ..parser import subcommands

if TYPE_CHECKING:
    from e2esync.card import ReadCard
    from e2esync.stores.profile import Quarantined

ABOUT = """\
One bad card never stops an import: its bytes are kept here as they came. Export them, mend them in a text editor, and
import the file again; or drop them. `retry` reads them once more, which a newer version may be able to. They stay on
this device."""
EXAMPLES = """\
  e2esync quarantine list
  e2esync quarantine export -o bad.vcf
  e2esync quarantine retry                   all of them, or those with these numbers
  e2esync quarantine drop 3 4"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions."""
    add = subcommands(parser)
    add("list", "list the cards and why they could not be read")
    export = add("export", "write the cards out as they came")
    export.add_argument("-o", "--output", metavar="FILE", help="a file that only you can read; default: stdout")
    retry = add("retry", "read cards again and import those that can be read")
    retry.add_argument("ids", nargs="*", type=int, metavar="NUMBER", help="their numbers in the list; default: all")
    drop = add("drop", "forget cards for good")
    drop.add_argument("ids", nargs="+", type=int, metavar="NUMBER", help="their numbers in the list")


def run(context: Context) -> int:
    """List, export or drop."""
    store = context.profile().store
    items = list(store.quarantined())
    if context.args.action == "export":
        return _export(context, items)
    if context.args.action in ("drop", "retry"):
        missing = set(context.args.ids) - {item.id for item in items}
        if missing:
            raise NotFound(f"no card in quarantine has the number {min(missing)}", "`e2esync quarantine list`")
    if context.args.action == "retry":
        return _retry(context, [item for item in items if not context.args.ids or item.id in context.args.ids])
    if context.args.action == "drop":
        store.delete_quarantined(*context.args.ids)
        context.out.result(dropped=sorted(set(context.args.ids)))
        context.out.note(f"{len(set(context.args.ids))} dropped")
        return 0
    _list(context, items)
    return 0


def _retry(context: Context, items: list[Quarantined]) -> int:
    """Import what can be read now; a piece of which nothing is left unread leaves the quarantine."""
    from e2esync.card import read_file

    book, store = context.book(), context.profile().store
    mended: list[int] = []
    cards: list[ReadCard] = []
    for item in items:
        try:
            found = read_file(item.raw, salt=book.set_id)
        except BadCard:
            continue
        if found.cards and not found.quarantine:
            cards += found.cards
            mended.append(item.id)
    plan = book.plan(cards)
    # In one transaction: a card is in the book or in quarantine, never in neither.
    with store.transaction():
        book.apply(plan)
        store.delete_quarantined(*mended)
    context.out.result(read=len(mended), new=len(plan.new), updated=len(plan.updated), left=len(items) - len(mended))
    context.out.note(f"{len(mended)} read: {len(plan.new)} new, {len(plan.updated)} updated; "
                     f"{len(items) - len(mended)} still cannot be read")
    return OK if len(mended) == len(items) else PARTLY


def _list(context: Context, items: list[Quarantined]) -> None:
    out = context.out
    if out.json:
        out.result(quarantined=[_as_json(item) for item in items])
    elif items:
        out.table(("NO", "FROM", "BYTES", "REASON"),
                  [(str(item.id), item.source, f"{len(item.raw):,}", item.reason) for item in items])
    else:
        out.note("nothing is in quarantine")


def _as_json(item: Quarantined) -> dict[str, Any]:
    return {"id": item.id, "source": item.source, "bytes": len(item.raw), "reason": item.reason, "time": item.time}


def _export(context: Context, items: list[Quarantined]) -> int:
    content = b"".join(item.raw if item.raw.endswith(b"\n") else item.raw + b"\r\n" for item in items)
    path = context.args.output
    if path is None and not context.out.json:
        context.out.document(content)
        return 0
    if path is not None:
        write_private(path, content, replace=context.args.yes)
        context.out.note(f"{len(items)} written to {path}")
    context.out.result(cards=len(items), output=path)
    return 0
