"""Blobs in the relay's store: parts, names, liveness, retention (SPEC 11.1, 11.5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from e2esync.epoch.record import ChangeRole
from e2esync.epoch.roles import Role
from e2esync.limits import BLOB_DEAD_RETENTION, BLOB_PART, BLOB_UNNAMED_RETENTION
from e2esync.session import messages as m
from e2esync.session import rules
from e2esync.session.kinds import Refusal
from tests.session.world import blob_of
from tests.stores.relays import Place, code


@pytest.fixture
def place(tmp_path: Path) -> Any:
    made = Place(tmp_path / "relay.sqlite3")
    yield made
    made.store.close()


def whole(place: Place, blob: bytes) -> bytes:
    data = b""
    while True:
        part = place.ask(1, m.GetBlob(blob, len(data)))
        assert isinstance(part, m.BlobPart), part
        data += part.part
        if len(data) == part.size:
            return data


def test_a_blob_arrives_in_parts_and_resumes(place: Place) -> None:
    name, data = blob_of(bytes(range(256)) * 2400)
    cut = BLOB_PART
    assert place.do(1, m.PutBlob(name, len(data), 0, data[:cut])) == m.BlobStored(cut)
    assert code(place.ask(1, m.GetBlob(name, 0))) is Refusal.NOT_FOUND
    place.reopen()
    assert place.ask(1, m.Have((name, b"?" * 32))) == m.HaveAnswer((cut, 0))
    # A repetition and a gap change nothing; the answer says where to go on.
    assert place.do(2, m.PutBlob(name, len(data), 0, data[:cut])) == m.BlobStored(cut)
    assert place.do(2, m.PutBlob(name, len(data), cut + 1, data[cut + 1:])) == m.BlobStored(cut)
    assert place.do(2, m.PutBlob(name, len(data), cut, data[cut:])) == m.BlobStored(len(data))
    assert place.do(2, m.PutBlob(name, len(data), 0, data[:cut])) == m.BlobStored(len(data))
    assert whole(place, name) == data
    assert place.held() == len(data)


@pytest.mark.parametrize("offset", [0, 1, BLOB_PART - 1, BLOB_PART, 600_000, 1_048_575, 1_048_576])
def test_any_piece_can_be_read(place: Place, offset: int) -> None:
    name, data = blob_of(bytes(range(256)) * 4095 + b"x" * 254)
    assert len(data) == 1 << 20
    for start in range(0, len(data), 300_000):
        place.do(1, m.PutBlob(name, len(data), start, data[start:start + 300_000]))
    assert place.ask(2, m.GetBlob(name, offset)) == m.BlobPart(len(data), data[offset:offset + BLOB_PART])


def test_an_offset_outside_is_refused(place: Place) -> None:
    name = place.blob()
    assert code(place.ask(1, m.GetBlob(name, 10_000))) is Refusal.BAD_BLOB


def test_bytes_under_a_wrong_name_are_dropped(place: Place) -> None:
    name, data = blob_of(b"right")
    wrong = data[:-1] + b"?"
    assert place.do(1, m.PutBlob(name, len(data), 0, wrong[:3])) == m.BlobStored(3)
    assert code(place.do(1, m.PutBlob(name, len(data), 3, wrong[3:]))) is Refusal.BAD_BLOB
    assert place.ask(1, m.Have((name,))) == m.HaveAnswer((0,))
    assert place.held() == 0
    assert place.do(1, m.PutBlob(name, len(data), 0, data)) == m.BlobStored(len(data))


@pytest.mark.parametrize("request_", [
    m.PutBlob(b"i" * 32, 10, 0, b"x" * 11), m.PutBlob(b"i" * 32, 10, 9, b"xx"), m.PutBlob(b"i" * 32, 10, 0, b""),
])
def test_parts_outside_of_their_blob_are_refused(place: Place, request_: m.PutBlob) -> None:
    assert code(place.do(1, request_)) is Refusal.BAD_BLOB
    assert place.counts()["blobs"] == 0


def test_a_blob_has_one_size(place: Place) -> None:
    name, data = blob_of(b"content")
    place.do(1, m.PutBlob(name, len(data), 0, data[:2]))
    assert code(place.do(1, m.PutBlob(name, len(data) + 1, 2, data[2:]))) is Refusal.BAD_BLOB


def test_readers_and_strangers_upload_nothing(place: Place) -> None:
    place.open(changes=(ChangeRole(2, Role.READER),))
    name, data = blob_of(b"c")
    assert code(place.do(2, m.PutBlob(name, len(data), 0, data))) is Refusal.NOT_ALLOWED
    assert code(place.do(9, m.PutBlob(name, len(data), 0, data))) is Refusal.NOT_MEMBER
    # A kit opens epochs, and needs their blobs there.
    assert place.do(0, m.PutBlob(name, len(data), 0, data)) == m.BlobStored(len(data))


def test_the_quota_leaves_room_for_openings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "OPENING_RESERVE", 100)
    place = Place(tmp_path / "r", quota=1000)
    name, data = blob_of(b"x" * 1097)
    assert code(place.do(1, m.PutBlob(name, len(data) + 2, 0, data + b"??"))) is Refusal.QUOTA_EXCEEDED
    assert place.do(1, m.PutBlob(name, len(data), 0, data)) == m.BlobStored(len(data))
    assert code(place.do(1, place.book.append())) is Refusal.QUOTA_EXCEEDED
    place.store.close()


def test_unnamed_blobs_last_a_day_and_dead_ones_thirty(place: Place) -> None:
    named, unnamed = place.blob(b"named"), place.blob(b"unnamed")
    place.append(live=(named,))
    place.now += BLOB_UNNAMED_RETENTION + 1
    assert place.store.sweep(place.now) == 1
    assert place.ask(1, m.Have((named, unnamed))).received == (len(blob_of(b"named")[1]), 0)
    held = place.held()
    place.open(dead=(named,))
    assert place.counts()["dead_blobs"] == 1
    place.now += BLOB_DEAD_RETENTION - 1
    assert place.store.sweep(place.now) == 0
    assert place.ask(1, m.GetBlob(named, 0)).size
    place.now += 2
    # The blob, and the one envelope of the epoch that closed at the same time.
    assert place.store.sweep(place.now) == 2
    assert code(place.ask(1, m.GetBlob(named, 0))) is Refusal.NOT_FOUND
    assert place.held() == held - len(blob_of(b"named")[1]) - 512 + len(blob_of(b"0")[1])


def test_a_dead_blob_can_be_named_again(place: Place) -> None:
    name = place.blob(b"again")
    place.append(live=(name,))
    place.open(dead=(name,))
    place.append(live=(name,))
    place.now += BLOB_DEAD_RETENTION + 1
    place.store.sweep(place.now)
    assert place.ask(1, m.GetBlob(name, 0)).size


def test_what_an_opening_names_both_dead_and_live_lives(place: Place) -> None:
    name = place.blob(b"both")
    place.open(live=(name,), dead=(name,))
    assert place.counts()["dead_blobs"] == 0
