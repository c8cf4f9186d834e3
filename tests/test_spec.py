"""SPEC.md and the code say the same: labels, draws, errors, constants, and every section that code cites."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from e2esync import errors, limits
from e2esync.crypto import Label
from e2esync.errors import E2esyncError

ROOT = Path(__file__).parents[1]
SPEC = (ROOT / "SPEC.md").read_text(encoding="utf-8")
SOURCES = sorted((ROOT / "e2esync").rglob("*.py"))
CITATION = re.compile(r"SPEC (\d+(?:\.\d+)?(?:(?:, | and | to )\d+(?:\.\d+)?(?! step))*)((?: steps? \d+)?)")
GROUPS = {"E2esyncError", "WireError", "CryptoError", "ObjectError", "Detection", "SessionError", "AccessError",
          "ProfileError"}


def section(number: str) -> str:
    """The text under one heading, up to the next heading of any level."""
    found = re.search(rf"^#+ {re.escape(number)}\.? .*\n(?P<text>(?:(?!#).*\n)*)", SPEC, re.MULTILINE)
    assert found is not None, f"SPEC has no section {number}"
    return found["text"]


def rows(number: str) -> list[list[str]]:
    """The cells of the tables in a section, without heads."""
    lines = [line for line in section(number).splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row, line in zip(cells, lines, strict=True) if "---" not in line][1:]


HEADINGS = set(re.findall(r"^#+ (\d+(?:\.\d+)?)\.? ", SPEC, re.MULTILINE))


def test_labels_are_the_ones_of_5_2() -> None:
    assert [(name, label.strip("`")) for name, label, _use in rows("5.2")] == [
        (label.name, label.value.decode()) for label in Label
    ]


def test_uses_of_labels_are_sections() -> None:
    for _name, _label, use in rows("5.2"):
        assert use == "local stores" or set(use.split(", ")) <= HEADINGS


def draws_of(path: Path) -> list[tuple[str, str]]:
    """(name, where) of every call `….draw("name", …)` in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return [
        (call.args[0].value, f"{path.name}:{call.lineno}") for call in calls
        if call.func.attr == "draw" and call.args and isinstance(call.args[0], ast.Constant)
    ]


def test_draws_are_the_ones_of_5_8() -> None:
    listed = {name.strip("`"): int(length) for name, length in rows("5.8")}
    assert len(listed) == len(rows("5.8"))
    # The generator of examples makes draws of its own, and how a profile is kept is no part of the protocol.
    library = [path for path in SOURCES if not {"conformance", "testing", "demo"} & set(path.parts)]
    used = [(name, where) for path in library for name, where in draws_of(path) if not name.startswith("profile ")]
    assert [where for name, where in used if name not in listed] == []
    assert {name for name, _where in used} == set(listed)


def test_errors_are_the_ones_of_15() -> None:
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, E2esyncError)]
    expected = [
        (kind.__name__, (inspect.getdoc(kind) or "").split("\n")[0].rstrip("."))
        for kind in kinds if kind.__name__ not in GROUPS
    ]
    assert [(code.strip("`"), meaning) for code, meaning, _when in rows("15")] == expected


def test_sections_that_15_names_exist() -> None:
    for _code, _meaning, when in rows("15"):
        assert set(re.findall(r"\b\d+\.\d+\b", when)) <= HEADINGS


def test_codes_named_in_rules_are_registered() -> None:
    known = {code.strip("`") for code, *_ in rows("15")} | set(re.findall(r"`([A-Za-z]+)`", section("13.8")))
    named = set(re.findall(r"\(`([A-Z][A-Za-z]+)`\)", SPEC))
    assert named <= known


def test_constants_are_the_ones_of_16() -> None:
    listed = {name.strip("`"): int(value.replace(",", "")) for name, value, _unit, _what in rows("16")}
    values = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert listed == values
    assert list(listed) == list(values)


def test_constants_have_units_and_sections_that_exist() -> None:
    for name, _value, unit, what in rows("16"):
        assert unit in {"bytes", "ms", "number", "levels", "characters", "bits"}, name
        assert set(re.findall(r"\b\d+\.\d+\b", what)) <= HEADINGS, name


def citations(text: str) -> list[tuple[str, str]]:
    """(section, step or nothing) of everything that a text cites."""
    found = []
    for match in CITATION.finditer(text):
        numbers = re.findall(r"\d+(?:\.\d+)?", match[1])
        step = re.findall(r"\d+", match[2])
        found += [(number, "") for number in numbers[:-1]] + [(numbers[-1], step[0] if step else "")]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=[path.relative_to(ROOT).as_posix() for path in SOURCES])
def test_cited_sections_and_steps_exist(path: Path) -> None:
    for number, step in citations(path.read_text(encoding="utf-8")):
        assert number in HEADINGS, f"{path.name} cites SPEC {number}"
        if step:
            steps = re.findall(r"(?:^|\s)(\d+)\. ", section(number))
            assert step in steps, f"{path.name} cites SPEC {number} step {step}"


def test_citations_are_found() -> None:
    text = "as SPEC 5.4 step 2 says, SPEC 12.2, 12.4 and 13 and (SPEC 7 to 11) too"
    assert citations(text) == [("5.4", "2"), ("12.2", ""), ("12.4", ""), ("13", ""), ("7", ""), ("11", "")]


def test_sections_are_in_order_and_once() -> None:
    numbers = [tuple(map(int, number.split("."))) for number in re.findall(
        r"^#+ (\d+(?:\.\d+)?)\.? ", SPEC, re.MULTILINE)]
    assert numbers == sorted(set(numbers))
