"""One property in several languages or scripts: ALTID with LANGUAGE, PHONETIC and SCRIPT (RFC 6350 5.4, RFC 9554 4).

Of the properties that share a name and an ALTID one is the card's own; the others are patches in ``localizations``, by
their language, or the pronunciation of its components. Invariants: an alternative that cannot be said so is kept whole
in ``vCardProps``; which one is the card's own depends on the lines alone.
"""

from __future__ import annotations

from typing import Final

from ..types import Entry, Line
from .builder import Card
from .entries import address_parts
from .names import name_parts

_TEXTS: Final = {"TITLE": "name", "ROLE": "name", "NICKNAME": "name", "NOTE": "note"}


def own_lines(lines: list[Line | None]) -> dict[tuple[str, str], int]:
    """By name and ALTID the index of the line that is the card's own.

    The one in the language of the card, else the first without a language, else the first; one that says how
    something is pronounced comes last.
    """
    language = next((line.value.strip().lower() for line in lines if line and line.head.name == "LANGUAGE"), "")
    best: dict[tuple[str, str], tuple[int, int]] = {}
    for index, line in enumerate(lines):
        if line is not None and line.head.altid:
            told = (line.head.param("LANGUAGE") or "").lower()
            rank = 0 if language and told == language else 1 if not told else 2
            if line.head.param("PHONETIC"):
                rank = 3
            key = (line.head.name, line.head.altid)
            best[key] = min(best.get(key, (rank, index)), (rank, index))
    return {key: index for key, (_rank, index) in best.items()}


def read_alternative(card: Card, line: Line, owner: str | None) -> str | None:
    """The register that an alternative belongs to, of a property whose own line is register ``owner``; or None."""
    language = line.head.param("LANGUAGE") or ""
    own = (card.name.get("vCardParams") or {}).get("language", "") if owner == "name" else language
    if line.head.name == "N" and owner == "name" and line.head.param("PHONETIC") and language in ("", own):
        return _pronounce(card, line)
    if not language or owner is None or line.head.group:
        return None
    patch = _patch(card, line, owner)
    path = f"localizations/{language}"
    known = card.registers.setdefault(path, {})
    if not patch or patch.keys() & known.keys():
        if not known:
            del card.registers[path]
        return None
    known |= patch
    return path


def _patch(card: Card, line: Line, owner: str) -> Entry:
    """What the alternative changes, by JSON pointer; nothing where it says more than a patch can."""
    name, extra = line.head.name, {key for key, _ in line.head.params} - {"ALTID", "LANGUAGE", "VALUE"}
    if name == "FN" and owner == "name" and not extra:
        return {"name/full": card.text(line)}
    if name == "N" and owner == "name" and extra <= {"PHONETIC", "SCRIPT", "JSCOMPS"}:
        patch = {f"name/{member}": value for member, value in (name_parts(card, line) or {}).items()}
        for param, member in (("PHONETIC", "phoneticSystem"), ("SCRIPT", "phoneticScript")):
            if patch and (text := line.head.param(param)):
                patch[f"name/{member}"] = text
        return patch
    if owner.startswith("vCardProps/") or extra - {"PROP-ID", "JSCOMPS"}:
        return {}
    if name in _TEXTS and (name != "NICKNAME" or len(card.items(card.decoded(line))) == 1):
        return {f"{owner}/{_TEXTS[name]}": card.text(line)} if card.text(line) else {}
    if name == "ADR":
        found = address_parts(card, line, card.components(line))
        return {f"{owner}/{member}": value for member, value in found.items()}
    return {}


def _pronounce(card: Card, line: Line) -> str | None:
    """Put a pronunciation to the components, one to one; None where it has other parts than the name."""
    spoken = (name_parts(card, line) or {}).get("components", [])
    components = card.name.get("components", [])
    if not spoken or [part["kind"] for part in spoken] != [part["kind"] for part in components]:
        return None
    if any("phonetic" in part for part in components):
        return None
    for part, sound in zip(components, spoken, strict=True):
        part["phonetic"] = sound["value"]
    system, script = line.head.param("PHONETIC"), line.head.param("SCRIPT")
    card.name |= {name: text for name, text in (("phoneticSystem", system), ("phoneticScript", script)) if text}
    return "name"
