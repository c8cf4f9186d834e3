"""What other programs read (SPEC 7.5): cards as Apple, Google, Android and Outlook understand them best.

Invariants: pure; what a program cannot hold is said in a warning before it is lost there; nothing of the book changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .android import to_custom
from .digests import derive_uid
from .display import display_name
from .export import in_order, write_ordered
from .labels import Labels, to_groups, to_keywords
from .types import V21, V30, Registers, Style
from .writer.target import MediaSource

APPLE_CARD_MAX: Final = 256 << 10
APPLE_PHOTO_MAX: Final = 224 << 10
APPLE_CARDS_MAX: Final = 50_000
"""iCloud refuses what is above these (support.apple.com/103188)."""
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Profile:
    """How one program wants its cards: the style, labels as group cards or keywords, labels of entries as types."""

    style: Style
    groups: bool = False
    android: bool = False
    one_card_a_file: bool = False


PROFILES: Final[dict[str, Profile]] = {
    "apple": Profile(Style(V30, omit_year=True, name_first=True), groups=True),
    "google": Profile(Style(V30)),
    "android": Profile(Style(V30), android=True),
    "outlook": Profile(Style(V21), one_card_a_file=True),
}


def dress(name: str, cards: Mapping[bytes, Registers], salt: bytes) -> dict[bytes, Registers]:
    """The cards as the program ``name`` reads them; ``salt`` is the set id, for the uids of groups made here."""
    profile = PROFILES[name]
    plain = {contact: in_order(registers) for contact, registers in cards.items()}
    if profile.groups:
        uids = {label.name: derive_uid(salt, ["group", label.name]) for label in Labels(plain)}
        return to_groups(plain, uids)
    plain = to_keywords(plain)
    return {contact: to_custom(card) for contact, card in plain.items()} if profile.android else plain


def write_for(name: str, card: Registers, media: MediaSource) -> str:
    """One dressed card as text."""
    return write_ordered(card, PROFILES[name].style, media)


def warnings_for(name: str, cards: Mapping[bytes, Registers], sizes: Mapping[bytes, int]) -> list[str]:
    """What the program will not take, in words for a person; ``sizes`` are those of the written cards."""
    found: list[str] = []
    if name == "apple":
        if photos := [card for card in cards.values() if _has_large_photo(card)]:
            found.append(f"iCloud refuses a photo above 224 KB; Contacts on a Mac takes it: {_names(photos)}")
        if large := [card for contact, card in cards.items() if sizes.get(contact, 0) > APPLE_CARD_MAX]:
            found.append(f"iCloud refuses a card above 256 KB: {_names(large)}")
        if len(cards) > APPLE_CARDS_MAX:
            found.append(f"iCloud takes at most 50,000 contacts; these are {len(cards):,}")
    if PROFILES[name].one_card_a_file and len(cards) > 1:
        found.append("Outlook reads only the first card of a .vcf file: export to a folder (-o cards/), or as csv")
    return found


def _names(cards: list[Registers]) -> str:
    named = [display_name(card) for card in cards[:_NAMED]]
    return ", ".join([*named, f"and {len(cards) - _NAMED:,} more"] if len(cards) > _NAMED else named)


def _has_large_photo(card: Registers) -> bool:
    return any(
        path.startswith("media/") and isinstance(entry, dict) and isinstance(entry.get("size"), int)
        and entry["size"] > APPLE_PHOTO_MAX
        for path, entry in card.items()
    )
