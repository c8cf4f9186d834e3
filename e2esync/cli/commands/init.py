"""`e2esync init`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..context import Context
from ..exits import UsageError
from ..files import check_target, write_private
from ..kitcheck import ask_back, show_kit
from ..profiles import device_name, new_profile
from ..prompts import ask, can_ask
from ..protect import add_protection_options, chosen_way

if TYPE_CHECKING:
    from e2esync.access.kit import RecoveryKit
    from e2esync.client.profile import Profile

ABOUT = """\
Makes the book, registers it with the relay, and shows the recovery kit: 24 words that bring everything back if all your
devices are lost. Write them on paper; the command asks three of them back. Nothing is imported or sent yet. To add this
device to a book that exists, use `e2esync join` instead."""
EXAMPLES = """\
  e2esync init --relay wss://relay.example --device "Old phone"
  e2esync init --relay ws://127.0.0.1:8765 --plain --kit-file kit.txt     in a script"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Relay, device, kit and protection."""
    parser.add_argument("--relay", metavar="URL", help="the relay's address: wss://…, ws://…, tls://… or tcp://…")
    parser.add_argument("--device", metavar="NAME", help="what to call this device; default: the computer's name")
    parser.add_argument("--kit-file", metavar="FILE",
                        help="write the recovery kit to a file only you can read, instead of asking words back")
    add_protection_options(parser)


def run(context: Context) -> int:
    """Make profile, book and kit."""
    args, out = context.args, context.out
    if args.kit_file is not None:
        check_target(args.kit_file, replace=False)
    elif not out.json and not can_ask():
        raise UsageError("init shows the recovery kit and asks three of its words back, and there is no terminal",
                         "give --kit-file FILE to keep the kit in a file instead")
    relay = args.relay or ask("Address of the relay (wss://…):", why="give it with --relay")
    check_address(relay)
    way = chosen_way(context)
    name = device_name(args.device)
    kit = _generate()
    with new_profile(context, way) as profile:
        set_id = _create(profile, relay, name, kit)
        _hand_over(context, kit, relay, set_id)
    out.note(f"The book is ready on this device, {name}.",
             "Next: `e2esync import contacts.vcf`, `e2esync sync`, and `e2esync pair` for the next device.")
    return 0


def check_address(url: str) -> None:
    """Raise UsageError for what is no relay's address, before anything is asked or made."""
    from e2esync.errors import Unreachable
    from e2esync.transports.address import parse_address

    try:
        parse_address(url)
    except Unreachable as error:
        raise UsageError(error.message, error.hint) from None


def _generate() -> RecoveryKit:
    from e2esync.access.kit import RecoveryKit
    from e2esync.client.entropy import SystemEntropy

    return RecoveryKit.generate(SystemEntropy())


def _create(profile: Profile, relay: str, name: str, kit: RecoveryKit) -> bytes:
    from e2esync.client.sync import create_set

    from ..net import run as run_trio

    run_trio(lambda: create_set(profile, relay, name, kit))
    return profile.store.books()[0].set_id


def _hand_over(context: Context, kit: RecoveryKit, relay: str, set_id: bytes) -> None:
    """Give the kit to its owner; only then does the book count as made."""
    from e2esync.access.kit import render_kit_file

    args, out = context.args, context.out
    if args.kit_file is not None:
        write_private(args.kit_file, render_kit_file(kit, relay, set_id).encode(), replace=False)
        out.result(set_id=set_id, relay=relay, kit_file=args.kit_file)
        out.note(f"The recovery kit is in {args.kit_file}. Print it, and keep it off your devices.")
    elif out.json:
        out.result(set_id=set_id, relay=relay, kit=kit.words())
    else:
        words = kit.words()
        show_kit(words, out)
        ask_back(words, out)
