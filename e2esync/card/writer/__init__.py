"""Registers to content lines (SPEC 7): the table of JSContact properties.

Invariants: a pure function of registers, version and style; each register gives zero or more whole lines of its own;
what vCard has no property for goes out as JSPROP (RFC 9555), so that nothing is lost in any version.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from ..digests import encode_json
from ..paths import split_path
from ..registers import IMPLIED, KNOWN_PROPERTIES
from ..types import ORIGIN, V21, V40, VENDOR, Entry, Value
from . import entries, localized, media, names, single
from .target import Target

Writer = Callable[[Target, str, Entry], "list[str] | None"]
"""Gives the lines of an entry; none where another register carries them; None where vCard cannot say it."""

ENTRIES: Final[dict[str, Writer]] = {
    "addresses": entries.write_address,
    "anniversaries": entries.write_anniversary,
    "calendars": entries.write_link,
    "cryptoKeys": media.write_media,
    "directories": entries.write_link,
    "emails": entries.write_email,
    "links": entries.write_link,
    "localizations": localized.write_localization,
    "media": media.write_media,
    "nicknames": names.write_nickname,
    "notes": entries.write_note,
    "onlineServices": entries.write_service,
    "organizations": names.write_organization,
    "personalInfo": entries.write_personal,
    "phones": entries.write_phone,
    "preferredLanguages": entries.write_language,
    "relatedTo": entries.write_related,
    "schedulingAddresses": entries.write_link,
    "titles": names.write_title,
}
"""Writers of entries that are objects."""

WHOLE: Final[dict[str, Callable[[Target, Value], list[str] | None]]] = {
    "name": names.write_name,
    "uid": single.write_uid,
    "kind": single.write_kind,
    "prodId": single.write_prodid,
    "language": single.write_language,
    "created": single.write_created,
    "speakToAs": single.write_speak,
}
"""Writers of properties that are one register."""

_ANY: Final = frozenset(("@type", "contexts", "features", "pref", "label", "vCardParams"))
_MEDIA: Final = _ANY | {"kind", "uri", "mediaType", "digest", "size"}
SAID: Final[dict[str, frozenset[str]]] = {
    "addresses": _ANY | {
        "components", "full", "countryCode", "coordinates", "timeZone", "isOrdered", "defaultSeparator",
    },
    "anniversaries": _ANY | {"kind", "date", VENDOR + "label"},
    "calendars": _ANY | {"kind", "uri"}, "directories": _ANY | {"kind", "uri"}, "links": _ANY | {"kind", "uri"},
    "schedulingAddresses": _ANY | {"kind", "uri"},
    "cryptoKeys": _MEDIA, "media": _MEDIA,
    "emails": _ANY | {"address"}, "phones": _ANY | {"number"}, "nicknames": _ANY | {"name"},
    "notes": _ANY | {"note", "author", "created"},
    "onlineServices": _ANY | {"service", "user", "uri", "vCardName"},
    "organizations": _ANY | {"name", "units", "sortAs"},
    "personalInfo": _ANY | {"kind", "value", "level", "listAs"},
    "preferredLanguages": _ANY | {"language"},
    "titles": _ANY | {"name", "kind"},
}
"""What the lines of an entry say; its other members go out as JSPROP beside a line with PROP-ID (RFC 9555 3.2.1)."""

CANONICAL: Final = (
    "prodId", "uid", "kind", "created", "name", "nicknames", "organizations", "titles", "phones", "emails",
    "addresses", "onlineServices", "links", "anniversaries", "relatedTo", "notes", "keywords", "members", "media",
)
"""The order of properties that did not come from a file; the others follow by name."""
RANK: Final = {name: index for index, name in enumerate(CANONICAL)}


def write_register(target: Target, path: str, value: Value) -> list[str]:
    """The lines of one register."""
    prop, slash, key = path.partition("/")
    lines: list[str] | None = None
    if not slash:
        if prop in WHOLE:
            lines = WHOLE[prop](target, value)
    elif prop in ENTRIES:
        lines = _entry(target, prop, path, value) if type(value) is dict else None
    elif prop == "keywords":
        return entries.write_keywords(target, key)
    elif prop == "members":
        return entries.write_member(target, key)
    elif prop == "vCardProps" and isinstance(value, list):
        lines = single.write_unknown(target, value)
    if lines is not None:
        return lines
    if path == ORIGIN or prop in IMPLIED or value is None or (value == {} and prop in KNOWN_PROPERTIES):
        return []
    return [_jsprop(target, path, value)]


def _entry(target: Target, prop: str, path: str, entry: Entry) -> list[str] | None:
    """The lines of an entry, and one for each member that they do not say."""
    said = SAID.get(prop)
    if said is None or entry.keys() <= said:
        return ENTRIES[prop](target, path, entry)
    rest = {name: value for name, value in entry.items() if name not in said}
    params = entry.get("vCardParams")
    known = dict(params) if isinstance(params, dict) else {}
    named = {name: value for name, value in entry.items() if name in said}
    named["vCardParams"] = {**known, "prop-id": path.partition("/")[2]}
    lines = ENTRIES[prop](target, path, named)
    if not lines:
        return lines
    return lines + [_jsprop(target, f"{path}/{name}", value) for name, value in sorted(rest.items()) if "/" not in name]


def _jsprop(target: Target, path: str, value: Value) -> str:
    prop, key = split_path(path)
    pointer = prop.replace("~", "~0").replace("/", "~1")
    if key is not None:
        pointer += "/" + key
    if target.version == V21:
        # A parameter of 2.1 cannot be quoted.
        pointer = quote(pointer, safe="/~", errors="replace")
    name = "JSPROP" if target.version == V40 else "X-JSPROP"
    return target.text(name, [("JSPTR", pointer)], encode_json(value))


def order_key(path: str) -> tuple[int, str]:
    """Where a register stands among those that did not come from a file."""
    return RANK.get(path.partition("/")[0], len(RANK)), path
