"""The conformance suite of storage engines, on the engines that there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2esync.conformance.engine.run import CHECKS, Check, run_check
from tests.helpers.postgres import Server

CRASH = "killed_at_any_point"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_sqlite_keeps_the_rules(check: Check, tmp_path: Path) -> None:
    assert run_check(check, str(tmp_path / "relay.sqlite3")).fault == ""


@pytest.mark.parametrize(
    "check",
    [pytest.param(each, marks=[pytest.mark.slow] if each.__name__ == CRASH else []) for each in CHECKS],
    ids=lambda check: check.__name__,
)
def test_postgresql_keeps_the_rules(check: Check, postgres: Server) -> None:
    assert run_check(check, postgres.database()).fault == ""


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_postgresql_keeps_them_set_by_set_and_looking(check: Check, postgres: Server) -> None:
    assert run_check(check, postgres.database() + "&batch=set&notify=poll").fault == ""


def test_every_check_names_its_rule() -> None:
    for check in CHECKS:
        assert (check.__doc__ or "")[0].isdigit(), check.__name__
