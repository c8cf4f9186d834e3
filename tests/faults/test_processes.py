"""Real processes that are killed at any moment: what a command has acknowledged is there in the end, and there once."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from e2esync.client.book import Book
from e2esync.client.profile import Profile
from e2esync.client.sync import sync
from tests.cli.driving import environment, program
from tests.client.world import card, founded, names, paired, state
from tests.faults.agreeing import check_copies
from tests.faults.dying import POINTS, program_that_dies

PATIENCE = 60
ACTS = ("sync", "import")
PATIENCE_OF_A_CHECKPOINT = 5.0
MOST = 12
"""A point is come to more often than that in no act that differs from the twelfth time."""


class RelayProcess:
    """A relay that is killed and started again, always at the same address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = "127.0.0.1:0"
        self.process: subprocess.Popen[str] | None = None
        self.start()

    def start(self, point: str = "", at: int = 0) -> bool:
        """Start it, and wait until it listens; False if it dies before, which it may at a point."""
        serve = ("relay", "serve", "--db", str(self._folder / "relay.sqlite3"), "--listen", self.url, "--json")
        self.process = subprocess.Popen(
            program_that_dies(point, at, *serve) if point else program(*serve),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(), text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            self.url = json.loads(line)["listening"][0]
        return bool(line)

    def is_dead(self, patience: float = 0) -> bool:
        """Whether it has killed itself, or does so within some seconds."""
        assert self.process is not None
        try:
            return self.process.wait(patience) == -signal.SIGKILL
        except subprocess.TimeoutExpired:
            return False

    def kill(self) -> None:
        """As a power cut does, but for the disk's own cache."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    running = RelayProcess(tmp_path)
    yield running
    running.kill()


class Story:
    """A phone that edits, imports and syncs while things are killed, and a laptop that writes too."""

    def __init__(self, folder: Path, relay: RelayProcess, seed: int) -> None:
        self.folder = folder
        self.relay = relay
        self.chance = random.Random(seed)
        self.expected: set[str] = set()
        self.maybe: list[set[str]] = []

    async def begin(self, cards: int) -> None:
        """Two devices with a book of so many cards."""
        with await founded(self.folder / "phone", self.relay.url) as phone:
            if cards:
                book = Book(phone)
                book.apply(book.plan(self._read(book, "base", cards)))
                self.expected |= {f"base {n:05}" for n in range(cards)}
                await sync(phone)
            with await paired(phone, self.folder / "laptop") as laptop:
                await sync(laptop)

    def _vcf(self, prefix: str, count: int) -> bytes:
        return "".join(
            f"BEGIN:VCARD\r\nVERSION:4.0\r\nUID:{prefix}-{n}\r\nFN:{prefix} {n:05}\r\nTEL:+49 30 {n}\r\nEND:VCARD\r\n"
            for n in range(count)
        ).encode()

    def _read(self, book: Book, prefix: str, count: int) -> object:
        from e2esync.card import read_vcards

        return read_vcards(self._vcf(prefix, count), salt=book.set_id)

    def round(self, number: int) -> None:
        """One edit that is acknowledged; then a command that is killed, or the relay is, or both."""
        device = self.chance.choice(["phone", "phone", "laptop"])
        with Profile.open(self.folder / device) as profile:
            Book(profile).add(card(f"edit {number}"))
        self.expected.add(f"edit {number}")
        if self.chance.random() < 0.3:
            self._killed_import(device, number)
        process = self._start("--home", str(self.folder / device), "sync")
        time.sleep(self.chance.uniform(0.05, 0.7))
        if self.chance.random() < 0.4:
            self.relay.kill()
            self.relay.start()
        process.kill()
        process.wait()

    def _killed_import(self, device: str, number: int) -> None:
        """All of a file is there, or nothing; if the command said that it is there, it is."""
        path = self.folder / f"{number}.vcf"
        path.write_bytes(self._vcf(f"file {number}", 60))
        process = self._start("--home", str(self.folder / device), "import", str(path))
        try:
            process.wait(self.chance.uniform(0.2, 1.2))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        wanted = {f"file {number} {n:05}" for n in range(60)}
        self._note(wanted, process.returncode == 0)

    def named(self, act: str, number: int, point: str, at: int) -> bool:
        """An act in which a device or the relay dies at a named point; whether it came so far."""
        with Profile.open(self.folder / "phone") as profile:
            Book(profile).add(card(f"edit {number}"))
        self.expected.add(f"edit {number}")
        arguments = ["--home", str(self.folder / "phone"), act]
        if act == "import":
            path = self.folder / f"{number}.vcf"
            path.write_bytes(self._vcf(f"file {number}", 20))
            arguments.append(str(path))
        if point.startswith("relay"):
            self.relay.kill()
            self.relay.start(point, at)
            code = self._run(program(*arguments))
            # Nobody asks for a checkpoint: it comes by itself, a moment after something was written.
            died = self.relay.is_dead(PATIENCE_OF_A_CHECKPOINT if "checkpoint" in point else 0.5)
            self.relay.kill()
            self.relay.start()
        else:
            code = self._run(program_that_dies(point, at, *arguments))
            died = code == -signal.SIGKILL
        if act == "import":
            wanted = {f"file {number} {n:05}" for n in range(20)}
            self._note(wanted, code == 0)
        return died

    def _note(self, wanted: set[str], told: bool) -> None:
        if told:
            self.expected |= wanted
        else:
            self.maybe.append(wanted)

    @staticmethod
    def _run(command: list[str]) -> int:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              env=environment(), timeout=PATIENCE, check=False).returncode

    @staticmethod
    def _start(*arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(program(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, env=environment())

    async def end(self) -> None:
        """Both sync until nothing moves; then both have everything, once, and the same."""
        with Profile.open(self.folder / "phone") as phone, Profile.open(self.folder / "laptop") as laptop:
            with trio.fail_after(PATIENCE):
                for _round in range(3):
                    for profile in (phone, laptop):
                        await sync(profile)
            assert state(phone) == state(laptop)
            shown = names(phone)
            assert shown == names(laptop)
            assert len(shown) == len(set(shown))
            for wanted in self.maybe:
                assert wanted <= set(shown) or not wanted & set(shown)
            assert set(shown) - set().union(*self.maybe) == self.expected
            for profile in (phone, laptop):
                book = Book(profile)
                assert book.status().unsent == 0
                assert book.status().notices == []
                assert book.status().conflicts == 0
                assert not book.replica.frozen
                await check_copies(profile)


async def play(folder: Path, relay: RelayProcess, seed: int, kills: int, cards: int) -> int:
    """Kill at random moments; how many times."""
    story = Story(folder, relay, seed)
    await story.begin(cards)
    for number in range(kills):
        # The relay is another process: nothing of this one has to go on meanwhile.
        story.round(number)
    await story.end()
    return kills


async def play_named(folder: Path, relay: RelayProcess, act: str, most: int = MOST) -> dict[str, int]:
    """Die at each named point of an act, the first, second, … time that it is come to; how often, by point."""
    story = Story(folder, relay, 0)
    await story.begin(0)
    number, died = 0, dict.fromkeys(POINTS, 0)
    for point in POINTS:
        for at in range(1, most + 1):
            number += 1
            if not story.named(act, number, point, at):
                break
            died[point] += 1
    await story.end()
    return died


async def test_a_program_dies_where_it_is_told_to(tmp_path: Path, relay: RelayProcess) -> None:
    story = Story(tmp_path, relay, 0)
    await story.begin(0)
    assert story.named("sync", 1, "device: before requests are sent", 1)
    assert story.named("sync", 2, "relay: durable, nobody answered", 1)
    assert not story.named("sync", 3, "relay: durable, nobody answered", 1000)
    await story.end()


@pytest.mark.slow
@pytest.mark.parametrize("act", ACTS)
async def test_killed_at_every_named_point(tmp_path: Path, relay: RelayProcess, act: str) -> None:
    died = await play_named(tmp_path, relay, act, 5)
    reached = {point for point, times in died.items() if times}
    alone = {point for point in reached if point.startswith("device") and "transaction" in point}
    assert len(alone) == 2
    assert all(died[point] == 5 for point in alone)
    if act == "sync":
        assert reached == set(POINTS)


async def test_killed_in_the_middle_of_anything(tmp_path: Path, relay: RelayProcess) -> None:
    await play(tmp_path, relay, seed=1, kills=15, cards=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_killed_many_times(tmp_path: Path, relay: RelayProcess, seed: int) -> None:
    await play(tmp_path, relay, seed=100 + seed, kills=50, cards=0)


@pytest.mark.slow
async def test_killed_with_a_book_of_ten_thousand(tmp_path: Path, relay: RelayProcess) -> None:
    await play(tmp_path, relay, seed=7, kills=30, cards=10_000)
