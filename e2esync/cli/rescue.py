"""`e2esync recover --add-rescue FILE`: what a locked device kept, back into the book that it is of (SPEC 14.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .context import Context
from .exits import FileProblem
from .output import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2esync.access.kit import RecoveryKit

_NAMED: Final = 20
"""Contacts that are named on the terminal."""


def add_rescue(context: Context, kit: RecoveryKit, paths: Sequence[str]) -> int:
    """Open each file with the kit, and write back what its book lacks. The files stay until a person removes them."""
    done = [_add(context, kit, path) for path in paths]
    context.out.result(files=done)
    context.out.note("Next: `e2esync sync` sends them. If you deleted some of them on purpose, delete them again.")
    return 0


def _add(context: Context, kit: RecoveryKit, path: str) -> dict[str, Any]:
    from e2esync.client.rescuing import add_rescue as write_back

    try:
        with open(path, "rb") as file:
            book, done = write_back(context.profile(), kit, file.read)
    except OSError as error:
        raise FileProblem(f"{path}: {error.strerror}", "give the rescue file of the locked device") from error
    names = {row.contact: row.name for row in book.list()}
    back = [names.get(contact, "") for contact in done.contacts]
    context.out.note(f"Brought back into {book.name or 'the book'}: {counted(len(back), 'contact')} that it did not "
                     f"show, and {counted(done.edits, 'unsent change')}.", *(f"  {name}" for name in back[:_NAMED]))
    return {"file": path, "book": book.number, "contacts": back, "edits": done.edits, "landed": done.landed}
