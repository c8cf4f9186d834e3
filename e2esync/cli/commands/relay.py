"""`e2esync relay`: the command's place in the table; `e2esync.cli.relay` does the work."""

from __future__ import annotations

import argparse

from ..context import Context
from ..exits import UsageError

ABOUT = """\
A relay stores and passes on encrypted changes. It needs no configuration and can read nothing. SIGTERM stops it."""
EXAMPLES = """\
  e2esync relay serve --db relay.sqlite3 --listen 127.0.0.1:8765
  then, on a device of yours: e2esync init --relay ws://127.0.0.1:8765
  e2esync relay serve --db postgresql://relay@db.example/relay
  e2esync relay backup /backup/relay-today        while it runs; restore FILE brings it back
  e2esync relay check                             is everything whole?
  e2esync relay example systemd                   or container, nginx, caddy
  e2esync relay move wss://other.example          on any device of yours; the others follow
  e2esync relay serve --help                      every setting; each action has its own help"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `e2esync.cli.relay` takes."""
    from ..relay import add_arguments as add

    add(parser)


def run(context: Context) -> int:
    """Run it, or take the book elsewhere."""
    if context.args.action == "move":
        return _move(context)
    from e2esync.errors import Unreachable

    from ..relay import run as run_relay

    try:
        code: int = run_relay(context.args)
    except Unreachable as error:
        # Where to listen, or with which certificate, is this command's own argument: trying again later helps nobody.
        raise UsageError(error.message, error.hint) from None
    return code


def _move(context: Context) -> int:
    from e2esync.client.relocating import move

    from ..net import run as run_trio
    from .init import read_invitation

    url = context.args.url
    invitation = read_invitation(context.args.invitation)
    profile, number = context.profile(), context.book_number()
    brought = run_trio(lambda: move(profile, url, book=number, invitation=invitation))
    context.out.result(relay=url, brought=brought)
    context.out.note(f"The book is at {url} now. Your other devices follow with their next sync;",
                     f"one that cannot reach the relay before it, with `e2esync relay move {url}`.")
    return 0
