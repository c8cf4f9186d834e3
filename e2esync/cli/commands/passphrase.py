"""`e2esync passphrase`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from e2esync.errors import ProfileError

from ..context import Context
from ..exits import UsageError
from ..prompts import SecretSource, new_secret

if TYPE_CHECKING:
    from e2esync.client.protection import Way

ABOUT = """\
What opens the profile now comes from the usual place (a question, --passphrase-file, --key-file); what shall open it
from then on from the --new options, or a question. Contacts and keys stay as they are: this takes no time, and other
devices notice nothing. A profile made with --plain stays plain: make a new one and pair it."""
EXAMPLES = """\
  e2esync passphrase
  e2esync passphrase --passphrase-file old.txt --new-passphrase-file new.txt
  e2esync passphrase --new-key-file /media/stick/e2esync.key"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The new protection."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--new-passphrase-file", metavar="FILE", help="the new passphrase: the first line of a file")
    group.add_argument("--new-passphrase-command", metavar="CMD", help="the new passphrase: what a command prints")
    group.add_argument("--new-key-file", metavar="FILE", help="a key file instead of a passphrase")
    group.add_argument("--new-keyring", action="store_true", help="the desktop's keyring instead of a passphrase")


def run(context: Context) -> int:
    """Seal the profile's key anew."""
    from e2esync.client.entropy import SystemEntropy

    profile = context.profile()
    if profile.protection.kind == "plain":
        raise ProfileError("the profile is plain: there is no passphrase to change",
                           "to encrypt, make a new profile with `e2esync join` and remove this one")
    way = _new_way(context)
    profile.change_protection(way, entropy=SystemEntropy())
    context.out.result(protection=way.kind)
    context.out.note(f"the profile is now protected by a {way.kind}; what opened it before does so no more")
    return 0


def _new_way(context: Context) -> Way:
    from e2esync.client.protection import KeyFile, Keyring, Passphrase

    args = context.args
    if args.new_keyring:
        return Keyring()
    if args.new_key_file is not None:
        return KeyFile(Path(args.new_key_file))
    given = SecretSource(args.new_passphrase_file, args.new_passphrase_command, environment="").given()
    if given is None:
        hint = "give --new-passphrase-file, --new-passphrase-command, --new-key-file or --new-keyring"
        given = new_secret("New passphrase", why=hint)
    if not given:
        raise UsageError("an empty passphrase protects nothing")
    return Passphrase(given)
