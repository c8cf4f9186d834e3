"""Performs one case of the vectors with this implementation: its inputs and draws in, its result out (SPEC appendix B).

What `vectors/` is tested with, and what the testee of this implementation answers a conformance run with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from e2esync.conformance.vectors.case import Json, Layer
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.generate import LAYERS
from e2esync.errors import E2esyncError

SEPARATOR: Final = "::"


class WrongDraw(Exception):
    """An operation drew otherwise than its case lists: what comes of it would mean nothing."""


class Replay(NamedEntropy):
    """Gives exactly the draws that a case lists. Raises WrongDraw for any other."""

    def __init__(self, listed: Sequence[Mapping[str, str]]) -> None:
        super().__init__("replay")
        self.listed = [(draw["name"], bytes.fromhex(draw["value"])) for draw in listed]

    def draw(self, name: str, length: int) -> bytes:
        """The next draw, which must have this name and length."""
        if len(self.draws) == len(self.listed):
            raise WrongDraw(f"{name} is drawn, and nothing is left of what the case lists")
        listed, value = self.listed[len(self.draws)]
        if (listed, len(value)) != (name, length):
            raise WrongDraw(f"{name} of {length} bytes is drawn where the case lists {listed} of {len(value)}")
        self.draws.append((name, value))
        return value

    def check_used(self) -> None:
        """Raises WrongDraw if a draw was listed and not used."""
        if len(self.draws) != len(self.listed):
            raise WrongDraw(f"{len(self.listed) - len(self.draws)} of the listed draws were not used")


@lru_cache(maxsize=1)
def layers() -> dict[str, Layer]:
    """The layers by name, with their cases. Raises SuiteUnavailable without kyber-py."""
    return {layer.name: layer for layer in (make() for make in LAYERS)}


def operation_names() -> list[str]:
    """Every operation, as `layer::operation`."""
    return [f"{layer.name}{SEPARATOR}{name}" for layer in layers().values() for name in layer.operations]


def perform(operation: str, inputs: Json, entropy: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """What this implementation makes of whole inputs: `valid` with `output` (and `intermediate`), or `invalid`.

    `operation` is `layer::operation`; KeyError if there is no such. Raises WrongDraw.
    """
    layer, _, name = operation.partition(SEPARATOR)
    draws = Replay(entropy)
    try:
        outcome = layers()[layer].operations[name](inputs, draws)
    except E2esyncError as error:
        return {"result": "invalid", "error": error.code}
    draws.check_used()
    intermediate = {"intermediate": outcome.intermediate} if outcome.intermediate else {}
    return {"result": "valid", "output": outcome.output} | intermediate
