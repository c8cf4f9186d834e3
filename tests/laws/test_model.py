"""The model keeps its laws on random histories, and every rule that is broken shows (SPEC 8 to 11, 14)."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.laws.world import Rules, World, failures


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


@pytest.mark.parametrize(("rules", "honest", "law", "runs"), [
    pytest.param(Rules(erase_on_announce=True), False, "locked out", 10, id="key erased on announcing"),
    pytest.param(Rules(forget_done="entered"), True, "archived box", 20, id="forget done on entering"),
    pytest.param(Rules(forget_done="two past"), False, "archived box", 100, id="forget done two epochs past"),
    pytest.param(Rules(delta_vectors=True), True, "", 10, id="version vectors as changes"),
    pytest.param(Rules(whole_lives="none"), False, "half a contact", 100, id="no whole life sent along"),
    pytest.param(Rules(whole_lives="by contact"), False, "half a contact", 150, id="whole lives by contact"),
    pytest.param(Rules(replaced_on_entry=False), False, "", 40, id="joined on entry, not replaced"),
    pytest.param(Rules(resent=False), False, "is lost", 10, id="nothing sent again"),
    pytest.param(Rules(frozen_entries=False), False, "is lost", 10, id="entries that learn after they were written"),
])
def test_a_broken_rule_shows(rules: Rules, honest: bool, law: str, runs: int) -> None:
    found = failures(rules, range(runs), honest=honest, enough=law or "e")
    assert any(law in failure for failure in found.values())
