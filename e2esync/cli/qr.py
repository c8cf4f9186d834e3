"""A pairing code, or a recovery kit, as a QR code in the terminal, by segno."""

from __future__ import annotations

import io
from typing import Any


def qr_text(code: str) -> str:
    """The code drawn with half blocks, two rows a line: trusted text, made here."""
    # Upper case alone fits the alphanumeric mode, which needs two thirds of the room; a `#` does not: it goes apart.
    url, separator, digits = code.rpartition("#")
    return _drawn([part for part in (url, separator, digits) if part])


def kit_qr_text(code: str) -> str:
    """A kit's QR code (SPEC 12.4) drawn in the same way; as long as it is on the screen, the screen is the kit."""
    return _drawn(code)


def _drawn(parts: Any) -> str:
    import segno

    drawing = io.StringIO()
    segno.make(parts, error="l", micro=False).terminal(drawing, compact=True)
    return drawing.getvalue()
