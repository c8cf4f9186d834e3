"""`e2esync sync`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from e2esync.errors import RelayRestored, StaleView

from ..backing import back_up_if_due
from ..context import Context
from ..exits import OK, UNVERIFIED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2esync.client.sync import SyncResult
    from e2esync.errors import Detection

ABOUT = """\
Sends the changes of this device, receives the others', and ends; with --watch it stays and passes on changes as they
happen. A relay that cannot be reached loses nothing: changes wait in the profile (exit code 20)."""
EXAMPLES = "  e2esync sync\n  e2esync sync --watch\n  e2esync sync --json"

_EVENTS: Final = {
    "connected": "connected, and up to date with the relay",
    "received": "received changes",
    "sent": "sent changes",
    "epoch": "the list of devices or the keys changed",
    "unreachable": "the relay cannot be reached; trying again",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--watch."""
    parser.add_argument("-w", "--watch", action="store_true",
                        help="stay connected until interrupted (Ctrl-C) or terminated (SIGTERM)")


def run(context: Context) -> int:
    """Sync once, or until stopped."""
    if context.args.watch:
        return _watch(context)
    from e2esync.client.sync import sync

    from ..net import run as run_trio

    profile, number = context.profile(), context.book_number()
    bar = context.progress()
    result = run_trio(lambda: sync(profile, number, progress=bar.update))
    bar.close()
    context.out.result(**as_json(result))
    for notice in result.notices:
        context.out.warn(f"{notice.message}" + (f" ({notice.hint})" if notice.hint else ""))
    context.out.note(summary(result))
    back_up_if_due(context)
    return UNVERIFIED if is_alarming(result.notices) else OK


def as_json(result: SyncResult) -> dict[str, Any]:
    """The result as JSON."""
    return {
        "sent": result.sent, "received": result.received, "opened": result.opened, "media": result.media,
        "bytes_sent": result.bytes_sent, "bytes_received": result.bytes_received,
        "notices": [{"code": notice.code, "message": notice.message} for notice in result.notices],
    }


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
    from e2esync.client.sync import watch

    from ..net import run_until_terminated

    out, profile, number = context.out, context.profile(), context.book_number()
    bar = context.progress()

    def tell(event: str) -> None:
        bar.close()
        out.result(event=event, time=context.now())
        out.note(_EVENTS.get(event, event))

    run_until_terminated(lambda: watch(profile, number, on_event=tell, progress=bar.update))
    return OK
