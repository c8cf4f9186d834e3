"""Laws over any card: lossless, a fixpoint, valid, deterministic."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.card import VERSIONS, assemble, changes, check_card, flatten, read_vcards, summary, write_vcards

from .helpers import SALT, again, read
from .strategies import BROKEN, CARDS, VERSION

FEW = settings(max_examples=60, derandomize=True, deadline=None)


@FEW
@given(CARDS)
def test_untouched_cards_come_back_byte_for_byte(data: bytes) -> None:
    file = read(data)
    assert again(file) == data
    assert file == read(data)
    assert not file.quarantine


@FEW
@given(CARDS, VERSION, VERSION)
def test_export_import_export_is_a_fixpoint(data: bytes, first: str, second: str) -> None:
    (card,) = read(data).cards
    for version in (first, second, first):
        exported = write_vcards([card.registers], version=version, media=card.media.get)
        (back,) = read(exported).cards
        assert write_vcards([back.registers], version=version, media=back.media.get) == exported
        assert back.uid == card.uid
        card = back


@FEW
@given(CARDS)
def test_cards_are_valid_and_registers_round_trip(data: bytes) -> None:
    for card in read(data).cards:
        whole = assemble(card.registers)
        check_card(whole)
        stored = {
            path: value
            for path, value in card.registers.items()
            if not path.startswith(("origin", "vCardProps"))
        }
        again_ = {path: value for path, value in flatten(whole).items() if not path.startswith("vCardProps")}
        assert again_ == stored
        summary(card.registers)


@FEW
@given(CARDS, st.data())
def test_deleting_one_register_leaves_the_others_as_they_were(data: bytes, choice: st.DataObject) -> None:
    (card,) = read(data).cards
    paths = [path for path in card.registers if path not in ("origin", "uid", "name")]
    gone = choice.draw(st.sampled_from(paths))
    rest = {path: value for path, value in card.registers.items() if path != gone}
    (back,) = read(write_vcards([rest], version=None, media=card.media.get)).cards
    assert kinds(back.registers) == kinds(rest)


def kinds(registers: dict[str, Any]) -> list[str]:
    """The properties of registers. A second one of what a card has once waits in vCardProps for the first to go."""
    waiting = ("relatedTo", "speakToAs", "localizations", "anniversaries")
    names = (path.partition("/")[0] for path in registers)
    return sorted("vCardProps" if name in waiting else name for name in names)


@FEW
@given(CARDS)
def test_importing_again_is_no_edit(data: bytes) -> None:
    for card in read(data).cards:
        assert changes(card.registers, read_vcards(data, salt=SALT).cards[0].registers) == {}


@settings(max_examples=150, derandomize=True, deadline=None)
@given(BROKEN)
def test_no_bytes_raise_and_none_are_lost(data: bytes) -> None:
    file = read(data)
    assert again(file) == data
    for card in file.cards:
        for version in VERSIONS:
            assert len(read(write_vcards([card.registers], version=version, media=card.media.get)).cards) == 1
