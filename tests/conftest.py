"""What tests of many floors share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.network import Network
from tests.helpers.postgres import Server


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    """A relay, a clock and no devices yet."""
    network = Network(tmp_path)
    yield network
    network.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A running PostgreSQL server; `postgres.database()` is the URL of a new, empty database on it."""
    server = Server()
    yield server
    server.close()
