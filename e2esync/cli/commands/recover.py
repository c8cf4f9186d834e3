"""`e2esync recover`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from e2esync.errors import DeviceRemoved, NotFound, ProfileExists

from ..context import Context
from ..exits import PARTLY
from ..kitinput import add_kit_option, has_profile, read_kit
from ..output import counted
from ..profiles import device_name, new_profile
from ..prompts import ask, can_ask, confirm
from ..protect import add_protection_options, chosen_way
from ..rescue import add_rescue
from ..times import clock, parse_time
from .init import check_address

if TYPE_CHECKING:
    from e2esync.access.kit import KitFile
    from e2esync.client.recovery import Rescue
    from e2esync.client.regaining import Regained
    from e2esync.procedures.past import Retained

ABOUT = """\
All devices lost, or in other hands? The 24 words of the recovery kit and the relay's address bring every book back on
this one, and shut the lost ones out: nothing that is written from then on can be read or changed by them, whatever they
did before. What they held already, they keep.

Did a thief empty the book? --at puts it back as it was at a time that the relay still keeps, 30 days back at least;
--list shows how far. On a device that is in the book already, recover --at does only that, and recover without it
brings back the books that could not be reached before."""
EXAMPLES = """\
  e2esync recover --relay wss://relay.example            asks for the words
  e2esync recover --kit-file kit.txt --remove "Old phone" --device "New phone"
  e2esync recover --kit-file kit.txt --list
  e2esync recover --kit-file kit.txt --at "2 days ago" --remove-all
  e2esync recover --add-rescue rescue-1f2e3d4c-7.e2esync --kit-file kit.txt
  e2esync recover --kit-file kit.txt --remove-all --plain          in a script"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Kit, relay, time, whom to remove, name and protection."""
    add_kit_option(parser)
    parser.add_argument("--relay", metavar="URL", help="the relay's address, if the kit file does not hold it")
    parser.add_argument("--add-rescue", metavar="FILE", action="append", default=[],
                        help="into the books on this device: what a device that was shut out and locked had kept; may "
                        "be given again")
    parser.add_argument("--device", metavar="NAME", help="what to call this device; default: the computer's name")
    parser.add_argument("--at", metavar="TIME", help="put the book back as it was: a date, a time, or `2 days ago`")
    parser.add_argument("--list", action="store_true", help="only show which times can be restored, and change nothing")
    lost = parser.add_mutually_exclusive_group()
    lost.add_argument("--remove", metavar="DEVICE", action="append", default=[],
                      help="shut this device out (its name or number); may be given again")
    lost.add_argument("--remove-all", action="store_true", help="shut every other device out")
    lost.add_argument("--keep-all", action="store_true", help="shut nobody out, and do not ask")
    add_protection_options(parser)


def run(context: Context) -> int:
    """Read the kit, read the book, ask, restore."""
    args = context.args
    at = parse_time(args.at, context.now(), end=True) if args.at else None
    kit = read_kit(context, args.kit_file)
    if args.add_rescue:
        return add_rescue(context, kit.kit, args.add_rescue)
    relay = args.relay or kit.relay_url or _own_relay(context)
    relay = relay or ask("Address of the relay (wss://…):", why="give it with --relay")
    check_address(relay)
    if args.list:
        return _list(context, kit, relay)
    if has_profile(context):
        return _here(context, kit, relay, at)
    return _anew(context, kit, relay, at)


def _own_relay(context: Context) -> str:
    """The relay that the profile here is at; empty without one."""
    return context.book().relay_url if has_profile(context) else ""


def _list(context: Context, kit: KitFile, relay: str) -> int:
    """What can be restored."""
    from e2esync.client.recovery import open_kit

    from ..net import run as run_trio

    async def look() -> tuple[list[Retained], dict[int, str]]:
        async with open_kit(kit.kit, relay, relay_key=kit.relay_key) as rescue:
            return await rescue.retained(), rescue.everybody()

    retained, names = run_trio(look)
    out = context.out
    out.result(retained=[{"epoch": each.epoch, "since": each.since, "until": each.until, "opener": each.opener}
                         for each in retained])
    if not out.json:
        out.table(("FROM", "TO", "BEGUN BY"), [
            (clock(each.since), clock(each.until) if each.until else "now", names.get(each.opener, "the recovery kit"))
            for each in retained
        ])
        out.note("Any time between these can be restored: `e2esync recover --at TIME`.")
    return 0


