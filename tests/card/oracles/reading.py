"""What vobject, ical.js and vcard4-ts read in a card, and what this implementation reads, in one form.

ez-vcard and Evolution's library are not among them: a package manager of the whole system installs those, and nothing
that a virtual environment or a lock file could hold.

A reading is property → values as text; the parts of N and ORG are joined by ``;``, lists within a part by ``|``.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import vobject

from e2esync.card import read_vcards
from e2esync.card.tables import NAME_KINDS

SALT = b"oracle"
Reading = dict[str, list[str]]
SINGLE = ("FN", "NOTE", "TEL", "EMAIL", "TITLE", "ROLE", "URL")
PROPERTIES = (*SINGLE, "N", "ORG", "NICKNAME", "CATEGORIES")


def ours(text: str) -> Reading | None:
    """What this implementation reads; None unless it is one card."""
    file = read_vcards(text.encode("utf-8", "surrogateescape"), salt=SALT)
    if len(file.cards) != 1:
        return None
    found: Reading = {}
    for path, value in file.cards[0].registers.items():
        prop = path.partition("/")[0]
        if prop == "name":
            _add_name(found, value)
        elif prop == "keywords":
            found.setdefault("CATEGORIES", []).append(path.partition("/")[2])
        elif prop == "organizations":
            units = [str(unit["name"]) for unit in value.get("units", ())]
            found.setdefault("ORG", []).append(";".join([str(value.get("name", "")), *units]))
        elif prop in _OURS and (prop != "links" or "kind" not in value):
            name, member = _OURS[prop]
            name = "ROLE" if value.get("kind") == "role" else name
            found.setdefault(name, []).append(str(value[member]))
    return found


_OURS = {
    "notes": ("NOTE", "note"), "phones": ("TEL", "number"), "emails": ("EMAIL", "address"),
    "titles": ("TITLE", "name"), "links": ("URL", "uri"), "nicknames": ("NICKNAME", "name"),
}


def _add_name(found: Reading, name: dict[str, Any]) -> None:
    if "full" in name:
        found["FN"] = [name["full"]]
    if "components" in name:
        parts = [[part["value"] for part in name["components"] if part["kind"] == kind] for kind in NAME_KINDS[:5]]
        found["N"] = [";".join("|".join(part) for part in parts)]


def by_vobject(text: str) -> Reading | None:
    """What vobject reads; None where it cannot."""
    try:
        card = vobject.readOne(text)
    except Exception:
        # Whatever an oracle raises, it has no vote on this card.
        return None
    found: Reading = {}
    for child in card.getChildren():
        value = getattr(child, "value", None)
        if child.name == "N" and not isinstance(value, str):
            parts = (value.family, value.given, value.additional, value.prefix, value.suffix)
            value = ";".join("|".join(part) if isinstance(part, list) else str(part) for part in parts)
        elif child.name == "ORG" and isinstance(value, list):
            value = ";".join(map(str, value))
        if isinstance(value, list):
            found.setdefault(child.name, []).extend(map(str, value))
        elif isinstance(value, str):
            found.setdefault(child.name, []).append(value)
    return found


def by_node(texts: list[str], folder: Path) -> list[dict[str, Reading]]:
    """What ical.js and vcard4-ts read in each text, by their names; the folder is where they are installed."""
    ran = subprocess.run(
        ["node", "read.mjs"], cwd=folder, input=json.dumps(texts).encode(), capture_output=True, check=True, timeout=60,
    )
    answers: list[dict[str, Reading]] = json.loads(ran.stdout)
    return answers


def alike(values: list[str]) -> list[str]:
    """Values for comparing: without what no program keeps, in order; empty ones are none."""
    texts = (" ".join(value.replace("\r\n", "\n").split(" ")).strip() for value in values)
    return sorted(text.rstrip(";") for text in texts if text.strip("; "))
