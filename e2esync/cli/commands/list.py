"""`e2esync list [QUERY]`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from ..context import Context

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from e2esync.stores.index import CardRow

ABOUT = """\
With QUERY only contacts that it fits: part of a name or organization, a phone number in any spelling, an email address,
the start of a uid. The last column is what tells a contact apart; other commands take it as CONTACT."""
EXAMPLES = "  e2esync list\n  e2esync list ada\n  e2esync list '089 1234' --json"

_UID_SHORTEST: Final = 8
_URN: Final = "urn:uuid:"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The query."""
    parser.add_argument("--sort", choices=("surname", "name"),
                        help="by surname (phonetic spelling first), or by the name as shown; default: the setting")
    parser.add_argument("query", nargs="*", metavar="QUERY", help="what to look for")


def run(context: Context) -> int:
    """Print the contacts."""
    query = " ".join(context.args.query) or None
    rows = context.cards(query)
    if (context.args.sort or context.setting("sort")) == "name":
        from e2esync.stores.index import fold

        rows.sort(key=lambda row: (fold(row.name), row.contact))
    held = context.profile().store.names(context.book_number()).held()
    if context.out.json:
        context.out.result(contacts=[as_json(row) | {"guarded": row.contact in held} for row in rows])
        return 0
    if not rows:
        context.out.note("no contact fits" if query else "no contacts yet; `e2esync import FILE.vcf` brings some in")
        return 0
    context.out.table(("NAME", "PHONE", "EMAIL", "ORGANIZATION", "UID"), table_rows(rows, held))
    if shown := sum(row.contact in held for row in rows):
        context.out.note(f"* {shown:,} that another device deleted or changed; see `e2esync guard`")
    return 0


def as_json(row: CardRow) -> dict[str, object]:
    """A contact's line as JSON."""
    return {"uid": row.uid, "name": row.name, "phones": row.phones, "emails": row.emails, "org": row.org}


def table_rows(rows: list[CardRow], held: Container[bytes] = ()) -> Iterable[tuple[str, str, str, str, str]]:
    """The cells of each contact, with the shortest uids that tell these contacts apart, and a mark at those held."""
    uids = [row.uid.removeprefix(_URN) for row in rows]
    length = _UID_SHORTEST
    while length < 64 and len({uid[:length] for uid in uids}) < len(uids):
        length += 4
    return [
        ("* " * (row.contact in held) + row.name, row.phones[0] if row.phones else "",
         row.emails[0] if row.emails else "", row.org, uid[:length])
        for row, uid in zip(rows, uids, strict=True)
    ]
