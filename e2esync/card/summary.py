"""What a list of contacts shows and searches (SPEC 7): fast, for books of ten thousand cards.

Invariants: derived from registers alone; nothing here is ever stored in the set.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

from .display import display_name, is_cjk
from .phone import normalize_email, normalize_phone
from .types import Entry, Registers

_KEYS: Final = ("phones/", "emails/", "organizations/", "nicknames/", "keywords/")
_LEADERS: Final = ("surname", "surname2", "given", "given2")


@dataclass(frozen=True, slots=True)
class Summary:
    """One row of a list: name, sort key, numbers and addresses as typed, organization, and a text to search in."""

    name: str
    sort: str
    phones: tuple[str, ...]
    emails: tuple[str, ...]
    org: str
    search: str


def summary(registers: Registers) -> Summary:
    """The summary of a card's registers."""
    phones: list[str] = []
    emails: list[str] = []
    words: list[str] = []
    org = ""
    for path, entry in registers.items():
        prop, slash, key = path.partition("/")
        if not slash:
            continue
        if prop == "keywords":
            words.append(key)
        elif type(entry) is not dict:
            continue
        elif prop == "phones":
            phones.append(str(entry.get("number", "")))
        elif prop == "emails":
            emails.append(str(entry.get("address", "")))
        elif prop in ("organizations", "nicknames", "titles"):
            name = str(entry.get("name", ""))
            words.append(name)
            if prop == "organizations":
                org = org or name
    name = display_name(registers)
    search = fold_case(" ".join((name, *words)))
    numbers = " ".join([normalize_phone(phone) for phone in phones])
    addresses = " ".join([normalize_email(email) for email in emails])
    return Summary(name, _sort(registers, name), tuple(phones), tuple(emails), org, f"{search} {addresses} {numbers}")


def sort_key(card: Registers) -> str:
    """What a card is sorted by: sortAs, else the phonetic name, else the surname first."""
    return _sort(card, display_name(card))


def _sort(card: Registers, shown: str) -> str:
    name = card.get("name")
    if isinstance(name, dict):
        sort_as = name.get("sortAs")
        components = name.get("components")
        parts = [part for part in components if type(part) is dict] if type(components) is list else []
        if isinstance(sort_as, dict) and sort_as:
            words = [str(sort_as.get(kind, "")) or _component(parts, kind) for kind in ("surname", "given")]
            if any(words):
                return fold_case(" ".join(words).strip())
        words = [word for kind in _LEADERS if (word := _component(parts, kind))]
        if words:
            return fold_case(" ".join(words))
    return fold_case(shown)


def _component(parts: list[Entry], kind: str) -> str:
    for part in parts:
        if part.get("kind") == kind:
            return str(part.get("phonetic") or part.get("value", ""))
    return ""


def fold_case(text: str) -> str:
    """A text for comparing: case, width and accents folded; kana of both kinds are one."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKD", text).casefold()
    out = []
    for char in text:
        if "\u30a1" <= char <= "\u30f6":
            char = chr(ord(char) - 0x60)
        if not unicodedata.combining(char) or is_cjk(char) or char in "\u3099\u309a":
            out.append(char)
    return unicodedata.normalize("NFC", "".join(out))
