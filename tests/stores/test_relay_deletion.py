"""`relay_deletion` (SPEC 13.14), in both engines: what goes, what stays, and that the file holds nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from e2esync.conformance.engine.checks_deletion import CHECKS
from e2esync.conformance.engine.run import Check, run_check
from e2esync.epoch.deletion import Act
from e2esync.limits import DELETION_DELAY
from e2esync.session import messages as m
from e2esync.session.commands import Consult
from e2esync.session.kinds import Refusal
from e2esync.stores.relay_backup import backup
from e2esync.stores.relay_blobs import PIECE_BYTES
from e2esync.stores.relay_check import check_store, count_store
from e2esync.stores.relay_deletion import CONTENT
from e2esync.stores.relay_engine import open_engine
from e2esync.stores.relay_migrate import SET_TABLES, migrate, open_depot
from tests.helpers.postgres import Server
from tests.session.world import Book
from tests.stores.relays import Place, code


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "relay")
    yield made
    made.store.close()


def faults(url: str) -> list[str]:
    with closing(open_depot(url)) as depot:
        return [fault.what for fault in check_store(depot)]


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_both_engines_keep_the_rules(check: Check, engine: str, tmp_path: Path,
                                     request: pytest.FixtureRequest) -> None:
    url = str(tmp_path / "relay")
    if engine == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        url = server.database()
    assert run_check(check, url).fault == ""


def test_every_table_of_a_set_but_its_chain_is_emptied() -> None:
    """A table that somebody adds has to be added to what goes."""
    assert {*CONTENT, "records"} == set(SET_TABLES)


def test_the_file_holds_nothing_of_it(place: Place) -> None:
    """Envelopes, blobs and boxes are not even on the pages that are free, nor in the log; another set's still are."""
    other = Book(place.book.relay_key, seed="other")
    assert place.visit(other.create()) == m.Created(other.set_id)
    place.append(size=4096)
    canary = b"what stood in a photo" * 40
    place.blob(canary)
    place.open(1)
    place.append(size=1024)
    boxes = place.store._writer.execute(
        "SELECT box FROM boxes WHERE owner = (SELECT owner FROM sets WHERE set_id = ?)", (place.book.set_id,)
    ).fetchall()
    needles = [canary[:200], place.book.set_id + b"e" * 100, *(box[:100] for (box,) in boxes)]

    def found() -> list[bool]:
        place.store.checkpoint()
        raw = b"".join(path.read_bytes() for path in place.path.parent.glob("relay*"))
        return [needle in raw for needle in needles]

    assert all(found())
    assert place.do(0, m.Delete(place.book.word(0).raw)) == m.Deleted(0)
    assert not any(found())
    assert place.book.set_id in place.path.read_bytes()
    place.book = other
    assert place.append().seq == 1


