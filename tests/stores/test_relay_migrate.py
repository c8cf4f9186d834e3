"""`relay_migrate`: everything arrives, nothing else changes, and nobody goes on at the old place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import apsw
import psycopg
import pytest

from e2esync.errors import ProfileBusy, ProfileDamaged
from e2esync.limits import MAILBOX_ID
from e2esync.session import messages as m
from e2esync.stores.relay_engine import open_engine
from e2esync.stores.relay_migrate import OTHER_TABLES, SET_TABLES, migrate, open_depot
from tests.helpers.postgres import Server
from tests.stores.relays import Place


def fill(place: Place) -> None:
    """Something in every table."""
    blob = place.blob(b"named")
    request = place.book.append(live=[blob])
    place.do(1, request)
    place.book.landed(request.envelope)
    for _ in range(70):
        place.append()
    place.do(2, m.PutSlot(place.book.announcement(2), place.book.heartbeat()))
    place.open()
    place.append()
    box = m.UseMailbox(b"m" * MAILBOX_ID, 0, b"t" * 16)
    place.visit(box, box)
    place.visit(m.Mail(0, b"hello"), box)


def test_there_and_back_again(tmp_path: Path, postgres: Server) -> None:
    place = Place(tmp_path / "old")
    fill(place)
    before, key, incarnation = place.counts(), place.store.key.verify_key, place.store.incarnation
    log = place.ask(1, m.Read(0, 1))
    place.store.close()
    middle, last = postgres.database(), str(tmp_path / "new")
    for old, new in ((str(place.path), middle), (middle, last)):
        source, target = open_depot(old), open_depot(new)
        assert migrate(source, target, lambda _: pytest.fail("nobody uses it")) == 1
        source.close()
        target.close()
        with pytest.raises(ProfileDamaged, match="was moved"):
            open_engine(old)
    place.path = Path(last)
    place.reopen()
    assert (place.store.key.verify_key, place.store.incarnation) == (key, incarnation)
    assert place.counts() == before
    assert place.ask(1, m.Read(0, 1)) == log
    assert place.append().seq == 2
    side = m.UseMailbox(b"m" * MAILBOX_ID, 1, b"u" * 16)
    assert place.visit(side, side) == m.MailboxUsed()
    place.store.close()


def test_what_changes_meanwhile_comes_too(tmp_path: Path, postgres: Server) -> None:
    place = Place(tmp_path / "old")
    place.append()
    source, target = open_depot(str(place.path)), open_depot(postgres.database())

    def wait(copied: int) -> None:
        # The relay runs on for a while, then it is stopped.
        assert copied == 1
        place.append()
        place.store.close()

    assert migrate(source, target, wait) == 1
    with source.transaction() as old, target.transaction() as new:
        found, moved = old.find_set(place.book.set_id), new.find_set(place.book.set_id)
    assert found is not None
    assert moved is not None
    assert moved[1:] == found[1:]
    assert moved.seq == 2
    source.close()
    target.close()


def test_no_two_relays_become_one(tmp_path: Path, postgres: Server) -> None:
    place, other = Place(tmp_path / "one"), postgres.database()
    place.store.close()
    busy = open_engine(other)
    source, target = open_depot(str(place.path)), open_depot(other)
    with pytest.raises(ProfileBusy, match="runs on the new store"):
        migrate(source, target, lambda _: None)
    busy.close()
    second = Place(tmp_path / "two")
    second.store.close()
    target.close()
    target = open_depot(str(second.path))
    target.become(b"k" * 32, 5)
    with pytest.raises(ProfileBusy, match="another relay's sets"):
        migrate(source, target, lambda _: None)
    source.close()
    target.close()
    place.reopen()
    place.store.close()


def test_every_column_is_copied(tmp_path: Path, postgres: Server) -> None:
    """A column that somebody adds has to be added to the copy."""
    url = postgres.database()
    open_engine(url).close()
    with psycopg.connect(url) as connection:
        there = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        ).fetchall()
    path = tmp_path / "relay"
    open_engine(str(path)).close()
    here = apsw.Connection(str(path)).execute(
        "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'"
    ).fetchall()
    copied = {(table, column) for tables in (SET_TABLES, OTHER_TABLES) for table in tables for column in tables[table]}
    for columns in (set(there), set(here)):
        rest = {(table, column) for table, column in columns if column != "owner" and table not in ("sets", "meta")}
        assert rest == copied


def test_the_command(tmp_path: Path) -> None:
    place = Place(tmp_path / "old")
    place.append()
    place.store.close()
    done = subprocess.run(
        [sys.executable, "-m", "e2esync", "relay", "migrate", str(tmp_path / "old"), str(tmp_path / "new"), "--json"],
        capture_output=True, text=True, check=True,
    )
    assert json.loads(done.stdout) == {"schema": 1, "moved": 1}
