"""Entries to lines: TEL, EMAIL, ADR, services, links, dates, relations, notes, categories, members."""

from __future__ import annotations

from ..dates import format_date
from ..jscomps import jscomps
from ..tables import ADDRESS_INDEX, ADDRESS_KINDS, LEVEL_WORDS, LINK_NAMES, PERSONAL_NAMES, RELATIONS, SERVICES
from ..text import escape, escape21, plain
from ..types import V21, V40, VENDOR, Entry
from .target import Params, Target

_COMMON = 7
_SERVICE_NAMES = ("IMPP", "SOCIALPROFILE", "X-SOCIALPROFILE")


def write_phone(target: Target, _path: str, entry: Entry) -> list[str]:
    """TEL; a ``tel:`` URI is said to be one in 4.0."""
    number = str(entry.get("number", ""))
    params = target.params(entry)
    if number[:4] == "tel:" and target.version == V40:
        return target.labelled(entry, lambda group: _uri(target, "TEL", [("VALUE", "uri"), *params], number, group))
    return target.labelled(entry, lambda group: target.text("TEL", params, number, group))


def write_email(target: Target, _path: str, entry: Entry) -> list[str]:
    """EMAIL."""
    first = "internet" if target.style.internet else ""
    params = target.params(entry, first=first)
    return target.labelled(entry, lambda group: target.text("EMAIL", params, str(entry.get("address", "")), group))


def write_address(target: Target, _path: str, entry: Entry) -> list[str]:
    """ADR, or GEO and TZ where an address is nothing but a place."""
    components = entry.get("components") or []
    coordinates = entry.get("coordinates")
    if not components and coordinates and "full" not in entry:
        return _geo(target, entry, str(coordinates))
    if len(entry) == 0:
        return [target.parts("ADR", [], [[] for _ in range(_COMMON)])]
    parts, order = address_parts(target, entry)
    params = target.params(entry) + order
    for member, name in (("full", "LABEL"), ("countryCode", "CC"), ("coordinates", "GEO"), ("timeZone", "TZ")):
        if member in entry and (target.version != V21 or member != "full"):
            params.append((name, str(entry[member])))
    lines = target.labelled(entry, lambda group: target.parts("ADR", params, parts, group))
    if "full" in entry and target.version == V21:
        lines.append(target.text("LABEL", target.params(entry), str(entry["full"])))
    return lines


def address_parts(target: Target, entry: Entry) -> tuple[list[list[str]], Params]:
    """The parts of ADR in their places, and the parameter that tells their order where the address has one."""
    parts: list[list[str]] = [[] for _ in ADDRESS_KINDS]
    places: list[tuple[int, int] | None] = []
    for component in entry.get("components") or []:
        index = ADDRESS_INDEX.get(component.get("kind"))
        places.append(None if index is None else (index, len(parts[index])))
        if index is not None:
            parts[index].append(str(component.get("value", "")))
    while len(parts) > _COMMON and not parts[-1]:
        parts.pop()
    if entry.get("isOrdered") and entry.get("components") and target.version != V21:
        return parts, [("JSCOMPS", jscomps(entry, places))]
    return parts, []


def _geo(target: Target, entry: Entry, coordinates: str) -> list[str]:
    if target.version == V40:
        return [target.line("GEO", target.params(entry), plain(coordinates).replace("\n", ""))]
    latitude, _, longitude = coordinates.removeprefix("geo:").partition(",")
    separator = "," if target.version == V21 else ";"
    return [target.raw("GEO", target.params(entry), f"{latitude}{separator}{longitude}")]


def write_service(target: Target, _path: str, entry: Entry) -> list[str]:
    """The property that a service came in, or IMPP; a user name alone goes under the service's own property."""
    name = str(entry.get("vCardName", "")).upper()
    name = name if name in SERVICES or name in _SERVICE_NAMES else ""
    service, user, uri = (str(entry.get(key, "")) for key in ("service", "user", "uri"))
    params = target.params(entry)
    if name in SERVICES:
        return target.labelled(entry, lambda group: target.text(name, params, user or uri, group))
    if not name:
        name = "IMPP" if uri else "SOCIALPROFILE" if target.version == V40 else "X-SOCIALPROFILE"
    extra = "" if target.version == V40 and not name.startswith("X-") else "X-"
    if service and name.endswith("X-SOCIALPROFILE"):
        params.insert(0, ("TYPE", service))
    elif service:
        params.append((extra + "SERVICE-TYPE", service))
    if user and uri:
        params.append(("X-USER" if extra else "USERNAME", user))
    return target.labelled(entry, lambda group: _uri(target, name, params, uri or user, group))


def write_link(target: Target, path: str, entry: Entry) -> list[str] | None:
    """URL, CALURI, FBURL and the like by property and kind."""
    prop = path.partition("/")[0]
    name = LINK_NAMES.get((prop, str(entry.get("kind", ""))))
    if name is None or not entry.get("uri"):
        return None
    params = target.params(entry)
    return target.labelled(entry, lambda group: _uri(target, name, params, str(entry["uri"]), group))


