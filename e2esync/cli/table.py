"""The commands: which module carries each out, under which names, and the one line that `--help` shows.

Invariants: this module imports nothing of a command, so that a command pays for no other. A command's module has
`ABOUT` and `EXAMPLES` (texts), `add_arguments(parser)` and `run(context) -> int`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final, NamedTuple


class Command(NamedTuple):
    """One command of the program."""

    name: str
    module: str
    group: str
    summary: str
    aliases: tuple[str, ...] = ()

    def load(self) -> Any:
        """The module that carries it out."""
        return import_module(f"e2esync.cli.{self.module}")


_START, _CONTACTS, _PAST, _SYNC, _BOOKS, _DEVICES, _TOOLS = (
    "Start", "Contacts", "What was before", "Keep in step", "Other books, other people", "Devices and protection",
    "Tools")

COMMANDS: Final = (
    Command("init", "commands.init", _START, "make a new, empty address book on this device"),
    Command("pair", "commands.pair", _START, "show a code that lets another device of yours join"),
    Command("join", "commands.join", _START, "join a book with the code that another device shows"),
    Command("recover", "commands.recover", _START, "bring everything back with the recovery kit alone"),
    Command("demo", "commands.demo", _START, "see it all work, on this machine, in under a minute"),
    Command("list", "commands.list", _CONTACTS, "list contacts, or search them", ("ls", "search")),
    Command("show", "commands.show", _CONTACTS, "show everything about one contact"),
    Command("new", "commands.new", _CONTACTS, "add a contact", ("add",)),
    Command("edit", "commands.edit", _CONTACTS, "change a contact"),
    Command("rm", "commands.remove", _CONTACTS, "delete contacts on all devices", ("remove",)),
    Command("phone", "commands.phone", _CONTACTS, "phone numbers, one a line"),
    Command("email", "commands.email", _CONTACTS, "email addresses, one a line, also for mutt"),
    Command("birthdays", "commands.birthdays", _CONTACTS, "birthdays, by the calendar"),
    Command("labels", "commands.labels", _CONTACTS, "labels, groups and categories, which are one thing here"),
    Command("photo", "commands.photo", _CONTACTS, "show, set, export or remove a contact's photo"),
    Command("import", "commands.importing", _CONTACTS, "bring in contacts from a .vcf file or a folder of them"),
    Command("dedupe", "commands.dedupe", _CONTACTS, "find contacts that may be one person, and merge them"),
    Command("merge", "commands.merge", _CONTACTS, "make one contact of two"),
    Command("export", "commands.export", _CONTACTS, "write contacts to a file that other programs read"),
    Command("vdir", "commands.vdir", _CONTACTS, "a folder of .vcf files, two ways: for khard, vdirsyncer, DAVx5"),
    Command("quarantine", "commands.quarantine", _CONTACTS, "cards that an import could not read"),
    Command("history", "commands.history", _PAST, "what was changed, when, and by which device"),
    Command("diff", "commands.diff", _PAST, "what a step changed, or what has changed since a time"),
    Command("undo", "commands.undo", _PAST, "take the last step back, or any other"),
    Command("restore", "commands.restore", _PAST, "put the book back as it was on Tuesday"),
    Command("trash", "commands.trash", _PAST, "contacts that were deleted, for as long as they are kept"),
    Command("backup", "commands.backup", _PAST, "write everything to an encrypted file, or bring one back"),
    Command("conflicts", "commands.conflicts", _PAST, "contacts that two devices changed differently"),
    Command("guard", "commands.guarding", _PAST, "contacts deleted or changed by the hundred: agree, or refuse"),
    Command("sync", "commands.sync", _SYNC, "send your changes and receive the others'"),
    Command("status", "commands.status", _SYNC, "what is unsent, when it last synced, what needs a look"),
    Command("inspect", "commands.inspect", _SYNC, "ask the relay what it holds about this book"),
    Command("verify", "commands.verify", _SYNC, "check signatures, hashes, and the relay's copy against this one"),
    Command("evidence", "commands.evidence", _SYNC, "proof of lies, for anybody to check"),
    Command("new-book", "commands.newbook", _BOOKS, "make another book, to keep apart or to share"),
    Command("books", "commands.books", _BOOKS, "the books of this profile"),
    Command("people", "commands.people", _BOOKS, "who is in a book, with their devices"),
    Command("share", "commands.share", _BOOKS, "invite somebody into a book"),
    Command("accept", "commands.accept", _BOOKS, "accept or decline an invitation"),
    Command("unshare", "commands.unshare", _BOOKS, "shut a person out of a book"),
    Command("leave", "commands.leave", _BOOKS, "leave a book that somebody shares with you"),
    Command("devices", "commands.devices", _DEVICES, "the devices of this book, and their names"),
    Command("revoke", "commands.revoke", _DEVICES, "shut a lost or sold device out"),
    Command("retire", "commands.retire", _DEVICES, "before you sell or give this device away: leave, and erase it"),
    Command("rotate", "commands.rotate", _DEVICES, "renew the book's secret and this device's keys"),
    Command("delete-everything", "commands.deletion", _DEVICES, "delete a book at its relay"),
    Command("forget", "commands.forget", _DEVICES, "delete for good what was deleted so far"),
    Command("kit", "commands.kit", _DEVICES, "the recovery kit: check, print, split, replace it"),
    Command("rehome", "commands.rehome", _DEVICES, "the kit is lost: move the book to a new set with a new kit"),
    Command("rejoin", "commands.rejoin", _DEVICES, "bring a copied or restored device back, with everything in it"),
    Command("passphrase", "commands.passphrase", _DEVICES, "change how this device protects its copy"),
    Command("config", "commands.config", _TOOLS, "settings of this profile"),
    Command("relay", "commands.relay", _TOOLS, "run a relay, or move to another one"),
    Command("doctor", "commands.doctor", _TOOLS, "look over this machine and this profile"),
    Command("vectors", "commands.vectors", _TOOLS, "write or check the test vectors of the standard"),
    Command("conformance", "commands.conformance", _TOOLS, "test another implementation, or a relay"),
    Command("completion", "commands.completion", _TOOLS, "print a completion script for your shell"),
    Command("help", "commands.help", _TOOLS, "explain a command or a topic"),
    Command("version", "commands.version", _TOOLS, "print the version"),
)

_WIDTH: Final = max(len(command.name) for command in COMMANDS) + 2
BY_NAME: Final = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}


def overview() -> str:
    """The commands by group, one line each, for `--help`."""
    lines: list[str] = []
    group = ""
    for command in COMMANDS:
        if command.group != group:
            group = command.group
            lines.append(("\n" if lines else "") + f"{group}:")
        lines.append(f"  {command.name:<{_WIDTH}}{command.summary}")
    return "\n".join(lines)
