"""`e2esync join CODE`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..context import Context
from ..exits import UsageError
from ..files import read_first_line
from ..output import counted
from ..profiles import device_name, new_profile
from ..protect import add_protection_options, chosen_way
from .init import check_address
from .pair import NO_VERIFY_WARNING

ABOUT = """\
Run `e2esync pair` on a device that is in, and give its code here. This device then shows three words: type them on the
other one. It makes a new profile and downloads the book."""
EXAMPLES = """\
  e2esync join WS://192.168.1.20:8765#4F7Q2M-… --device Laptop
  e2esync join - --no-verify --plain --device Laptop < code.txt      in a script"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Code, device, relay and protection."""
    parser.add_argument("code", metavar="CODE", help="the code that the other device shows; - reads it from stdin")
    parser.add_argument("--device", metavar="NAME", help="what to call this device; default: the computer's name")
    parser.add_argument("--relay", metavar="URL", help="the relay's address, if the code does not hold it")
    parser.add_argument("--no-verify", action="store_true",
                        help="go with a `pair --no-verify`: no words are compared. For tests only")
    add_protection_options(parser)


def run(context: Context) -> int:
    """Join."""
    from e2esync.access.code import parse_code
    from e2esync.client.pairing import join

    from ..net import run as run_trio

    args, out = context.args, context.out
    text = read_first_line("-") if args.code == "-" else args.code.strip()
    code = parse_code(text)
    relay = args.relay or code.relay_url
    if relay is None:
        raise UsageError("the code does not hold the relay's address", "give it with --relay")
    check_address(relay)
    if args.no_verify:
        out.warn(NO_VERIFY_WARNING)
    name = device_name(args.device)
    way = chosen_way(context)
    bar = context.progress()
    with new_profile(context, way) as profile:
        run_trio(lambda: join(profile, text, name, relay=args.relay, progress=bar.update,
                              show_words=lambda words: show_words(context, words)))
    bar.close()
    count = len(context.book().list())
    out.result(set_id=context.book().set_id, device=name, contacts=count)
    out.note(f"This device, {name}, is in, with {counted(count, 'contact')}.")
    return 0


def show_words(context: Context, words: Sequence[str]) -> None:
    """Show what the person is to type on the other device."""
    if context.args.no_verify:
        return
    context.out.result(words=list(words))
    context.out.show("Type these words on the other device:", "", "    " + "  ".join(words), "")
    context.out.note("If it says that they are wrong, somebody may be in between: begin again with a new code.")
