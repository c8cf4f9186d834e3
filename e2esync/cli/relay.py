"""`e2esync relay`: `serve` runs a relay in the foreground, with no configuration; the rest is for who runs one.

Every action but `move` works on the store that the settings name. Runnable by itself as
`python -m e2esync.cli.relay serve`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

from e2esync.errors import E2esyncError

from .exits import FileProblem, UsageError
from .relay_settings import PREFIX, Settings, as_toml, read_settings, table

ACTIONS: Final = {
    "serve": ("relay_serve", "serve", "run until SIGTERM"),
    "config": ("relay", "show_config", "print the settings as a file for --config"),
    "example": ("relay_examples", "example", "print a file for systemd, a container, nginx or Caddy"),
    "backup": ("relay_keep", "backup", "copy the store to FILE, while the relay runs"),
    "restore": ("relay_keep", "restore", "put FILE in the store's place; devices bring what it lacks"),
    "check": ("relay_keep", "check", "verify every chain, hash and head, without any key"),
    "stats": ("relay_keep", "stats", "count what is stored"),
    "key": ("relay_key", "key", "the relay's signing key: export FILE, import FILE, rotate"),
    "invite": ("relay_invite", "invite", "make an invitation, good for one new book"),
    "check-engine": ("relay_engines", "check", "prove that a store keeps a relay's rules"),
    "migrate": ("relay_engines", "move", "move a relay from one store to another"),
    "move": ("", "", "take the book of this profile to the relay at URL"),
}
"""What there is to do: the module and function that do it, and what it is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `relay`: an action, what it is about, and the settings. `--json` belongs to the caller."""
    actions = "; ".join(f"{name}: {about}" for name, (_, _, about) in ACTIONS.items())
    parser.add_argument("action", choices=list(ACTIONS), metavar="ACTION", help=actions)
    parser.add_argument("places", metavar="WHAT", nargs="*", help="the file, address or name that the action is about")
    parser.add_argument("--stdio", action="store_true", help="serve: one connection on standard input and output")
    parser.add_argument("--days", type=int, default=7, metavar="N", help="invite: how long it is good (7)")
    parser.add_argument("--invitation", metavar="CODE", help="move: from who runs the other relay, if it asks for one")
    group = parser.add_argument_group(
        "settings", f"also in the file of --config and as {PREFIX}NAME in the environment; `relay config` prints all")
    group.add_argument("--config", metavar="FILE", help=f"read settings from a TOML file (or {PREFIX}CONFIG)")
    for each in table():
        flag, about = "--" + each.name.replace("_", "-"), each.metadata["about"].replace("%", "%%")
        if isinstance(each.default, bool):
            group.add_argument(flag, action="store_true", default=None, help=about)
            continue
        shown = each.default[0] if isinstance(each.default, tuple) else each.default
        group.add_argument(
            flag, metavar=each.metadata["metavar"] or None, choices=each.metadata["choices"] or None,
            action="append" if isinstance(each.default, tuple) else "store",
            type=int if isinstance(each.default, int) else str, help=about + (f" ({shown})" if shown != "" else ""),
        )


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings that a command line, the environment and a file give together. Raises UsageError."""
    flags = {each.name: value for each in table() if (value := getattr(args, each.name, None)) is not None}
    return read_settings(flags, os.environ, args.config or os.environ.get(PREFIX + "CONFIG"))


def run(args: argparse.Namespace) -> int:
    """Does it; the exit code. Raises what keeps it from being done."""
    module, function, _ = ACTIONS[args.action]
    action: Callable[[argparse.Namespace], int] = getattr(import_module(f"e2esync.cli.{module}"), function)
    return action(args)


def show_config(args: argparse.Namespace) -> int:
    """Prints every setting as it stands."""
    print(as_toml(settings_of(args)), end="")
    return 0


def the_place(args: argparse.Namespace, what: str) -> str:
    """The one thing that an action is about. Raises UsageError if it is another number of things."""
    if len(args.places) != 1:
        raise UsageError(f"{args.action} takes {what}", f"see `e2esync relay {args.action} --help`")
    return str(args.places[0])


def database(name: str, *, there: bool = False) -> str:
    """The database's name. Raises FileProblem where it stands for a file and there can be none, or is none `there`."""
    from e2esync.stores.relay_engine import POSTGRES_SCHEMES

    if name.startswith(POSTGRES_SCHEMES):
        return name
    path = Path(name)
    if path.is_dir():
        raise FileProblem(f"{path} is a folder", "give --db the name of a file")
    if not path.parent.is_dir():
        raise FileProblem(f"there is no folder {path.parent}", "make it first, or give another --db")
    if there and not path.is_file():
        raise FileProblem(f"there is no {path}", "name the relay's database with --db, as serve does")
    return name


def books(count: int) -> str:
    """So many books."""
    return f"{count:,} book{'' if count == 1 else 's'}"


def main(argv: Sequence[str] | None = None) -> int:
    """The command by itself."""
    parser = argparse.ArgumentParser(prog="e2esync relay", description="A relay that can read nothing.")
    add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON line when it listens")
    parser.add_argument("--yes", action="store_true", help="answer yes to every question")
    try:
        return run(parser.parse_args(argv))
    except E2esyncError as error:
        print(f"e2esync relay: {error.message}" + (f"\n  {error.hint}" if error.hint else ""), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
