"""Power that goes at any point (SPEC 13.4 step 7): what relay or device promised is there when it comes back.

A file that was recovered must be, page by page, one of the states that the run went through, and none from before the
last that somebody was told of. The rows of each of those states are checked once, and a sample of the crashes is lived
on with: the devices sync, and every edit that was acknowledged is on both, once.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import apsw
import pytest

from e2esync.limits import OPENINGS_INTERVAL
from e2esync.stores.profile import ProfileStore
from e2esync.stores.relay_check import check_store
from e2esync.stores.relay_migrate import open_depot
from e2esync.stores.schema import is_intact
from tests.faults.agreeing import check_agreement
from tests.faults.power import Kind, Platter
from tests.faults.story import LAPTOP, MACHINES, PHONE, RELAY, Story, record
from tests.helpers.network import Device, Network

GONE = "an acknowledged change is gone"


class Machine:
    """A machine as the trace goes on: its disk, the states that it went through, and how far somebody relies on it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.platter = Platter()
        self.folder = folder
        self.states: list[bytes] = []
        self.told = 0
        self._path = folder / name
        folder.mkdir(parents=True)

    def stand(self) -> bool:
        """Notes the state that is on the disk if the power stays; whether it is a new one."""
        self.platter.restore(self.folder)
        state = _image(self._path)
        if self.states[-1:] == [state]:
            return False
        self.states.append(state)
        return True

    def tell(self) -> None:
        """Somebody relies on it that the last state stays."""
        self.told = len(self.states) - 1

    def lose(self, chance: random.Random, tried: set[object]) -> str | None:
        """The power goes, and what is wrong when it comes back: empty if nothing is, None for a loss tried before."""
        losses = self.platter.lose(chance)
        if losses in tried:
            return None
        tried.add(losses)
        self.platter.restore(self.folder, losses)
        try:
            state = _image(self._path)
        except apsw.Error as error:
            return f"the file does not open: {error}"
        if state in self.states[self.told :]:
            return ""
        return GONE if state in self.states else "the file has a state that never was"

    def open(self) -> None:
        """As the program does at its start, with all that it can check in its rows."""
        connection = apsw.Connection(str(self._path))
        made = connection.pragma("user_version")
        intact = is_intact(connection) if self._path.name != RELAY else connection.pragma("integrity_check") == "ok"
        connection.close()
        assert intact or not made
        if self._path.name != RELAY and made:
            ProfileStore.open(self._path).close()
        elif made:
            depot = open_depot(str(self._path))
            assert list(check_store(depot)) == []
            depot.close()


def _image(path: Path) -> bytes:
    """The hash of all pages, as SQLite reads them after it has recovered the file."""
    connection = apsw.Connection(str(path))
    try:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.pragma("locking_mode", "exclusive")
        connection.pragma("synchronous", "off")
        return blake2b(connection.serialize("main"), digest_size=16).digest()
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class Plan:
    """So many different losses `each` at every `every`-th point. Every so many crashes the program opens the file, or
    all live on with it; with `rows`, it opens each state that there was.
    """

    each: int
    every: int = 1
    opened: int = 50
    lived: int = 400
    rows: bool = True


def crashes(story: Story, folder: Path, plan: Plan, seed: int) -> Counter[str]:
    """The power goes at the points of a story, one machine's at a time. What came of it, and how often."""
    machines = {name: Machine(name, folder / "disks" / name) for name in MACHINES}
    chance, found = random.Random(seed), Counter[str]()
    for number, step in enumerate(story.steps):
        name = next(name for name in MACHINES if name in step.name)
        machine = machines[name]
        if step.kind is Kind.TOLD:
            machine.tell()
            continue
        machine.platter.take(step)
        if machine.stand() and plan.rows:
            machine.open()
        tried: set[object] = set()
        for _ in range(0 if number % plan.every else plan.each):
            wrong = machine.lose(chance, tried)
            if wrong is None:
                continue
            found[wrong] += 1
            if not wrong and found[wrong] % plan.lived == 0 and number > story.paired:
                live_on(story, number, machines, machine, folder)
                found["lived on with"] += 1
            elif not wrong and found[wrong] % plan.opened == 0:
                machine.open()
                found["opened"] += 1
    return found


def live_on(story: Story, number: int, machines: dict[str, Machine], crashed: Machine, folder: Path) -> None:
    """The machine that crashed comes back with what it has, the others as they stand; then all must agree."""
    place = folder / f"lived {number}"
    place.mkdir()
    for machine in machines.values():
        if machine is not crashed:
            machine.platter.restore(machine.folder)
        for path in machine.folder.iterdir():
            path.rename(place / path.name)
    net = Network(place, f"after {number}")
    net.clock.time = story.time(number) + 2 * OPENINGS_INTERVAL
    devices = [Device(net, ProfileStore.open(place / name), name) for name in (PHONE, LAPTOP)]
    try:
        check_agreement(net, devices, story.acknowledged(number))
    finally:
        for device in devices:
            device.profile.close()
        net.close()
        shutil.rmtree(place)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder where files cost least."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder)


def wrongs(found: Counter[str]) -> set[str]:
    """What went wrong."""
    return found.keys() - {"", "opened", "lived on with"}


def test_power_that_goes_loses_nothing(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = crashes(record(memory, monkeypatch, 1), memory, Plan(1, every=4, lived=150, rows=False), 1)
    assert wrongs(found) == set()
    assert found[""] > 300
    assert found["lived on with"]


@pytest.mark.slow
def test_power_that_goes_at_every_point_loses_nothing(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = crashes(record(memory, monkeypatch, 4), memory, Plan(5), 2)
    assert wrongs(found) == set()
    assert found[""] >= 20_000
    assert found["lived on with"] >= 40
    assert found["opened"] >= 300


def test_without_waiting_for_the_disk_power_loses_what_was_acknowledged(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test has teeth: with synchronous=NORMAL it finds losses, on devices and on the relay."""
    story = record(memory, monkeypatch, 1, relaxed=True)
    for name in MACHINES:
        alone = Story([step for step in story.steps if name in step.name])
        found = crashes(alone, memory / f"of {name}", Plan(1, every=5, opened=10**9, lived=10**9, rows=False), 3)
        assert wrongs(found) == {GONE}
