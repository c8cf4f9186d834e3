"""`e2esync rejoin CODE`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..files import read_first_line
from ..profiles import device_name
from .join import show_words
from .pair import NO_VERIFY_WARNING

ABOUT = """\
For a device that has stopped writing, because its profile was copied to another machine or restored from an old disk
image. Run `e2esync pair` on a device that is in, and give its code here: this one comes back under fresh keys, with
everything that is in it, and what it had not sent is sent. The old keys are shut out, and so is the copy."""
EXAMPLES = "  e2esync rejoin WS://192.168.1.20:8765#4F7Q2M-… --device Laptop"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Code, device, relay."""
    parser.add_argument("code", metavar="CODE", help="the code that the other device shows; - reads it from stdin")
    parser.add_argument("--device", metavar="NAME", help="what to call this device; default: the computer's name")
    parser.add_argument("--relay", metavar="URL", help="the relay's address, if the code does not hold it")
    parser.add_argument("--no-verify", action="store_true",
                        help="go with a `pair --no-verify`: no words are compared. For tests only")


def run(context: Context) -> int:
    """Come back."""
    from e2esync.client.rejoining import rejoin

    from ..net import run as run_trio

    args, out = context.args, context.out
    text = read_first_line("-") if args.code == "-" else args.code.strip()
    if args.no_verify:
        out.warn(NO_VERIFY_WARNING)
    name = device_name(args.device)
    profile, number = context.profile(), context.book_number()
    bar = context.progress()
    sent = run_trio(lambda: rejoin(profile, text, name, relay=args.relay, book=number, progress=bar.update,
                                   show_words=lambda words: show_words(context, words)))
    bar.close()
    out.result(device=name, sent=sent)
    out.note(f"This device, {name}, is in again; {sent} of its changes that nobody had went along.")
    return 0
