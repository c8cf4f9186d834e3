"""`e2esync relay`: `serve` runs a relay in the foreground, with no configuration; the rest is for who runs one.

Every action but `example`, `check-engine`, `migrate` and `move` works on the store that the settings name.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from .exits import FileProblem, UsageError
from .parser import subcommands
from .relay_settings import PREFIX, Settings, as_toml, read_settings, table


class _Action(NamedTuple):
    """One action: the module and function that do it (none for `move`), its arguments, and what `--help` says."""

    name: str
    module: str
    function: str
    summary: str
    arguments: Callable[[argparse.ArgumentParser], None]
    examples: str
    about: str = ""


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stdio", action="store_true",
                        help="one connection on standard input and output, as ssh starts it")
    _settings(parser)


def _settings(parser: argparse.ArgumentParser, only: str = "") -> None:
    """The settings as options: all of them, or one and the file that may name it."""
    group = parser.add_argument_group(
        "settings", f"also in the file of --config and as {PREFIX}NAME in the environment; `relay config` prints all")
    group.add_argument("--config", metavar="FILE", help=f"read settings from a TOML file (or {PREFIX}CONFIG)")
    for each in table():
        if only and each.name != only:
            continue
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


def _store(parser: argparse.ArgumentParser) -> None:
    _settings(parser, only="db")


def _file(about: str) -> Callable[[argparse.ArgumentParser], None]:
    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help=about)
        _store(parser)
    return add


def _restore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", nargs="?", help="what `relay backup` made")
    parser.add_argument("--in-place", action="store_true", help="other tools have brought the store back already (a "
                        "snapshot of the disk, pg_restore): only have devices bring what it lacks")
    _store(parser)


def _example(parser: argparse.ArgumentParser) -> None:
    from .relay_examples import NAMES

    parser.add_argument("name", metavar="NAME", choices=list(NAMES), help=f"one of {', '.join(NAMES)}")


def _key(parser: argparse.ArgumentParser) -> None:
    add = subcommands(parser, dest="what")
    _file("a new file, which only you can read")(add("export", "write the key to a file, to be kept apart"))
    _file("what `relay key export` wrote")(add("import", "give a new database the key of the relay that was"))
    _store(add("rotate", "make another key: every book has to be told, with `e2esync relay move`"))


def _invite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--days", type=int, default=7, metavar="N", help="how long it is good (7)")
    _store(parser)


def _url(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="an empty database, or a file that does not exist yet")


def _from_to(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="FROM", help="where the relay's data is: a file, or postgresql://…")
    parser.add_argument("target", metavar="TO", help="where it shall be: a file, or postgresql://…")


def _move(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="the other relay's address")
    parser.add_argument("--invitation", metavar="CODE", help="from who runs the other relay, if it asks for one")


ACTIONS: Final = (
    _Action("serve", "relay_serve", "serve", "run a relay until SIGTERM", _serve, """\
  e2esync relay serve
  e2esync relay serve --db relay.sqlite3 --listen 0.0.0.0:8765 --health 127.0.0.1:8766
  e2esync relay serve --listen wss://0.0.0.0:443 --tls-cert fullchain.pem --tls-key privkey.pem
  e2esync relay serve --config /etc/e2esync/relay.toml""",
            "SIGTERM and SIGINT end it when everything begun is on disk; SIGHUP has it read its certificate again."),
    _Action("config", "relay", "show_config", "print every setting as it stands, as a file for --config",
            _settings, """\
  e2esync relay config > relay.toml
  E2ESYNC_RELAY_REGISTRATION=invitation e2esync relay config"""),
    _Action("example", "relay_examples", "example", "print a file to begin with, for what a relay is run with",
            _example, "  e2esync relay example systemd > /etc/systemd/system/e2esync-relay.service"),
    _Action("backup", "relay_keep", "backup", "copy the store to a new file, while the relay runs",
            _file("a new file; one that exists is never overwritten"),
            "  e2esync relay backup /backup/relay-$(date +%F)",
            "It is one moment of the store, of SQLite or PostgreSQL. It holds the relay's signing key too."),
    _Action("restore", "relay_keep", "restore", "put a backup in the store's place",
            _restore, """\
  e2esync relay restore --yes /backup/relay-2031-05-01
  e2esync relay restore --in-place --db postgresql://relay@db.example/relay""",
            "Devices notice, and bring what came after the backup by themselves. A relay on SQLite may run meanwhile;\n"
            "on PostgreSQL, and with --in-place, it is stopped first."),
    _Action("check", "relay_keep", "check", "verify every chain, log, head, box and blob, without any member's key",
            _store, "  e2esync relay check\n  e2esync relay check --db /backup/relay-2031-05-01",
            "Exit code 1 if something is not whole. The relay may run meanwhile."),
    _Action("stats", "relay_keep", "stats", "count what is stored", _store, "  e2esync relay stats --json"),
    _Action("key", "relay_key", "key", "the relay's signing key: keep it apart, bring it back, make another", _key, """\
  e2esync relay key export relay.key
  e2esync relay key import relay.key --db new.sqlite3
  e2esync relay key rotate"""),
    _Action("invite", "relay_invite", "invite", "make an invitation, good for one new book", _invite,
            "  e2esync relay invite --days 30"),
    _Action("check-engine", "relay_engines", "check", "prove that a database keeps a relay's rules", _url,
            "  e2esync relay check-engine postgresql://relay@db.example/empty",
            "It fills the database with test data, and kills a process in the middle of it."),
    _Action("migrate", "relay_engines", "move", "move a relay from one database to another", _from_to,
            "  e2esync relay migrate relay.sqlite3 postgresql://relay@db.example/relay",
            "Copies while the old relay runs, says when to stop it, and copies what has changed since."),
    _Action("move", "", "", "take this profile's book to another relay", _move,
            "  e2esync relay move wss://other.example", "On any device of yours; the others follow."),
)
"""What there is to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions of `relay`, each with its own arguments and the settings that it heeds."""
    add = subcommands(parser)
    for each in ACTIONS:
        each.arguments(add(each.name, each.summary, each.about, each.examples))


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings that a command line, the environment and a file give together. Raises UsageError."""
    flags = {each.name: value for each in table() if (value := getattr(args, each.name, None)) is not None}
    return read_settings(flags, os.environ, args.config or os.environ.get(PREFIX + "CONFIG"))


def run(args: argparse.Namespace) -> int:
    """Does it; the exit code. Raises what keeps it from being done."""
    chosen = next((each for each in ACTIONS if each.name == args.action), None)
    if chosen is None:
        names = ", ".join(each.name for each in ACTIONS)
        raise UsageError("what about a relay?", f"{names}; see `e2esync relay --help`")
    action: Callable[[argparse.Namespace], int] = getattr(
        import_module(f"e2esync.cli.{chosen.module}"), chosen.function)
    return action(args)


def show_config(args: argparse.Namespace) -> int:
    """Prints every setting as it stands."""
    settings = settings_of(args)
    if getattr(args, "json", False):
        print(json.dumps({"schema": 1, **asdict(settings)}))
    else:
        print(as_toml(settings), end="")
    return 0


def database(name: str, *, there: bool = False) -> str:
    """The database's name. Raises FileProblem where it stands for a file and there can be none, or is none `there`."""
    from e2esync.stores.relay_engine import POSTGRES_SCHEMES, plugged_engine

    if name.startswith(POSTGRES_SCHEMES) or plugged_engine(name) is not None:
        return name
    if "://" in name:
        raise UsageError(f"{name.partition(':')[0]} is no kind of database", "a file, or postgresql://USER@HOST/NAME")
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
