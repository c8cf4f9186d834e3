"""`e2esync recover --add-rescue FILE`: what a locked device kept, back into the book (SPEC 14.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .context import Context
from .exits import FileProblem

if TYPE_CHECKING:
    from e2esync.access.kit import RecoveryKit


def add_rescue(context: Context, kit: RecoveryKit, path: str) -> int:
    """Open the file with the kit, and write back what the book lacks. It stays until a person removes it."""
    from e2esync.client.rescuing import add_rescue as write_back

    book, out = context.book(), context.out
    try:
        with open(path, "rb") as file:
            done = write_back(book, kit, file.read)
    except OSError as error:
        raise FileProblem(f"{path}: {error.strerror}", "give the rescue file of the locked device") from error
    names = {row.contact: row.name for row in book.list()}
    back = [names.get(contact, "") for contact in done.contacts]
    out.result(contacts=back, edits=done.edits, landed=done.landed)
    out.note(f"Brought back: {len(back):,} contact{'' if len(back) == 1 else 's'} that the book did not show, and "
             f"{done.edits:,} unsent change{'' if done.edits == 1 else 's'}.",
             *(f"  {name}" for name in back[:20]),
             "Next: `e2esync sync` sends them. If you deleted some of them on purpose, delete them again.")
    return 0
