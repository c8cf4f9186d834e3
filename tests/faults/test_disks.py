"""Disks that fail once or for a while, under a device or the relay: what was acknowledged is there in the end, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest
import trio

from e2esync.errors import E2esyncError
from e2esync.session import messages as m
from e2esync.stores.profile import ProfileStore
from e2esync.stores.relay import RelayStore
from tests.faults.agreeing import check_agreement
from tests.faults.failing import ENOSPC, FAULTS, READ, FailingVFS
from tests.helpers.network import Device, Network
from tests.relay.driver import running

MOST, STEP, READ_STEP = 300, 47, 19
SLOW, APPENDS = 0.5, 12
RELAY, PHONE = "relay.sqlite3", "phone.sqlite3"


@pytest.fixture
def vfs(monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingVFS]:
    """Every store's file lies on it."""
    vfs = FailingVFS("failing")
    real = apsw.Connection
    monkeypatch.setattr(apsw, "Connection", lambda path, **options: real(path, vfs="failing", **options))
    yield vfs
    vfs.unregister()


def _world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Network, Device, Device]:
    """A laptop, and a phone whose profile is a file, in step."""
    folder.mkdir()
    net = Network(folder, "disks")
    laptop = net.begin("laptop")
    with monkeypatch.context() as patch:
        patch.setattr(ProfileStore, "memory", classmethod(lambda _cls: ProfileStore.create(folder / PHONE)))
        phone = net.add(laptop, "phone")
    laptop.edit("before", **{"notes/n": "x"})
    net.settle()
    return net, phone, laptop


@contextmanager
def _telling(told: list[E2esyncError]) -> Iterator[None]:
    """A failing disk is told as an error of the tree, whoever's disk it is."""
    try:
        yield
    except E2esyncError as error:
        told.append(error)


def _live(net: Network, phone: Device, laptop: Device) -> tuple[dict[str, str], list[E2esyncError]]:
    """Edits and syncs of both; what was acknowledged, and what was told."""
    acknowledged: dict[str, str] = {}
    told: list[E2esyncError] = []
    for number in range(3):
        for device in (phone, laptop):
            with _telling(told):
                device.edit(f"{device.name} {number}", **{"notes/n": str(number)})
                acknowledged[f"{device.name} {number}"] = str(number)
            with _telling(told):
                device.sync()
        with _telling(told):
            net.relay.checkpoint()
    return acknowledged, told


def _start_again(net: Network, phone: Device, folder: Path) -> None:
    """Both processes end, as far as they can, and begin again."""
    with _telling([]):
        phone.profile.close()
    with _telling([]):
        net.relay.close()
    phone.profile = ProfileStore.open(folder / PHONE)
    phone.store = phone.profile.book(0)
    net.relay = RelayStore(folder / RELAY, draw=lambda size: net.entropy.draw("relay", size))


def _start_in_spite(net: Network, phone: Device, folder: Path) -> None:
    """Both begin again. If the disk fails at that it is told as an error of the tree, and goes the second time."""
    for _try in range(2):
        try:
            return _start_again(net, phone, folder)
        except E2esyncError:
            continue
    raise AssertionError("a disk that failed once failed twice")


def _fails(
    folder: Path, vfs: FailingVFS, patch: pytest.MonkeyPatch, where: str, fault: str, at: int, times: int,
) -> bool:
    """Live with a disk that fails at one point; whether it came so far."""
    net, phone, laptop = _world(folder, patch)
    try:
        vfs.arm(where, fault, at, times)
        if fault == READ:
            # Nothing is in memory yet.
            _start_in_spite(net, phone, folder)
        acknowledged, _told = _live(net, phone, laptop)
        failed = vfs.failed
        vfs.disarm()
        _start_again(net, phone, folder)
        check_agreement(net, [phone, laptop], {"before": "x", **acknowledged})
    finally:
        vfs.disarm()
        phone.profile.close()
        net.close()
    return bool(failed)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("where", [RELAY, PHONE], ids=["relay", "device"])
def test_a_disk_that_fails_once(
    tmp_path: Path, vfs: FailingVFS, monkeypatch: pytest.MonkeyPatch, where: str, fault: str
) -> None:
    """At some points; at every one of them in the slow run."""
    for at in range(1, MOST, STEP):
        if not _fails(tmp_path / str(at), vfs, monkeypatch, where, fault, at, 1):
            assert at > STEP
            return
    raise AssertionError(f"more than {MOST} points")


@pytest.mark.parametrize("where", [RELAY, PHONE], ids=["relay", "device"])
def test_a_disk_that_cannot_be_read_once(
    tmp_path: Path, vfs: FailingVFS, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    for at in range(1, MOST, READ_STEP):
        if not _fails(tmp_path / str(at), vfs, monkeypatch, where, READ, at, 1):
            assert at > READ_STEP
            return
    raise AssertionError(f"more than {MOST} points")


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*FAULTS, READ])
@pytest.mark.parametrize("where", [RELAY, PHONE], ids=["relay", "device"])
def test_a_disk_that_fails_once_at_every_point(
    tmp_path: Path, vfs: FailingVFS, monkeypatch: pytest.MonkeyPatch, where: str, fault: str
) -> None:
    for at in range(1, MOST):
        if not _fails(tmp_path / str(at), vfs, monkeypatch, where, fault, at, 1):
            return
    raise AssertionError(f"more than {MOST} points")


@pytest.mark.parametrize("where", [RELAY, PHONE], ids=["relay", "device"])
def test_a_disk_that_is_full_for_a_while(
    tmp_path: Path, vfs: FailingVFS, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    for at in (1, 20, 60):
        assert _fails(tmp_path / str(at), vfs, monkeypatch, where, ENOSPC, at, 10_000)


def test_the_disk_does_fail(tmp_path: Path, vfs: FailingVFS, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told is said in words of the tree, and what was not acknowledged may well be missing."""
    net, phone, laptop = _world(tmp_path / "world", monkeypatch)
    vfs.arm(PHONE, ENOSPC, 1, 10_000)
    acknowledged, told = _live(net, phone, laptop)
    vfs.disarm()
    assert {error.code for error in told} == {"DiskFull"}
    assert acknowledged.keys() == {"laptop 0", "laptop 1", "laptop 2"}
    assert phone.registers("phone 0") is None
    phone.profile.close()
    net.close()


async def test_a_slow_disk_holds_up_only_who_waits_for_it(tmp_path: Path, vfs: FailingVFS) -> None:
    """What waits while the disk syncs is committed together, and whoever reads meanwhile is answered at once."""
    async with running(tmp_path) as scene:
        one, two = await scene.device(1), await scene.device(2)
        before = scene.store.commits
        vfs.patience = SLOW
        began = trio.current_time()
        requests = [scene.book.append() for _ in range(APPENDS)]
        await one.send(*requests)
        assert isinstance(await two.ask(m.Read(0, 1)), m.LogPart)
        assert trio.current_time() - began < SLOW
        for seq in range(1, APPENDS + 1):
            assert (await one.answer()).head.seq >= seq
        assert trio.current_time() - began >= SLOW
        assert scene.store.commits - before <= 3
        vfs.patience = 0.0
