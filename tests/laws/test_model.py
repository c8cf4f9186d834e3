"""The model keeps its laws on random histories, and every rule that is broken shows (SPEC 8 to 11, 14)."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.laws.world import Rules, World, failures
from tests.saboteurs.laws import BROKEN, Broken, caught_by


def test_the_laws_hold() -> None:
    assert failures(Rules(), range(200)) == {}
    assert failures(Rules(), range(60), honest=True) == {}


@pytest.mark.slow
def test_the_laws_hold_in_long_lives() -> None:
    assert failures(Rules(), range(1000, 3000)) == {}
    assert failures(Rules(), range(150), steps=400) == {}


def test_the_model_reaches_what_the_laws_are_about() -> None:
    events: Counter[str] = Counter()
    for seed in range(60):
        world = World(seed, Rules())
        world.run()
        events += world.relay.events
    for event in (
        "withheld", "epoch closed", "head moved", "cut", "removed", "delayed", "applied", "parked", "unparked",
        "snapshot adopted", "sent again", "whole lives", "forgotten",
    ):
        assert events[event] > 0, event


@pytest.mark.parametrize("broken", BROKEN, ids=[broken.name for broken in BROKEN])
def test_a_broken_rule_shows(broken: Broken) -> None:
    assert caught_by(broken) is not None
