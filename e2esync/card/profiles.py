"""What other programs read (SPEC 7.5): cards as Apple, Google, Android and Outlook understand them best.

Invariants: pure; what a program cannot hold is said in a warning before it is lost there; nothing of the book changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .android import to_custom
from .digests import derive_uid
from .export import in_order, write_ordered
from .labels import Labels, to_groups, to_keywords
from .types import V21, V30, Registers, Style
from .writer.target import MediaSource

APPLE_CARD_MAX: Final = 256 << 10
APPLE_PHOTO_MAX: Final = 224 << 10
APPLE_CARDS_MAX: Final = 50_000
"""iCloud refuses what is above these (support.apple.com/103188)."""


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


def warnings_for(name: str, cards: Mapping[bytes, Registers], texts: Mapping[bytes, str]) -> list[str]:
    """What the program will not take, in words for a person; ``texts`` are the written cards."""
    found: list[str] = []
    if name == "apple":
        photos = sum(_has_large_photo(card) for card in cards.values())
        large = sum(len(text) > APPLE_CARD_MAX for text in texts.values())
        if photos:
            found.append(f"{photos:,} photos are above 224 KB, which iCloud refuses; Contacts on a Mac takes them")
        if large:
            found.append(f"{large:,} cards are above 256 KB, which iCloud refuses")
        if len(cards) > APPLE_CARDS_MAX:
            found.append(f"iCloud takes at most 50,000 contacts; these are {len(cards):,}")
    if PROFILES[name].one_card_a_file and len(cards) > 1:
        found.append("Outlook reads only the first card of a .vcf file: export to a folder (-o cards/), or as csv")
    return found


def _has_large_photo(card: Registers) -> bool:
    return any(
        path.startswith("media/") and isinstance(entry, dict) and isinstance(entry.get("size"), int)
        and entry["size"] > APPLE_PHOTO_MAX
        for path, entry in card.items()
    )
