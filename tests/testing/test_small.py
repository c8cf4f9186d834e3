"""The small parts of the test kit, and that all of it is documented."""

from __future__ import annotations

import e2esync.testing as kit
from e2esync.testing import Clock, SeededEntropy


def test_every_name_is_documented() -> None:
    for name in kit.__all__:
        assert name in (kit.__doc__ or "")
        assert name == "Hook" or getattr(kit, name).__doc__


def test_the_clock_and_entropy() -> None:
    passed = [0.0]
    clock = Clock(lambda: passed[0])
    first = clock()
    passed[0] = 2.5
    assert clock() == first + 2501
    assert clock.skewed(-1000)() == clock.time - 1000
    draws = [SeededEntropy(seed).draw("x", 8) for seed in ("a", "a", "b")]
    assert draws[0] == draws[1] != draws[2]


def test_flip() -> None:
    assert kit.flip(b"\0\0") == b"\0\1"
    assert kit.flip(b"\0\0", 0) == b"\1\0"
