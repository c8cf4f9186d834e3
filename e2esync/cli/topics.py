"""The topics of `e2esync help TOPIC`: what a newcomer or a script's author wants to know beyond one command.

Invariants: text only; the table of exit codes is taken from `exits`, never repeated here.
"""

from __future__ import annotations

from typing import Final

START: Final = """\
Getting started

A book is one address book that all your devices share. The profile is the folder on this device that holds its copy.
The relay is a server that passes encrypted changes on; it can read none of them.

  1. On the first device:  e2esync init --relay wss://relay.example --device "Old phone"
     Write down the recovery kit (24 words) that it shows. It is the only way back if all devices are lost.
  2. Bring contacts in:    e2esync import contacts.vcf
  3. Send them:            e2esync sync
  4. Add a device:         e2esync pair        on the first one shows a code,
                           e2esync join CODE   on the new one takes it.
     The new device shows three words; type them on the first one. They prove that nobody sits in between.

No relay at hand? `e2esync relay serve --db relay.sqlite3 --listen 127.0.0.1:8765` runs one; its address is then
ws://127.0.0.1:8765. Or see everything at once, on this machine alone: e2esync demo"""

SELECTORS: Final = """\
Naming a contact

Where a command takes CONTACT, any of these will do, as long as it fits one contact only:

  part of the name         e2esync show "van dyk"
  a phone number           e2esync show 089123456      spaces, brackets and country code do not matter
  an email address         e2esync show ada@example.org
  the start of its uid     e2esync show 3f2a91         `e2esync list` shows it, like git's short hashes

If more than one fits, they are listed, nothing is done, and the exit code is 4."""

SCRIPTING: Final = """\
Using e2esync from scripts

  Options      --home, --book, --json and the other options of every command work before and after the subcommand.
  Output       stdout is data, stderr is messages. --quiet keeps back all messages but warnings and errors.
  --json       One object with "schema": 1 on stdout. `sync --watch`, `pair`, `join` and `demo` print one object per
               line. An error leaves stdout as it is and prints one object on stderr:
               {"schema":1,"error":{"code":"NotFound","message":"...","hint":"..."}}
               JSON is ASCII, with everything else escaped. Times are milliseconds since 1970, UTC. It holds no secret
               but the one a command exists to show: the kit in `init` without --kit-file, the code in `pair`.
  Questions    Without a terminal nothing ever asks. Give --yes, and the passphrase as `e2esync help passphrases` says.
  Exit codes   See `e2esync help exit-codes`.
  Two devices without a person: `pair --json --no-verify` prints the code as its first JSON line; `join - --no-verify`
               reads it from stdin. Without the three words an attacker who learns the code in time can step in
               between: use this for tests."""

PASSPHRASES: Final = """\
Passphrases and other protection

The profile is encrypted on this device's disk. `e2esync init` and `e2esync join` ask what opens it:

  a passphrase     the default. It is asked for, or comes from, in this order:
                     --passphrase-file FILE     the first line of a file
                     --passphrase-command CMD   the first line that a command prints (a password manager's, say)
                     E2ESYNC_PASSPHRASE         the environment: other programs of yours can see it, so use it last
  a key file       --key-file FILE: made if it does not exist; keep it on a stick, or where only you can read it
  the keyring      --keyring: the desktop's own secret store opens it when you log in
  nothing          --plain: whoever can read the folder can read the contacts

A passphrase is never an argument. `e2esync passphrase` changes the protection; it cannot be recovered, but another
device, or the recovery kit, brings the contacts back."""

PHONES: Final = """\
Getting a phone's contacts in and out

  Android    Contacts app > Settings > Export writes a .vcf file; share it to this computer and `e2esync import` it.
  iPhone     iCloud.com > Contacts > select all > Export vCard.
  Google     contacts.google.com > Export > vCard.
  Others     Thunderbird, Outlook, KDE, Evolution and Nextcloud all export vCard (.vcf).

  Back       `e2esync export -o all.vcf` writes vCard 3.0, which all of these import; --format vcard2.1 and vcard4 for
             those that want another version.

Importing the same file again changes nothing; importing a newer export of it changes only what changed in it."""

KIT: Final = """\
The recovery kit

24 words, shown once by `e2esync init`. They are the key to the book when every device is lost, and the only thing that
can remove a thief who holds one. Anyone who has them can read the book: write them on paper, keep them apart from your
devices, tell nobody. `init --kit-file FILE` writes them to a file that only you can read, for scripts."""


def _exit_codes() -> str:
    from .exits import describe

    return f"Exit codes\n\n{describe()}\n\nTreat a code that is not listed as failure."


TOPICS: Final = {
    "start": START,
    "phones": PHONES,
    "selectors": SELECTORS,
    "kit": KIT,
    "passphrases": PASSPHRASES,
    "scripting": SCRIPTING,
    "exit-codes": "",
}


def topic(name: str) -> str | None:
    """The text of a topic, or None."""
    return _exit_codes() if name == "exit-codes" else TOPICS.get(name)
