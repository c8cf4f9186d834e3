"""A JSContact card as lines for people.

Invariants: shows every property, known or not (an unknown one by its name); does not trust the card's types, because
a member's client may have written anything; the text is cleaned by the output, not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_HEADS: Final = {
    "nicknames": ("nickname", "name"),
    "organizations": ("organization", "name"),
    "titles": ("title", "name"),
    "phones": ("phone", "number"),
    "emails": ("email", "address"),
    "onlineServices": ("online", ""),
    "addresses": ("address", ""),
    "anniversaries": ("date", ""),
    "links": ("link", "uri"),
    "calendars": ("calendar", "uri"),
    "directories": ("directory", "uri"),
    "notes": ("note", "note"),
    "media": ("", ""),
    "cryptoKeys": ("key", "uri"),
    "personalInfo": ("personal", "value"),
    "preferredLanguages": ("language", "language"),
}
_SETS: Final = {"keywords": "label", "members": "member", "relatedTo": "related to"}
_SILENT: Final = frozenset(("@type", "version", "name", "uid", "prodId", "updated", "created", "localizations"))
_CONTEXTS: Final = {"private": "home"}
_PAD: Final = 22


def card_lines(card: dict[str, Any]) -> list[str]:
    """The lines of a card, below its name."""
    lines: list[str] = []
    for label, value in _facts(card):
        first, *more = str(value).split("\n")
        lines.append(f"  {label:<{_PAD}}{first}".rstrip())
        lines.extend(" " * (_PAD + 2) + line for line in more)
    return lines


def _facts(card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for prop, (head, member) in _HEADS.items():
        for entry in _entries(card.get(prop)):
            yield _label(head, entry), _value(prop, member, entry)
    for prop, head in _SETS.items():
        keys = card.get(prop)
        if isinstance(keys, dict) and keys:
            yield head, ", ".join(keys)
    for prop in card:
        if prop not in _HEADS and prop not in _SETS and prop not in _SILENT:
            yield prop, _short(card[prop])
    yield "uid", str(card.get("uid", ""))


def _entries(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, dict):
        return []
    entries = [entry for entry in value.values() if isinstance(entry, dict)]
    return sorted(entries, key=lambda entry: entry["pref"] if type(entry.get("pref")) is int else 1000)


def _label(head: str, entry: dict[str, Any]) -> str:
    own = entry.get("label")
    if isinstance(own, str) and own:
        return f"{head} ({own})"
    words = type_words(entry)
    head = head or str(entry.get("kind") or "media")
    return f"{head} ({', '.join(words)})" if words else head


def type_words(entry: dict[str, Any]) -> list[str]:
    """What kind of number or address it is: its own label, or `home`, `work`, `mobile` and the like."""
    own = entry.get("label")
    if isinstance(own, str) and own:
        return [own]
    words = [_CONTEXTS.get(word, word) for word in _keys(entry.get("contexts"))]
    return words + [word for word in _keys(entry.get("features")) if word != "voice"]


def _keys(value: Any) -> list[str]:
    return [str(key) for key in value] if isinstance(value, dict) else []


def _value(prop: str, member: str, entry: dict[str, Any]) -> str:
    if prop == "addresses":
        return _address(entry)
    if prop == "anniversaries":
        return f"{date_text(entry.get('date'))} {entry.get('kind') or ''}".rstrip()
    if prop == "onlineServices":
        parts = [entry.get("service"), entry.get("user"), entry.get("uri")]
        return " ".join(str(part) for part in parts if part)
    if prop == "organizations":
        units = entry.get("units")
        names = [unit.get("name") for unit in units if isinstance(unit, dict)] if isinstance(units, list) else []
        return ", ".join(str(part) for part in (entry.get("name"), *names) if part)
    if prop == "media":
        return _media(entry)
    return str(entry.get(member) or "")


def _address(entry: dict[str, Any]) -> str:
    if isinstance(entry.get("full"), str):
        return str(entry["full"])
    components = entry.get("components")
    if not isinstance(components, list):
        return str(entry.get("coordinates") or "")
    return "\n".join(str(part["value"]) for part in components if isinstance(part, dict) and part.get("value"))


def date_text(date: Any) -> str:
    """A JSContact date: what is known of it, as people write it."""
    if not isinstance(date, dict):
        return ""
    if isinstance(date.get("utc"), str):
        return str(date["utc"])[:10]
    year, month, day = (date.get(part) for part in ("year", "month", "day"))
    text = f"{year:04d}" if type(year) is int else "--"
    for part in (month, day):
        if type(part) is int:
            text += ("" if text == "--" else "-") + f"{part:02d}"
    return text


def _media(entry: dict[str, Any]) -> str:
    uri = entry.get("uri")
    if isinstance(uri, str) and not uri.startswith("data:"):
        return uri
    kind = str(entry.get("mediaType") or "embedded")
    size = entry.get("size")
    return f"{kind}, {size:,} bytes" if type(size) is int else kind


def _short(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"({len(value)} {'entry' if len(value) == 1 else 'entries'})"
    return str(value)
