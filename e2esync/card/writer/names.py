"""Names to lines: FN, N, phonetics, sort keys, nicknames, ORG, TITLE, ROLE."""

from __future__ import annotations

from ..display import name_from_components
from ..tables import NAME_KINDS, PHONETIC_NAMES
from ..types import V21, V40, Entry, Value
from .target import Params, Target

_COMMON = 5


def write_name(target: Target, name: Value) -> list[str] | None:
    """FN and N in the order of the style, then the sort key and the phonetics."""
    if not isinstance(name, dict):
        return None
    version = target.version
    full, components = name.get("full"), name.get("components")
    lines: list[str] = []
    if full is not None:
        lines.append(target.text("FN", [], str(full)))
    elif version != V21 and (derived := name_from_components(name)):
        lines.append(target.text("FN", [("DERIVED", "TRUE")] if version == V40 else [], derived))
    if components is not None or version != V40:
        line = _components(target, name, components or [])
        lines.insert(0 if target.style.name_first else len(lines), line)
    sort_as = name.get("sortAs")
    if version != V40 and isinstance(sort_as, dict) and sort_as.get("surname"):
        lines.append(target.text("SORT-STRING", [], str(sort_as["surname"])))
    return lines + _phonetics(target, name)


def _components(target: Target, name: Entry, components: list[Entry]) -> str:
    parts: list[list[str]] = [[] for _ in NAME_KINDS]
    for component in components:
        kind = component.get("kind")
        if kind in NAME_KINDS:
            parts[NAME_KINDS.index(kind)].append(str(component.get("value", "")))
    while len(parts) > _COMMON and not parts[-1]:
        parts.pop()
    params: Params = []
    sort_as = name.get("sortAs")
    if target.version == V40 and isinstance(sort_as, dict):
        keys = [str(sort_as.get(kind, "")) for kind in ("surname", "given")]
        params.append(("SORT-AS", ",".join(keys).rstrip(",")))
    return target.parts("N", params, parts)


def _phonetics(target: Target, name: Entry) -> list[str]:
    found: dict[str, str] = {}
    for component in name.get("components") or []:
        if component.get("phonetic") and component.get("kind") in PHONETIC_NAMES:
            found.setdefault(PHONETIC_NAMES[component["kind"]], str(component["phonetic"]))
    for key, value in (name.get("vCardParams") or {}).items():
        if key.startswith("x-phonetic-"):
            found.setdefault(key.upper(), str(value))
    return [target.text(key, [], found[key]) for key in PHONETIC_NAMES.values() if key in found]


def write_nickname(target: Target, path: str, entry: Entry) -> list[str]:
    """NICKNAME: the plain ones share one line, which the first of them carries."""
    name = str(entry.get("name", ""))
    if not _is_plain(entry) or target.version == V21:
        return target.labelled(entry, lambda group: target.text("NICKNAME", target.params(entry), name, group))
    paths = target.family("nicknames/", _is_plain)
    if path not in paths[:1]:
        return [] if paths else [target.text("NICKNAME", [], name)]
    return [target.parts("NICKNAME", [], [[str(target.registers[other]["name"]) for other in paths]])]


def _is_plain(entry: Value) -> bool:
    return isinstance(entry, dict) and len(entry) == 1 and "name" in entry


def write_organization(target: Target, _path: str, entry: Entry) -> list[str]:
    """ORG with its units."""
    units = entry.get("units") or []
    parts = [[str(entry.get("name", ""))], *([str(unit.get("name", ""))] for unit in units)]
    params = target.params(entry)
    if entry.get("sortAs") and target.version == V40:
        params.append(("SORT-AS", str(entry["sortAs"])))
    return target.labelled(entry, lambda group: target.parts("ORG", params, parts, group))


def write_title(target: Target, _path: str, entry: Entry) -> list[str]:
    """TITLE, or ROLE for a role."""
    name = "ROLE" if entry.get("kind") == "role" else "TITLE"
    text = str(entry.get("name", ""))
    return target.labelled(entry, lambda group: target.text(name, target.params(entry), text, group))
