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
    """Raise ``BadCard`` unless ``card`` is a JSContact card, version 1.0 or 2.0, within the limits (SPEC 7.1)."""
    if not isinstance(card, dict):
        raise BadCard(f"a card is an object, not {type(card).__name__}")
    check_head(card)
    check_size(check_value(card))
    check_texts(card)
    if "name" in card:
        check_name(card["name"])
    for name in MAPS & card.keys():
        check_map(name, card[name])
    check_sets(card)
    check_props(card.get("vCardProps", []))


def check_head(card: dict[str, Value]) -> None:
    """That the card says no other type and version (SPEC 7.1 step 1)."""
    if card.get("@type", "Card") != "Card":
        raise BadCard("the @type of a card must be \"Card\"")
    if card.get("version", "1.0") not in VERSIONS:
        raise BadCard("the version of a card must be \"1.0\" or \"2.0\"")


def check_size(size: int) -> None:
    """That the card, encoded, is no larger than a contact may be (SPEC 7.1 step 3)."""
    if size > CONTACT_MAX:
        raise BadCard(f"the card takes {size} bytes; at most {CONTACT_MAX} are allowed")


def check_texts(card: dict[str, Value]) -> None:
    """That the properties that are one text are (SPEC 7.1 step 4)."""
    for name in TEXT_PROPERTIES:
        if name in card and not isinstance(card[name], str):
            raise BadCard(f"{name} must be a text")
    if card.get("uid") == "":
        raise BadCard("uid must not be empty")


def check_sets(card: dict[str, Value]) -> None:
    """That the sets are objects whose keys say something (SPEC 7.1 step 8)."""
    for name in SETS & card.keys():
        if not isinstance(card[name], dict) or "" in card[name]:
            raise BadCard(f"{name} must be an object with non-empty keys")


def check_props(props: Value) -> None:
    """That the unknown vCard properties are an array (SPEC 7.1 step 9)."""
    if not isinstance(props, list):
        raise BadCard("vCardProps must be an array")


def check_name(name: Value) -> None:
    """That a name is an object of a text and components (SPEC 7.1 step 5)."""
    if not isinstance(name, dict):
        raise BadCard("name must be an object")
    if not isinstance(name.get("full", ""), str):
        raise BadCard("name/full must be a text")
    check_components("name", name.get("components", []))


def check_components(where: str, components: Value) -> None:
    """That components are an array of kinds and values (SPEC 7.1 step 5)."""
    if not isinstance(components, list):
        raise BadCard(f"{where}/components must be an array")
    for part in components:
        if not isinstance(part, dict) or not all(isinstance(part.get(name), str) for name in ("kind", "value")):
            raise BadCard(f"each of {where}/components must be an object with kind and value")


def check_map(name: str, entries: Value) -> None:
    """That a map has ids and entries (SPEC 7.1 steps 6 and 7)."""
    if not isinstance(entries, dict):
        raise BadCard(f"{name} must be an object")
    for key, entry in entries.items():
        if name != "localizations":
            check_id(name, key)
        if not isinstance(entry, dict):
            raise BadCard(f"an entry of {name} is not an object")
        check_entry(name, entry)


def check_id(name: str, key: str) -> None:
    """That an id is one (SPEC 7.1 step 6)."""
    if not is_id(key):
        raise BadCard(f"an id in {name} is not 1 to 255 of A-Z, a-z, 0-9, - and _")


def check_entry(name: str, entry: dict[str, Value]) -> None:
    """That an entry has what makes it one (SPEC 7.1 step 7)."""
    wanted = REQUIRED.get(name)
    if wanted and not isinstance(entry.get(wanted), str) and not (wanted == "uri" and "digest" in entry):
        raise BadCard(f"an entry of {name} lacks {wanted}")
    if name == "addresses":
        check_components(name, entry.get("components", []))
    pref = entry.get("pref", 1)
    if name != "localizations" and (type(pref) is not int or not 1 <= pref <= 100):
        raise BadCard(f"a pref in {name} is not a number from 1 to 100")
