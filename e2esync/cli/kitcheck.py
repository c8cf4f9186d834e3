"""Showing a recovery kit once, and making sure that it was written down.

Invariants: the words go to the terminal or to a file of the person's choice, never to both and never to a log; a person
who cannot type three of them back has no kit, and the command says so before anything depends on it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

from .output import Output
from .prompts import ask

_ASKED: Final = 3
_PER_ROW: Final = 4
_HINT: Final = "give --kit-file FILE to keep the kit in a file instead"


def show_kit(words: Sequence[str], out: Output) -> None:
    """Print the words, numbered, with what they are for."""
    out.show("", "Your recovery kit. Write these words on paper, in order, and keep them apart from your devices.",
             "They are the only way back if all devices are lost; whoever has them can read the book.", "")
    for row in range(0, len(words), _PER_ROW):
        out.show("  " + "".join(f"{row + at + 1:>4} {word:<12}" for at, word in enumerate(words[row:row + _PER_ROW])))
    out.show("")


def ask_back(words: Sequence[str], out: Output) -> None:
    """Have the person type three words from the paper; a wrong one is asked again. Raises NoTerminal."""
    out.note("To be sure that they are written down, type three of them from your paper.")
    for position in sorted(secrets.SystemRandom().sample(range(len(words)), _ASKED)):
        while ask(f"Word {position + 1}:", why=_HINT).casefold() != words[position]:
            out.note(f"That is not word {position + 1}. Look at the list above, and correct your paper if it differs.")
