"""`e2esync pair`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..exits import UsageError
from ..output import clean
from ..prompts import ask, can_ask

ABOUT = """\
Shows a code, as text and as a QR code. On the new device: `e2esync join CODE`. It then shows three words; type them
here. They prove that nobody sits in between. The code is good for one attempt within five minutes; whoever reads it
meanwhile could try to step in, and the three words are what stops them."""
EXAMPLES = """\
  e2esync pair
  e2esync pair --json --no-verify      for tests: the code as the first JSON line, no words"""

_NO_VERIFY = "skip the three words: an attacker who learns the code in time can step in. For tests only"
NO_VERIFY_WARNING = "WARNING: --no-verify: nobody checks who is on the other side. Use this for tests only."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--no-verify and --qr."""
    parser.add_argument("--no-verify", action="store_true", help=_NO_VERIFY)
    parser.add_argument("--qr", action=argparse.BooleanOptionalAction, default=None,
                        help="draw the code as a QR code; default: on a terminal")


def run(context: Context) -> int:
    """Let a device in."""
    from e2esync.client.pairing import pair

    from ..net import run as run_trio

    args, out = context.args, context.out
    if not args.no_verify and not can_ask():
        raise UsageError("pair asks for the three words that the other device shows, and there is no terminal",
                         "in tests, give --no-verify on both devices")
    if args.no_verify:
        out.warn(NO_VERIFY_WARNING)
    if args.book is not None and context.book_number():
        raise UsageError("a device joins all your books at once", "leave --book out")
    profile, number = context.profile(), 0
    bar = context.progress()
    member, name = run_trio(lambda: pair(
        profile, book=number, show_code=lambda code: show_code(context, code.text()),
        ask_words=None if args.no_verify else lambda name: ask_words(context, name), progress=bar.update))
    bar.close()
    out.result(device={"member": member, "name": name})
    out.note(f"{name or 'The new device'} is in. It downloads the book now.")
    if len(profile.store.books()) > 1:
        out.note("Your other books follow when it has synced, then this device, then it again.")
    return 0


def show_code(context: Context, code: str, command: str = "e2esync join") -> None:
    """Print the code: data in text mode, the first JSON line with --json."""
    out, wanted = context.out, context.args.qr
    out.result(code=code)
    if out.json:
        return
    import sys

    if wanted or (wanted is None and sys.stdout.isatty()):
        from ..qr import qr_text

        out.data(*qr_text(code).splitlines())
    out.data(code)
    sys.stdout.flush()
    whose = "new" if command.endswith("join") else "other"
    out.note(f"On the {whose} device: {command} CODE", "Waiting for it; the code is good for five minutes.")


async def ask_words(context: Context, name: str) -> str:
    """The three words that the person reads on the device that calls itself so."""
    from ..marks import question as careful
    from ..net import in_thread

    others = {device.member: device.name for device in context.book().devices()}
    question = f"A device called {clean(name, 60)} is there. {careful(name, others)}The three words that it shows:"
    return await in_thread(lambda: ask(question, why="give --no-verify in tests"))
