"""The vectors catch every saboteur: whoever leaves a check out is told by a case (SPEC 9 to 13)."""

from __future__ import annotations

import pytest

from e2esync.epoch import chain, shape
from e2esync.session.client import ClientSession
from tests.saboteurs.removing import Saboteur, at_work, first
from tests.saboteurs.vectors import SABOTEURS, VERIFY, broken_by, caught_by

IDS = [f"{saboteur.target.removeprefix('e2esync.')}-{number}" for number, saboteur in enumerate(SABOTEURS)]


@pytest.mark.parametrize("saboteur", SABOTEURS, ids=IDS)
def test_is_caught(saboteur: Saboteur) -> None:
    assert caught_by(saboteur) is not None


@pytest.mark.parametrize("saboteur", [each for each in SABOTEURS if not each.shows],
                         ids=[name for name, each in zip(IDS, SABOTEURS, strict=True) if not each.shows])
def test_removes_its_check_and_nothing_else(saboteur: Saboteur) -> None:
    assert broken_by(saboteur) == []


def test_nobody_survives_who_has_left_a_check_as_it_was() -> None:
    honest = Saboteur("e2esync.epoch.chain:check_follows", "9.4 step 1", (VERIFY,), chain.check_follows)
    assert caught_by(honest) is None


def test_what_was_removed_comes_back() -> None:
    before = chain.check_numbers, shape.array, ClientSession._receiving
    for target in ("epoch.chain:check_numbers", "epoch.shape:array", "session.client:ClientSession._receiving"):
        with at_work(Saboteur(f"e2esync.{target}", "", ())):
            assert (chain.check_numbers, shape.array, ClientSession._receiving) != before
    assert (chain.check_numbers, shape.array, ClientSession._receiving) == before


def test_operations_without_cases_are_no_proof() -> None:
    with pytest.raises(AssertionError, match="has no cases"):
        caught_by(Saboteur("e2esync.epoch.shape:array", "6.4", ("epochs::nothing",), first))
