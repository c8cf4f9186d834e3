"""Labels and groups as one thing: CATEGORIES, Apple's group cards, KIND:group."""

from __future__ import annotations

from typing import Any

import pytest

from e2esync.card.labels import (
    Labels,
    World,
    group_card,
    is_favourite,
    is_group,
    keywords,
    set_favourite,
    to_groups,
    to_keywords,
)

from .helpers import lines_of, one, read, vcard

Cards = dict[bytes, dict[str, Any]]


def person(uid: str, *names: str) -> dict[str, Any]:
    return {"uid": uid, "name": {"full": uid.title()}, **{f"keywords/{name}": True for name in names}}


def carry_out(cards: Cards, edits: Cards) -> Cards:
    """The cards with these edits, as a book would have them."""
    out = {contact: dict(registers) for contact, registers in cards.items()}
    for contact, values in edits.items():
        card = out.setdefault(contact, {})
        for path, value in values.items():
            if value is None:
                del card[path]
            else:
                card[path] = value
    return out


def have(cards: Cards, name: str) -> set[bytes]:
    label = Labels(cards).get(name)
    return set() if label is None else label.contacts


BOOK: Cards = {
    b"a": person("ada", "Crew", "myContacts"),
    b"b": person("bea", "crew", "starred"),
    b"c": person("urn:uuid:C-3"),
    b"g": {**group_card("Choir", "grp", ["c-3", "gone"])},
}


def test_three_worlds_are_one() -> None:
    labels = Labels(BOOK)
    assert [(label.name, label.contacts, label.world) for label in labels] == [
        ("Choir", {b"c"}, World.GROUPS), ("Crew", {b"a", b"b"}, World.KEYWORDS),
    ]
    assert labels.of(b"c") == ["Choir"]
    assert labels.get("CHOIR") is labels.get("choir") is not None
    assert labels.get("nobody") is None


@pytest.mark.parametrize(("kind", "member", "version"), [
    ("X-ADDRESSBOOKSERVER-KIND:group", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:a", "3.0"),
    ("KIND:group", "MEMBER:urn:uuid:A", "4.0"),
])
def test_both_kinds_of_group_cards_are_read_and_written_back_in_their_own_words(
    kind: str, member: str, version: str
) -> None:
    cards = {b"g": one("UID:g", "FN:Crew", kind, member, version=version).registers, b"a": person("a"),
             b"b": person("b")}
    assert is_group(cards[b"g"])
    assert have(cards, "crew") == {b"a"}
    after = carry_out(cards, Labels(cards).add("Crew", [b"a", b"b"]))
    assert have(after, "crew") == {b"a", b"b"}
    written = lines_of(after[b"g"], version)
    assert member in written
    assert sum(line.startswith(member.partition(":")[0] + ":") for line in written) == 2


def test_adding_writes_in_the_world_of_the_label() -> None:
    labels = Labels(BOOK)
    assert labels.add("crew", [b"a", b"c"]) == {b"c": {"keywords/Crew": True}}
    assert labels.add("choir", [b"a"]) == {b"g": {"members/ada": True}}
    assert labels.add("New", [b"a"], new=(b"n", "uid-n")) == {b"a": {"keywords/New": True}}


def test_a_new_label_in_a_book_of_groups_is_a_group() -> None:
    cards = {b"a": person("ada"), b"g": group_card("Choir", "grp", ["ada"])}
    edits = Labels(cards).add("Crew", [b"a"], new=(b"n", "uid-n"))
    assert edits == {b"n": {"uid": "uid-n", "kind": "group", "name": {"full": "Crew"}, "members/ada": True}}
    assert Labels(cards).add("Crew", [b"a"]) == {b"a": {"keywords/Crew": True}}


def test_removing_renaming_and_deleting_work_in_all_worlds_at_once() -> None:
    cards = {**BOOK, b"c": {**BOOK[b"c"], "keywords/CHOIR": True}}
    after = carry_out(cards, Labels(cards).remove("choir", [b"a", b"c"]))
    assert have(after, "choir") == set()
    assert "members/gone" in after[b"g"]
    after = carry_out(cards, Labels(cards).rename("choir", "Chorus"))
    assert have(after, "chorus") == {b"c"}
    assert Labels(after).get("choir") is None
    edits, cards_gone = Labels(cards).delete("choir")
    assert (edits, cards_gone) == ({b"c": {"keywords/CHOIR": None}}, [b"g"])
    assert Labels(cards).remove("nobody", [b"a"]) == Labels(cards).rename("nobody", "x") == {}


def test_accents_tell_labels_apart() -> None:
    assert len(list(Labels({b"a": person("a", "Bar", "Bär")}))) == 2


@pytest.mark.parametrize("word", ["starred", "Favorites", "* starred"])
def test_favourites_are_not_labels(word: str) -> None:
    card = person("a", word, "Crew")
    assert is_favourite(card)
    assert keywords(card) == ["Crew"]
    assert set_favourite(card, favourite=True) == {}
    assert set_favourite(card, favourite=False) == {f"keywords/{word}": None}
    assert set_favourite(person("a"), favourite=True) == {"keywords/starred": True}


def test_a_book_for_programs_of_one_world() -> None:
    flat = to_keywords(BOOK)
    assert set(flat) == {b"a", b"b", b"c"}
    assert flat[b"c"]["keywords/Choir"] is True
    groups = to_groups(BOOK, {"Crew": "uid-crew"})
    assert groups[b"uid-crew"] == group_card("Crew", "uid-crew", ["ada", "bea"])
    assert groups[b"a"] == {"uid": "ada", "name": {"full": "Ada"}, "keywords/myContacts": True}
    assert {label.name: label.contacts for label in Labels(groups)} == {
        label.name: label.contacts for label in Labels(BOOK)
    }


def test_renaming_a_group_renames_both_of_its_names() -> None:
    data = vcard("UID:g", "N:Crew", "FN:Crew", "X-ADDRESSBOOKSERVER-KIND:group",
                 "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:A") + vcard("UID:A", "N:A;;;;", "FN:A")
    cards = {card.uid.encode(): card.registers for card in read(data).cards}
    after = carry_out(cards, Labels(cards).rename("crew", "Team"))
    assert lines_of(after[b"g"])[1:3] == ["N:Team;;;;", "FN:Team"]
