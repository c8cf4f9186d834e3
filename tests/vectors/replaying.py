"""Runs cases of `vectors/` against the library: the files' own inputs and draws, the reference's functions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from e2esync.conformance.vectors.case import Layer, resolved
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.generate import LAYERS
from e2esync.errors import E2esyncError

FOLDER = Path(__file__).parents[2] / "vectors"
FILES = sorted((FOLDER / "v1").glob("*.json"))
DOCUMENTS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in FILES}
CASES: list[dict[str, Any]] = [case for document in DOCUMENTS.values() for case in document["cases"]]

_JUDGED = ("result", "output", "intermediate", "error")


class Replay(NamedEntropy):
    """Gives exactly the draws that a case lists, and fails on any other."""

    def __init__(self, listed: list[dict[str, str]]) -> None:
        super().__init__("replay")
        self.listed = [(draw["name"], bytes.fromhex(draw["value"])) for draw in listed]

    def draw(self, name: str, length: int) -> bytes:
        listed, value = self.listed[len(self.draws)]
        assert (listed, len(value)) == (name, length)
        self.draws.append((name, value))
        return value


@lru_cache(maxsize=1)
def layers() -> dict[str, Layer]:
    """The reference's layers by name: their operations are what cases run."""
    return {layer.name: layer for layer in (make() for make in LAYERS)}


def perform(case: dict[str, Any]) -> dict[str, Any]:
    """What the reference makes of a case: result, and output with intermediate values or the error's code."""
    layer, operation, _name = case["id"].split("::")
    entropy = Replay(case.get("entropy", []))
    try:
        inputs = resolved(case["input"], DOCUMENTS[layer].get("given", {}))
        outcome = layers()[layer].operations[operation](inputs, entropy)
    except E2esyncError as error:
        return {"result": "invalid", "error": error.code}
    assert len(entropy.draws) == len(entropy.listed), "a draw was listed and not used"
    intermediate = {"intermediate": outcome.intermediate} if outcome.intermediate else {}
    return {"result": "valid", "output": outcome.output} | intermediate


def expected(case: dict[str, Any]) -> dict[str, Any]:
    """What a case says that `perform` must give."""
    return {name: resolved(case[name], {}) for name in _JUDGED if name in case}


def cases_of(*operations: str) -> Iterator[dict[str, Any]]:
    """The cases of these `layer::operation`, the refusals first: they are what a missing check shows in."""
    chosen = [case for case in CASES if case["id"].rpartition("::")[0] in operations]
    assert len({case["id"].rpartition("::")[0] for case in chosen}) == len(operations), "an operation has no cases"
    return iter(sorted(chosen, key=lambda case: case["result"] == "valid"))
