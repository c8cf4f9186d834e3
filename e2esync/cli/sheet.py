"""The printable page of a recovery kit, or of one share of it (SPEC 12.4): one A4 page, self-contained.

Invariants: the page refers to nothing outside of itself and runs no script; what it prints in words is what its QR code
holds; whatever a relay or a person named is escaped. It is a secret: `write_sheet` gives it to its owner only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from .exits import UsageError
from .files import write_private

_COLUMNS: Final = 3
_LOST: Final = (
    "When a device is lost",
    "1. On any device of yours: e2esync revoke NAME. It is shut out at once. Then pair the new one: e2esync pair.",
    "2. With no device left: install e2esync on a new one, then e2esync recover, and type these words when asked.",
    "    It brings everything back and asks which of the old devices to shut out. This kit outranks them all.",
    "Keep this page where you keep your passport: not on a device, not in a mail, not in an online drive.",
    "Whoever has it can read the book and decide who is in. Is it lost? e2esync kit replace, or e2esync rehome.",
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a page says. `words` are 24 of a kit or 33 of a share; `code` is what the QR code holds."""

    title: str
    subtitle: str
    words: Sequence[str]
    code: str
    relay: str
    relay_key: str
    book: str
    date: str


def kit_code(words: Sequence[str], relay: str, relay_key: str, book: str) -> str:
    """The text of a kit's QR code (SPEC 12.4): a kit file without comments, so that scanning it gives one."""
    fields = [("relay", relay), ("relay key", relay_key), ("set", book), ("words", " ".join(words))]
    return "".join(f"{name}: {value}\n" for name, value in fields if value)


def write_sheet(path: str, sheet: Sheet, *, replace: bool) -> None:
    """Write the page as .svg or .html, readable by its owner only. Raises UsageError for another ending."""
    check_sheet_name(path)
    page = svg(sheet)
    write_private(path, (page if path.endswith(".svg") else html(sheet, page)).encode(), replace=replace)


def check_sheet_name(path: str) -> None:
    """Raises UsageError unless the name says which form is meant."""
    if not path.endswith((".svg", ".html")):
        raise UsageError(f"{path} is neither .html nor .svg", "a sheet is one page of either; any browser prints it")


def html(sheet: Sheet, page: str) -> str:
    """The page as HTML, for a browser to print."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'">'
        f"<title>{escape(sheet.title)}</title>"
        "<style>@page{size:A4;margin:0}body{margin:0}svg{width:210mm;height:297mm;display:block}</style></head>\n"
        f"<body>\n{page}</body></html>\n"
    )


def svg(sheet: Sheet) -> str:
    """The page as SVG, in millimetres of A4."""
    rows = -(-len(sheet.words) // _COLUMNS)
    parts = [
        _text(20, 28, 8, sheet.title, bold=True), _text(20, 36, 4, sheet.subtitle),
        *(_text(20 + 38 * (at // rows), 52 + 9 * (at % rows), 4.6, f"{at + 1:>2}  {word}", mono=True)
          for at, word in enumerate(sheet.words)),
        _qr(sheet.code, 138, 46, 55),
    ]
    line = max(52 + 9 * rows, 112) + 4
    for name, value in (("Relay", sheet.relay), ("Relay key", sheet.relay_key), ("Book", sheet.book),
                        ("Made on", sheet.date)):
        if value:
            parts += [_text(20, line, 3.4, name), _text(44, line, 3.2, value, mono=True)]
            line += 6
    parts += [_text(20, line + 8 + 7 * at, 5 if at == 0 else 3.6, said, bold=at == 0) for at, said in enumerate(_LOST)]
    return ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 210 297" width="210mm" height="297mm" '
            'font-family="sans-serif" fill="#000"><rect width="210" height="297" fill="#fff"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


def _text(x: float, y: float, size: float, text: str, *, bold: bool = False, mono: bool = False) -> str:
    style = (' font-weight="bold"' if bold else "") + (' font-family="monospace"' if mono else "")
    return f'<text x="{x:g}" y="{y:g}" font-size="{size:g}"{style} xml:space="preserve">{escape(text)}</text>'


def _qr(code: str, x: float, y: float, size: float) -> str:
    """The code as one path: each row's dark stretches."""
    import segno

    matrix = segno.make(code, error="m", micro=False).matrix
    count = len(matrix)
    path = "".join(f"M{column} {row}h1v1h-1z" for row, cells in enumerate(matrix)
                   for column, dark in enumerate(cells) if dark)
    return (f'<svg x="{x:g}" y="{y:g}" width="{size:g}" height="{size:g}" viewBox="0 0 {count} {count}" '
            f'shape-rendering="crispEdges"><path d="{path}"/></svg>')
