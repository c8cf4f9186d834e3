"""Labels and groups as one thing (SPEC 7.5): CATEGORIES, Apple's group cards and KIND:group cards alike.

A contact has a label where its ``keywords`` say so, or where a card of kind "group" with that name has it among its
``members``. People see no difference; ``Labels`` reads all worlds at once, and what it changes it changes in the world
that the label, or else the book, already uses.

Invariants: pure; a label's name is compared without case and shown as it was first written;
members that are not here (not yet, or deleted) are kept and not shown; every change is a set of registers of single
keywords and single members, so that two people who change different contacts of a label never meet in a conflict.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from .display import display_name
from .types import Registers, Value

STARRED: Final = "starred"
"""The keyword of a favourite, as Google writes it."""
_STARRED: Final = frozenset((STARRED, "favorite", "favorites", "favourite", "favourites", "x-favorite"))
_HIDDEN: Final = frozenset(("mycontacts",)) | _STARRED
"""Keywords of Google and of favourites that are no labels of a person's own."""
_KEYWORDS, _MEMBERS = "keywords/", "members/"

Edits = dict[bytes, Registers]
"""What to write: contact id → register path → value, None to remove."""


class World(Enum):
    """How a book says that a contact has a label."""

    KEYWORDS = "keywords"
    GROUPS = "groups"


@dataclass(slots=True)
class Label:
    """One label: its name, the contacts that have it, the group cards that stand for it."""

    name: str
    contacts: set[bytes] = field(default_factory=set)
    groups: list[bytes] = field(default_factory=list)
    by_keyword: set[bytes] = field(default_factory=set)

    @property
    def world(self) -> World:
        """Where a contact that gets this label is written down."""
        return World.GROUPS if self.groups else World.KEYWORDS


class Labels:
    """The labels of a book, made from the registers of its cards (origin and places of media may be left out)."""

    def __init__(self, cards: Mapping[bytes, Registers]) -> None:
        self._cards = cards
        self._labels: dict[str, Label] = {}
        self._uids: dict[str, list[bytes]] = {}
        groups: list[tuple[bytes, Registers]] = []
        for contact, registers in cards.items():
            if is_group(registers):
                groups.append((contact, registers))
                continue
            self._uids.setdefault(member_key(registers.get("uid")), []).append(contact)
            for name in keywords(registers):
                label = self._label(name)
                label.contacts.add(contact)
                label.by_keyword.add(contact)
        for contact, registers in groups:
            label = self._label(display_name(registers))
            label.groups.append(contact)
            for path in registers:
                if path.startswith(_MEMBERS):
                    label.contacts.update(self._uids.get(member_key(path[len(_MEMBERS) :]), ()))

    def _label(self, name: str) -> Label:
        return self._labels.setdefault(folded(name), Label(name))

    def __iter__(self) -> Iterator[Label]:
        """The labels in the order of their names."""
        return iter(sorted(self._labels.values(), key=lambda label: (folded(label.name), label.name)))

    def get(self, name: str) -> Label | None:
        """The label of this name, in any case, or None."""
        return self._labels.get(folded(name))

    def of(self, contact: bytes) -> list[str]:
        """The names of the labels that a contact has, sorted."""
        return [label.name for label in self if contact in label.contacts]

    @property
    def world(self) -> World:
        """The world that the book uses: that of most of its labels; keywords where it has none."""
        groups = sum(bool(label.groups) for label in self._labels.values())
        return World.GROUPS if groups * 2 > len(self._labels) else World.KEYWORDS

    def add(self, name: str, contacts: Iterable[bytes], *, new: tuple[bytes, str] | None = None) -> Edits:
        """What gives these contacts the label.

        ``new`` is the (contact id, uid) for a group card, should the label be new in a book of groups; without it a
        new label is a keyword.
        """
        label = self.get(name) or Label(name)
        wanted = [contact for contact in contacts if contact not in label.contacts]
        edits: Edits = {}
        if label.groups or (not label.contacts and new is not None and self.world is World.GROUPS):
            group = label.groups[0] if label.groups else (new or (b"", ""))[0]
            made = {} if label.groups or new is None else group_card(label.name, new[1])
            members = {_MEMBERS + uid: True for contact in wanted if (uid := self._uid(contact))}
            if made or members:
                edits[group] = {**made, **members}
            return edits
        for contact in wanted:
            edits[contact] = {_KEYWORDS + label.name: True}
        return edits

    def remove(self, name: str, contacts: Iterable[bytes]) -> Edits:
        """What takes the label from these contacts, in every world."""
        label = self.get(name)
        edits: Edits = {}
        if label is None:
            return edits
        gone = {contact for contact in contacts if contact in label.contacts}
        for contact in sorted(gone & label.by_keyword):
            edits[contact] = dict.fromkeys(_named(self._cards[contact], name))
        keys = {member_key(self._uid(contact)) for contact in gone}
        for group in label.groups:
            paths = [
                path for path in self._cards[group]
                if path.startswith(_MEMBERS) and member_key(path[len(_MEMBERS) :]) in keys
            ]
            if paths:
                edits[group] = dict.fromkeys(paths)
        return edits

    def rename(self, old: str, new: str) -> Edits:
        """What gives the label another name: members that are not here keep it, too."""
        label = self.get(old)
        edits: Edits = {}
        if label is None:
            return edits
        for contact in sorted(label.by_keyword):
            edits[contact] = {**dict.fromkeys(_named(self._cards[contact], old)), _KEYWORDS + new: True}
        for group in label.groups:
            name = self._cards[group].get("name")
            edits[group] = {"name": {**(name if isinstance(name, dict) else {}), "full": new}}
            if "components" in edits[group]["name"]:
                edits[group]["name"]["components"] = [{"kind": "surname", "value": new}]
        return edits

    def delete(self, name: str) -> tuple[Edits, list[bytes]]:
        """What takes the label from everybody, and the group cards to delete with it. No contact is deleted."""
        label = self.get(name)
        if label is None:
            return {}, []
        keyed = {contact: dict.fromkeys(_named(self._cards[contact], name)) for contact in sorted(label.by_keyword)}
        return keyed, list(label.groups)

    def _uid(self, contact: bytes) -> str:
        uid = self._cards[contact].get("uid")
        return uid if isinstance(uid, str) else ""


