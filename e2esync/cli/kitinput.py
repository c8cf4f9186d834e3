"""Where a recovery kit comes from: a file, stdin, or a person who types its words.

Invariants: a person is told which word is wrong and asked for that one again, with words of the list that are close;
such help is for a terminal only, because what is close to a secret word is half of it. A script gets the position.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .context import Context
from .exits import UsageError
from .files import read_input
from .prompts import ask, can_ask

if TYPE_CHECKING:
    import argparse

    from e2esync.access.kit import KitFile

_WHY = "give --kit-file FILE"


def add_kit_option(parser: argparse.ArgumentParser) -> None:
    """The option that names a kit's file."""
    parser.add_argument("--kit-file", metavar="FILE", help="the file that holds the kit; - reads stdin")


def has_profile(context: Context) -> bool:
    """Whether there is a profile in the folder that the options name."""
    from e2esync.client.profile import DATABASE

    return (context.home / DATABASE).exists()


def read_kit(context: Context, path: str | None) -> KitFile:
    """The kit of a file, or the words that a person types. Raises BadCode, FileProblem, or UsageError with nobody."""
    from e2esync.access.kit import parse_kit_file

    return parse_kit_file(kit_text(context, path))


def kit_text(context: Context, path: str | None) -> str:
    """What a file says, or what a person types, words that are none mended; the words may still be no kit."""
    if path is not None:
        return read_input(path).decode("utf-8", "replace")
    if not can_ask():
        raise UsageError(f"{context.args.command} needs the recovery kit, and there is no terminal to type it", _WHY)
    return " ".join(_mended(context, ask("The 24 words of the recovery kit, in order:", why=_WHY).lower().split()))


def _mended(context: Context, words: list[str]) -> list[str]:
    """The words with those that are not of the list asked for again."""
    from e2esync.access.words import is_word, similar_words

    for position, word in enumerate(words, start=1):
        while not is_word(word):
            close = ", ".join(similar_words(word))
            near = f" Close are: {close}." if close else ""
            context.out.note(f"Word {position} is not one of the word list.{near}")
            word = words[position - 1] = ask(f"Word {position}:", why=_WHY).lower()
    return words
