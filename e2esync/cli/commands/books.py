"""`e2esync books`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..context import Context

if TYPE_CHECKING:
    from e2esync.client.profile import Profile

ABOUT = """\
The books of this profile: number, name, your role in it, how many people, devices and contacts, and its relay. Number 0
is your own; it is on all of your devices and never shared. --book takes a number or a name."""
EXAMPLES = "  e2esync books\n  e2esync books --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""
    del parser


def run(context: Context) -> int:
    """List them."""
    profile = context.profile()
    rows = [_row(profile, info.number, info.name, info.relay) for info in profile.store.books()]
    if context.out.json:
        context.out.result(books=rows)
        return 0
    context.out.table(("NO", "NAME", "ROLE", "PEOPLE", "DEVICES", "CONTACTS", "RELAY"), [
        (str(row["book"]), row["name"] or "(no name)", row["role"] or "(not here yet)", str(row["people"]),
         str(row["devices"]), f"{row['contacts']:,}", row["relay"])
        for row in rows
    ])
    return 0


def _row(profile: Profile, number: int, name: str, relay: str) -> dict[str, Any]:
    """A book as JSON; one that this device waits for has no role."""
    from e2esync.client.book import Book
    from e2esync.client.books import people

    book = Book(profile, number)
    if not book.exists():
        return {"book": number, "name": name, "role": "", "people": 0, "devices": 0, "contacts": 0, "relay": relay}
    everybody = people(book.replica)
    return {
        "book": number, "name": book.name or name, "role": next((each.role for each in everybody if each.this), ""),
        "people": len(everybody), "devices": sum(each.devices for each in everybody), "contacts": len(book.list()),
        "relay": relay,
    }
