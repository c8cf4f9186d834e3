"""Boxes (SPEC 9.5): a member takes the epoch secret only from what the record commits to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.crypto import Label, Secret
from e2esync.crypto.hashing import blake2b
from e2esync.epoch import boxes as boxes_module
from e2esync.epoch.boxes import (
    box_context,
    check_boxes,
    epoch_commit,
    epoch_key,
    list_hash,
    open_own_box,
    parse_box_list,
    seal_boxes,
)
from e2esync.epoch.record import Record
from e2esync.epoch.roles import Role
from e2esync.errors import AuthFailed, ChainInvalid, CommitMismatch, E2esyncError, LimitExceeded, NonCanonical
from e2esync.wire import decode, encode
from tests.epoch.builders import Book


@dataclass
class Opening:
    """What member 1 holds when it enters: everything that a test may spoil."""

    book: Book
    record: Record
    box_list: bytes
    boxes: list[bytes]
    member: int = 1
    last_number: int = 0

    def enter(self) -> Secret:
        """Member 1 takes the secret."""
        return open_own_box(
            self.record, self.book.set_id, self.member, self.box_list, self.boxes[1],
            self.book.parties[1].sealing, last_number=self.last_number,
        )


@pytest.fixture
def opening() -> Opening:
    book = Book()
    return Opening(book, *book.sealed())


def test_every_member_gets_the_secret(opening: Opening) -> None:
    book = opening.book
    for member in (0, 1, 2):
        secret = open_own_box(
            opening.record, book.set_id, member, opening.box_list, opening.boxes[member], book.parties[member].sealing,
        )
        assert secret.reveal() == book.secret.reveal()


def test_the_layout_is_that_of_the_spec(opening: Opening) -> None:
    book = opening.book
    assert [line[:2] for line in decode(opening.box_list)] == [[0, 0], [1, 1], [2, 1]]
    assert [line[2] for line in decode(opening.box_list)] == [blake2b(Label.BOX, box) for box in opening.boxes]
    assert opening.record.boxes == blake2b(Label.BOX_LIST, opening.box_list)
    assert box_context(b"S" * 32, 1, 2, 3) == b"S" * 32 + bytes(7) + b"\1" + bytes(3) + b"\2" + bytes(7) + b"\3"
    place = book.set_id + bytes(7) + b"\1"
    assert epoch_commit(book.set_id, 1, book.secret) == blake2b(Label.EPOCH_COMMIT, place, key=book.secret.reveal())
    assert epoch_key(book.set_id, 1, book.secret).reveal() == blake2b(
        Label.EPOCH_KEY, place, key=book.secret.reveal(),
    )


def test_boxes_are_drawn_in_the_order_of_the_members() -> None:
    book = Book()
    book.entropy.draws.clear()
    recipients = [(index, 1, book.parties[index].sealing.public) for index in (2, 0, 1)]
    box_list, boxes = seal_boxes(book.set_id, 1, book.secret, recipients, book.entropy)
    assert [ref.member for ref in parse_box_list(box_list)] == [0, 1, 2]
    assert [name for name, _ in book.entropy.draws] == ["sealed box ephemeral x25519"] * 3
    assert len(boxes) == 3


def _reseal(opening: Opening, secret: Secret | None = None, number: int = 1, member: int = 1, epoch: int = 1) -> None:
    """A box that opens, properly listed by a properly signed record, yet for another place or with another secret."""
    book = opening.book
    public = book.parties[1].sealing.public
    _, (box,) = seal_boxes(book.set_id, epoch, secret or book.secret, [(member, number, public)], book.entropy)
    opening.boxes[1] = box
    lines = decode(opening.box_list)
    lines[1][2] = blake2b(Label.BOX, box)
    opening.box_list = encode(lines)
    opening.record = book.record(boxes=list_hash(opening.box_list))


def _other_secret(opening: Opening) -> None:
    _reseal(opening, Secret(b"\1" * 32))


def _other_list(opening: Opening) -> None:
    lines = decode(opening.box_list)
    lines[2][2] = bytes(32)
    opening.box_list = encode(lines)


def _other_box(opening: Opening) -> None:
    book = opening.book
    recipients = [(1, 1, book.parties[1].sealing.public)]
    opening.boxes[1] = seal_boxes(book.set_id, 1, book.secret, recipients, book.entropy)[1][0]


def _other_number(opening: Opening) -> None:
    lines = decode(opening.box_list)
    lines[1][1] = 2
    opening.box_list = encode(lines)
    _reseal(opening, number=2)
    lines = decode(opening.box_list)
    lines[1][1] = 2
    opening.box_list = encode(lines)
    opening.record = opening.book.record(boxes=list_hash(opening.box_list))


def _lower_number(opening: Opening) -> None:
    opening.last_number = 2


DEFECTS: list[tuple[Callable[[Opening], None], str]] = [
    (_other_secret, "check_commit"), (_other_list, "check_list_hash"), (_other_box, "check_box_hash"),
    (_other_number, "check_number"), (_lower_number, "check_number"),
]


@pytest.mark.parametrize(("spoil", "check"), DEFECTS)
def test_one_defect_is_a_mismatch(spoil: Callable[[Opening], None], check: str, opening: Opening) -> None:  # noqa: ARG001
    spoil(opening)
    with pytest.raises(CommitMismatch):
        opening.enter()


@pytest.mark.parametrize(("spoil", "check"), DEFECTS)
def test_without_its_check_the_defect_passes(
    spoil: Callable[[Opening], None], check: str, opening: Opening, monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoil(opening)
    monkeypatch.setattr(boxes_module, check, lambda *_: None)
    assert len(opening.enter()) == 32


@pytest.mark.parametrize("place", [{"member": 2}, {"epoch": 2}, {"number": 2}])
def test_a_box_for_another_place_does_not_open(place: dict[str, Any], opening: Opening) -> None:
    _reseal(opening, **place)
    with pytest.raises(CommitMismatch):
        opening.enter()


def test_a_member_without_a_box_is_told_so(opening: Opening) -> None:
    opening.member = 9
    with pytest.raises(CommitMismatch, match="no box for member 9"):
        opening.enter()


def test_another_members_key_does_not_open_it(opening: Opening) -> None:
    opening.book.parties[1] = opening.book.parties[2]
    with pytest.raises(CommitMismatch):
        opening.enter()


def test_a_recovery_members_box_has_number_zero(opening: Opening) -> None:
    book = opening.book
    kit = book.join(Role.RECOVERY)
    record, box_list, boxes = book.sealed()
    assert [(ref.member, ref.number) for ref in parse_box_list(box_list)][-1] == (kit, 0)
    assert open_own_box(record, book.set_id, kit, box_list, boxes[-1], book.parties[kit].sealing)


def test_the_relay_accepts_what_is_right(opening: Opening) -> None:
    check_boxes(opening.box_list, opening.boxes, opening.record, opening.book.chain.extend(opening.record))


def _relisted(opening: Opening, lines: list[list[object]]) -> None:
    opening.box_list = encode(lines)
    opening.record = opening.book.record(boxes=list_hash(opening.box_list))


@pytest.mark.parametrize("spoil", [
    lambda o: setattr(o, "box_list", encode([])),
    lambda o: o.boxes.pop(),
    lambda o: o.boxes.append(o.boxes[0]),
    lambda o: o.boxes.__setitem__(slice(0, 2), [o.boxes[1], o.boxes[0]]),
    lambda o: o.boxes.__setitem__(0, o.boxes[0] + b"\0"),
    lambda o: _relisted(o, decode(o.box_list)[:2]),
    lambda o: _relisted(o, [*decode(o.box_list), [3, 0, bytes(32)]]),
    lambda o: _relisted(o, [[0, 1, decode(o.box_list)[0][2]], *decode(o.box_list)[1:]]),
    lambda o: _relisted(o, [*decode(o.box_list)[:2], [2, 2, decode(o.box_list)[2][2]]]),
], ids=[
    "other list", "box short", "box more", "swapped", "longer", "member short", "member more", "kit number", "number",
])
def test_the_relay_refuses_one_defect(spoil: Callable[[Opening], None], opening: Opening) -> None:
    spoil(opening)
    with pytest.raises(ChainInvalid):
        check_boxes(opening.box_list, opening.boxes, opening.record, opening.book.chain.extend(opening.record))


def test_the_relay_refuses_a_listed_box_of_another_size(opening: Opening) -> None:
    opening.boxes[0] = b"short"
    lines = decode(opening.box_list)
    _relisted(opening, [[0, 0, blake2b(Label.BOX, b"short")], *lines[1:]])
    with pytest.raises(ChainInvalid, match="not the one in the list"):
        check_boxes(opening.box_list, opening.boxes, opening.record, opening.book.chain.extend(opening.record))


@pytest.mark.parametrize("lines", [
    {}, [5], [[1, 1]], [[1, 1, bytes(31)]], [[1, -1, bytes(32)]], [[True, 1, bytes(32)]],
    [[2, 1, bytes(32)], [1, 1, bytes(32)]], [[1, 1, bytes(32)], [1, 1, bytes(32)]],
])
def test_a_malformed_list_is_refused(lines: object) -> None:
    with pytest.raises(NonCanonical):
        parse_box_list(encode(lines))


def test_a_list_has_at_most_64_lines() -> None:
    with pytest.raises(LimitExceeded):
        parse_box_list(encode([[index, 1, bytes(32)] for index in range(65)]))


def test_every_flipped_bit_of_a_box_is_refused(opening: Opening) -> None:
    box = opening.boxes[1]
    for bit in range(0, len(box) * 8, 5):
        flipped = bytearray(box)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CommitMismatch):
            replace(opening, boxes=[b"", bytes(flipped)]).enter()


def test_a_flipped_bit_does_not_open_even_if_the_list_has_its_hash(
    opening: Opening, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(boxes_module, "check_box_hash", lambda *_: None)
    box = opening.boxes[1]
    for bit in range(0, len(box) * 8, 41):
        flipped = bytearray(box)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises((CommitMismatch, AuthFailed)):
            replace(opening, boxes=[b"", bytes(flipped)]).enter()


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_lists_raise_only_our_errors(box_list: bytes) -> None:
    try:
        parse_box_list(box_list)
    except E2esyncError:
        return
    assert box_list[0] & 0xF0 == 0x90
