"""Names to lines: FN, N, phonetics, sort keys, nicknames, ORG, TITLE, ROLE."""

from __future__ import annotations

from ..display import name_from_components
from ..jscomps import jscomps
from ..tables import NAME_KINDS, PHONETIC_NAMES
from ..types import V21, V40, Entry, Value
from .target import Params, Target

_COMMON = 5
_SPOKEN = (("PHONETIC", "phoneticSystem"), ("SCRIPT", "phoneticScript"))


def write_name(target: Target, name: Value) -> list[str] | None:
    """FN and N in the order of the style, then the sort key and the phonetics."""
    if not isinstance(name, dict):
        return None
    version = target.version
    full, components = name.get("full"), name.get("components")
    lines: list[str] = []
    alternative = _alternative(target, name)
    if full is not None:
        lines.append(target.text("FN", alternative, str(full)))
    elif version != V21 and (derived := name_from_components(name)):
        lines.append(target.text("FN", [("DERIVED", "TRUE")] if version == V40 else [], derived))
    if components is not None or version != V40:
        line = write_components(target, name, components or [], alternative)
        lines.insert(0 if target.style.name_first else len(lines), line)
    sort_as = name.get("sortAs")
    if version != V40 and isinstance(sort_as, dict) and sort_as.get("surname"):
        lines.append(target.text("SORT-STRING", [], str(sort_as["surname"])))
    if _speaks(target, name):
        spoken = [{"kind": part.get("kind"), "value": part.get("phonetic", "")} for part in components or []]
        params = [*alternative, *((key, str(name[member])) for key, member in _SPOKEN if name.get(member))]
        return [*lines, write_components(target, {}, spoken, params)]
    return lines + _phonetics(target, name)


def _speaks(target: Target, name: Entry) -> bool:
    """Whether the pronunciation goes out as a N of its own, which 4.0 alone has."""
    return target.version == V40 and bool(name.get("phoneticSystem"))


def _alternative(target: Target, name: Entry) -> Params:
    """ALTID and LANGUAGE of a name that is one of several."""
    known = name.get("vCardParams")
    params = [(key.upper(), str(known[key])) for key in ("altid", "language") if key in known] if known else []
    if _speaks(target, name) and not any(key == "ALTID" for key, _ in params):
        params.insert(0, ("ALTID", "name"))
    return params


def write_components(target: Target, name: Entry, components: list[Entry], params: Params) -> str:
    """N with its parts in their places, and their order where the name has one."""
    parts: list[list[str]] = [[] for _ in NAME_KINDS]
    places: list[tuple[int, int] | None] = []
    for component in components:
        kind = component.get("kind")
        if kind in NAME_KINDS:
            index = NAME_KINDS.index(kind)
            places.append((index, len(parts[index])))
            parts[index].append(str(component.get("value", "")))
        else:
            places.append(None)
    while len(parts) > _COMMON and not parts[-1]:
        parts.pop()
    params = list(params)
    if name.get("isOrdered") and target.version != V21:
        params.append(("JSCOMPS", jscomps(name, places)))
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
