"""Four relay processes over one PostgreSQL, killed while devices write (SPEC 13.4): nothing acknowledged is lost."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.cluster.world import Crowd, Relays
from tests.helpers.postgres import Server

pytestmark = pytest.mark.slow


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[tuple[Crowd, Server]]:
    """Relays, a database of their own server, and eight sets."""
    server = Server()
    relays = None
    try:
        url = server.database()
        relays = Relays(url, tmp_path, 4)
        crowd = Crowd(url, relays, 8)
        crowd.found()
        yield crowd, server
    finally:
        if relays is not None:
            relays.close()
        server.close()


async def test_relays_and_the_database_are_killed_while_devices_write(crowd: tuple[Crowd, Server]) -> None:
    people, server = crowd

    async def chaos() -> None:
        await trio.sleep(1)
        for number in (0, 2, 1, 3):
            people.relays.kill(number)
            await trio.sleep(random.uniform(0.2, 1))
            await trio.to_thread.run_sync(people.relays.restart, number)
            await trio.sleep(0.5)
        for _ in range(2):
            await trio.to_thread.run_sync(server.kill)
            await trio.sleep(0.5)
            await trio.to_thread.run_sync(server.start)
            await trio.sleep(2)
        people.relays.kill(0)
        await trio.to_thread.run_sync(server.kill)
        await trio.to_thread.run_sync(server.start)
        await trio.to_thread.run_sync(people.relays.restart, 0)
        await trio.sleep(2)

    await people.run(chaos)
    checked = people.check()
    assert checked > 200
    assert people.retries > 0, "nothing was killed while anybody wrote"
    assert people.pushed > checked / 4, "live pushes do not cross processes"