def large(place: Place) -> list[bytes]:
    """More than goes at once: three pieces of blobs, and a log. Returns needles of it."""
    needles = []
    for number in range(3):
        canary = bytes([number + 1]) + b" stood in a photo"
        place.blob(canary * (PIECE_BYTES // len(canary) - 1))
        needles.append(canary * 10)
    for _each in range(4):
        place.append(size=4096)
    return needles


def left(place: Place) -> int:
    """The rows of deleted sets that have not gone yet."""
    tables = (place.store._rows.one(f"SELECT count(*) FROM {table}") for table in CONTENT)
    return sum(found[0] for found in tables if found)


def test_a_large_set_is_gone_at_once_and_erased_in_pieces(place: Place) -> None:
    """Another set's appends come between the pieces; at the end not even the free pages hold anything of it."""
    needles = large(place)
    gone, before = place.book, left(place)
    assert place.do(0, m.Delete(gone.word(0).raw)) == m.Deleted(0)
    assert 0 < left(place) < before
    assert place.store.read(Consult(gone.set_id, 1, m.Inspect()), place.now).counts["blob_bytes"] == 0
    assert faults(str(place.path)) == []
    other = place.book = Book(gone.relay_key, seed="other")
    assert place.visit(other.create()) == m.Created(other.set_id)
    pieces = 0
    while place.store.sweep(place.now):
        pieces += 1
        assert place.append().seq == pieces
        # A relay that died here goes on where it stood.
        place.reopen()
    assert pieces >= 2
    assert faults(str(place.path)) == []
    place.store.checkpoint()
    raw = b"".join(path.read_bytes() for path in place.path.parent.glob("relay*"))
    assert not any(needle in raw for needle in needles)


def test_what_is_not_erased_yet_is_in_no_copy(place: Place, tmp_path: Path, postgres: Server) -> None:
    needles = large(place)
    assert place.do(0, m.Delete(place.book.word(0).raw)) == m.Deleted(0)
    assert left(place)
    moved = postgres.database()
    assert backup(str(place.path), tmp_path / "copy") == 1
    place.store.close()
    with closing(open_depot(str(place.path))) as old, closing(open_depot(moved)) as new:
        assert migrate(old, new, lambda _copied: None) == 1
    assert not any(needle in (tmp_path / "copy").read_bytes() for needle in needles)
    for url in (str(tmp_path / "copy"), moved):
        assert faults(url) == []
        with closing(open_depot(url)) as depot:
            counts = count_store(depot)
        assert (counts["sets"]["count"], counts["blobs"]["count"], counts["envelopes"]["count"]) == (1, 0, 0)


def test_check_knows_what_is_erased_by_mistake(place: Place) -> None:
    place.store._writer.execute("INSERT INTO erasing SELECT owner FROM sets")
    assert faults(str(place.path)) == ["it is being erased, and nobody deleted it"]
    place.append()
    assert [place.store.sweep(place.now) for _each in range(2)] == [1, 0]
    assert faults(str(place.path)) == []
    assert place.append().seq == 2


def test_check_knows_a_deleted_set(place: Place) -> None:
    place.append()
    place.do(1, m.Delete(place.book.word(1).raw))
    assert faults(str(place.path)) == []
    place.do(0, m.Delete(place.book.word(0, Act.DELETE, 2).raw))
    assert faults(str(place.path)) == []
    for statement, what in (
        ("UPDATE sets SET deletion = zeroblob(length(deletion))", "the word on deleting it does not verify"),
        ("INSERT INTO openings (owner, member, due) SELECT owner, 1, 1 FROM sets", "has openings left"),
    ):
        place.store._writer.execute("SAVEPOINT before")
        place.store._writer.execute(statement)
        place.store._writer.execute("RELEASE before")
        assert any(what in fault for fault in faults(str(place.path)))


def test_a_word_and_a_tombstone_are_copied(place: Place, tmp_path: Path, postgres: Server) -> None:
    gone = Book(place.book.relay_key, seed="gone")
    assert place.visit(gone.create()) == m.Created(gone.set_id)
    place.append()
    place.do(1, m.Delete(place.book.word(1).raw))
    waiting, place.book = place.book, gone
    last = gone.word(0)
    assert place.do(0, m.Delete(last.raw)) == m.Deleted(0)
    assert backup(str(place.path), tmp_path / "copy") == 2
    assert faults(str(tmp_path / "copy")) == []
    place.store.close()
    moved = postgres.database()
    for source, target in ((str(place.path), moved), (moved, str(tmp_path / "back"))):
        with closing(open_depot(source)) as old, closing(open_depot(target)) as new:
            assert migrate(old, new, lambda _copied: None) == 2
        assert faults(target) == []
    place.path = tmp_path / "back"
    place.reopen()
    assert code(place.do(1, gone.append())) is Refusal.NOT_ALLOWED
    place.book = waiting
    assert place.append().seq == 2
    place.now += DELETION_DELAY
    assert place.store.sweep(place.now) == 1
    assert code(place.do(1, waiting.append())) is Refusal.NOT_ALLOWED


def test_a_word_is_one_commit_and_survives_a_restart(place: Place) -> None:
    word = place.book.word(1)
    due = place.now + DELETION_DELAY
    assert place.do(1, m.Delete(word.raw)) == m.Deleted(due)
    place.reopen()
    assert place.do(1, m.Delete(word.raw)) == m.Deleted(due)
    # An envelope or an opening does not lose it.
    place.append()
    place.open(2)
    place.reopen()
    assert place.do(1, m.Delete(word.raw)) == m.Deleted(due)


def test_what_a_seed_takes_back_takes_the_word_along(place: Place) -> None:
    """A word that was said in an epoch which was lost, and replaced by a seed, waits no more (SPEC 13.14 step 3)."""
    fork = place.book.open(2, (), manifest=place.blob(b"fork"))
    place.open(1)
    word = place.book.word(1)
    assert place.do(1, m.Delete(word.raw)).due
    known = place.store._views.get(place.store._rows, place.book.set_id)
    assert known is not None
    place.store._writer.execute(
        "INSERT INTO seeding (owner, record_hash, epoch, waits) VALUES (?, ?, 1, 1)", (known.row, fork[1].hash))
    place.reopen()
    assert place.visit(m.Seed(place.book.set_id, 1, (fork[1].raw,))) == m.Seeded(1)
    place.now += DELETION_DELAY
    place.store.sweep(place.now)
    assert place.store.hear((), place.now).news == []
    assert isinstance(place.ask(1, m.ReadSlots()), m.SlotList)


def test_a_new_engine_has_no_word(tmp_path: Path) -> None:
    with closing(open_engine(str(tmp_path / "relay"))) as engine:
        assert engine.sweep(DELETION_DELAY) == 0
        assert engine.hear((), 0).news == []
