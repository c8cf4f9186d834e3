"""The one table of saboteurs: who is in it, and that no check of the library is left out of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.saboteurs import __main__ as table
from tests.saboteurs import attacks, laws, units, vectors
from tests.saboteurs.removing import Saboteur
from tests.saboteurs.units import HONEST, SABOTEURS
from tests.saboteurs.vectors import VERIFY

PACKAGE = Path(__file__).parents[2] / "e2esync"
FLOORS = ("access", "card", "contactset", "crypto", "epoch", "log", "procedures", "replica", "session", "snapshot")
# Each only calls others of the table in turn, and removing it removes them all.
IN_TURN = {
    "card.model:check_card", "epoch.announcement:check_announcement", "epoch.roster:check_change",
    "log.evidence:_check_two_logs", "log.evidence:_check_rolled_back", "log.evidence:_check_two_records",
    "log.evidence:_check_two_entries", "replica.reading:check_head",
}
# These give a value rather than refuse; a wrong one is what the vectors of the layer are about.
GIVES = {"contactset.state:_check_contact"}


def checks() -> Iterator[str]:
    """Every function below the I/O line that is called a check."""
    for path in sorted(path for floor in FLOORS for path in (PACKAGE / floor).rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith(("check_", "_check_")):
                yield f"{module}:{node.name}"


def removed() -> set[str]:
    """What anybody in the table removes; a check is removed wherever it was imported to."""
    targets = {saboteur.target.removeprefix("e2esync.") for saboteur in (*vectors.SABOTEURS, *units.SABOTEURS)}
    for _module, _test, weak in attacks.controls():
        targets |= weak.targets
    return {target.rpartition(":")[2] for target in targets}


def test_no_check_is_left_out() -> None:
    names = removed()
    assert [each for each in checks() if each.rpartition(":")[2] not in names
            and each not in IN_TURN | GIVES] == []


def test_there_are_at_least_eighty() -> None:
    assert len(vectors.SABOTEURS) + len(units.SABOTEURS) + len(attacks.controls()) + len(laws.BROKEN) >= 150
    assert len({saboteur.target for saboteur in (*vectors.SABOTEURS, *units.SABOTEURS)}) >= 80


def test_readme_counts_them() -> None:
    controls = [weak for _module, _test, weak in attacks.controls()]
    checks = {saboteur.target for saboteur in (*vectors.SABOTEURS, *units.SABOTEURS)}
    checks |= {f"e2esync.{weak.target}" for weak in controls}
    counts = len(vectors.SABOTEURS), len(units.SABOTEURS), len(controls), len(laws.BROKEN)
    told = " ".join((PACKAGE.parent / "README.md").read_text(encoding="utf-8").split())
    assert f"removes {len(checks)} checks of the library" in told
    by_suite = "{} saboteurs for the vectors, {} for the library's own tests, {} for the attacks, and {} rules broken"
    assert by_suite.format(*counts) in told
    assert f"how many of the {sum(counts)} survive" in told


@pytest.mark.slow
def test_nobody_is_caught_who_has_left_a_check_as_it_was() -> None:
    assert units.caught_by(HONEST) is None


@pytest.mark.slow
@pytest.mark.parametrize("saboteur", SABOTEURS, ids=[each.target.removeprefix("e2esync.") for each in SABOTEURS])
def test_the_tests_catch(saboteur: Saboteur) -> None:
    assert units.caught_by(saboteur) is not None


def test_the_table_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Saboteur("e2esync.epoch.chain:check_follows", "9.4 step 1", (VERIFY,), lambda *_: None)
    monkeypatch.setattr(vectors, "SABOTEURS", [vectors.SABOTEURS[0], honest])
    monkeypatch.setattr(vectors, "caught_by", lambda saboteur: None if saboteur is honest else "a case")
    assert table.main(("vectors",)) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"vectors  {'9.4 step 1':12} {'epoch.chain:check_follows':45} SURVIVES", "2 by vectors",
        "2 saboteurs of 1 checks, 1 survivors",
    ]
