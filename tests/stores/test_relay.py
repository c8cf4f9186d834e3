"""The relay's store: admission, appends, openings, batches, restarts and failing disks (SPEC 13.2 to 13.5)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from e2esync.crypto import SigningKey
from e2esync.epoch.announcement import AskLeave, AskRemove
from e2esync.epoch.record import ChangeRole, Remove, make_rekey
from e2esync.epoch.roles import Role
from e2esync.errors import DiskFull, E2esyncError, HandshakeFailed
from e2esync.limits import OPENINGS_BURST, OPENINGS_INTERVAL
from e2esync.log.envelope import next_log_hash
from e2esync.log.head import from_short, parse_head, verify_head
from e2esync.session import messages as m
from e2esync.session.commands import Admit, Change
from e2esync.session.handshake import read_farewell, sign_proof
from e2esync.session.kinds import Refusal
from e2esync.stores.relay_batch import EpochOpened, Logged
from tests.session.world import ALICE, BOB, NOW, Book, blob_of
from tests.stores.relays import Place, code

BINDING = b"b" * 32


@pytest.fixture
def place(tmp_path: Path) -> Any:
    made = Place(tmp_path / "relay.sqlite3")
    yield made
    made.store.close()


def admit(place: Place, member: int, **override: Any) -> Any:
    proof = sign_proof(place.book.signing.get(member, place.book.signing[1]), place.book.set_id, BINDING)
    command = replace(Admit(place.book.set_id, member, BINDING, proof), **override)
    (outcome,) = place.store.execute([command], NOW).outcomes
    return outcome.result


def verify_short(place: Place, short: Any, log_hash: bytes | None = None) -> None:
    book = place.book
    head = from_short(short, book.chain.epoch, log_hash or book.log_hash, book.chain.head.hash, place.store.incarnation)
    verify_head(head, book.set_id, book.relay_key)


# Admission.

def test_a_member_is_welcomed_with_the_head(place: Place) -> None:
    place.append()
    welcome = admit(place, 1)
    head = parse_head(welcome.head, welcome.signature)
    verify_head(head, place.book.set_id, place.book.relay_key)
    assert (head.epoch, head.seq, head.log_hash, head.binding) == (0, 1, place.book.log_hash, BINDING)


def test_all_strangers_get_one_refusal(place: Place) -> None:
    place.open(changes=(Remove(2),))
    refusals = {
        admit(place, 2, signature=b"s" * 64), admit(place, 9), admit(place, 1, set_id=b"?" * 32),
        admit(place, 1, binding=b"x" * 32),
        admit(place, 1, signature=b"s" * 64), admit(place, 1, signature=b""),
    }
    assert {answer.code for answer in refusals} == {Refusal.NOT_MEMBER}
    assert len(refusals) == 1


def test_a_removed_member_proves_its_key_and_is_told_in_which_epoch(place: Place) -> None:
    place.open(changes=(Remove(2),))
    place.open()
    welcome = admit(place, 2)
    assert read_farewell(welcome, place.book.set_id, place.book.relay_key, BINDING) == 1
    # Its session hears of nothing: no effect says that it began.
    with pytest.raises(HandshakeFailed):
        read_farewell(welcome, place.book.set_id, place.book.relay_key, b"x" * 32)


# Append.

def test_an_append_gets_the_next_position_and_a_head(place: Place) -> None:
    for seq in (1, 2, 3):
        answer = place.append(member=1 + seq % 2)
        assert answer.seq == seq
        verify_short(place, answer.head)


def test_the_same_envelope_again_gives_the_same_answer(place: Place) -> None:
    request = place.book.append()
    first = place.do(1, request)
    place.book.landed(request.envelope)
    place.append()
    again = place.do(1, request)
    assert again.seq == first.seq == 1
    verify_short(place, again.head)
    assert place.counts()["envelopes"] == 2


def test_appends_are_refused_for_each_reason_of_the_spec(place: Place) -> None:
    book = place.book
    good = book.append()
    assert code(place.do(1, replace(good, epoch=1))) is Refusal.EPOCH_CLOSED
    assert code(place.do(0, good)) is Refusal.NOT_ALLOWED
    assert code(place.do(7, good)) is Refusal.NOT_MEMBER
    assert code(place.do(1, replace(good, envelope=good.envelope[:-1]))) is Refusal.BAD_ENVELOPE
    assert code(place.do(1, replace(good, envelope=book.envelope(epoch=1)))) is Refusal.BAD_ENVELOPE
    assert code(place.do(1, replace(good, envelope=b"\x02" + good.envelope[1:]))) is Refusal.BAD_ENVELOPE
    unsorted = book.envelope(live=(b"a" * 32, b"b" * 32)).replace(b"a" * 32 + b"b" * 32, b"b" * 32 + b"a" * 32)
    assert code(place.do(1, replace(good, envelope=unsorted))) is Refusal.BAD_ENVELOPE
    assert code(place.do(1, book.append(live=(b"?" * 32,)))) is Refusal.BLOB_MISSING
    assert place.counts()["envelopes"] == 0
    assert place.do(1, good).seq == 1


def test_epoch_closed_names_the_open_epoch(place: Place) -> None:
    place.open()
    assert place.do(2, m.Append(0, place.book.envelope(epoch=0))).data == 1


def test_readers_do_not_append(place: Place) -> None:
    place.open(changes=(ChangeRole(2, Role.READER),))
    assert code(place.do(2, place.book.append())) is Refusal.NOT_ALLOWED


@pytest.mark.parametrize("asker", [1, 2])
def test_who_is_asked_out_appends_no_more(place: Place, asker: int) -> None:
    request = AskRemove(0, 2) if asker == 1 else AskLeave(0)
    announcement = place.book.announcement(asker, requests=(request,))
    assert place.do(asker, m.PutSlot(announcement, b"")) == m.SlotStored()
    assert code(place.do(2, place.book.append())) is Refusal.NOT_ALLOWED
    place.append(member=1)
    place.reopen()
    assert code(place.do(2, place.book.append())) is Refusal.NOT_ALLOWED
    # It is the appends that end, not the way to open an epoch: else whoever asks first would shut the other out.
    place.open(opener=2, changes=(Remove(1),))
    place.append(member=2)


def test_nobody_asks_out_another_person(place: Place) -> None:
    place.open(changes=(place.book.newcomer(Role.WRITER, BOB),))
    announcement = place.book.announcement(3, requests=(AskRemove(1, 1),))
    assert place.do(3, m.PutSlot(announcement, b"")) == m.SlotStored()
    place.append(member=1)


def test_the_quota_is_kept_in_the_same_transaction(tmp_path: Path) -> None:
    place = Place(tmp_path / "r", quota=1024)
    requests = [place.book.append() for _ in range(3)]
    result = place.store.execute([place.change(1, request) for request in requests], NOW)
    assert [type(outcome.result) for outcome in result.outcomes] == [m.Appended, m.Appended, m.RefusalAnswer]
    assert code(result.outcomes[2].result) is Refusal.QUOTA_EXCEEDED
    # A lost acknowledgement is answered however full the set is.
    assert place.do(1, requests[0]).seq == 1
    for request in requests[:2]:
        place.book.landed(request.envelope)
    place.open()
    place.store.close()


# Open.

def test_an_opening_begins_a_new_log(place: Place) -> None:
    place.append()
    answer = place.open()
    assert answer.epoch == 1
    verify_short(place, answer.head)
    assert place.append().seq == 1


def test_the_same_opening_again_gives_the_same_answer(place: Place) -> None:
    request, record = place.book.open(manifest=place.blob())
    first = place.do(1, request)
    place.book.opened(record)
    place.append()
    again = place.do(1, request)
    assert (again.epoch, again.head.seq) == (first.epoch, 0)
    verify_short(place, again.head, log_hash=record.hash)
    assert place.counts()["records"] == 2


def test_of_two_openings_one_wins(place: Place) -> None:
    manifest = place.blob()
    (first, _), (second, _) = place.book.open(1, manifest=manifest), place.book.open(2, manifest=manifest)
    result = place.store.execute([place.change(1, first), place.change(2, second)], NOW)
    assert result.outcomes[0].result.epoch == 1  # type: ignore[union-attr]
    assert code(result.outcomes[1].result) is Refusal.EPOCH_CLOSED


def test_an_append_before_it_moves_the_head(place: Place) -> None:
    request, _ = place.book.open(manifest=place.blob())
    place.append(member=2)
    assert code(place.do(1, request)) is Refusal.HEAD_MOVED
    place.open()


@pytest.mark.parametrize("override", [{"closes_seq": 5}, {"closes_hash": b"?" * 32}, {"closes_seq": 1}])
def test_a_position_that_is_not_so_is_refused(place: Place, override: dict[str, Any]) -> None:
    place.append()
    place.append()
    request, _ = place.book.open(manifest=place.blob(), **override)
    assert code(place.do(1, request)) is Refusal.HEAD_MOVED


def test_a_cut_drops_what_the_removed_wrote(place: Place) -> None:
    kept = place.append(member=1)
    seq, log_hash = place.book.seq, place.book.log_hash
    name = place.blob(b"named by the thief")
    place.append(member=2, live=(name,))
    place.append(member=2)
    before = place.held()
    place.open(changes=(Remove(2),), closes_seq=seq, closes_hash=log_hash)
    assert place.counts()["envelopes"] == kept.seq == 1
    assert place.counts()["dead_blobs"] == 1
    assert place.held() == before - 1024 + len(blob_of(b"0")[1])
    assert len(place.ask(1, m.Read(0, 1)).envelopes) == 1


def test_a_cut_leaves_alive_what_somebody_else_named_first(place: Place) -> None:
    name = place.blob(b"shared")
    place.append(member=1, live=(name,))
    seq, log_hash = place.book.seq, place.book.log_hash
    place.append(member=2, live=(name,))
    place.open(changes=(Remove(2),), closes_seq=seq, closes_hash=log_hash)
    assert place.counts()["dead_blobs"] == 0


@pytest.mark.parametrize("to_zero", [True, False])
def test_a_cut_never_drops_what_others_wrote(place: Place, to_zero: bool) -> None:
    if not to_zero:
        place.append(member=2)
    seq, log_hash = place.book.seq, place.book.log_hash
    place.append(member=2)
    place.append(member=1)
    request, _ = place.book.open(
        changes=(Remove(2),), manifest=place.blob(), closes_seq=seq, closes_hash=log_hash
    )
    assert code(place.do(1, request)) is Refusal.HEAD_MOVED
    assert place.counts()["envelopes"] == 2 + (not to_zero)


def test_a_cut_may_go_back_to_the_beginning(place: Place) -> None:
    log_hash = place.book.log_hash
    place.append(member=2)
    place.open(changes=(Remove(2),), closes_seq=0, closes_hash=log_hash)
    assert place.counts()["envelopes"] == 0


def wrong_openings(place: Place) -> dict[str, tuple[m.Open, int, Refusal]]:
    book, manifest = place.book, place.blob()
    good, _ = book.open(manifest=manifest)
    other, _ = book.open(2, manifest=manifest)
    return {
        "another's": (good, 2, Refusal.NOT_ALLOWED),
        "stranger": (good, 9, Refusal.NOT_MEMBER),
        "garbage": (replace(good, record=b"\xc1"), 1, Refusal.BAD_RECORD),
        "epoch": (book.open(manifest=manifest, epoch=2)[0], 1, Refusal.EPOCH_CLOSED),
        "prev": (book.open(manifest=manifest, prev=b"?" * 32)[0], 1, Refusal.BAD_RECORD),
        "signature": (book.open(manifest=manifest, signer=book.signing[2])[0], 1, Refusal.BAD_RECORD),
        "right": (book.open(manifest=manifest, signed=(Remove(0),))[0], 1, Refusal.BAD_RECORD),
        "list": (replace(good, box_list=other.box_list), 1, Refusal.BAD_RECORD),
        "box": (replace(good, boxes=other.boxes), 1, Refusal.BAD_RECORD),
        "box missing": (replace(good, boxes=good.boxes[:-1]), 1, Refusal.BAD_RECORD),
        "manifest": (book.open(manifest=b"?" * 32)[0], 1, Refusal.BLOB_MISSING),
        "live": (replace(good, live=(b"?" * 32,)), 1, Refusal.BLOB_MISSING),
        "no announcement": (replace(good, announcement=b""), 1, Refusal.BAD_SLOT),
        "announcement": (replace(good, announcement=other.announcement), 1, Refusal.BAD_SLOT),
        "number": (replace(good, announcement=book.announcement(1, number=3)), 1, Refusal.BAD_SLOT),
        "kit announces": (
            replace(book.open(0, manifest=manifest)[0], announcement=good.announcement), 0, Refusal.BAD_SLOT
        ),
    }


@pytest.mark.parametrize("name", [
    "another's", "stranger", "garbage", "epoch", "prev", "signature", "right", "list", "box", "box missing",
    "manifest", "live", "no announcement", "announcement", "number", "kit announces",
])
def test_wrong_openings_change_nothing(place: Place, name: str) -> None:
    request, member, expected = wrong_openings(place)[name]
    before = place.counts()
    assert code(place.do(member, request)) is expected
    assert place.counts() == before
    place.open()


def test_too_many_openings_wait_and_the_root_does_not(place: Place) -> None:
    for _ in range(OPENINGS_BURST):
        place.open()
    request, record = place.book.open(manifest=place.blob(b"m"))
    refused = place.do(1, request)
    assert (refused.code, refused.data) == (Refusal.TOO_OFTEN, OPENINGS_INTERVAL)
    place.open(opener=2)
    place.open(opener=0)
    place.now += OPENINGS_INTERVAL
    place.open()
    assert record.epoch < place.book.chain.epoch


def test_device_boxes_and_heartbeats_of_older_epochs_go(place: Place) -> None:
    assert place.do(2, m.PutSlot(b"", place.book.heartbeat())) == m.SlotStored()
    place.open()
    assert code(place.ask(1, m.ReadBox(0))) is Refusal.NOT_FOUND
    assert place.ask(0, m.ReadBox(0)).box
    assert place.ask(1, m.ReadBox(1)).box
    assert [slot.heartbeat for slot in place.ask(1, m.ReadSlots()).slots] == [b"", b""]


def test_a_removed_member_is_no_member_any_more(place: Place) -> None:
    assert place.do(2, m.PutSlot(place.book.announcement(2), b"")) == m.SlotStored()
    place.open(changes=(Remove(2),))
    assert code(place.do(2, place.book.append())) is Refusal.NOT_MEMBER
    assert [slot.member for slot in place.ask(1, m.ReadSlots()).slots] == [1]


def test_the_effect_of_an_opening_names_whose_sessions_end(place: Place) -> None:
    key = SigningKey(b"n" * 32)
    rekey = make_rekey(key, place.book.set_id, 1, ALICE, Role.OWNER)
    announcement = place.book.announcement(1, number=2, signer=key)
    request, _ = place.book.open(changes=(Remove(2), rekey), manifest=place.blob(), announcement=announcement)
    (outcome,) = place.store.execute([place.change(1, request, session=5)], NOW).outcomes
    effect = outcome.effect
    assert isinstance(effect, EpochOpened)
    assert (effect.epoch, effect.record, effect.session, effect.ended) == (1, request.record, 5, frozenset({1, 2}))


# Create.

def test_a_set_is_made_once(place: Place) -> None:
    assert place.visit(place.book.create()) == m.Created(place.book.set_id)
    other = Book(place.book.relay_key, seed="book", devices=1)
    assert code(place.visit(other.create())) is Refusal.BAD_RECORD


@pytest.mark.parametrize("name", ["garbage", "list", "boxes", "relay", "slot", "number"])
def test_wrong_sets_are_not_made(place: Place, name: str) -> None:
    book = Book(place.book.relay_key, seed="new")
    other = Book(SigningKey(b"k" * 32).verify_key, seed="elsewhere")
    wrong = {
        "garbage": replace(book.create(), record=b"\xc1"),
        "list": replace(book.create(), box_list=other.create().box_list),
        "boxes": replace(book.create(), boxes=()),
        "relay": other.create(),
        "slot": book.create([b"\xc1"]),
        "number": book.create([book.announcement(1), book.announcement(1, number=9)]),
    }
    expected = Refusal.BAD_SLOT if name in ("slot", "number") else Refusal.BAD_RECORD
    assert code(place.visit(wrong[name])) is expected
    for table in ("sets", "records", "boxes", "slots"):
        rows = place.store._writer.execute(f"SELECT count(*) FROM {table} WHERE rowid > 0").get
        assert rows == {"sets": 1, "records": 1, "boxes": 3, "slots": 0}[table]
    assert place.visit(book.create([book.announcement(1)])) == m.Created(book.set_id)


# Batches.

def test_one_head_signs_a_whole_batch(place: Place) -> None:
    requests = [place.book.append() for _ in range(5)]
    commits = place.store.commits
    result = place.store.execute([place.change(1, request) for request in requests], NOW)
    answers = [outcome.result for outcome in result.outcomes]
    assert [answer.seq for answer in answers] == [1, 2, 3, 4, 5]  # type: ignore[union-attr]
    assert {answer.head for answer in answers} == set(result.heads.values())  # type: ignore[union-attr]
    assert place.store.commits == commits + 1
    for request in requests:
        place.book.landed(request.envelope)
    verify_short(place, result.heads[place.book.set_id, 0])
    assert all(isinstance(outcome.effect, Logged) for outcome in result.outcomes)


def test_a_declined_command_spoils_nothing_around_it(place: Place) -> None:
    name = place.blob()
    good, bad, live = place.book.append(), place.book.append(size=511), place.book.append(live=(name,))
    opening, _ = place.book.open(manifest=b"?" * 32)
    lost = place.book.append(live=(b"?" * 32,))
    batch = [place.change(1, each) for each in (good, bad, live, opening, lost, good)]
    results = [outcome.result for outcome in place.store.execute(batch, NOW).outcomes]
    assert [getattr(result, "seq", 0) for result in results] == [1, 0, 2, 0, 0, 1]
    place.reopen()
    assert place.counts()["envelopes"] == 2
    place.book.landed(good.envelope, live.envelope)
    assert place.append().seq == 3


def test_appends_and_the_opening_behind_them_share_a_batch(place: Place) -> None:
    first = place.book.append()
    place.book.landed(first.envelope)
    opening, record = place.book.open(manifest=place.blob())
    old_hash = place.book.log_hash
    place.book.opened(record)
    second = place.book.append()
    batch = [place.change(1, each) for each in (first, opening, second)]
    result = place.store.execute(batch, NOW)
    assert [getattr(outcome.result, "seq", None) for outcome in result.outcomes] == [1, None, 1]
    assert set(result.heads) == {(place.book.set_id, 0), (place.book.set_id, 1)}
    old = from_short(
        result.heads[place.book.set_id, 0], 0, old_hash, place.book.chain.head.prev, place.store.incarnation
    )
    verify_head(old, place.book.set_id, place.book.relay_key)
    verify_short(place, result.heads[place.book.set_id, 1], next_log_hash(record.hash, second.envelope))


def test_everything_is_there_after_a_restart(place: Place) -> None:
    place.append()
    place.open()
    last = place.append()
    key, incarnation = place.store.key.verify_key, place.store.incarnation
    place.reopen()
    assert (place.store.key.verify_key, place.store.incarnation) == (key, incarnation)
    assert place.append().seq == last.seq + 1


@pytest.mark.parametrize("error", [apsw.FullError, apsw.IOError])
def test_a_failing_disk_undoes_the_batch_and_heals(
    place: Place, error: type[apsw.Error], monkeypatch: pytest.MonkeyPatch
) -> None:
    place.append()
    request = place.book.append()

    class Failing:
        def __init__(self, connection: apsw.Connection) -> None:
            self.real = connection

        def execute(self, sql: str, *parameters: Any) -> Any:
            if sql == "COMMIT":
                raise error("no more")
            return self.real.execute(sql, *parameters)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

    real = place.store._writer
    monkeypatch.setattr(place.store, "_writer", Failing(real))
    with pytest.raises(DiskFull):
        place.do(1, request)
    monkeypatch.setattr(place.store, "_writer", real)
    assert place.counts()["envelopes"] == 1
    assert place.do(1, request).seq == 2


def test_a_really_full_disk_is_one_error(place: Place) -> None:
    place.store._writer.pragma("max_page_count", place.store._writer.pragma("page_count"))

    def fill() -> None:
        for _ in range(40):
            place.append(size=65_536)

    with pytest.raises(DiskFull):
        fill()
    held = place.counts()["envelopes"]
    place.store._writer.pragma("max_page_count", 1 << 30)
    place.append()
    assert place.counts()["envelopes"] == held + 1


def test_a_damaged_set_is_busy_and_the_others_live_on(place: Place) -> None:
    other = Book(place.book.relay_key, seed="other")
    place.visit(other.create())
    place.reopen()
    place.store._writer.execute("UPDATE records SET record = x'c1' WHERE owner = 1")
    assert code(place.do(1, place.book.append())) is Refusal.BUSY
    (outcome,) = place.store.execute([Change(other.set_id, 1, 1, other.append())], NOW).outcomes
    assert isinstance(outcome.result, m.Appended)


def test_views_are_bounded_and_reload(place: Place) -> None:
    place.append()
    place.store._views._size = 1
    other = Book(place.book.relay_key, seed="other")
    place.visit(other.create())
    assert list(place.store._views._known) == [other.set_id]
    assert place.append().seq == 2


def test_checkpoints_may_run_at_any_time(place: Place) -> None:
    place.append()
    place.store.checkpoint()
    place.store._wal_pages = 1 << 20
    place.append()
    place.reopen()
    assert place.counts()["envelopes"] == 2


def test_a_closed_store_says_so(place: Place) -> None:
    place.store.close()
    with pytest.raises((E2esyncError, apsw.ConnectionClosedError)):
        place.do(1, place.book.append())
