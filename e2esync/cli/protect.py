"""How a new profile is protected: the options of `init` and `join`, and the questions where none is given.

Invariants: plain is never a default; exactly one way is chosen; a new passphrase is typed twice.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from e2esync.errors import ProfileLocked

from .context import Context
from .exits import UsageError
from .prompts import can_ask, new_secret

if TYPE_CHECKING:
    from e2esync.client.protection import Way

_HINT: Final = ("choose one: --passphrase-file, --passphrase-command, E2ESYNC_PASSPHRASE, --key-file FILE, --keyring "
                "or --plain")


def add_protection_options(parser: argparse.ArgumentParser) -> None:
    """--plain and --keyring; --key-file and the passphrase are options of every command."""
    group = parser.add_argument_group("protection of this device's copy (see `e2esync help passphrases`)")
    group.add_argument("--plain", action="store_true", help="no encryption on this disk")
    group.add_argument("--keyring", action="store_true", help="the desktop's keyring keeps the key")


def chosen_way(context: Context) -> Way:
    """The way that the options or the person choose. Raises UsageError, or ProfileLocked with nobody to ask."""
    from e2esync.client.protection import KeyFile, Keyring, Passphrase, Plain

    args = context.args
    chosen = [args.plain, args.keyring, args.key_file is not None,
              args.passphrase_file is not None or args.passphrase_command is not None]
    if sum(chosen) > 1:
        raise UsageError("choose one protection: a passphrase, --key-file, --keyring or --plain")
    if args.plain:
        return Plain()
    if args.keyring:
        return Keyring()
    if args.key_file is not None:
        return KeyFile(Path(args.key_file))
    given = context.secrets.given()
    if given is not None:
        return Passphrase(given)
    if not can_ask():
        raise ProfileLocked("nothing says how to protect the profile, and there is no terminal to ask", _HINT)
    context.out.note("A passphrase protects the contacts on this device. It cannot be recovered.")
    return Passphrase(new_secret("New passphrase", why=_HINT))
