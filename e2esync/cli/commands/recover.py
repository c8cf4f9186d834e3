"""`e2esync recover`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from e2esync.errors import NotFound

from ..context import Context
from ..kitinput import add_kit_option, read_kit
from ..profiles import device_name, new_profile
from ..prompts import ask, can_ask, confirm
from ..protect import add_protection_options, chosen_way
from .init import check_address

if TYPE_CHECKING:
    from e2esync.client.recovery import Rescue

ABOUT = """\
All devices lost, or in other hands? The 24 words of the recovery kit and the relay's address bring the whole book back
on this one, and shut the lost ones out: nothing that is written from then on can be read or changed by them, whatever
they did before. What they held already, they keep."""
EXAMPLES = """\
  e2esync recover --relay wss://relay.example            asks for the words
  e2esync recover --kit-file kit.txt --remove "Old phone" --device "New phone"
  e2esync recover --kit-file kit.txt --remove-all --plain          in a script"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Kit, relay, whom to remove, name and protection."""
    add_kit_option(parser)
    parser.add_argument("--relay", metavar="URL", help="the relay's address, if the kit file does not hold it")
    parser.add_argument("--device", metavar="NAME", help="what to call this device; default: the computer's name")
    lost = parser.add_mutually_exclusive_group()
    lost.add_argument("--remove", metavar="DEVICE", action="append", default=[],
                      help="shut this device out (its name or number); may be given again")
    lost.add_argument("--remove-all", action="store_true", help="shut every other device out")
    lost.add_argument("--keep-all", action="store_true", help="shut nobody out, and do not ask")
    add_protection_options(parser)


def run(context: Context) -> int:
    """Read the kit, read the book, ask, restore."""
    args, out = context.args, context.out
    kit = read_kit(context, args.kit_file)
    relay = args.relay or kit.relay_url or ask("Address of the relay (wss://…):", why="give it with --relay")
    check_address(relay)
    name = device_name(args.device)
    way = chosen_way(context)
    with new_profile(context, way) as profile:
        from e2esync.client.recovery import open_kit

        from ..net import run as run_trio

        async def recover() -> dict[int, str]:
            bar = context.progress()
            async with open_kit(kit.kit, relay, relay_key=kit.relay_key, progress=bar.update) as rescue:
                bar.close()
                gone = _whom(context, rescue)
                await rescue.restore(profile, name, remove=gone.keys())
            bar.close()
            return gone

        gone = run_trio(recover)
    book = context.book()
    count = len(book.list())
    out.result(set_id=book.set_id, device=name, contacts=count, removed=list(gone.values()), verified=False)
    out.note(f"The book is back on this device, {name}, with {count:,} contacts.",
             f"Shut out: {', '.join(gone.values())}." if gone else "Nobody was shut out; `e2esync revoke` does that.",
             "The relay alone says that this is the newest state. To be sure, compare the six words of",
             "`e2esync status` on a device that you still have, then run `e2esync status --confirm`.")
    return 0


def _whom(context: Context, rescue: Rescue) -> dict[int, str]:
    """The devices to shut out, by number: as the options say, or as the person answers."""
    args, devices = context.args, rescue.devices()
    if args.keep_all:
        return {}
    if args.remove_all:
        return devices
    if args.remove:
        return dict(_named(devices, selector) for selector in args.remove)
    if not can_ask() or context.out.json:
        return {}
    context.out.note(f"The book {rescue.name or '(no name)'} is there. Which devices are lost, or in other hands?")
    return {member: name for member, name in devices.items() if confirm(f"Shut out {name}?")}


def _named(devices: dict[int, str], selector: str) -> tuple[int, str]:
    wanted = selector.casefold()
    found = [(member, name) for member, name in devices.items()
             if str(member) == selector or name.casefold() == wanted]
    if len(found) != 1:
        listed = ", ".join(f"{member} {name}" for member, name in devices.items())
        raise NotFound(f"{selector} names {len(found) or 'no'} device{'s' if found else ''} of the book",
                       f"the devices are: {listed}")
    return found[0]
