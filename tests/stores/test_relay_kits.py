"""What the relay keeps for recovery members: where their keys are (SPEC 13.10), and what was before (13.5 step 11)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from e2esync.epoch.record import Change, Flag, Remove
from e2esync.epoch.roles import Role
from e2esync.limits import BLOB_DEAD_RETENTION, FOUND_MAX
from e2esync.session import messages as m
from e2esync.session.commands import Consult
from e2esync.session.kinds import Refusal
from tests.session.world import BOB, Book
from tests.stores.relays import Place, code


@pytest.fixture
def place(tmp_path: Path) -> Any:
    made = Place(tmp_path / "relay.sqlite3")
    yield made
    made.store.close()


def found(place: Place, verify_key: bytes) -> list[tuple[bytes, int]]:
    answer = place.store.read(Consult(b"", 0, m.Find(verify_key, b"")), place.now)
    assert isinstance(answer, m.Found)
    return [(each.set_id, each.member) for each in answer.places]


def test_a_root_is_found_and_a_device_is_not(place: Place) -> None:
    assert found(place, place.book.signing[0].verify_key) == [(place.book.set_id, 0)]
    assert found(place, place.book.signing[1].verify_key) == []
    assert found(place, bytes(32)) == []


def test_it_is_where_the_chain_says_now(place: Place) -> None:
    """The case that FIND is for: the kit was replaced, and its set id follows from the old one."""
    new = place.book.newcomer(Role.ROOT)
    after: tuple[Change, ...] = (new, Remove(0))
    place.open(0, after)
    assert found(place, new.verify_key) == [(place.book.set_id, 3)]
    assert found(place, place.book.signing[0].verify_key) == []
    place.reopen()
    assert found(place, new.verify_key) == [(place.book.set_id, 3)]


def test_a_recovery_member_comes_and_goes(place: Place) -> None:
    kit = place.book.newcomer(Role.RECOVERY, BOB)
    place.open(1, (kit,))
    assert found(place, kit.verify_key) == [(place.book.set_id, 3)]
    place.open(1, (Remove(3),))
    assert found(place, kit.verify_key) == []


def test_sets_that_it_is_the_root_of_come_first(place: Place) -> None:
    kit = place.book.newcomer(Role.RECOVERY, BOB)
    place.open(1, (kit,))
    other = Book(place.book.relay_key, seed="other")
    create = other.create()
    other.signing[3], other.sealing[3] = place.book.signing[3], place.book.sealing[3]
    assert place.visit(create) == m.Created(other.set_id)
    first = place.book
    place.book = other
    place.open(0, (other._add(3, BOB, Role.ROOT), Remove(0)))
    assert found(place, kit.verify_key) == [(other.set_id, 3), (first.set_id, 3)]


def test_an_answer_has_an_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert FOUND_MAX == 64
    monkeypatch.setattr("e2esync.stores.relay_reads.FOUND_MAX", 0)
    assert found(place, place.book.signing[0].verify_key) == []


def past(place: Place) -> tuple[bool, bool, bool]:
    """Whether the kit's box, the log and the manifest of epoch 1 are still served."""
    box = place.ask(0, m.ReadBox(1))
    log = place.ask(0, m.Read(1, 1))
    manifest = place.ask(0, m.Have((MANIFEST[0],)))
    return isinstance(box, m.BoxAnswer), isinstance(log, m.LogPart), manifest.received != (0,)


MANIFEST: list[bytes] = []


@pytest.fixture
def two_epochs(place: Place) -> Place:
    """Epoch 1 with an envelope, closed by epoch 2, which makes its manifest die."""
    place.open()
    MANIFEST[:] = [place.book.chain.head.manifest]
    place.append()
    place.open(dead=MANIFEST)
    assert past(place) == (True, True, True)
    return place


def test_only_recovery_members_have_a_box_in_a_closed_epoch(two_epochs: Place) -> None:
    assert code(two_epochs.ask(1, m.ReadBox(1))) is Refusal.NOT_FOUND


def test_it_is_kept_for_thirty_days(two_epochs: Place) -> None:
    place = two_epochs
    place.now += BLOB_DEAD_RETENTION
    place.store.sweep(place.now)
    assert past(place) == (True, True, True)
    place.now += 1
    place.store.sweep(place.now)
    assert past(place) == (False, False, False)


def test_an_owners_forget_destroys_nothing_for_the_kit(two_epochs: Place) -> None:
    two_epochs.open(1, flags=Flag.FORGET)
    assert past(two_epochs) == (True, True, True)


def test_the_roots_forget_ends_it_at_once(two_epochs: Place) -> None:
    place = two_epochs
    held = place.held()
    place.open(0, flags=Flag.FORGET)
    assert past(place) == (False, False, False)
    counts = place.counts()
    assert (counts["envelopes"], counts["dead_blobs"], counts["records"]) == (0, 0, 4)
    assert place.held() < held
    assert place.held() == counts["blob_bytes"]
    assert isinstance(place.ask(0, m.ReadBox(3)), m.BoxAnswer)
    place.now += 2 * BLOB_DEAD_RETENTION
    place.store.sweep(place.now)
    assert place.held() == place.counts()["blob_bytes"]


def test_an_opening_of_the_root_without_the_flag_keeps_it(two_epochs: Place) -> None:
    two_epochs.open(0)
    assert past(two_epochs) == (True, True, True)
