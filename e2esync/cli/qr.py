"""A pairing code as a QR code in the terminal, by segno."""

from __future__ import annotations

import io
from typing import Any


def qr_text(code: str) -> str:
    """The code drawn with half blocks, two rows a line: trusted text, made here."""
    import segno

    # Upper case alone fits the alphanumeric mode, which needs two thirds of the room; a `#` does not: it goes apart.
    url, separator, digits = code.rpartition("#")
    parts: Any = [part for part in (url, separator, digits) if part]
    drawing = io.StringIO()
    segno.make(parts, error="l", micro=False).terminal(drawing, compact=True)
    return drawing.getvalue()
