"""What people see of a card (SPEC 7): its name, and any text made safe for a terminal.

Invariants: ``sanitize`` is the one sink of untrusted text (attack A50): what it returns holds no control, no escape
sequence, no line break and no invisible formatting; display never changes what is stored.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

from .types import Entry, Registers

_SUSPECT: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001-\U000e007f]"
)
_SPACES: Final = re.compile(r"[\t\n\r\x0b\x0c\x85\u2028\u2029]+")
_CJK: Final = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f]")
_ORDER: Final = ("title", "given", "given2", "surname", "surname2", "generation", "credential")
_ORDER_CJK: Final = ("surname", "surname2", "given", "given2")


def sanitize(text: str) -> str:
    """Untrusted text for a terminal: line breaks and tabs become one space; controls and Cf characters vanish."""
    if text.isascii() and text.isprintable():
        return text
    text = _SUSPECT.sub("", _SPACES.sub(" ", text))
    if text.isprintable():
        return text
    return "".join(char for char in text if char.isprintable() or unicodedata.category(char) not in ("Cf", "Cc", "Cs"))


def is_cjk(text: str) -> bool:
    """Whether a text is written in Chinese, Japanese or Korean script."""
    return not text.isascii() and _CJK.search(text) is not None


def name_from_components(name: Entry) -> str:
    """The name made of its components: surname first and without spaces where the script is CJK."""
    components = [part for part in name.get("components") or () if isinstance(part, dict) and part.get("value")]
    if not components:
        return ""
    if name.get("isOrdered"):
        separator = str(name.get("defaultSeparator", " "))
        return separator.join(str(part["value"]) for part in components if part.get("kind") != "separator")
    cjk = any(
        part.get("kind") in ("surname", "given") and is_cjk(str(part["value"])) for part in components
    )
    order = _ORDER_CJK if cjk else _ORDER
    words = [str(part["value"]) for kind in order for part in components if part.get("kind") == kind]
    return ("" if cjk and all(map(is_cjk, words)) else " ").join(words)


def display_name(card: Registers) -> str:
    """The name of a card or of its registers: full, else its components, else what else tells who it is."""
    name = card.get("name")
    if isinstance(name, dict):
        full = name.get("full")
        if isinstance(full, str) and full.strip():
            return full.strip()
        if made := name_from_components(name):
            return made
    for prop, member in (
        ("nicknames", "name"), ("organizations", "name"), ("emails", "address"), ("phones", "number"),
        ("onlineServices", "user"), ("onlineServices", "uri"),
    ):
        for entry in entries_of(card, prop):
            value = entry.get(member)
            if isinstance(value, str) and value.strip():
                return value.strip()
    return ""


def entries_of(card: Registers, prop: str) -> list[dict[str, Any]]:
    """The entries of a property, whether ``card`` is a JSContact card or registers."""
    entries = card.get(prop)
    if isinstance(entries, dict):
        return [entry for entry in entries.values() if isinstance(entry, dict)]
    start = prop + "/"
    return [entry for path, entry in card.items() if path.startswith(start) and isinstance(entry, dict)]
