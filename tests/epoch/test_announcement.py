"""Announcements (SPEC 10.6): what a slot may hold, and which wishes an opener carries out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.crypto import Label, SigningKey
from e2esync.epoch import announcement as module
from e2esync.epoch.announcement import (
    Announcement,
    AskAdd,
    AskLeave,
    AskRemove,
    AskSeal,
    check_announcement,
    parse_announcement,
    removals_asked,
    requested_changes,
    sign_announcement,
    with_requests,
)
from e2esync.epoch.record import ChangeRole, Remove, change_value, make_rekey
from e2esync.epoch.roles import Role
from e2esync.errors import AuthFailed, BadKey, E2esyncError, LimitExceeded, NonCanonical, RightMissing, SlotInvalid
from e2esync.wire import decode, encode
from tests.epoch.builders import ALICE, BOB, Book


@pytest.fixture
def book() -> Book:
    """Epoch 4, opened by 1: 0 root, 1 and 2 owners, 3 reader, 4 Bob's writer, 5 Bob's reader, 6 Bob's recovery."""
    book = Book()
    for role, person in [(Role.READER, ALICE), (Role.WRITER, BOB), (Role.READER, BOB), (Role.RECOVERY, BOB)]:
        book.join(role, person)
    return book


def announce(book: Book, member: int = 2, *requests: Any, **override: Any) -> Announcement:
    """A valid announcement of `member`, with fields replaced."""
    fields: dict[str, Any] = {
        "member": member, "number": book.chain.numbers.get(member, 0) + 1, "revision": 1,
        "seal_key": book.parties[member].sealing.public, "version": 1, "requests": requests,
    } | override
    signer = fields.pop("signer", book.parties[member].signing)
    return sign_announcement(signer, fields.pop("set_id", book.set_id), **fields)


def check(book: Book, announcement: Announcement, previous: Announcement | None = None) -> Announcement:
    return check_announcement(book.chain, announcement.raw, previous)


def test_an_announcement_reads_back(book: Book) -> None:
    requests = (AskRemove(4, 3), AskAdd(4, book.add(Role.WRITER)), AskSeal(4), AskLeave(2))
    announcement = announce(book, 2, *requests)
    assert check(book, announcement) == announcement
    assert announcement.requests == requests
    body, signature = decode(announcement.raw)
    assert decode(body)[:3] == [2, 2, 1]
    assert decode(body)[5][0] == [1, 4, 3]
    assert decode(body)[5][2:] == [[3, 4], [4, 2]]
    assert signature == book.parties[2].signing.sign(Label.SIGN_ANNOUNCEMENT, book.set_id, body)


def test_a_newer_one_replaces_it_and_the_same_again_is_no_offence(book: Book) -> None:
    first = announce(book)
    second = announce(book, revision=2)
    assert check(book, second, first).revision == 2
    assert check(book, second, second) == second


DEFECTS: list[tuple[str, dict[str, Any], type[E2esyncError], str]] = [
    ("a stranger's signature", {"signer": SigningKey(b"x" * 32)}, AuthFailed, "verify"),
    ("another set's", {"set_id": b"\1" * 32}, AuthFailed, "verify"),
    ("a number too high", {"number": 3}, SlotInvalid, "check_announced_number"),
    ("a request to come", {"requests": (AskSeal(5),)}, SlotInvalid, "check_request_epochs"),
    ("a repeated revision", {"revision": 7, "version": 2}, SlotInvalid, "check_supersedes"),
    ("a lower revision", {"revision": 6}, SlotInvalid, "check_supersedes"),
    ("a second key", {"revision": 8, "seal_key": "other"}, SlotInvalid, "check_supersedes"),
]


def _defective(book: Book, override: dict[str, Any]) -> Announcement:
    if override.get("seal_key") == "other":
        override = override | {"seal_key": book.party().sealing.public}
    return announce(book, **({"revision": 8} | override))


