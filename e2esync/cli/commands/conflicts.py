"""`e2esync conflicts` and `e2esync conflicts show`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..context import Context
from ..exits import CONFLICTS, OK
from ..output import to_json
from ..parser import subcommands
from ..times import ago

if TYPE_CHECKING:
    from e2esync.client.book import Book
    from e2esync.stores.index import CardRow

ABOUT = """\
When two devices change the same field while apart, both values are kept: one is shown, the others wait here. To settle
it, edit the field: what you write then replaces them all."""
EXAMPLES = "  e2esync conflicts\n  e2esync conflicts show ada\n  e2esync edit ada --phone +4989123"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions."""
    parser.add_argument("--strict", action="store_true", help="exit with 5 if there are any")
    add = subcommands(parser)
    add("list", "list the contacts with conflicts")
    show = add("show", "show the values that wait")
    show.add_argument("contact", nargs="?", metavar="CONTACT", help="only this contact")


def run(context: Context) -> int:
    """List or show."""
    args, out = context.args, context.out
    book = context.book()
    if args.action == "show" and args.contact:
        rows = [context.find(args.contact)]
    else:
        rows = context.cards()
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
        out.data(f"  {path}", f"    shown    {value_text(registers.get(path))}")
        for other in others:
            device = names.get(other.author) or f"device {other.author}"
            out.data(f"    instead  {value_text(other.value)}    {device}, {ago(other.time, present)}")


def value_text(value: Any) -> str:
    """A register's value on one line: its main text where it has one."""
    if value is None:
        return "(removed)"
    if isinstance(value, dict):
        for member in ("full", "number", "address", "name", "note", "uri", "value"):
            if isinstance(value.get(member), str):
                return str(value[member])
    return value if isinstance(value, str) else to_json(value)
