"""What a well-formed JSContact card is (SPEC 7; RFC 9553, RFC 9982).

Invariants: ``check_card`` decides shape and limits, never meaning: members that a newer version adds are let
through, so that devices of all versions keep each other's data. Its cost is bounded by the size of the card.
"""

from __future__ import annotations

from typing import Final

from ..errors import BadCard
from ..limits import CONTACT_MAX
from .registers import MAPS, SETS
from .types import Value
from .values import check_value, is_id

TEXT_PROPERTIES: Final = ("uid", "kind", "language", "prodId", "created", "updated")
VERSIONS: Final = ("1.0", "2.0")
REQUIRED: Final = {
    "emails": "address", "phones": "number", "notes": "note", "nicknames": "name", "titles": "name",
    "links": "uri", "calendars": "uri", "directories": "uri", "schedulingAddresses": "uri", "cryptoKeys": "uri",
    "media": "uri", "preferredLanguages": "language", "personalInfo": "value", "anniversaries": "kind",
}
"""The member that an entry of each property must have; inline media have a digest instead of a uri."""


def check_card(card: Value) -> None:
    """Raise ``BadCard`` unless ``card`` is a JSContact card, version 1.0 or 2.0, within the limits."""
    if not isinstance(card, dict):
        raise BadCard(f"a card is an object, not {type(card).__name__}")
    if card.get("@type", "Card") != "Card":
        raise BadCard("the @type of a card must be \"Card\"")
    if card.get("version", "1.0") not in VERSIONS:
        raise BadCard("the version of a card must be \"1.0\" or \"2.0\"")
    size = check_value(card)
    if size > CONTACT_MAX:
        raise BadCard(f"the card takes {size} bytes; at most {CONTACT_MAX} are allowed")
    for name in TEXT_PROPERTIES:
        if name in card and not isinstance(card[name], str):
            raise BadCard(f"{name} must be a text")
    if card.get("uid") == "":
        raise BadCard("uid must not be empty")
    if "name" in card:
        _check_name(card["name"])
    for name in MAPS & card.keys():
        _check_map(name, card[name])
    for name in SETS & card.keys():
        if not isinstance(card[name], dict) or "" in card[name]:
            raise BadCard(f"{name} must be an object with non-empty keys")
    if not isinstance(card.get("vCardProps", []), list):
        raise BadCard("vCardProps must be an array")


def _check_name(name: Value) -> None:
    if not isinstance(name, dict):
        raise BadCard("name must be an object")
    if not isinstance(name.get("full", ""), str):
        raise BadCard("name/full must be a text")
    _check_components("name", name.get("components", []))


def _check_components(where: str, components: Value) -> None:
    if not isinstance(components, list):
        raise BadCard(f"{where}/components must be an array")
    for part in components:
        if not isinstance(part, dict) or not all(isinstance(part.get(name), str) for name in ("kind", "value")):
            raise BadCard(f"each of {where}/components must be an object with kind and value")


def _check_map(name: str, entries: Value) -> None:
    if not isinstance(entries, dict):
        raise BadCard(f"{name} must be an object")
    for key, entry in entries.items():
        if name != "localizations" and not is_id(key):
            raise BadCard(f"an id in {name} is not 1 to 255 of A-Z, a-z, 0-9, - and _")
        if not isinstance(entry, dict):
            raise BadCard(f"an entry of {name} is not an object")
        wanted = REQUIRED.get(name)
        if wanted and not isinstance(entry.get(wanted), str) and not (wanted == "uri" and "digest" in entry):
            raise BadCard(f"an entry of {name} lacks {wanted}")
        if name == "addresses":
            _check_components(name, entry.get("components", []))
        pref = entry.get("pref", 1)
        if name != "localizations" and (type(pref) is not int or not 1 <= pref <= 100):
            raise BadCard(f"a pref in {name} is not a number from 1 to 100")