@pytest.mark.parametrize(("name", "override", "error", "check_name"), DEFECTS, ids=[case[0] for case in DEFECTS])
def test_one_defect_is_refused(
    name: str, override: dict[str, Any], error: type[E2esyncError], check_name: str, book: Book,  # noqa: ARG001
) -> None:
    with pytest.raises(error) as caught:
        check(book, _defective(book, override), announce(book, revision=7))
    assert type(caught.value) is error


@pytest.mark.parametrize(("name", "override", "error", "check_name"), DEFECTS, ids=[case[0] for case in DEFECTS])
def test_without_its_check_the_defect_passes(
    name: str, override: dict[str, Any], error: type[E2esyncError], check_name: str, book: Book,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, check_name, lambda *_: None)
    assert check(book, _defective(book, override), announce(book, revision=7))


@pytest.mark.parametrize("bad", ["small order", "not canonical", "kem"])
def test_a_key_unfit_for_use_is_refused(book: Book, bad: str) -> None:
    good = book.parties[2].sealing.public
    keys = {
        "small order": bytes(32) + good[32:], "not canonical": b"\xff" * 31 + b"\x7f" + good[32:],
        "kem": good[:32] + b"\xff" * 1184,
    }
    with pytest.raises(BadKey):
        check(book, announce(book, seal_key=keys[bad]))


@pytest.mark.parametrize("member", [0, 6, 9])
def test_kits_and_strangers_have_no_slot(book: Book, member: int) -> None:
    book.parties.setdefault(9, book.parties[2])
    with pytest.raises(SlotInvalid, match="no slot"):
        check(book, announce(book, member, number=1))


def test_a_lower_number_is_refused(book: Book) -> None:
    opened = announce(book, 1, number=1, revision=9)
    assert check(book, opened)
    with pytest.raises(SlotInvalid, match="key number 1 after 2"):
        check(book, opened, announce(book, 1, number=2, revision=8))


def test_the_slot_of_another_is_not_overwritten(book: Book) -> None:
    with pytest.raises(SlotInvalid, match="in the slot of member 3"):
        check(book, announce(book, 2, revision=5), announce(book, 3))


def test_the_number_that_the_record_used_stays_good(book: Book) -> None:
    """A device that sleeps is sealed to the same number again and again."""
    assert check(book, announce(book, 1, number=1))
    assert check(book, announce(book, 2, number=1))
    with pytest.raises(SlotInvalid, match="key number 3 after 1"):
        check(book, announce(book, 2, number=3))


def test_what_a_replaced_key_signed_is_void(book: Book) -> None:
    old = announce(book, 1)
    assert check(book, old)
    new = SigningKey(b"new".ljust(32, b"."))
    book.open(1, (make_rekey(new, book.set_id, 1, ALICE, Role.OWNER),))
    with pytest.raises(AuthFailed):
        check(book, old)
    assert check(book, announce(book, 1, signer=new))


@pytest.mark.parametrize("requests", [
    5, [5], [[]], [[5, 1]], [[True, 1]], [[1, 1]], [[1, 1, -1]], [[1, -1, 1]], [[3]], [[3, 1, 1]], [[4, "1"]], [[2, 1]],
])
def test_a_malformed_request_is_refused(book: Book, requests: Any) -> None:
    fields = [*decode(announce(book).body)[:5], requests]
    with pytest.raises(NonCanonical):
        parse_announcement(encode([encode(fields), bytes(64)]))


@pytest.mark.parametrize(("index", "value"), [
    (0, -1), (0, 2**32), (1, 0), (1, True), (2, -1), (3, bytes(1215)), (4, 0), (4, "1"),
])
def test_a_malformed_field_is_refused(book: Book, index: int, value: Any) -> None:
    fields = decode(announce(book).body)
    fields[index] = value
    with pytest.raises(NonCanonical):
        parse_announcement(encode([encode(fields), bytes(64)]))


