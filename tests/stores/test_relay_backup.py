"""`relay_backup`: a copy while the relay runs; what is restored is an older state that says so."""

from __future__ import annotations

import stat
from contextlib import closing
from pathlib import Path

import pytest
import trio

from e2esync.errors import ProfileBusy, ProfileDamaged, Unreachable
from e2esync.session import messages as m
from e2esync.stores.relay_backup import backup, begin_again, restore
from e2esync.stores.relay_check import check_store
from e2esync.stores.relay_engine import open_engine
from e2esync.stores.relay_migrate import migrate, open_depot
from tests.helpers.postgres import Server
from tests.relay.driver import Device, running
from tests.stores.relays import Place
from tests.stores.test_relay_migrate import fill


async def swallow(device: Device) -> None:
    while True:
        await device.transport.receive()


def test_a_copy_while_it_runs_comes_back_as_another_incarnation(tmp_path: Path) -> None:
    place = Place(tmp_path / "relay")
    fill(place)
    counts, incarnation = place.counts(), place.store.incarnation
    assert backup(str(place.path), tmp_path / "copy") == 1
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    place.append()
    place.store.close()
    assert restore(tmp_path / "copy", str(place.path)) == 1
    place.reopen()
    assert place.store.incarnation != incarnation
    assert place.counts() == counts
    with closing(open_depot(str(place.path))) as depot:
        assert list(check_store(depot)) == []
    place.store.close()
    # Nothing half done lies about.
    assert {path.name for path in tmp_path.iterdir()} <= {"relay", "relay.lock", "copy", "relay-wal", "relay-shm"}


async def test_under_a_running_relay(tmp_path: Path) -> None:
    """Its devices have to come again, and are shown the older state under its own incarnation, never under the old."""
    async with running(tmp_path) as scene:
        one = await scene.device(1)
        await scene.append(one)
        before = scene.store.incarnation
        path = scene.store.path
        await trio.to_thread.run_sync(backup, str(path), tmp_path / "copy")
        await scene.append(one)
        await trio.to_thread.run_sync(restore, tmp_path / "copy", str(path))
        with trio.fail_after(10), pytest.raises(Unreachable):
            await swallow(one)
        again = await scene.device(1)
        assert (again.head.seq, again.head.incarnation) == (1, scene.store.incarnation)
        assert scene.store.incarnation != before


async def test_a_read_between_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path / "relay")
    place.append()
    backup(str(place.path), tmp_path / "copy")
    restore(tmp_path / "copy", str(place.path))
    with pytest.raises(ProfileBusy, match="restored"):
        place.ask(1, m.Read(0, 1))
    with pytest.raises(ProfileBusy, match="restored"):
        place.append()
    assert len(place.ask(1, m.Read(0, 1)).envelopes) == 1
    place.store.close()


def test_from_a_database_and_into_one(tmp_path: Path, postgres: Server) -> None:
    place = Place(tmp_path / "relay")
    fill(place)
    place.store.close()
    url = postgres.database()
    backup(str(place.path), tmp_path / "one")
    assert restore(tmp_path / "one", url) == 1
    with closing(open_engine(url)) as engine:
        incarnation = engine.incarnation
        assert engine.key.verify_key == place.book.relay_key
        with pytest.raises(ProfileBusy, match="runs on the database"):
            restore(tmp_path / "one", url)
    # What stands there gives way, whole, to an older state, and that is another life of the relay.
    place = Place(tmp_path / "other")
    place.store.close()
    backup(str(place.path), tmp_path / "three")
    assert restore(tmp_path / "three", url) == 1
    with closing(open_depot(url)) as depot:
        assert list(depot.sets()) == [place.book.set_id]
    assert restore(tmp_path / "one", url) == 1
    with closing(open_depot(url)) as depot:
        assert depot.identity()[1] != incarnation
        incarnation = depot.identity()[1]
    assert backup(url, tmp_path / "two") == 1
    with closing(open_depot(str(tmp_path / "two"))) as depot:
        assert list(check_store(depot)) == []
        assert depot.identity()[1] == incarnation


def test_what_is_refused_changes_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path / "relay")
    place.append()
    (tmp_path / "there").write_bytes(b"something")
    with pytest.raises(ProfileBusy, match="exists"):
        backup(str(place.path), tmp_path / "there")
    assert (tmp_path / "there").read_bytes() == b"something"
    for wrong in (tmp_path / "there", tmp_path / "none"):
        with pytest.raises(ProfileDamaged):
            restore(wrong, str(place.path))
    with pytest.raises(ProfileDamaged, match="cannot be written"):
        backup(str(place.path), tmp_path / "no folder" / "copy")
    assert place.append().seq == 2
    place.store.close()


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_what_other_tools_brought_back_begins_another_incarnation(
    tmp_path: Path, postgres: Server, engine: str,
) -> None:
    place = Place(tmp_path / "relay")
    fill(place)
    place.store.close()
    url = str(place.path)
    if engine == "postgres":
        url = postgres.database()
        with closing(open_depot(str(place.path))) as source, closing(open_depot(url)) as target:
            migrate(source, target, lambda _copied: None)
    with closing(open_engine(url)) as running_relay:
        before = running_relay.incarnation
        with pytest.raises(ProfileBusy):
            begin_again(url)
    assert begin_again(url) == 1
    with closing(open_engine(url)) as again:
        assert again.incarnation != before
        assert again.key.verify_key == place.book.relay_key
    with closing(open_depot(url)) as depot:
        assert list(check_store(depot)) == []


def test_a_store_that_was_moved_away_does_not_begin_again(tmp_path: Path) -> None:
    place = Place(tmp_path / "relay")
    place.store.close()
    with closing(open_depot(str(place.path))) as source, closing(open_depot(str(tmp_path / "new"))) as target:
        migrate(source, target, lambda _copied: None)
    with pytest.raises(ProfileDamaged, match="moved"):
        begin_again(str(place.path))
