"""`e2esync help [COMMAND|TOPIC]`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..exits import UsageError

ABOUT = "Without a name: the commands and the topics."
EXAMPLES = "  e2esync help start\n  e2esync help import\n  e2esync help exit-codes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The name of a command or topic."""
    parser.add_argument("topic", nargs="?", metavar="COMMAND|TOPIC", help="what to explain")


def run(context: Context) -> int:
    """Print a help text."""
    name = context.args.topic
    text = _find(name)
    if text is None:
        raise UsageError(f"there is no command and no topic `{name}`", "`e2esync help` lists them")
    if context.out.json:
        context.out.result(topic=name or "", text=text)
    else:
        context.out.data(text)
    return 0


def _find(name: str | None) -> str | None:
    from ..parser import command_parser, top_parser
    from ..table import BY_NAME
    from ..topics import topic

    if name is None:
        return top_parser().format_help().rstrip("\n")
    if name in BY_NAME:
        return command_parser(BY_NAME[name]).format_help().rstrip("\n")
    return topic(name)