@pytest.mark.parametrize("role", [Role.RECOVERY, Role.ROOT])
def test_a_kit_is_not_added_on_request(book: Book, role: Role) -> None:
    request = [2, 1, *change_value(book.add(role))[1:]]
    fields = [*decode(announce(book).body)[:5], [request]]
    with pytest.raises(NonCanonical, match="no device"):
        parse_announcement(encode([encode(fields), bytes(64)]))


def test_limits_of_an_announcement(book: Book) -> None:
    assert len(announce(book, 2, *[AskSeal(1)] * 16).requests) == 16
    with pytest.raises(LimitExceeded):
        announce(book, 2, *[AskSeal(1)] * 17)
    with pytest.raises(LimitExceeded):
        parse_announcement(bytes(16 * 1024 + 1))


def test_a_member_asks_for_its_own_person_only(book: Book) -> None:
    bobs, alices = book.add(Role.READER, BOB), book.add(Role.READER, ALICE)
    asked = announce(
        book, 4, AskRemove(4, 5), AskRemove(4, 3), AskRemove(4, 6), AskRemove(4, 9), AskAdd(4, bobs), AskAdd(4, alices),
        AskAdd(4, book.add(Role.OWNER, BOB)), AskSeal(4), AskLeave(4),
    )
    assert requested_changes(book.chain, asked) == (Remove(5), Remove(6), bobs, Remove(4))
    assert removals_asked(book.chain, [asked, announce(book)]) == {4, 5, 6}
    # Its person's kit, as somebody who leaves does; but never the root.
    assert requested_changes(book.chain, announce(book, 1, AskRemove(4, 0))) == ()
    assert requested_changes(book.chain, replace(asked, member=9)) == ()


def test_an_opener_fulfils_what_it_may(book: Book) -> None:
    bobs = book.add(Role.READER, BOB)
    slots = [announce(book, 4, AskRemove(4, 5), AskAdd(4, bobs)), announce(book, 3, AskLeave(4))]
    assert with_requests(book.chain, 1, (), slots) == (Remove(3), Remove(5), bobs)
    assert with_requests(book.chain, 4, (), slots) == (Remove(5), bobs)
    assert with_requests(book.chain, 1, (Remove(5),), slots) == (Remove(5), Remove(3), bobs)
    book.open(1, with_requests(book.chain, 1, (), slots))
    assert sorted(book.chain.members) == [0, 1, 2, 4, 6, 7]


def test_nobody_makes_the_secret_that_shuts_it_out(book: Book) -> None:
    slots = [announce(book, 1, AskLeave(4)), announce(book, 2, AskRemove(4, 1))]
    assert with_requests(book.chain, 1, (), slots) == ()
    assert with_requests(book.chain, 2, (), slots) == (Remove(1),)


def test_a_request_that_verify_refuses_waits(book: Book) -> None:
    broken = replace(book.add(Role.READER, BOB), possession=bytes(64))
    assert with_requests(book.chain, 1, (), [announce(book, 4, AskAdd(4, broken), AskRemove(4, 5))]) == (Remove(5),)
    with pytest.raises(RightMissing):
        with_requests(book.chain, 4, (ChangeRole(5, Role.WRITER),), [])


def test_a_record_takes_at_most_16_changes(book: Book) -> None:
    own = tuple(book.add(Role.READER) for _ in range(15))
    changes = with_requests(book.chain, 1, own, [announce(book, 3, AskLeave(4)), announce(book, 5, AskLeave(4))])
    assert changes == (*own, Remove(3))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.integers(0, 1400), st.binary(max_size=6), st.integers(0, 6))
def test_mutated_bytes_raise_only_our_errors(start: int, insert: bytes, cut: int) -> None:
    book = Book()
    good = announce(book, 2, AskRemove(0, 1)).raw
    raw = good[:start] + insert + good[start + cut :]
    if raw == good:
        return
    with pytest.raises(E2esyncError):
        check_announcement(book.chain, raw, None)
