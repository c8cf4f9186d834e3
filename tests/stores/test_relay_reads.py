"""What the relay answers from its store (SPEC 13.3, 13.9)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from e2esync.epoch.boxes import open_own_box
from e2esync.epoch.chain import verify_chain
from e2esync.limits import BLOB_DEAD_RETENTION, FRAME_MAX, READ_BATCH
from e2esync.log.envelope import next_log_hash
from e2esync.log.head import from_short, verify_head
from e2esync.session import messages as m
from e2esync.session.codec import encode_message
from e2esync.session.commands import Consult
from e2esync.session.kinds import Refusal
from tests.stores.relays import Place, code


@pytest.fixture
def place(tmp_path: Path) -> Any:
    made = Place(tmp_path / "relay.sqlite3")
    yield made
    made.store.close()


def test_the_log_is_read_to_its_head(place: Place) -> None:
    for _ in range(3):
        place.append()
    answer = place.ask(2, m.Read(0, 2))
    assert (answer.epoch, answer.start, len(answer.envelopes)) == (0, 2, 2)
    head = from_short(
        answer.head, 0, place.book.log_hash, place.book.chain.head.hash, place.store.incarnation
    )
    verify_head(head, place.book.set_id, place.book.relay_key)
    for start in (4, 9):
        beyond = place.ask(2, m.Read(0, start))
        assert (beyond.envelopes, beyond.head.seq) == ((), 3)


def test_a_long_log_comes_in_pieces_without_a_head(place: Place) -> None:
    for _ in range(12):
        place.append(size=65_536)
    log_hash, seen = place.book.chain.head.hash, 0
    while True:
        answer = place.ask(1, m.Read(0, seen + 1))
        assert sum(map(len, answer.envelopes)) <= READ_BATCH
        for envelope in answer.envelopes:
            log_hash, seen = next_log_hash(log_hash, envelope), seen + 1
        if answer.head is not None:
            break
        assert answer.envelopes
    assert (seen, log_hash) == (12, place.book.log_hash)


def test_many_small_envelopes_come_in_pieces_too(place: Place) -> None:
    requests = [place.book.append() for _ in range(1100)]
    place.store.execute([place.change(1, request) for request in requests], place.now)
    first = place.ask(1, m.Read(0, 1))
    assert len(first.envelopes) == 1014
    assert first.head is None
    assert len(encode_message(first)) < FRAME_MAX


def test_closed_logs_are_held_while_retention_lasts(place: Place) -> None:
    place.append()
    place.open()
    place.append()
    answer = place.ask(1, m.Read(0, 1))
    assert (len(answer.envelopes), answer.head) == (1, None)
    place.now += BLOB_DEAD_RETENTION + 1
    place.store.sweep(place.now)
    assert code(place.ask(1, m.Read(0, 1))) is Refusal.NOT_FOUND
    assert code(place.ask(0, m.ReadBox(0))) is Refusal.NOT_FOUND
    assert len(place.ask(1, m.Read(1, 1)).envelopes) == 1
    assert code(place.ask(1, m.Read(7, 1))) is Refusal.NOT_FOUND
    assert len(place.ask(1, m.ReadChain(0)).records) == 2


def test_the_chain_verifies(place: Place) -> None:
    place.open()
    place.open(opener=2)
    answer = place.ask(1, m.ReadChain(0))
    assert verify_chain(place.book.set_id, answer.records) == place.book.chain
    assert place.ask(1, m.ReadChain(2)).records == answer.records[2:]
    assert place.ask(1, m.ReadChain(3)).records == ()


def test_a_chain_longer_than_a_frame_comes_in_pieces(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.open()
    place.open(opener=2)
    monkeypatch.setattr("e2esync.stores.relay_reads._CHAIN_BYTES", 1)
    assert len(place.ask(1, m.ReadChain(1)).records) == 1


@pytest.mark.parametrize("member", [0, 1, 2])
def test_everybody_gets_the_own_box(place: Place, member: int) -> None:
    answer = place.ask(member, m.ReadBox(0))
    secret = open_own_box(
        place.book.chain.head, place.book.set_id, member, answer.box_list, answer.box, place.book.sealing[member]
    )
    assert secret.reveal() == place.book.secret.reveal()
    assert code(place.ask(member, m.ReadBox(1))) is Refusal.NOT_FOUND
    assert code(place.ask(7, m.ReadBox(0))) is Refusal.NOT_FOUND


def test_inspect_counts_everything(place: Place) -> None:
    name = place.blob(b"b")
    place.append(live=(name,))
    place.do(1, m.PutSlot(place.book.announcement(1), b""))
    counts = place.counts()
    assert set(counts) == {
        "epoch", "seq", "records", "record_bytes", "envelopes", "envelope_bytes", "blobs", "blob_bytes", "dead_blobs",
        "dead_blob_bytes", "boxes", "slots", "members",
    }
    records = place.ask(1, m.ReadChain(0)).records
    assert counts == counts | {
        "epoch": 0, "seq": 1, "records": 1, "envelopes": 1, "envelope_bytes": 512, "blobs": 1, "blob_bytes": 3,
        "dead_blobs": 0, "dead_blob_bytes": 0, "boxes": 3, "slots": 1, "members": 3,
        "record_bytes": len(records[0]) + len(place.ask(1, m.ReadBox(0)).box_list),
    }


def test_a_set_that_is_not_there(place: Place) -> None:
    assert code(place.store.read(Consult(b"?" * 32, 1, m.Inspect()), place.now)) is Refusal.NOT_FOUND
