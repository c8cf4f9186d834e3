"""Questions to a person, and where a passphrase comes from.

Invariants: nothing asks unless stdin and stderr are both a terminal; questions go to stderr; the default of every
yes-or-no question is no; a passphrase is never an argument, never echoed and never part of a message.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from e2esync.errors import ProfileLocked

from .exits import FileProblem, NoTerminal, UsageError
from .files import file_problem
from .output import clean

ENVIRONMENT: Final = "E2ESYNC_PASSPHRASE"
_SECRET_MAX: Final = 64 << 10
_COMMAND_SECONDS: Final = 120


def can_ask() -> bool:
    """Whether somebody is there to answer."""
    try:
        return sys.stdin.isatty() and sys.stderr.isatty()
    except (AttributeError, ValueError):  # no stream at all, or a closed one
        return False


def ask(question: str, *, why: str) -> str:
    """One line from the person. Raises NoTerminal, saying `why` it had to be asked and what to do instead."""
    if not can_ask():
        raise NoTerminal(f"no terminal to ask: {clean(question.rstrip(' :?'))}", why)
    sys.stderr.write(clean(question) + " ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise NoTerminal("the input ended before the question was answered", why)
    return line.strip()


def confirm(question: str) -> bool:
    """Whether the person says yes; no without a terminal, and no by default."""
    if not can_ask():
        return False
    return ask(question + " [y/N]", why="add --yes").casefold() in ("y", "yes")


def ask_secret(question: str, *, why: str) -> str:
    """A secret, typed unseen. Raises ProfileLocked with nobody to ask, `why` saying what to give instead."""
    if not can_ask():
        raise ProfileLocked("there is no terminal to ask for a passphrase", why)
    from getpass import getpass

    return getpass(clean(question) + ": ", stream=sys.stderr)


def new_secret(question: str, *, why: str) -> str:
    """A new secret, typed twice."""
    while True:
        first = ask_secret(question, why=why)
        if not first:
            sys.stderr.write("it cannot be empty\n")
        elif first == ask_secret("the same again", why=why):
            return first
        else:
            sys.stderr.write("the two differ; once more\n")


class SecretSource:
    """Where a passphrase comes from: a file, a command, the environment; a person only if none of these is given."""

    __slots__ = ("command", "environment", "file")

    def __init__(self, file: str | None, command: str | None, environment: str = ENVIRONMENT) -> None:
        if file is not None and command is not None:
            raise UsageError("a passphrase comes from a file or from a command, not from both")
        self.file = file
        self.command = command
        self.environment = environment

    def given(self) -> str | None:
        """The passphrase that a script gave, or None if nothing did. Raises FileProblem or ProfileLocked."""
        if self.file is not None:
            return _from_file(self.file)
        if self.command is not None:
            return _from_command(self.command)
        return (os.environ.get(self.environment) if self.environment else None) or None

    def existing(self, question: str = "Passphrase") -> str:
        """The passphrase of something that has one. Raises ProfileLocked with nobody to ask."""
        found = self.given()
        if found is not None:
            return found
        return ask_secret(question, why=ProfileLocked.default_hint)


def child_environment() -> dict[str, str]:
    """The environment for programs that this one starts: without the passphrase."""
    return {name: value for name, value in os.environ.items() if name != ENVIRONMENT}


def _first_line(content: bytes, source: str) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise FileProblem(f"the passphrase from {source} is not UTF-8 text") from None
    line = text.partition("\n")[0].rstrip("\r")
    if not line:
        raise FileProblem(f"the passphrase from {source} is empty", "its first line is the passphrase")
    return line


def _from_file(path: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(_SECRET_MAX)
    except OSError as error:
        raise file_problem("read the passphrase file", clean(path), error) from None
    return _first_line(content, "the file")


def _from_command(command: str) -> str:
    import shlex
    import subprocess

    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if not words:
        raise UsageError("--passphrase-command is empty or has an unmatched quote")
    stdin = None if can_ask() else subprocess.DEVNULL
    try:
        done = subprocess.run(words, stdin=stdin, stdout=subprocess.PIPE, env=child_environment(),
                              timeout=_COMMAND_SECONDS, check=False)
    except OSError as error:
        raise ProfileLocked(f"the passphrase command cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ProfileLocked(f"the passphrase command did not end within {_COMMAND_SECONDS} s") from None
    if done.returncode != 0:
        raise ProfileLocked(f"the passphrase command ended with {done.returncode}")
    return _first_line(done.stdout, "the command")
