"""SPEC 17.1 and this folder name the same attacks: every id in the table has a test, every test is in the table."""

from __future__ import annotations

import re
from collections import defaultdict
from importlib import import_module
from pathlib import Path

from tests.attacks.scene import FIRST, REASONS, ROTATION, STEADY, TIMELESS
from tests.saboteurs import attacks

HERE = Path(__file__).parent
SPEC = (HERE.parents[1] / "SPEC.md").read_text("utf-8")
SECTION = SPEC[SPEC.index("### 17.1 "):SPEC.index("## 18.")]


def in_the_table() -> set[str]:
    """The ids that claims name."""
    return {found.lower() for found in re.findall(r"\bA\d\d\b", SECTION)}


def in_the_folder() -> set[str]:
    """The ids that tests bear."""
    text = "".join(path.read_text("utf-8") for path in sorted(HERE.glob("test_*.py")))
    return set(re.findall(r"^(?:async )?def test_(a\d\d)_", text, re.MULTILINE))


def in_the_modules() -> dict[tuple[str, str], object]:
    """Module and name of each test → its function."""
    modules = [import_module(f"tests.attacks.{path.stem}") for path in sorted(HERE.glob("test_*.py"))]
    return {(module.__name__, name): test for module in modules for name, test in vars(module).items()
            if re.match(r"test_a\d\d_", name)}


def moments(test: object) -> set[str]:
    """When a test runs, by its parameter `moment`."""
    return {value if isinstance(value, str) else value.values[0] for mark in getattr(test, "pytestmark", ())
            if mark.name == "parametrize" and mark.args[0] == "moment" for value in mark.args[1]}


def row(name: str) -> str:
    """The id that a test bears."""
    return name.split("_")[1]


def test_every_attack_that_a_claim_names_has_a_test() -> None:
    assert in_the_table() - in_the_folder() == set()


def test_every_test_stands_behind_a_claim() -> None:
    assert in_the_folder() - in_the_table() == set()


def test_every_test_has_a_negative_control_or_says_why_it_has_none() -> None:
    controlled = {(module, test) for module, test, _weak in attacks.controls()}
    tests = {(f"tests.attacks.{path.stem}", name) for path in sorted(HERE.glob("test_*.py"))
             for name in re.findall(r"^(?:async )?def (test_a\d\d_\w+)", path.read_text("utf-8"), re.MULTILINE)}
    assert tests - controlled - REASONS.keys() == set()
    assert controlled & REASONS.keys() == set()
    assert len(controlled) > 4 * len(REASONS)


def test_every_attack_runs_at_the_three_moments_or_says_why_it_makes_no_difference() -> None:
    when: dict[str, set[str]] = defaultdict(set)
    for (_module, name), test in in_the_modules().items():
        when[row(name)] |= moments(test)
    said = {row(name) for _module, name in TIMELESS}
    lacking = {each for each, found in when.items() if found != {FIRST, STEADY, ROTATION}}
    assert when.keys() == in_the_folder()
    # A sentence stands only where it is needed, and for few.
    assert lacking == said
    assert 4 * len(said) < len(when)


def test_claims_and_limits_are_numbered() -> None:
    claims = [int(number) for number in re.findall(r"^\| C(\d+) ", SECTION, re.MULTILINE)]
    limits = [int(number) for number in re.findall(r"\*\*N(\d)\*\*", SECTION)]
    assert claims == sorted(set(claims))
    assert max(claims) <= 18
    assert limits == list(range(1, 10))
