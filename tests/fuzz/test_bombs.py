"""Every bomb ends in what a target may end in, within bounds of time and memory."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from tests.fuzz.bombs import BOMBS
from tests.fuzz.targets import TARGETS

SECONDS, BYTES = 5, 64 << 20
"""Of processor and of memory: some ten times what the costliest takes while its memory is counted."""


@pytest.mark.parametrize(("name", "what"), [(name, what) for name, bombs in BOMBS.items() for what in bombs])
def test_a_bomb_costs_little(name: str, what: str) -> None:
    bomb = BOMBS[name][what]
    tracemalloc.start()
    begun = time.process_time()
    try:
        TARGETS[name](bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.process_time() - begun < SECONDS
    assert peak < BYTES


def test_bombs_are_counted() -> None:
    """Recursion and claimed lengths are tried on every decoder of the wire."""
    assert sum(map(len, BOMBS.values())) >= 80
    assert all(len(bomb) < 2 << 20 for bombs in BOMBS.values() for bomb in bombs.values())
