"""Names of people and of organizations: N, FN, phonetics, sort keys, nicknames, ORG, TITLE, ROLE."""

from __future__ import annotations

from ..jscomps import ordered
from ..tables import NAME_KINDS, PHONETIC_KINDS, PHONETIC_NAMES
from ..types import Entry, Line
from .builder import Card

_NAME_PARAMS = ("sort-as", "value")


def read_full(card: Card, line: Line) -> str | None:
    """FN: the name as it is shown; a derived one (RFC 9554) or a second one is not the person's."""
    params = card.members(line).get("vCardParams", {})
    if "full" in card.name:
        return None
    _keep_alternative(card, params)
    if str(params.get("derived", "")).upper() == "TRUE":
        return _own(card)
    text = card.text(line)
    if text:
        card.name["full"] = text
    return _own(card)


def read_components(card: Card, line: Line) -> str | None:
    """N: the parts of the name, each a list."""
    params = card.members(line).get("vCardParams", {})
    if "components" in card.name:
        return None
    found = name_parts(card, line)
    if found is None:
        return None
    _keep_alternative(card, params)
    card.name |= found
    if sort_as := line.head.param("SORT-AS"):
        keys = zip(("surname", "given"), sort_as.split(","), strict=False)
        card.name["sortAs"] = {kind: value for kind, value in keys if value}
    return _own(card)


def name_parts(card: Card, line: Line) -> Entry | None:
    """What a N says: its components, in the order of JSCOMPS where it has one; None with more parts than there are."""
    parts = card.components(line)
    if any(parts[len(NAME_KINDS) :]):
        return None
    lists = [card.items(part) if part else [] for part in parts]
    if (order := line.head.param("JSCOMPS")) and (found := ordered(order, lists, NAME_KINDS)) is not None:
        return found
    return {"components": [
        {"kind": kind, "value": value}
        for kind, values in zip(NAME_KINDS, lists, strict=False) for value in values if value
    ]}


def _keep_alternative(card: Card, params: Entry) -> None:
    """Keep by which ALTID and in which language the name is the one of several."""
    for key in ("altid", "language"):
        if key in params:
            card.name.setdefault("vCardParams", {})[key] = params[key]


def read_sort_string(card: Card, line: Line) -> str | None:
    """SORT-STRING of 3.0: what to sort the surname by."""
    text = card.text(line)
    if not text or "sortAs" in card.name:
        return None
    card.name["sortAs"] = {"surname": text}
    return _own(card)


def read_phonetic(card: Card, line: Line) -> str | None:
    """X-PHONETIC-*: how a part of the name is pronounced."""
    kind, text = PHONETIC_KINDS[line.head.name], card.text(line)
    if not text or kind in card.phonetics:
        return None
    card.phonetics[kind] = text
    return _own(card)


def _own(card: Card) -> str:
    card.registers.setdefault("name", card.name)
    return "name"


def finish_name(card: Card) -> None:
    """Put the phonetics to the components, and drop what stayed empty."""
    name = card.name
    for kind, text in card.phonetics.items():
        for component in name.get("components", ()):
            if component["kind"] == kind:
                component["phonetic"] = text
                break
        else:
            name.setdefault("vCardParams", {})[PHONETIC_NAMES[kind].lower()] = text
    if card.phonetics and "phoneticScript" not in name:
        name["phoneticScript"] = phonetic_script("".join(card.phonetics.values()))


def phonetic_script(text: str) -> str:
    """The ISO 15924 code of the script that a pronunciation is written in."""
    for char in text:
        if "ぁ" <= char <= "ゟ":
            return "Hira"
        if "゠" <= char <= "ヿ" or "ｦ" <= char <= "ﾟ":
            return "Kana"
        if "ㄅ" <= char <= "ㄯ":
            return "Bopo"
        if "가" <= char <= "힣":
            return "Hang"
    return "Latn"


def read_nicknames(card: Card, line: Line) -> str | None:
    """NICKNAME: an entry for each of the list."""
    value = card.decoded(line)
    first: str | None = None
    for name in card.items(value):
        if name.strip():
            path = card.add("nicknames", name, {**card.members(line), "name": name}, line)
            first = first or path
    return first


def read_organization(card: Card, line: Line) -> str | None:
    """ORG: an organization and its units."""
    parts = [part for item in card.components(line) for part in (card.items(item) if "\\" in item else [item])]
    if len(parts) != len(card.components(line)) or not any(parts):
        return None
    entry: Entry = card.members(line)
    if parts[0]:
        entry["name"] = parts[0]
    units = [{"name": unit} for unit in parts[1:]]
    if units:
        entry["units"] = units
    if sort_as := line.head.param("SORT-AS"):
        entry["sortAs"] = sort_as
        entry["vCardParams"].pop("sort-as", None)
        if not entry["vCardParams"]:
            del entry["vCardParams"]
    return card.add("organizations", "\0".join(parts), entry, line)


def read_title(card: Card, line: Line) -> str | None:
    """TITLE and ROLE."""
    text = card.text(line)
    if not text:
        return None
    entry = {**card.members(line), "name": text}
    if line.head.name == "ROLE":
        entry["kind"] = "role"
    return card.add("titles", text, entry, line)
