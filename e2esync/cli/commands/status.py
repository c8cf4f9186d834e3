"""`e2esync status`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from e2esync.errors import DeviceRemoved

from ..context import Context
from ..exits import CONFLICTS, OK, REMOVED
from ..output import counted
from ..times import ago

if TYPE_CHECKING:
    from e2esync.client.book import Device, Status

ABOUT = """\
Reads this device's own copy only; it asks nobody. It never says that a device is in step which it has not heard."""
EXAMPLES = "  e2esync status\n  e2esync status --strict      exit code 5 while conflicts wait"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--strict."""
    parser.add_argument("--confirm", action="store_true",
                        help="after a recovery: the words are the same on another device")
    parser.add_argument("--strict", action="store_true", help="exit with 5 while conflicts wait for a person")


def run(context: Context) -> int:
    """Print the state."""
    from e2esync.client.intents import intents
    from e2esync.replica.deletion import deletion_of

    from .sync import deleting_as_json

    try:
        book = context.book()
    except DeviceRemoved as error:
        return _left(context, error)
    if context.args.confirm:
        context.out.note("Noted: this is the newest state." if book.confirm() else "There was nothing to confirm.")
    status = book.status()
    waiting = intents(context.profile())
    if context.out.json:
        deleting = deleting_as_json(deletion_of(book.replica, context.now()))
        context.out.result(book=book.name, **as_json(status), deleting=deleting, waiting=[
            {"book": each.book, "kind": each.kind, "message": each.text} for each in waiting])
    else:
        context.out.data(*_lines(book.name, status, context.now()), *(f"to do      {each.text}" for each in waiting))
    return CONFLICTS if context.args.strict and status.conflicts else OK


def _left(context: Context, error: DeviceRemoved) -> int:
    """A device that is in no book any more: what is to be done, then what happened."""
    from e2esync.client.farewell import read_left

    left = read_left(context.home)
    if left is None:
        raise error
    context.out.result(state=left.state, device=left.device, epoch=left.epoch, by=left.by, time=left.time,
                       others=list(left.others), message=error.message, next=error.hint)
    if not context.out.json:
        context.out.data(f"next       {error.hint}", f"happened   {error.message}, {ago(left.time, context.now())}")
    return REMOVED


def as_json(status: Status) -> dict[str, Any]:
    """The state as JSON; times are milliseconds, 0 for never."""
    return {
        "set_id": status.set_id, "device": status.device, "epoch": status.epoch, "position": status.position,
        "contacts": status.contacts, "unsent": status.unsent, "last_sync": status.last_sync,
        "relay": status.relay_url, "devices": len(status.devices), "notices": list(status.notices),
        "conflicts": status.conflicts, "forgetting": list(status.forgetting), "phrase": list(status.phrase),
    }


def _lines(name: str, status: Status, now: int) -> list[str]:
    others = [device for device in status.devices if not device.this]
    heard = sum(1 for device in others if device.last_heard)
    lines = [
        f"book       {name or '(no name)'}, {counted(status.contacts, 'contact')}",
        f"device     {status.device}",
        f"relay      {status.relay_url or 'none'}",
        f"changes    {counted(status.unsent, 'change')} not yet sent",
        f"last sync  {ago(status.last_sync, now)}",
        f"devices    {len(others)} other{'s' if len(others) != 1 else ''}, {heard} heard from",
    ]
    lines += [f"           {device.name or '(no name)'}: {_heard(device, now)}" for device in others]
    if status.conflicts:
        lines.append(f"conflicts  {status.conflicts}; see `e2esync conflicts`")
    if status.forgetting:
        lines.append(f"forget     not complete: sync {', '.join(status.forgetting)}, then this device; "
                     "or `e2esync forget --without DEVICE`")
    lines.append(f"words      {' '.join(status.phrase)}   the same on every device that is in step")
    return lines + [f"notice     {notice}" for notice in status.notices]


def _heard(device: Device, now: int) -> str:
    """When a device was heard, and whether it had the same then. Of one that was not heard nobody knows."""
    if not device.last_heard:
        return "never heard: nobody can say whether it is in step"
    return f"heard {ago(device.last_heard, now)}" + (", in step then" if device.in_step else "")