def _uri(target: Target, name: str, params: Params, uri: str, group: str) -> str:
    """A URI is not escaped; 2.1 alone may have to encode it."""
    uri = plain(uri).replace("\n", "")
    if target.version == V21:
        return target.raw(name, params, escape21(uri), group)
    return target.line(name, params, uri, group)


def write_note(target: Target, _path: str, entry: Entry) -> list[str]:
    """NOTE."""
    params = target.params(entry)
    author = entry.get("author")
    if target.version != V21 and isinstance(author, dict):
        params += [(key, str(author[name])) for key, name in (("AUTHOR", "uri"), ("AUTHOR-NAME", "name"))
                   if name in author]
    if target.version != V21 and "created" in entry:
        params.append(("CREATED", str(entry["created"]).replace("-", "").replace(":", "")))
    return target.labelled(entry, lambda group: target.text("NOTE", params, str(entry.get("note", "")), group))


def write_anniversary(target: Target, _path: str, entry: Entry) -> list[str] | None:
    """BDAY, ANNIVERSARY, DEATHDATE, or Apple's labelled date for any other day."""
    date, version = entry.get("date"), target.version
    text = format_date(date, version, basic=target.style.basic_dates) if isinstance(date, dict) else ""
    if not text:
        return None
    params = target.params(entry)
    kind = entry.get("kind")
    label = entry.get(VENDOR + "label")
    if kind == "birth" and target.style.omit_year and isinstance(date, dict) and "year" not in date:
        params, text = [("X-APPLE-OMIT-YEAR", "1604"), *params], text.replace("--", "1604-")
    if kind in ("birth", "death", "wedding"):
        name = {"birth": "BDAY", "death": "DEATHDATE"}.get(kind, "ANNIVERSARY")
        name = name if version == V40 or kind == "birth" else f"X-{name}"
        return target.labelled(entry, lambda group: target.line(name, params, text, group))
    return target.labelled(entry, lambda group: target.line("X-ABDATE", params, text, group), str(label or kind))


def write_related(target: Target, path: str, entry: Entry) -> list[str]:
    """RELATED in 4.0, Apple's labelled name otherwise."""
    text = path.partition("/")[2]
    kinds = sorted(map(str, entry.get("relation") or {}))
    label = str(entry.get("label") or "")
    named = target.version != V40 and ":" not in text
    if named and not label:
        label = kinds[0].capitalize() if kinds and RELATIONS.get(kinds[0].capitalize()) == kinds[0] else "Other"
    params = target.params(entry)
    # What the label says needs no TYPE, for it is read from the label again.
    params += [("TYPE", kind) for kind in kinds if kind != RELATIONS.get(label)]
    if named:
        return target.labelled(entry, lambda group: target.text("X-ABRELATEDNAMES", params, text, group), label)
    if ":" not in text:
        params.insert(0, ("VALUE", "text"))
        return target.labelled(entry, lambda group: target.text("RELATED", params, text, group))
    return target.labelled(entry, lambda group: _uri(target, "RELATED", params, text, group))


def write_keywords(target: Target, key: str) -> list[str]:
    """CATEGORIES: one line for all, which the first keyword carries."""
    paths = target.family("keywords/", bool)
    if not paths or paths[0] != f"keywords/{key}":
        return []
    keys = [path.partition("/")[2] for path in paths]
    if target.version == V21:
        return [target.raw("CATEGORIES", [], ",".join(map(escape, keys)))]
    return [target.parts("CATEGORIES", [], [keys])]


def write_member(target: Target, key: str) -> list[str]:
    """MEMBER, or Apple's property for it."""
    name = "MEMBER" if target.version == V40 else "X-ADDRESSBOOKSERVER-MEMBER"
    if target.version != V40 and ":" not in key:
        key = "urn:uuid:" + key
    return [_uri(target, name, [], key, "")]


def write_personal(target: Target, _path: str, entry: Entry) -> list[str] | None:
    """EXPERTISE, HOBBY, INTEREST."""
    name = PERSONAL_NAMES.get(str(entry.get("kind", "")))
    if name is None:
        return None
    params = target.params(entry)
    if "level" in entry:
        level = str(entry["level"])
        params.append(("LEVEL", LEVEL_WORDS.get(level, level) if name == "EXPERTISE" else level))
    if "listAs" in entry:
        params.append(("INDEX", str(entry["listAs"])))
    return target.labelled(entry, lambda group: target.text(name, params, str(entry.get("value", "")), group))


def write_language(target: Target, _path: str, entry: Entry) -> list[str]:
    """LANG."""
    return [target.text("LANG", target.params(entry), str(entry.get("language", "")))]
