"""The guard against mass changes: what removes much of a book needs a second word (exit code 15).

Invariants: more than 10 contacts and more than 10 % of the book; a script says --yes, a person is shown what leaves
and asked, and the default is no.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from .exits import Declined, MassChange
from .output import clean
from .prompts import can_ask, confirm

if TYPE_CHECKING:
    from .context import Context

GUARD_COUNT: Final = 10
GUARD_SHARE: Final = 10
_PREVIEW: Final = 10


def is_mass_change(removed: int, total: int) -> bool:
    """Whether so many contacts leave that a person has to say so twice."""
    return removed > GUARD_COUNT and removed * 100 > total * GUARD_SHARE


def check_removal(context: Context, names: Sequence[str], *, ask: bool = True) -> None:
    """Stop where contacts of these names would leave and nobody has agreed. Raises MassChange or Declined.

    `ask`: also ask about a few, where there is a terminal.
    """
    if context.args.yes or not names:
        return
    total = len(context.cards())
    mass = is_mass_change(len(names), total)
    if mass and not can_ask():
        raise MassChange(f"this would delete {len(names)} of {total} contacts: {some_names(names)}")
    if can_ask() and (ask or mass):
        warning = f"this would delete {len(names)} of {total} contacts. " if mass else ""
        if not confirm(f"{warning}delete {some_names(names)} on all devices?"):
            raise Declined("nothing was changed")


def check_merging(context: Context, into: str, names: Sequence[str]) -> None:
    """Stop where contacts of these names would go into another one and nobody agrees. Raises MassChange or Declined."""
    total = len(context.cards())
    mass = is_mass_change(len(names), total)
    if context.args.yes:
        return
    if mass and not can_ask():
        raise MassChange(f"this would merge {len(names)} of {total} contacts into {into}: {some_names(names)}")
    warning = f"this would merge {len(names)} of {total} contacts into one. " if mass else ""
    if can_ask() and not confirm(f"{warning}merge them?"):
        raise Declined("nothing was changed")


def some_names(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    shown = [clean(name, 60) or "(no name)" for name in names[:_PREVIEW]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")
