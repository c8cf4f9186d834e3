"""Runs cases of `vectors/` against the library: the files' own inputs and draws, the reference's functions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from e2esync.conformance import performing
from e2esync.conformance.performing import layers
from e2esync.conformance.vectors.case import resolved

FOLDER = Path(__file__).parents[2] / "vectors"
FILES = sorted((FOLDER / "v1").glob("*.json"))
DOCUMENTS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in FILES}
CASES: list[dict[str, Any]] = [case for document in DOCUMENTS.values() for case in document["cases"]]

__all__ = ["CASES", "DOCUMENTS", "FILES", "FOLDER", "cases_of", "expected", "layers", "perform"]

_JUDGED = ("result", "output", "intermediate", "error")


def perform(case: dict[str, Any]) -> dict[str, Any]:
    """What the reference makes of a case: result, and output with intermediate values or the error's code."""
    layer, operation, _name = case["id"].split("::")
    inputs = resolved(case["input"], DOCUMENTS[layer].get("given", {}))
    return performing.perform(f"{layer}::{operation}", inputs, case.get("entropy", []))


def expected(case: dict[str, Any]) -> dict[str, Any]:
    """What a case says that `perform` must give."""
    return {name: resolved(case[name], {}) for name in _JUDGED if name in case}


def cases_of(*operations: str) -> Iterator[dict[str, Any]]:
    """The cases of these `layer::operation`, the refusals first: they are what a missing check shows in."""
    chosen = [case for case in CASES if case["id"].rpartition("::")[0] in operations]
    assert len({case["id"].rpartition("::")[0] for case in chosen}) == len(operations), "an operation has no cases"
    return iter(sorted(chosen, key=lambda case: case["result"] == "valid"))
