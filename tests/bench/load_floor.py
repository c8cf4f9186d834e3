"""The floors of `tests.bench.load`: rows compared and appended in group commits, by the database or the store alone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from e2esync.log.envelope import envelope_header
from e2esync.session.commands import Change
from e2esync.session.messages import Append, Appended
from e2esync.stores.relay_engine import open_engine
from tests.session.world import NOW, Book

_SIZE = 512


def sqlite_floor(path: Path, sets: int, flight: int, seconds: float) -> tuple[float, float]:
    """Rows per second, and seconds of processor for each.

    WAL, FULL, one transaction per batch, one compare-and-set and `flight` rows per set.
    """
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.execute("CREATE TABLE sets (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, log_hash BLOB NOT NULL)")
    connection.execute(
        "CREATE TABLE log (owner INTEGER, seq INTEGER, hash BLOB, log_hash BLOB, envelope BLOB, "
        "PRIMARY KEY (owner, seq))"
    )
    connection.execute("CREATE UNIQUE INDEX hashes ON log (owner, hash)")
    connection.executemany("INSERT INTO sets VALUES (?, 0, x'')", [(number,) for number in range(sets)])
    seqs = [0] * sets
    done, begun, cpu = 0, time.perf_counter(), -time.process_time()
    while time.perf_counter() - begun < seconds:
        connection.execute("BEGIN IMMEDIATE")
        for number in range(sets):
            for _ in range(flight):
                seqs[number] += 1
                connection.execute(
                    "INSERT INTO log VALUES (?, ?, ?, ?, ?)",
                    (number, seqs[number], os.urandom(32), os.urandom(32), bytes(_SIZE)),
                )
            connection.execute(
                "UPDATE sets SET seq = ?, log_hash = ? WHERE id = ? AND seq = ?",
                (seqs[number], os.urandom(32), number, seqs[number] - flight),
            )
        connection.execute("COMMIT")
        done += sets * flight
    rate, cpu = done / (time.perf_counter() - begun), cpu + time.process_time()
    connection.close()
    return rate, cpu / done


def engine_floor(url: str, books: list[Book], flight: int, seconds: float) -> float:
    """Appends per second by the relay's own store: every rule and every head, in batches of what is in flight."""
    engine = open_engine(url)
    header = envelope_header(0)
    done, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        batch = [
            Change(book.set_id, 1, 1, Append(0, header + os.urandom(_SIZE - len(header))))
            for book in books for _ in range(flight)
        ]
        outcomes = engine.execute(batch, NOW).outcomes
        assert isinstance(outcomes[-1].result, Appended)
        done += len(outcomes)
    rate = done / (time.perf_counter() - begun)
    engine.close()
    return rate


def postgres_floor(url: str, sets: list[bytes], flight: int, seconds: float) -> tuple[float, float]:
    """Rows per second by the engine's own statement for group commit, from one connection, without a relay.

    And seconds of the asker's processor for each: what the server uses is not counted, here as in the relays.
    """
    import psycopg

    from e2esync.stores.postgres_append import _STATEMENT

    done = 0
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute("SELECT owner, version, seq FROM sets WHERE owner = ANY(%s)", (sets,)).fetchall()
        begun, cpu = time.perf_counter(), -time.process_time()
        state = [[bytes(owner), version, seq] for owner, version, seq in rows]
        while time.perf_counter() - begun < seconds:
            given, stored = [], []
            for each in state:
                owner, version, seq = each
                for _ in range(flight):
                    seq += 1
                    stored.append((owner, 0, seq, 1, 0, os.urandom(32), os.urandom(32), bytes(_SIZE)))
                given.append((owner, version, seq, os.urandom(32), 0, "item"))
                each[1:] = [version + 1, seq]
            columns = [*map(list, zip(*given, strict=True)), *map(list, zip(*stored, strict=True)), "floor"]
            connection.execute(_STATEMENT, columns, prepare=True, binary=True)
            done += len(stored)
        rate, cpu = done / (time.perf_counter() - begun), cpu + time.process_time()
    return rate, cpu / done


@contextmanager
def as_before(url: str) -> Iterator[None]:
    """A PostgreSQL database whose sets are afterwards as they were: what is measured next finds them so."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE before AS SELECT * FROM sets")
        yield
        connection.execute("DELETE FROM envelopes")
        connection.execute(
            "UPDATE sets SET seq = b.seq, log_hash = b.log_hash, held = b.held, version = b.version FROM before b "
            "WHERE sets.owner = b.owner"
        )
