"""Lies, forks and copies as a person meets them: what the program says, that nothing is touched, and that it heals.

The relay is the hostile one of `e2esync.testing`, on a loopback port; the devices are profiles on which the program
runs.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trio

from e2esync.client.book import Book
from e2esync.client.profile import Profile
from e2esync.client.sync import go_online, now_ms
from e2esync.limits import WRITE_BACK_DELAY
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.replica.port import DIRTY
from e2esync.replica.snapshots import contact_row
from e2esync.session import messages as m
from e2esync.testing import HostileRelay, View, mutate
from tests.cli.driving import many, run_here
from tests.cli.liar import Liar
from tests.cli.world import Device, Devices, Relay

NEXT_STEP = ("`e2esync relay move URL`", "`e2esync rejoin CODE`", "`e2esync revoke DEVICE`", "nothing for you to do")


class World(NamedTuple):
    """An old phone and a laptop, in step; the relay calls them `member-1` and `member-2`."""

    liar: Liar
    first: Device
    second: Device

    def sync(self) -> None:
        """First, second, first: after that both know everything."""
        for device in (self.first, self.second, self.first):
            device.json("sync")


@pytest.fixture(scope="module")
def began(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Liar, Path, View]]:
    """Where each test begins: the relay, its true history, and the two profiles, to be copied."""
    with Liar("detection") as liar:
        folder = tmp_path_factory.mktemp("began")
        Devices(folder, liar.url).sync()
        yield liar, folder, liar.do(lambda relay: relay.main)


@pytest.fixture
def world(began: tuple[Liar, Path, View], tmp_path: Path) -> World:
    liar, folder, history = began
    until = len(history.journal)

    def begin(relay: HostileRelay) -> None:
        relay.honest()
        relay.show(relay.view(source=history, until=until))

    liar.do(begin)
    for name in ("first", "second"):
        shutil.copytree(folder / name, tmp_path / name)
    return World(liar, Device(tmp_path / "first"), Device(tmp_path / "second"))


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Relay]:
    """An honest relay."""
    (tmp_path / "other").mkdir()
    running = Relay(tmp_path / "other")
    yield running
    assert running.stop() == 0


def _add(device: Device, *names: str) -> None:
    for name in names:
        device.json("new", "--name", name)


def _said(device: Device, code: str) -> str:
    """The sentence of `status` on this; it names devices as people do, and what to do next."""
    (notice,) = {notice for notice in device.json("status")["notices"] if f"({code};" in notice}
    assert "member " not in notice
    assert any(step in notice for step in NEXT_STEP), notice
    return str(notice)


def _quiet(*devices: Device) -> None:
    """All is over: syncs find nothing any more, nothing is said, and everything fits."""
    for _round in range(2):
        for device in devices:
            run_here("--home", str(device.home), "sync")
    for device in devices:
        device.json("sync")
        assert device.json("status")["notices"] == []
        assert device.json("verify", "--deep")["ok"]
        assert device.names() == devices[0].names()


def _refused(device: Device, code: str, *, exit_code: int = 14) -> None:
    """A sync says so, and leaves contacts and outbox as they were."""
    before = device.names(), device.json("status")["unsent"]
    ended, out, err = run_here("--home", str(device.home), "--json", "sync")
    assert (ended, code in out + err) == (exit_code, True), (ended, out, err)
    assert (device.names(), device.json("status")["unsent"]) == before


def _proved(device: Device, folder: Path, kind: int) -> None:
    """What this device keeps as evidence convinces somebody who has nothing but the file, offline."""
    rows = device.json("evidence", "list")["evidence"]
    assert rows
    for number, row in enumerate(rows):
        path = folder / f"{number}.evidence"
        device.json("evidence", "export", row["name"], "-o", str(path))
        assert b"Ada" not in path.read_bytes()
        assert Device(folder / "nobody").json("evidence", "verify", str(path))["kind"] == kind


def test_an_older_state(world: World, tmp_path: Path) -> None:
    older, newest = world.liar.do(lambda relay: (relay.moment(), relay.main))
    _add(world.first, "Carl")
    world.sync()
    _add(world.first, "Unsent")
    world.liar.do(lambda relay: relay.rollback(older))
    assert not world.first.json("verify", code=14)["ok"]
    _refused(world.first, "RollbackDetected")
    assert "older state" in _said(world.first, "RollbackDetected")
    _proved(world.first, tmp_path, 2)
    world.liar.do(lambda relay: relay.show(newest))
    _quiet(world.first, world.second)
    assert {"Carl", "Unsent"} <= set(world.second.names())


def _roll_back(world: World) -> None:
    """The relay shows a state from before Carl, and stays with it; the first device has seen it, and has an edit."""
    older = world.liar.do(HostileRelay.moment)
    _add(world.first, "Carl")
    world.sync()
    _add(world.first, "Unsent")
    world.liar.do(lambda relay: relay.rollback(older))
    _refused(world.first, "RollbackDetected")


def test_a_relay_that_stays_with_the_older_state_is_given_back_what_it_lacks(world: World) -> None:
    _roll_back(world)
    assert "given back" in run_here("--home", str(world.first.home), "sync")[2]
    _quiet(world.first, world.second)
    assert {"Carl", "Unsent"} <= set(world.second.names())


def test_two_histories(world: World, tmp_path: Path) -> None:
    world.liar.do(lambda relay: relay.fork("member-2"))
    for device, name in ((world.first, "There"), (world.second, "Here")):
        _add(device, name)
        device.json("sync")
    _add(world.second, "Unsent")
    world.liar.do(lambda relay: relay.show(relay.main, "member-2"))
    problems = {each["name"] for each in world.second.json("verify", "--deep", code=14)["checks"] if each["problem"]}
    assert problems == {"relay's log", "relay's copy"}
    _refused(world.second, "ForkDetected")
    _said(world.second, "ForkDetected")
    _proved(world.second, tmp_path, 1)
    world.second.run("sync", code=14)
    assert "two histories" in _said(world.second, "ForkDetected")
    # The other one has read in this one's entries what it was shown.
    world.first.run("sync", code=14)
    assert "Laptop" in _said(world.first, "ForkDetected")
    _quiet(world.first, world.second)
    assert {"There", "Here", "Unsent"} <= set(world.first.names())


def test_a_change_that_is_held_back(world: World) -> None:
    newest = world.liar.do(lambda relay: relay.main)
    for name in ("One", "Two"):
        _add(world.first, name)
        world.first.json("sync")

    def hide(relay: HostileRelay) -> None:
        appends = [done for done in relay.main.journal if isinstance(done.change.request, m.Append)]
        relay.withhold(lambda done: done == appends[-2], "member-2")

    world.liar.do(hide)
    names = world.second.names()
    ended, _out, err = run_here("--home", str(world.second.home), "sync")
    assert (ended, world.second.names()) == (14, names)
    assert "of Old phone exists" in err
    notices = world.second.json("status")["notices"]
    assert all("WithheldDetected" in notice and "member" not in notice for notice in notices)
    assert "relay's copy" in {each["name"] for each in world.second.json("verify", "--deep", code=14)["checks"]
                              if each["problem"]}
    world.liar.do(lambda relay: relay.show(newest, "member-2"))
    _quiet(world.first, world.second)
    assert {"One", "Two"} <= set(world.second.names())


@pytest.mark.parametrize("lost", ["changes", "an epoch", "everything"])
def test_a_relay_that_comes_back_from_a_backup(world: World, lost: str) -> None:
    """Recognized, said, and given back what it lost, by whoever comes first: no other device takes it for a lie."""
    older = 0 if lost == "everything" else world.liar.do(HostileRelay.moment)
    if lost == "an epoch":
        world.first.json("rotate")
    _add(world.first, "Carl")
    world.sync()
    _add(world.first, "Unsent")
    world.liar.do(lambda relay: relay.restore(older))
    assert any(each["problem"] for each in world.first.json("verify", code=14)["checks"])
    world.first.json("sync")
    assert "came back from a backup" in _said(world.first, "RelayRestored")
    world.second.json("sync")
    _quiet(world.first, world.second)
    assert {"Carl", "Unsent"} <= set(world.second.names())


def test_a_copied_profile(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.second.home, tmp_path / "copy")
    copy = Device(tmp_path / "copy")
    _add(world.second, "Here")
    _add(copy, "On the copy")
    world.second.json("sync")
    _refused(copy, "CloneDetected")
    _said(copy, "CloneDetected")
    assert {"found before"} == {each["name"] for each in copy.json("verify", code=14)["checks"] if each["problem"]}
    _add(copy, "Later")
    assert {"On the copy", "Later"} <= set(copy.names())


def test_a_device_that_writes_two_changes_under_one_number(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.second.home, tmp_path / "copy")
    copy = Device(tmp_path / "copy")
    _add(world.second, "Here")
    _add(copy, "On the copy")
    before = world.liar.do(HostileRelay.moment)
    world.second.json("sync")
    seen = world.liar.do(lambda relay: relay.main)
    world.liar.do(lambda relay: relay.rollback(before))
    copy.json("sync")
    appended = next(done.change for done in reversed(world.liar.do(lambda relay: relay.main.journal))
                    if isinstance(done.change.request, m.Append))
    world.liar.do(lambda relay: relay.show(seen))
    world.liar.do(lambda relay: relay.inject(appended.set_id, 2, appended.request))
    world.first.run("sync", code=14)
    assert "Laptop has written two different changes" in _said(world.first, "ForkDetected")
    _proved(world.first, tmp_path, 4)
    assert "Here" in world.first.names()


def test_a_device_that_said_that_it_would_stay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is connected and writes, says its last heartbeat, and the relay shows nothing of it any more."""
    async def stay() -> None:
        with Profile.open(world.second.home) as profile:
            async with go_online(profile, now=lambda: now_ms() + 16 * 60_000) as online:
                online.link.stay = 15 * 60_000
                await online.connection.run(sync_procedure(online.replica, online.link))

    trio.run(stay)
    world.first.json("sync")
    assert world.first.json("status")["notices"] == []
    later, real = 3 * 3_600_000_000_000, time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + later)
    world.first.json("sync")
    assert "Laptop was not heard for" in _said(world.first, "StaleView")


