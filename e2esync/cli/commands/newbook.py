"""`e2esync new-book NAME`."""

from __future__ import annotations

import argparse

from e2esync.errors import ProfileExists

from ..context import Context
from ..exits import UsageError
from ..profiles import device_name
from .init import add_invitation_option, check_address, read_invitation

ABOUT = """\
Makes a book beside your own, with keys and relay traffic of its own: for a family, a club, a job, or for yourself
alone. The recovery kit that you have opens it, too; you need not fetch it. Your other devices get the book by
themselves."""
EXAMPLES = """\
  e2esync new-book Family
  e2esync new --book Family --name "Grace Example"
  e2esync new-book Work --relay wss://relay.example.com"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name and relay."""
    parser.add_argument("name", metavar="NAME", help="what to call the book")
    parser.add_argument("--relay", metavar="URL", help="the relay to keep it at; default: that of your own book")
    add_invitation_option(parser)


def run(context: Context) -> int:
    """Make the book."""
    from e2esync.client.books import create_book

    from ..net import run as run_trio

    args, profile = context.args, context.profile()
    if args.relay is not None:
        check_address(args.relay)
    invitation = read_invitation(args.invitation)
    name = free_name(context, args.name)
    bar = context.progress()
    info = run_trio(lambda: create_book(profile, name, args.relay, invitation=invitation, progress=bar.update))
    bar.close()
    context.out.result(book=info.number, name=info.name, relay=info.relay, set_id=info.set_id)
    context.out.note(f"The book {name} is ready. Name it with --book {_quoted(name)}, or `e2esync config set book "
                     f"{_quoted(name)}`; to invite somebody: `e2esync share {_quoted(name)}`.")
    return 0


def free_name(context: Context, given: str) -> str:
    """A name for a new book. Raises UsageError for what is no name, ProfileExists for one that a book has."""
    name = device_name(given, "book")
    if name.isdecimal():
        raise UsageError("a book's name is not a number: --book would take it for one", "choose another name")
    if any(info.name.casefold() == name.casefold() for info in context.profile().store.books()):
        raise ProfileExists(f"there is a book {name} already", "choose another name")
    return name


def _quoted(name: str) -> str:
    return name if name.isalnum() else f'"{name}"'
