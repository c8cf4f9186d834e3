"""The command line's grammar: global options anywhere, one small parser per command, the whole tree on demand.

Invariants: parsing a command imports that command's module and no other; a global option means the same before and
after the subcommand, and the later one wins; options are never abbreviated, so a new option cannot break a script.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NoReturn

from .exits import UsageError
from .table import BY_NAME, COMMANDS, Command, overview

PROGRAM: Final = "e2esync"
_INTRO: Final = """\
One address book on all your devices, through a relay that cannot read it.

  e2esync demo                               see it work
  e2esync init --relay wss://relay.example   make a book on your first device
  e2esync import contacts.vcf                bring your contacts in
  e2esync pair                               then `e2esync join CODE` on the next device
  e2esync sync                               send and receive changes"""
_MORE: Final = "`e2esync help COMMAND` and `e2esync help TOPIC` explain; topics: {topics}."


_COMMON: Final = "options of every command"


@cache
def _columns() -> int:
    """The terminal's width; argparse's own way to it imports a compression library or two."""
    try:
        return int(os.environ.get("COLUMNS", "")) or os.get_terminal_size().columns
    except (ValueError, OSError):
        return 80


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help whose usage line names the command's own options; those of every command stand in a list below."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: Any = None) -> None:
        own = [action for action in actions if getattr(action.container, "title", "") != _COMMON]
        super().add_usage(usage, own, groups, prefix)


class Parser(argparse.ArgumentParser):
    """An argparse parser whose mistakes are errors of the tree, so that they come out like any other."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", _Formatter)
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with the way to the command's help."""
        raise UsageError(message, f"see `{self.prog} --help`")


def global_options(*, inherit: bool) -> Parser:
    """The options that every command takes. With `inherit` an option that is not given leaves what was before."""
    parser = Parser(add_help=False, argument_default=argparse.SUPPRESS if inherit else None)
    group = parser.add_argument_group(_COMMON)
    add = group.add_argument
    flag: dict[str, Any] = {"action": "store_true", "default": argparse.SUPPRESS if inherit else False}
    add("--home", metavar="DIR", help="folder of the profile (or E2ESYNC_HOME)")
    add("--book", metavar="BOOK", help="which book of the profile: its number or name; 0 is your own")
    add("--json", help="one JSON object on stdout; errors as JSON on stderr", **flag)
    add("--passphrase-file", metavar="FILE", help="read the passphrase from the first line of a file")
    add("--passphrase-command", metavar="CMD", help="read the passphrase from what a command prints")
    add("--key-file", metavar="FILE", help="the key file that protects the profile")
    add("--proxy", metavar="URL", help="reach relays through a SOCKS5 proxy, as Tor: socks5://127.0.0.1:9050 (or "
        "E2ESYNC_PROXY, or `config set proxy`)")
    add("-y", "--yes", help="answer yes to every question", **flag)
    add("-q", "--quiet", help="no messages but warnings and errors", **flag)
    add("--no-color", help="no colour (or NO_COLOR)", **flag)
    add("--progress", choices=("auto", "never", "plain"), help="progress on stderr: auto is a bar on a terminal")
    add("--debug", help="show where a bug of e2esync itself happened", **flag)
    return parser


def command_parser(command: Command, prog: str = "") -> Parser:
    """The parser of one command, with the global options."""
    module = command.load()
    parser = Parser(
        prog=prog or f"{PROGRAM} {command.name}",
        parents=[global_options(inherit=True)],
        description=_sentence(command.summary) + ("\n\n" + module.ABOUT.strip() if module.ABOUT else ""),
        epilog="examples:\n" + module.EXAMPLES.strip("\n") if module.EXAMPLES else None,
    )
    module.add_arguments(parser)
    return parser


def subcommands(parser: argparse.ArgumentParser, dest: str = "action") -> Any:
    """An adder of nested subcommands that take the global options too: `adder(name, help)`; none is required.

    Its help shows those of the command's examples that begin with it. An action whose help has to stand by itself has
    further sentences, and example lines of its own.
    """
    actions = parser.add_subparsers(dest=dest, metavar="ACTION", parser_class=Parser)

    def add(name: str, help: str, about: str = "", examples: str = "") -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = actions.add_parser(
            name, help=help, description=_sentence(help) + (f"\n\n{about}" if about else ""),
            parents=[global_options(inherit=True)])
        lines = examples or "\n".join(line for line in (parser.epilog or "").splitlines()
                                      if f"{line} ".startswith(f"  {added.prog} "))
        added.epilog = f"examples:\n{lines}" if lines else None
        return added

    return add


def top_parser() -> Parser:
    """The parser of what stands before the subcommand."""
    from .topics import TOPICS

    parser = Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [options] COMMAND [arguments]",
        parents=[global_options(inherit=False)],
        description=f"{_INTRO}\n\n{overview()}\n",
        epilog=_MORE.format(topics=", ".join(TOPICS)),
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def parse(arguments: Sequence[str]) -> tuple[Command, argparse.Namespace]:
    """The command that is meant and its options. Raises UsageError; `--help` raises SystemExit(0)."""
    top = top_parser()
    options = top.parse_args(arguments)
    if options.version:
        options.command = "version"
    if options.command is None:
        raise UsageError("which command?", "see `e2esync --help`, or try `e2esync demo`")
    command = BY_NAME.get(options.command)
    if command is None:
        raise UsageError(f"there is no command `{options.command}`", _suggest(options.command))
    rest = options.rest
    del options.rest, options.version
    return command, command_parser(command).parse_args(rest, options)


def whole_parser() -> Parser:
    """Every command in one parser: for completion scripts. Imports every command's module."""
    parser = Parser(prog=PROGRAM, parents=[global_options(inherit=False)])
    actions = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for command in COMMANDS:
        added = actions.add_parser(command.name, help=command.summary, parents=[global_options(inherit=True)])
        command.load().add_arguments(added)
    return parser


def _suggest(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, BY_NAME, n=1)
    return f"did you mean `{PROGRAM} {close[0]}`?" if close else "see `e2esync --help`"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