def _wrong(device: Device, *arguments: str, code: int) -> set[str]:
    return {each["name"] for each in device.json(*arguments, code=code)["checks"] if each["problem"]}


def test_doctor_looks_at_the_clocks_the_kit_and_where_the_relay_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay of these tests lives in another year, and a profile that is not protected is always told."""
    assert _wrong(world.first, "doctor", code=1) == {"protected by", "relay's clock"}
    world.liar.do(lambda relay: setattr(relay._clock, "time", now_ms()))
    assert _wrong(world.first, "doctor", code=1) == {"protected by"}
    older = world.liar.do(HostileRelay.moment)
    _add(world.first, "Carl")
    world.first.json("sync")
    world.liar.do(lambda relay: relay.rollback(older))
    assert _wrong(world.first, "doctor", code=1) == {"protected by", "relay"}
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 400 * 86_400_000_000_000)
    assert _wrong(world.first, "doctor", code=1) == {"protected by", "relay", "relay's clock", "recovery kit"}


def test_verify_without_a_relay_says_what_is_here(world: World) -> None:
    """What this device holds is looked at all the same; the exit code is that of nobody who answers."""
    with Profile.open(world.first.home) as profile:
        (info,) = profile.store.books()
        profile.store.put_book(info._replace(relay="ws://127.0.0.1:1"))
    assert _wrong(world.first, "verify", code=20) == {"relay"}
    assert _wrong(world.first, "verify", "--offline", code=0) == set()


def test_contacts_deleted_by_the_hundred(world: World, tmp_path: Path) -> None:
    """They stay in view, the exit code says that somebody has to decide, and a refusal writes them back."""
    world.first.json("import", many(tmp_path / "many.vcf", 30))
    world.sync()
    world.second.json("rm", "--yes", *(f"Person {number:05d}" for number in range(20)))
    world.second.json("sync")
    _add(world.first, "Unsent")
    assert world.first.json("sync", code=15)["held"] == 20
    assert len(world.first.names()) == 34
    assert world.first.json("sync", code=15)["sent"] == 0
    assert "Laptop deleted 20 contacts" in "".join(world.first.json("status")["notices"])
    world.first.json("guard", "refuse")
    world.first.json("sync")
    _quiet(world.first, world.second)
    assert len(world.second.names()) == 34


def test_a_move_to_another_relay(world: World, other: Relay) -> None:
    """From any device; the others follow by themselves, what was unsent goes along, and so do photos."""
    _add(world.first, "Unsent")
    _add(world.second, "Unsent too")
    world.second.json("relay", "move", other.url)
    world.first.json("sync")
    _quiet(world.first, world.second)
    assert {device.json("status")["relay"] for device in (world.first, world.second)} == {other.url}
    assert {"Unsent", "Unsent too"} <= set(world.second.names())


def test_a_move_away_from_a_relay_that_lies(world: World, other: Relay) -> None:
    """It is told nothing; who cannot hear of the move there goes with the same command."""
    _roll_back(world)
    for device in (world.first, world.second):
        device.json("relay", "move", other.url)
    _quiet(world.first, world.second)
    assert {"Carl", "Unsent"} <= set(world.second.names())


def test_a_relay_that_serves_nonsense(world: World) -> None:
    """No lie that has a name: it is said all the same, until a sync comes to its end."""
    _add(world.first, "Carl")
    world.first.json("sync")
    _add(world.second, "Unsent")
    world.liar.do(lambda relay: relay.hooks.append(mutate(m.LogPart, lambda _part: m.Pong())))
    _refused(world.second, "RemoteProtocolError")
    assert "broken off" in _said(world.second, "RemoteProtocolError")
    world.liar.do(HostileRelay.honest)
    _quiet(world.first, world.second)
    assert {"Carl", "Unsent"} <= set(world.first.names())


def test_a_snapshot_that_leaves_a_contact_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device begins an epoch without a contact: the other one says so, by name, and writes it back."""
    with Profile.open(world.second.home) as profile:
        book = Book(profile)
        book.store.put_contacts([contact_row(book.find("Ada").contact, b"", DIRTY)])
    world.second.json("rotate")
    _add(world.first, "Unsent")
    world.first.run("sync", code=14)
    assert "opened by Laptop" in _said(world.first, "SnapshotMismatch")
    # What is written back waits a random time, so that five devices do not write the same.
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + WRITE_BACK_DELAY * 1_000_000)
    _quiet(world.first, world.second)
    assert {"Ada", "Unsent"} <= set(world.second.names())
