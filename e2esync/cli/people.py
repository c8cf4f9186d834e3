"""People in commands: what this person is called, and whom a selector means."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from e2esync.errors import Ambiguous, NotFound
from e2esync.limits import DEVICE_NAME_MAX

from .context import Context
from .exits import UsageError
from .prompts import ask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2esync.client.books import Person

TAG_LETTERS = 8
"""Letters of a person's tag that are shown, and by which a person can be named."""


def own_name(context: Context, given: str | None) -> str:
    """What other people are to see: as given, as set before, or as the person at the terminal says; then remembered.

    Raises UsageError for what is no name, NoTerminal where there is nobody to ask.
    """
    from e2esync.client import settings

    store = context.profile().store
    name = given if given is not None else settings.get_text(store, settings.NAME)
    if not name:
        name = ask("What are the others to call you?", why="give it with --name, or `e2esync config set name NAME`")
    name = unicodedata.normalize("NFC", name.strip())
    if not name or len(name.encode("utf-8", "replace")) > DEVICE_NAME_MAX or not name.isprintable():
        raise UsageError(f"a name is one line of 1 to {DEVICE_NAME_MAX} bytes", "choose another name")
    settings.put(store, settings.NAME, name)
    return name


def find_person(everybody: Sequence[Person], selector: str) -> Person:
    """The one person of this name, whose name alone begins so, or with this tag. Raises NotFound or Ambiguous."""
    wanted = selector.casefold()
    exact = [each for each in everybody if each.name.casefold() == wanted or each.tag.hex()[:TAG_LETTERS] == wanted]
    found = exact or [each for each in everybody if wanted and each.name.casefold().startswith(wanted)]
    if not found:
        raise NotFound(f"nobody in the book is called {selector}", "`e2esync people` lists them")
    if len(found) > 1:
        raise Ambiguous(f"{len(found)} people are called {selector}", "name one by the letters in `e2esync people`")
    return found[0]