def folded(name: str) -> str:
    """A label's name for comparing: accents count, case and spaces around it do not."""
    return unicodedata.normalize("NFC", name).casefold().strip()


def is_group(registers: Registers) -> bool:
    """Whether a card is a group, which is a label and nobody's entry."""
    return registers.get("kind") == "group"


def keywords(registers: Registers) -> list[str]:
    """The keywords of a card that are labels of a person's own, without the star that Google puts before some."""
    return [name for path in registers if path.startswith(_KEYWORDS)
            if (name := path[len(_KEYWORDS) :]) and _plain(name) not in _HIDDEN]


def is_favourite(registers: Registers) -> bool:
    """Whether the card is one of the favourites."""
    return any(_plain(path[len(_KEYWORDS) :]) in _STARRED for path in registers if path.startswith(_KEYWORDS))


def set_favourite(registers: Registers, *, favourite: bool) -> Registers:
    """What makes the card a favourite, or takes that from it."""
    if favourite:
        return {} if is_favourite(registers) else {_KEYWORDS + STARRED: True}
    return {path: None for path in registers
            if path.startswith(_KEYWORDS) and _plain(path[len(_KEYWORDS) :]) in _STARRED}


def _plain(name: str) -> str:
    """A keyword for comparing; Google's CSV marks its own groups by a leading star."""
    return folded(name).removeprefix("* ").strip()


def _named(registers: Registers, name: str) -> list[str]:
    wanted = folded(name)
    return [path for path in registers if path.startswith(_KEYWORDS) and folded(path[len(_KEYWORDS) :]) == wanted]


def member_key(uid: Value) -> str:
    """A uid for comparing: without ``urn:uuid:`` and case, which exports add and change."""
    return str(uid).strip().lower().removeprefix("urn:uuid:")


def group_card(name: str, uid: str, members: Iterable[str] = ()) -> Registers:
    """The registers of a group card; ``members`` are uids."""
    return {"uid": uid, "kind": "group", "name": {"full": name}, **{_MEMBERS + member: True for member in members}}


def to_keywords(cards: Mapping[bytes, Registers]) -> dict[bytes, Registers]:
    """The cards with all labels as keywords and without group cards: for programs that read CATEGORIES alone."""
    labels = Labels(cards)
    out = {contact: dict(registers) for contact, registers in cards.items() if not is_group(registers)}
    for label in labels:
        for contact in label.contacts - label.by_keyword:
            out[contact][_KEYWORDS + label.name] = True
    return out


def to_groups(cards: Mapping[bytes, Registers], uid_of: Mapping[str, str]) -> dict[bytes, Registers]:
    """The cards with all labels as group cards: for programs that read those alone.

    ``uid_of`` gives the uid of the group card that a label without one gets, by the label's name.
    """
    labels = Labels(cards)
    out = {contact: dict(registers) for contact, registers in cards.items()}
    for label in labels:
        for contact in label.by_keyword:
            for path in _named(out[contact], label.name):
                del out[contact][path]
        members = [str(cards[contact].get("uid", "")) for contact in sorted(label.contacts)]
        if label.groups:
            out[label.groups[0]] |= {_MEMBERS + uid: True for contact, uid in
                                     zip(sorted(label.contacts), members, strict=True) if contact in label.by_keyword}
        else:
            uid = uid_of[label.name]
            out[uid.encode("utf-8", "surrogatepass")] = group_card(label.name, uid, members)
    return out
