"""Syncing all books from a command: one progress bar, a line for each book that failed, and the worst exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from e2esync.errors import E2esyncError

from .context import Context
from .exits import DELETED, FAILURE, OK, REMOVED, UNREACHABLE, UNVERIFIED, exit_code

if TYPE_CHECKING:
    from e2esync.client.together import BookSync

_WORST: Final = (UNVERIFIED, REMOVED, DELETED, FAILURE, UNREACHABLE)


def sync_books(context: Context) -> list[BookSync]:
    """Sync every book of the profile once. Raises what stopped the home book where nothing else went well either."""
    from e2esync.client.together import sync_all

    from .net import run as run_trio

    profile, bar = context.profile(), context.progress()
    done = run_trio(lambda: sync_all(profile, progress=bar.update))
    bar.close()
    errors = [each.error for each in done if each.error is not None]
    if errors and not any(each.result for each in done):
        raise errors[0]
    return done


def carry(context: Context) -> None:
    """Carry what a command has changed at home into the other books, as far as it can be done now; say what waits."""
    if len(context.profile().store.books()) == 1:
        return
    try:
        done = sync_books(context)
    except E2esyncError as error:
        context.out.warn(f"your other books are still to follow: {error.message}", "`e2esync sync` does it")
        return
    tell_errors(context, done)
    tell_intents(context)


def tell_errors(context: Context, done: list[BookSync]) -> int:
    """Say which books failed; the exit code of the worst."""
    codes = [OK]
    for each in done:
        if each.error is not None:
            hint = f" ({each.error.hint})" if each.error.hint else ""
            context.out.warn(f"{each.name or 'your own book'}: {each.error.message}{hint}")
            codes.append(exit_code(each.error))
    return next((code for code in _WORST if code in codes), max(codes))


def tell_intents(context: Context) -> None:
    """Say what is still to be done in which book."""
    from e2esync.client.intents import intents

    context.out.note(*(intent.text for intent in intents(context.profile())))
