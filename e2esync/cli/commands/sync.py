"""`e2esync sync`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from e2esync.errors import RelayRestored, StaleView

from ..backing import back_up_if_due
from ..context import Context
from ..exits import GUARD, OK, UNVERIFIED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2esync.client.sync import SyncResult
    from e2esync.errors import Detection
    from e2esync.replica.deletion import Deleting

ABOUT = """\
Sends the changes of this device, receives the others', and ends; with --watch it stays and passes on changes as they
happen. All books of the profile are synced, your own first; --book names one. Books that another device of yours has
joined come here by themselves. A relay that cannot be reached loses nothing: changes wait in the profile (exit code
20), and what goes wrong in one book stops no other. Where very many contacts were deleted or changed by another device
the exit code is 15, until `e2esync guard` has settled it."""
EXAMPLES = "  e2esync sync\n  e2esync sync --book Family\n  e2esync sync --watch\n  e2esync sync --json"

_EVENTS: Final = {
    "connected": "connected, and up to date with the relay",
    "received": "received changes",
    "sent": "sent changes",
    "epoch": "the list of devices or the keys changed",
    "deletion": "somebody wants this book deleted at its relay, or kept; see `e2esync status`",
    "held": "very many contacts were deleted or changed at once, and are still shown: see `e2esync guard`",
    "restored": "the relay came back from a backup, and has again what it had lost",
    "moved": "the book is at another relay, and so is this device",
    "unreachable": "the relay cannot be reached; trying again",
    "stopped": "this book is synced no more; see `e2esync status`",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--watch."""
    parser.add_argument("-w", "--watch", action="store_true",
                        help="stay connected until interrupted (Ctrl-C) or terminated (SIGTERM)")


def run(context: Context) -> int:
    """Sync once, or until stopped."""
    if context.args.watch:
        return _watch(context)
    if context.args.book is None:
        return _all(context)
    from e2esync.client.sync import sync

    from ..net import run as run_trio

    profile, number = context.profile(), context.book_number()
    bar = context.progress()
    result = run_trio(lambda: sync(profile, number, progress=bar.update))
    bar.close()
    context.out.result(**as_json(result))
    code = _tell(context, result, "")
    back_up_if_due(context)
    return code


def _all(context: Context) -> int:
    """Sync every book; one line for each, and the exit code of the worst."""
    from ..carry import sync_books, tell_errors, tell_intents

    done = sync_books(context)
    good = [each for each in done if each.result is not None]
    context.out.result(**as_json(_sum([each.result for each in good if each.result is not None])), books=[
        {"book": each.number, "name": each.name}
        | (as_json(each.result) if each.result is not None else {})
        | ({"error": {"code": each.error.code, "message": each.error.message}} if each.error is not None else {})
        for each in done
    ])
    codes = [tell_errors(context, done)]
    for each in good:
        if each.result is not None:
            codes.append(_tell(context, each.result, each.name if len(done) > 1 else ""))
    tell_intents(context)
    back_up_if_due(context)
    # A lie first, then what went wrong, then what waits for a person.
    return UNVERIFIED if UNVERIFIED in codes else codes[0] or max(codes)


def _tell(context: Context, result: SyncResult, name: str) -> int:
    """Say what a sync of one book did, and what it noticed."""
    mark = f"{name}: " if name else ""
    for notice in result.notices:
        context.out.warn(f"{mark}{notice.message}" + (f" ({notice.hint})" if notice.hint else ""))
    if result.held:
        context.out.warn(f"{mark}{result.held:,} contacts that others deleted or changed are shown as they were, until "
                         "you decide: `e2esync guard`")
    if result.deleting is not None:
        from e2esync.client.endings import coming

        context.out.warn(mark + coming(result.deleting))
    context.out.note(mark + summary(result), *(
        f"{gone} asked to leave, and is out: nothing written from now on can be read or changed there."
        for gone in result.left))
    return UNVERIFIED if is_alarming(result.notices) else GUARD if result.held else OK


def _sum(results: Sequence[SyncResult]) -> SyncResult:
    from e2esync.client.sync import SyncResult

    return SyncResult(
        sum(each.received for each in results), sum(each.sent for each in results),
        any(each.opened for each in results), sum(each.media for each in results),
        sum(each.bytes_sent for each in results), sum(each.bytes_received for each in results),
        tuple(notice for each in results for notice in each.notices),
        tuple(name for each in results for name in each.left), sum(each.held for each in results),
    )


def as_json(result: SyncResult) -> dict[str, Any]:
    """The result as JSON."""
    return {
        "sent": result.sent, "received": result.received, "opened": result.opened, "media": result.media,
        "left": list(result.left), "held": result.held, "deleting": deleting_as_json(result.deleting),
        "bytes_sent": result.bytes_sent, "bytes_received": result.bytes_received,
        "notices": [{"code": notice.code, "message": notice.message} for notice in result.notices],
    }


def deleting_as_json(deleting: Deleting | None) -> dict[str, Any] | None:
    """That the book is to be deleted, or was, as JSON: `by` is a device, or empty for the kit; `time` in ms."""
    return None if deleting is None else {"by": deleting.by, "time": deleting.time, "done": deleting.done}


def summary(result: SyncResult) -> str:
    """`sent 1, received 12, 3 photos; 4.1 kB up, 20.0 kB down`."""
    parts = []
    if result.sent:
        parts.append(f"sent {result.sent}")
    if result.received:
        parts.append(f"received {result.received}")
    if result.media:
        parts.append(f"{result.media} photo{'' if result.media == 1 else 's'}")
    done = ", ".join(parts) or "nothing new"
    return f"{done}; {size(result.bytes_sent)} up, {size(result.bytes_received)} down"


def size(count: int) -> str:
    """A number of bytes for people."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def is_alarming(notices: Sequence[Detection]) -> bool:
    """Whether something was detected that no honest relay and device cause."""
    return any(not isinstance(notice, RelayRestored | StaleView) for notice in notices)


def _watch(context: Context) -> int:
    from e2esync.client.together import watch_all
    from e2esync.client.watching import watch

    from ..net import run_until_terminated

    out, profile = context.out, context.profile()
    bar = context.progress()

    def tell(event: str, book: str) -> None:
        bar.close()
        out.result(event=event, time=context.now(), book=book)
        several = len(profile.store.books()) > 1
        out.note((f"{book}: " if several and book else "") + _EVENTS.get(event, event))

    if context.args.book is None:
        run_until_terminated(lambda: watch_all(profile, on_event=tell, progress=bar.update))
        return OK
    number, name = context.book_number(), context.book().name
    run_until_terminated(lambda: watch(profile, number, on_event=lambda event: tell(event, name), progress=bar.update))
    return OK
