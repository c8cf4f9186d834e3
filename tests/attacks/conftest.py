"""The network under attack: real clients, a real relay, and nothing that is random or takes real time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from e2esync.testing import Network


@pytest.fixture
async def net(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Network]:
    """A relay that is honest so far, and no devices yet. Everything in it follows from the test's name."""
    async with Network(seed=request.node.name, folder=tmp_path) as network:
        yield network
