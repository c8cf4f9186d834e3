"""A program that follows a book: it prints what changes, by whomever, and settles conflicts by a rule of its own.

    python -m tests.examples.follower PROFILE        a profile without a passphrase, until Ctrl-C
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import trio

from e2esync import Book, Event, Profile, watch


class Follower:
    """Tells of each event once, also of those while it was not running; `last` is what it would keep in a file."""

    def __init__(self, book: Book, tell: Callable[[str], None], last: int = 0) -> None:
        self.book = book
        self.tell = tell
        self.last = last

    def look(self, _what: str = "") -> None:
        """Take in what is new: for `watch(on_event=...)`."""
        for event in self.book.events(after=self.last):
            self.last = event.number
            self.tell(f"{event.kind} {event.name}")
            if event.conflicts:
                self.settle(event)

    def settle(self, event: Event) -> None:
        """Keep the longest note; what else devices disagree about is left to a person."""
        conflicts = self.book.conflicts(event.contact)
        for path in conflicts:
            if path.startswith("notes/"):
                values = [self.book.registers(event.contact)[path], *(other.value for other in conflicts[path])]
                self.book.resolve(event.contact, path, max(range(len(values)), key=lambda at: len(str(values[at]))))
                self.tell(f"settled {path} of {event.name}")


async def main(home: Path) -> None:
    """Follow the book of a profile."""
    with Profile.open(home) as profile:
        await watch(profile, on_event=Follower(Book(profile), print).look)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
