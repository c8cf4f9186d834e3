"""`e2esync forget`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..exits import UsageError
from ..prompts import can_ask, confirm
from .devices import find_device

ABOUT = """\
Deletes for good what was deleted or changed so far: undo and trash on every device, and whatever the relay may have
kept of it, which then opens with nobody's key. It is done when every device has synced twice or so; `forget` and
`status` name those that must still do that, and it waits for nobody. A device that will not come back is left behind,
and shut out, with --without. The recovery kit is the one exception: until the relay drops what it keeps (30 days), the
kit can still read it."""
EXAMPLES = """\
  e2esync rm "Old friend" && e2esync forget
  e2esync forget --without "Old phone" --yes"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--without."""
    parser.add_argument("--without", metavar="DEVICE", action="append", default=[],
                        help="shut this device out instead of waiting for it; may be given again")


def run(context: Context) -> int:
    """Ask, then open the epoch that forgets; say who is still to acknowledge it."""
    from e2esync.client.forgetting import forget

    from ..net import run as run_trio

    args, out, book = context.args, context.out, context.book()
    devices = {device.member: device for device in (find_device(book.devices(), each) for each in args.without)}
    shut_out = f" {', '.join(device.name for device in devices.values())} will be shut out." if devices else ""
    if not args.yes:
        if not can_ask():
            raise UsageError("forget asks before it deletes for good, and there is no terminal", "give --yes")
        if not confirm(f"Delete for good, on all devices, what was deleted so far? Undo ends here.{shut_out}"):
            out.note("Nothing was changed.")
            return 1
    bar = context.progress()
    profile, number = context.profile(), context.book_number()
    done = run_trio(lambda: forget(profile, without=devices.keys(), book=number, progress=bar.update))
    bar.close()
    out.result(epoch=done.epoch, complete=not done.waiting, removed=list(devices),
               waiting=[{"member": member, "name": name} for member, name in done.waiting.items()])
    out.note(*told(done.waiting))
    return 0


def told(waiting: dict[int, str]) -> list[str]:
    """What a person is to know of a forget that these devices have not acknowledged."""
    if not waiting:
        return ["Forgotten for good: no device and no key opens it any more. (The recovery kit, for 30 days at most.)"]
    names = ", ".join(waiting.values())
    return [f"Next: sync {names}. Until then what was deleted can still be brought back from there.",
            "Syncing this device afterwards completes it. For one that will not come back: "
            f"`e2esync forget --without {next(iter(waiting))}` shuts it out."]
