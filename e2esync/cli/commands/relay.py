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
  e2esync relay check-engine postgresql://relay@db.example/empty"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `e2esync.cli.relay` takes."""
    from ..relay import add_arguments as add

    add(parser)


def run(context: Context) -> int:
    """Run it."""
    from e2esync.errors import Unreachable

    from ..relay import run as run_relay

    try:
        code: int = run_relay(context.args)
    except Unreachable as error:
        # Where to listen, or with which certificate, is this command's own argument: trying again later helps nobody.
        raise UsageError(error.message, error.hint) from None
    return code
