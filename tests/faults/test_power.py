"""Power that goes at any point (SPEC 13.4 step 7): what the relay acknowledged is there when it comes back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import pytest

from e2esync.errors import E2esyncError
from e2esync.session import messages as m
from e2esync.stores import relay as relay_module
from e2esync.stores import relay_schema
from tests.faults.power import Disk, PowerLost, PowerVFS
from tests.stores.relays import Place

POINTS = 150
MANY = 20_000


@pytest.fixture
def vfs(monkeypatch: pytest.MonkeyPatch) -> Iterator[PowerVFS]:
    """Every connection of the relay's store goes through it."""
    vfs = PowerVFS("power")
    real = apsw.Connection
    monkeypatch.setattr(relay_schema.apsw, "Connection", lambda path, **options: real(path, vfs="power", **options))
    yield vfs
    vfs.unregister()


def play(vfs: PowerVFS, path: Path, seed: int, points: int | None) -> tuple[Place, list[bytes], int]:
    """A set's life until the power goes, `points` after its birth: appends in batches, and checkpoints.

    Returns the place, the envelopes that were acknowledged, and how many points there were.
    """
    chance = random.Random(seed)
    disk = vfs.disk = Disk(chance)
    place, acknowledged = Place(path), []
    disk.allow(points)
    with suppress(PowerLost, apsw.Error, E2esyncError):
        while disk.points < MANY:
            requests = [place.book.append() for _ in range(chance.randint(1, 6))]
            outcomes = place.store.execute([place.change(1, each) for each in requests], place.now).outcomes
            for request, outcome in zip(requests, outcomes, strict=True):
                assert isinstance(outcome.result, m.Appended)
                acknowledged.append(request.envelope)
                place.book.landed(request.envelope)
            if chance.random() < 0.3:
                place.store.checkpoint()
            if points is None and disk.points > 400:
                break
    return place, acknowledged, disk.points


def lost_after(vfs: PowerVFS, path: Path, seed: int, points: int) -> str:
    """What is wrong with the file after the power went at this point; empty if nothing is."""
    place, acknowledged, _ = play(vfs, path, seed, points)
    disk = vfs.disk
    assert disk is not None
    vfs.disk = None
    # The program died with the power: nothing of it reaches the disk any more.
    place.store.close()
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    disk.restore()
    try:
        place.reopen()
        log: list[bytes] = []
        while True:
            part = place.ask(1, m.Read(0, len(log) + 1))
            if not isinstance(part, m.LogPart):
                return "the set is gone" if acknowledged else ""
            log += part.envelopes
            if part.head is not None:
                break
        damage = place.store._writer.pragma("integrity_check")
    except (E2esyncError, apsw.Error) as error:
        return f"the file does not open: {error}"
    finally:
        place.store.close()
    if damage != "ok":
        return f"the file is damaged: {damage}"
    if log[: len(acknowledged)] != acknowledged:
        return "an acknowledged envelope is lost"
    return ""


def violations(vfs: PowerVFS, folder: Path, count: int, seed: int) -> list[str]:
    """What went wrong at so many points."""
    place, _, points = play(vfs, folder / "measure", seed, None)
    place.store.close()
    chance = random.Random(seed)
    found = []
    for number in range(count):
        path = folder / "relay"
        wrong = lost_after(vfs, path, seed + number, chance.randint(0, points))
        if wrong:
            found.append(wrong)
        for each in folder.glob("relay*"):
            each.unlink()
    return found


def test_full_loses_nothing(vfs: PowerVFS, tmp_path: Path) -> None:
    assert violations(vfs, tmp_path, POINTS, 1) == []


@pytest.mark.slow
def test_full_loses_nothing_at_very_many_points(vfs: PowerVFS, tmp_path: Path) -> None:
    assert violations(vfs, tmp_path, 3_000, 100_000) == []


def test_normal_would_lose_what_was_acknowledged(
    vfs: PowerVFS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test has teeth: without a sync at each commit it finds losses."""
    real: Any = relay_module.open_writer

    def relaxed(path: Path) -> apsw.Connection:
        connection: apsw.Connection = real(path)
        connection.pragma("synchronous", "normal")
        return connection

    monkeypatch.setattr(relay_module, "open_writer", relaxed)
    assert "an acknowledged envelope is lost" in violations(vfs, tmp_path, 60, 1)
