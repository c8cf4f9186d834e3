"""`e2esync conflicts list|show|resolve`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from e2esync.errors import NotFound

from ..context import Context
from ..exits import CONFLICTS, OK, NoTerminal
from ..output import to_json
from ..parser import subcommands
from ..prompts import ask, can_ask
from ..times import ago

if TYPE_CHECKING:
    from e2esync.client.book import Book
    from e2esync.stores.index import CardRow

ABOUT = """\
When two devices change the same field while apart, both values are kept: one is shown, the others wait here, numbered.
`resolve` keeps one of them, 0 being the one that is shown; or edit the field: what you write replaces them all."""
EXAMPLES = """\
  e2esync conflicts
  e2esync conflicts list
  e2esync conflicts show ada
  e2esync conflicts resolve ada phones/p1 --keep 1
  e2esync conflicts resolve ada                     asks about each"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions."""
    parser.add_argument("--strict", action="store_true", help="exit with 5 if there are any")
    add = subcommands(parser)
    add("list", "list the contacts with conflicts")
    show = add("show", "show the values that wait")
    show.add_argument("contact", nargs="?", metavar="CONTACT", help="only this contact")
    resolve = add("resolve", "keep one of the values")
    resolve.add_argument("contact", metavar="CONTACT", help="the contact")
    resolve.add_argument("path", nargs="?", metavar="FIELD", help="the field, as `conflicts show` has it; default: all")
    resolve.add_argument("--keep", type=int, metavar="N", help="the number of the value; 0 is the one shown")


def run(context: Context) -> int:
    """List, show or resolve."""
    args, out = context.args, context.out
    book = context.book()
    if args.action == "resolve":
        return _resolve(context, book)
    rows = [context.find(args.contact)] if args.action == "show" and args.contact else context.cards()
    found = [(row, conflicts) for row in rows if (conflicts := book.conflicts(row.contact))]
    if out.json:
        out.result(conflicts=[_as_json(context, row, conflicts) for row, conflicts in found])
    elif not found:
        out.note("no conflicts")
    elif args.action == "show":
        for row, conflicts in found:
            _show(context, book, row, conflicts)
    else:
        out.table(("NAME", "FIELDS", "UID"), [(row.name, ", ".join(sorted(c)), row.uid) for row, c in found])
    return CONFLICTS if found and args.strict else OK


def _resolve(context: Context, book: Book) -> int:
    """Keep what the options, or the person, choose."""
    args, out = context.args, context.out
    row = context.find(args.contact)
    conflicts = book.conflicts(row.contact)
    paths = [args.path] if args.path else sorted(conflicts)
    if args.path and args.path not in conflicts:
        raise NotFound(f"there is no conflict at {args.path}", "`e2esync conflicts show` shows what there is")
    if args.keep is None:
        if not can_ask():
            raise NoTerminal("no terminal to ask which value to keep", "add --keep N")
        _show(context, book, row, {path: conflicts[path] for path in paths})
    kept = {}
    for path in paths:
        keep = args.keep if args.keep is not None else _ask(path, len(conflicts[path]))
        if keep is not None:
            book.resolve(row.contact, path, keep)
            kept[path] = keep
    out.result(uid=row.uid, resolved=kept)
    out.note(f"{len(kept)} settled" if kept else "nothing was settled")
    return OK


def _ask(path: str, others: int) -> int | None:
    """The number that a person gives for a field; None to leave it."""
    while True:
        answer = ask(f"{path}: keep which, 0 to {others}? (Enter leaves it)", why="add --keep N")
        if not answer:
            return None
        if answer.isascii() and answer.isdecimal() and int(answer) <= others:
            return int(answer)


def _as_json(context: Context, row: CardRow, conflicts: dict[str, list[Any]]) -> dict[str, Any]:
    registers = context.registers(row.contact)
    return {"uid": row.uid, "name": row.name, "fields": {
        path: {"shown": registers.get(path), "others": [
            {"value": other.value, "device": other.author, "time": other.time} for other in others
        ]} for path, others in sorted(conflicts.items())
    }}


def _show(context: Context, book: Book, row: CardRow, conflicts: dict[str, list[Any]]) -> None:
    out = context.out
    names = {device.member: device.name for device in book.devices()}
    registers = context.registers(row.contact)
    present = context.now()
    out.heading(row.name or row.uid)
    for path, others in sorted(conflicts.items()):
        out.data(f"  {path}", f"    0 shown    {value_text(registers.get(path))}")
        for number, other in enumerate(others, start=1):
            device = names.get(other.author) or f"device {other.author}"
            out.data(f"    {number} instead  {value_text(other.value)}    {device}, {ago(other.time, present)}")


def value_text(value: Any) -> str:
    """A register's value on one line: its main text where it has one."""
    if value is None:
        return "(removed)"
    if isinstance(value, dict):
        for member in ("full", "number", "address", "name", "note", "uri", "value"):
            if isinstance(value.get(member), str):
                return str(value[member])
    return value if isinstance(value, str) else to_json(value)
