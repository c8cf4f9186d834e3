"""Phone numbers and email addresses reduced to what tells them apart: for matching only, never written anywhere."""

from __future__ import annotations

import re
from typing import Final

_OTHERS: Final = re.compile(r"[^\d+*#]+")


def normalize_phone(text: str) -> str:
    """Digits, with a leading ``+`` for ``00`` and without spaces, marks, ``(0)`` or the parameters of a tel URI."""
    if text[:4].lower() == "tel:":
        text = text[4:].partition(";")[0]
    if "(0)" in text and "+" in text:
        text = text.replace("(0)", "", 1)
    digits = _OTHERS.sub("", text.replace("＋", "+"))
    if not digits.isascii():
        digits = "".join(str(int(char)) if char.isdecimal() else char for char in digits)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    return digits or text.strip().casefold()


def normalize_email(text: str) -> str:
    """The address without ``mailto:``, spaces and case."""
    text = text.strip()
    if text[:7].lower() == "mailto:":
        text = text[7:]
    return text.casefold()
