"""`e2esync init`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..context import Context
from ..exits import UsageError
from ..profiles import device_name, new_profile
from ..prompts import ask
from ..protect import add_protection_options, chosen_way
from .kit import add_hand_over_options, check_hand_over, hand_over

if TYPE_CHECKING:
    from e2esync.access.kit import RecoveryKit
    from e2esync.client.profile import Profile

ABOUT = """\
Makes the book, registers it with the relay, and shows the recovery kit: 24 words that bring everything back if all your
devices are lost. Write them on paper; the command asks three of them back. Nothing is imported or sent yet. To add this
device to a book that exists, use `e2esync join` instead."""
EXAMPLES = """\
  e2esync init --relay wss://relay.example --device "Old phone" --sheet kit.html
  e2esync init --relay ws://127.0.0.1:8765 --plain --kit-file kit.txt     in a script"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Relay, device, kit and protection."""
    parser.add_argument("--relay", metavar="URL", help="the relay's address: wss://…, ws://…, tls://… or tcp://…")
    add_invitation_option(parser)
    parser.add_argument("--device", metavar="NAME", help="what to call this device; default: the computer's name")
    add_hand_over_options(parser)
    add_protection_options(parser)


def run(context: Context) -> int:
    """Make profile, book and kit."""
    from e2esync.access.kit import KitFile

    args, out = context.args, context.out
    check_hand_over(context)
    relay = args.relay or ask("Address of the relay (wss://…):", why="give it with --relay")
    check_address(relay)
    invitation = read_invitation(args.invitation)
    way = chosen_way(context)
    name = device_name(args.device)
    kit = _generate()
    with new_profile(context, way) as profile:
        set_id, relay_key = _create(profile, relay, name, kit, invitation)
        # Only when its owner has the kit does the book count as made.
        hand_over(context, KitFile(kit, relay, relay_key, None), set_id)
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


def add_invitation_option(parser: argparse.ArgumentParser, when: str = "") -> None:
    """--invitation, of every command that brings a relay a set which it has not."""
    parser.add_argument("--invitation", metavar="CODE", help=f"{when}from who runs the relay, where it asks for one")


def read_invitation(text: str | None) -> bytes:
    """The bytes of an invitation; none without one. Raise UsageError for what is none."""
    from e2esync.limits import RELAY_INVITATION

    try:
        invitation = bytes.fromhex((text or "").replace("-", ""))
    except ValueError:
        invitation = b"?"
    if len(invitation) not in (0, RELAY_INVITATION):
        raise UsageError("this is no invitation to a relay", "eight groups of four letters and digits, as it was given")
    return invitation


def _generate() -> RecoveryKit:
    from e2esync.access.kit import RecoveryKit
    from e2esync.client.entropy import SystemEntropy

    return RecoveryKit.generate(SystemEntropy())


def _create(profile: Profile, relay: str, name: str, kit: RecoveryKit, invitation: bytes) -> tuple[bytes, bytes]:
    """The set's id and the relay's key."""
    from e2esync.client.sync import create_set

    from ..net import run as run_trio

    replica = run_trio(lambda: create_set(profile, relay, name, kit, invitation=invitation))
    return replica.set_id, replica.chain.relay_key

