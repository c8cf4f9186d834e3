"""A card in the person's own editor, as JSON.

Invariants: the text lies in a folder that only its owner can enter, in memory where the system has such a place, and is
gone when the editor is; the passphrase is not in the editor's environment; nothing starts without a terminal.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from typing import Any, Final

from .exits import Declined, FileProblem, UsageError
from .output import Output
from .prompts import can_ask, child_environment, confirm

_DEFAULT: Final = "vi"
_HINT: Final = "it is a JSContact card, as `e2esync show CONTACT --json` has it"


def edit_card(card: dict[str, Any], out: Output) -> dict[str, Any]:
    """The card as the person leaves it. Raises UsageError without a terminal, Declined if the person gives up."""
    if not can_ask():
        raise UsageError("the command says nothing to write, and there is no terminal to start an editor in",
                         "give options such as --name and --phone; see --help")
    memory = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = tempfile.mkdtemp(prefix="e2esync-", dir=memory if os.path.isdir(memory) else None)
    try:
        path = os.path.join(folder, "contact.json")
        _write(path, json.dumps(card, indent=2, ensure_ascii=False) + "\n")
        while True:
            _start(path)
            try:
                return parse_card(_read(path))
            except UsageError as error:
                out.error(error)
                if not confirm("edit it again?"):
                    raise Declined("nothing was changed") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def parse_card(text: str) -> dict[str, Any]:
    """A card from JSON text. Raises UsageError; whether it is a valid card is for the book to say."""
    try:
        card = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise UsageError(f"the card is not valid JSON{where}", _HINT) from None
    if not isinstance(card, dict):
        raise UsageError("the card is not a JSON object", _HINT)
    return card


def _start(path: str) -> None:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _DEFAULT
    try:
        words = shlex.split(command) or [_DEFAULT]
        done = subprocess.run([*words, path], env=child_environment(), check=False)
    except (OSError, ValueError):
        raise FileProblem(f"the editor cannot be started: {command}", "set VISUAL or EDITOR") from None
    if done.returncode != 0:
        raise Declined(f"the editor ended with {done.returncode}; nothing was changed")


def _write(path: str, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        raise UsageError("what the editor left cannot be read as UTF-8 text") from None