def _anew(context: Context, kit: KitFile, relay: str, at: int | None) -> int:
    """On a device that has nothing yet."""
    args, out = context.args, context.out
    name = device_name(args.device)
    way = chosen_way(context)
    with new_profile(context, way) as profile:
        from e2esync.client.recovery import open_kit
        from e2esync.client.regaining import regain_sets

        from ..net import run as run_trio

        async def recover() -> tuple[dict[int, str], list[Regained]]:
            bar = context.progress()
            async with open_kit(kit.kit, relay, relay_key=kit.relay_key, progress=bar.update) as rescue:
                bar.close()
                past = None if at is None else await rescue.past(at)
                if past is not None:
                    out.note(f"At {clock(past.at)} the book had {counted(past.contacts, 'contact')}.")
                gone = _whom(context, rescue)
                await rescue.restore(profile, name, remove=gone.keys(), past=past)
            bar.close()
            return gone, await regain_sets(profile, kit.kit, name)

        gone, others = run_trio(recover)
    book = context.book()
    count = len(book.list())
    out.result(set_id=book.set_id, device=name, contacts=count, removed=list(gone.values()), verified=False,
               at=at, books=[_as_json(each) for each in others])
    out.note(f"The book is back on this device, {name}, with {counted(count, 'contact')}.",
             f"Shut out: {', '.join(gone.values())}." if gone else "Nobody was shut out; `e2esync revoke` does that.")
    missing = _say_others(context, others)
    out.note("The relay alone says that this is the newest state. To be sure, compare the six words of",
             "`e2esync status` on a device that you still have, then run `e2esync status --confirm`.")
    return PARTLY if missing else 0


def _here(context: Context, kit: KitFile, relay: str, at: int | None) -> int:
    """On a device that is in the book: put it back as it was, or bring back the books that are not here yet."""
    from e2esync.access.kit import key_number
    from e2esync.client.recovery import open_kit
    from e2esync.client.regaining import put_back_here, regain_sets

    from ..net import run as run_trio

    profile, book, out = context.profile(), context.book(), context.out
    if key_number(kit.kit, book.replica.chain.root.verify_key) is None:
        raise ProfileExists("there is a profile here already, and its book has another recovery kit",
                            "choose another folder with --home, or use the kit of this book")

    async def recover() -> tuple[tuple[int, int, int], list[Regained]]:
        async with open_kit(kit.kit, relay, relay_key=kit.relay_key) as rescue:
            if rescue.replica.set_id != book.set_id or not rescue.has(book.replica.signing_key.verify_key):
                raise DeviceRemoved("this device was shut out of the book",
                                    "recover into a new folder: `e2esync recover --home FOLDER`; this one stays")
            past = None if at is None else await rescue.past(at)
        if past is None:
            return (0, 0, 0), await regain_sets(profile, kit.kit, book.device_name)
        return await put_back_here(profile, past), []

    (came, changed, went), others = run_trio(recover)
    out.result(set_id=book.set_id, at=at, came=came, changed=changed, went=went,
               books=[_as_json(each) for each in others])
    if at is not None:
        out.note(f"The book is as it was at {clock(at)}: {counted(came, 'contact')} came back, {changed:,} were "
                 f"changed back, {went:,} that came later are gone.")
    elif not others:
        out.note("Every book of this kit is here already. To shut a device out: `e2esync revoke`.")
    return PARTLY if _say_others(context, others) else 0


def _say_others(context: Context, others: list[Regained]) -> bool:
    """Say what became of the further books; whether one is missing."""
    for each in others:
        if each.problem:
            context.out.warn(f"Not here yet: {each.name or each.set_id.hex()[:16]} ({each.problem}). "
                             "Run `e2esync recover` again later, with the kit.")
        else:
            lost = f" Shut out: {', '.join(each.removed)}." if each.removed else ""
            context.out.note(f"{each.name or f'book {each.book}'} is back too, with "
                             f"{counted(each.contacts, 'contact')}.{lost}")
    return any(each.problem for each in others)


def _as_json(each: Regained) -> dict[str, Any]:
    return {"set_id": each.set_id, "name": each.name, "book": each.book, "contacts": each.contacts,
            "removed": list(each.removed), "problem": each.problem}


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
