"""The demo's relay is a process that goes when it should, and its tap counts exactly what passes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from e2esync.client.protection import Plain
from e2esync.client.sync import sync
from e2esync.demo.devices import Clock, Device
from e2esync.demo.exhibit import relay_exhibit
from e2esync.demo.processes import RelayProcess, Tap, relay_process
from e2esync.errors import Unreachable


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_the_relay_is_a_process_that_goes_with_the_block(tmp_path: Path) -> None:
    async with relay_process(tmp_path / "relay") as relay:
        assert _runs(relay.pid)
        assert {path.name for path in relay.folder.iterdir()} >= {"relay.log", "relay.sqlite3"}
    assert not _runs(relay.pid)


async def test_it_goes_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with relay_process(tmp_path / "relay") as relay:
            raise ZeroDivisionError
    assert not _runs(relay.pid)


async def test_stopping_says_whether_it_went_by_itself(tmp_path: Path) -> None:
    async with relay_process(tmp_path / "relay") as relay:
        assert await relay.stop()


async def test_a_relay_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(Unreachable):
        async with relay_process(tmp_path / "relay"):
            pass


async def test_a_tap_counts_what_the_device_counts(tmp_path: Path) -> None:
    async with relay_process(tmp_path / "relay") as relay, trio.open_nursery() as nursery:
        tap = Tap()
        await nursery.start(tap.run, relay)
        device = Device("Phone", tmp_path / "phone", Plain(), tap, lambda _stage, _done, _total: None)
        await device.found()
        device.book.add({"@type": "Card", "version": "1.0", "name": {"full": "Somebody"}})
        await tap.take()
        done = await sync(device.profile)
        sent, received = await tap.take()
        # The goodbyes of both ends come after a device has counted.
        assert 0 <= sent - done.bytes_sent <= 16
        assert 0 <= received - done.bytes_received <= 16
        assert await tap.take() == (0, 0)
        exhibit, said = relay_exhibit(relay.folder), await device.inspect()
        assert exhibit.counts.items() <= said.items()
        assert exhibit.samples
        device.close()
        nursery.cancel_scope.cancel()


async def test_a_tap_without_a_relay_behind_it_hangs_up(tmp_path: Path) -> None:
    async with relay_process(tmp_path / "relay") as relay:
        gone = RelayProcess(relay._process, relay.folder, relay.host, 9)
        async with trio.open_nursery() as nursery:
            tap = Tap()
            await nursery.start(tap.run, gone)
            stream = await trio.open_tcp_stream("127.0.0.1", int(tap.url.rpartition(":")[2]))
            async with stream:
                assert await stream.receive_some() == b""
            assert await tap.take() == (0, 0)
            nursery.cancel_scope.cancel()


def test_a_clock_keeps_the_steps_in_order() -> None:
    clock = Clock()
    with clock.step("one"):
        pass
    with clock.step("two"):
        pass
    assert [step.name for step in clock.steps] == ["one", "two"]
    assert all(step.seconds >= 0 and step.sent == 0 for step in clock.steps)
