"""`e2esync revoke DEVICE...`."""

from __future__ import annotations

import argparse

from ..carry import carry
from ..context import Context
from ..exits import UsageError
from ..prompts import can_ask, confirm
from .devices import find_device

ABOUT = """\
Shuts devices out. From then on nothing that is written can be read by them, and nothing that they write is accepted, by
the relay or by any other device. What a device held already, it keeps: for a lost phone, think of what was on it as
read. With --lost, what the device wrote last, after everybody else, is dropped too. A device of yours is shut out of
your other books, too, at once or with the next sync of any of your devices; `e2esync status` names the books where that
is still to be done."""
EXAMPLES = """\
  e2esync revoke "Old phone"
  e2esync revoke 3 --lost --yes"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The devices."""
    parser.add_argument("device", metavar="DEVICE", nargs="+", help="its name, the start of its name, or its number")
    parser.add_argument("--lost", action="store_true", help="it is in other hands: drop what it wrote last, too")


def run(context: Context) -> int:
    """Ask, then open the epoch that shuts them out."""
    from e2esync.client.members import revoke

    from ..net import run as run_trio

    args, out = context.args, context.out
    book = context.book()
    devices = {device.member: device for device in (find_device(book.devices(), each) for each in args.device)}
    names = ", ".join(device.name or f"device {device.member}" for device in devices.values())
    if not args.yes:
        if not can_ask():
            raise UsageError("revoke asks before it shuts a device out, and there is no terminal", "give --yes")
        if not confirm(f"Shut out {names}? This cannot be undone; the device can be paired again."):
            out.note("Nothing was changed.")
            return 1
    bar = context.progress()
    profile, number = context.profile(), context.book_number()
    record = run_trio(lambda: revoke(profile, devices.keys(), lost=args.lost, book=number, progress=bar.update))
    bar.close()
    out.result(removed=[{"member": member, "name": device.name} for member, device in devices.items()],
               epoch=record.epoch)
    out.note(f"{names}: shut out. Nothing written from now on can be read or changed there.",
             "What was on it before stays readable to whoever holds it.")
    if not number:
        carry(context)
    return 0
