"""The code blocks of README.md, by section and language."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

README = Path(__file__).parents[2] / "README.md"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_SECTION = re.compile(r"^## (.+)$", re.M)


class Block(NamedTuple):
    """A block of code."""

    section: str
    language: str
    text: str


def blocks() -> list[Block]:
    """Every block, in order."""
    text = README.read_text("utf-8")
    sections = [(match.start(), match[1]) for match in _SECTION.finditer(text)]
    return [
        Block(next((name for start, name in reversed(sections) if start < match.start()), ""), match[1], match[2])
        for match in _BLOCK.finditer(text)
    ]


def lines(section: str, language: str) -> list[str]:
    """The lines of a section's blocks in one language."""
    return [line for block in blocks() if (block.section, block.language) == (section, language)
            for line in block.text.splitlines()]
