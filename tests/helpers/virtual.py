"""Time that jumps: tests with this mark run under a clock that moves on as soon as everybody waits.

pytest-trio takes a clock only from the test's own arguments; this takes it from nowhere, so fixtures may stay alone.
"""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock


def _run(async_fn: Any, *args: Any, clock: Any = None, **options: Any) -> Any:
    return trio.run(async_fn, *args, clock=clock or MockClock(autojump_threshold=0), **options)


virtual_time = pytest.mark.trio(run=_run)
