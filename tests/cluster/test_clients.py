"""Real clients across a cluster that is killed, and across `relay migrate` (SPEC 13.4): they notice a reconnect."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
import trio

from e2esync.client import watching
from e2esync.stores.relay_check import check_store
from e2esync.stores.relay_migrate import open_depot
from tests.cluster.clients import Balancer, Devices
from tests.cluster.world import Relays
from tests.helpers.postgres import Server

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[Server]:
    """A database server of this test's own."""
    running = Server()
    yield running
    running.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Devices come back soon."""
    monkeypatch.setattr(watching, "RECONNECT_FIRST", 0.1)
    monkeypatch.setattr(watching, "RECONNECT_MOST", 0.5)
    monkeypatch.setattr(watching, "LOCAL_POLL", 0.05)


def whole(url: str) -> None:
    """Every chain, log and head of a store."""
    with closing(open_depot(url)) as depot:
        assert list(check_store(depot)) == []


async def test_devices_live_through_a_cluster_that_is_killed(tmp_path: Path, server: Server) -> None:
    url = server.database()
    with closing(Relays(url, tmp_path, 4, "ws")) as relays:
        balancer = Balancer([address.partition("://")[2] for address in relays.addresses])
        async with balancer.running():
            devices = await Devices.made(tmp_path, balancer.url, 4)
            async with devices.busy():
                for number in random.sample(range(4), 4):
                    await trio.sleep(random.uniform(0.5, 1))
                    relays.kill(number)
                    await trio.sleep(random.uniform(0.2, 0.6))
                    await trio.to_thread.run_sync(relays.restart, number)
                for _ in range(2):
                    await trio.sleep(1)
                    await trio.to_thread.run_sync(server.kill)
                    await trio.sleep(0.5)
                    await trio.to_thread.run_sync(server.start)
                await trio.sleep(1)
            devices.check()
            assert all("unreachable" in events for events in devices.events), "somebody has not noticed anything"
            assert sum(events.count("received") for events in devices.events) > len(devices.profiles)
            assert len(devices.written) > 50
            devices.close()
    whole(url)


async def test_devices_live_through_migrations_there_and_back(tmp_path: Path, server: Server) -> None:
    """While they write: SQLite to PostgreSQL, and to another file, with `relay migrate` as an operator runs it."""
    stores = [str(tmp_path / "one.sqlite3"), server.database(), str(tmp_path / "two.sqlite3")]
    process, address = _serve(stores[0], "127.0.0.1:0")
    balancer = Balancer([address])
    try:
        async with balancer.running():
            devices = await Devices.made(tmp_path, balancer.url, 3)
            async with devices.busy():
                for old, new in pairwise(stores):
                    await trio.sleep(1)
                    process = await trio.to_thread.run_sync(_move, process, old, new, address)
                await trio.sleep(1)
            devices.check()
            for events in devices.events:
                assert events.count("connected") >= len(stores)
            assert len(devices.written) > 30
            devices.close()
    finally:
        process.kill()
        process.wait()
    whole(stores[-1])
    refused = subprocess.run(_command("serve", "--db", stores[0], "--listen", "127.0.0.1:0"), capture_output=True,
                             text=True, timeout=30, check=False)
    assert refused.returncode != 0
    assert "moved to another store" in refused.stderr


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "e2esync", "relay", *arguments]


def _serve(store: str, listen: str) -> tuple[subprocess.Popen[str], str]:
    """A relay process, and where it listens."""
    process = subprocess.Popen(_command("serve", "--db", store, "--listen", listen), stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    process.stdout.close()
    assert "://" in line, "the relay did not start"
    return process, line.split("://")[1].split()[0].rstrip(".,")


def _move(process: subprocess.Popen[str], old: str, new: str, listen: str) -> subprocess.Popen[str]:
    """What the operator does: migrate, stop the relay when told to, start it on the new store."""
    migrating = subprocess.Popen(_command("migrate", old, new), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                 text=True)
    assert migrating.stderr is not None
    told = migrating.stderr.readline()
    assert "stop the relay" in told, told
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)
    assert migrating.wait(timeout=60) == 0
    migrating.stderr.close()
    return _serve(new, listen)[0]
