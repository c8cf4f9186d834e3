"""One example: its inputs, the draws it uses, what comes of it. And how values are written in JSON.

Byte strings are lower-case hex; text is `{"text": …}`; a value of SPEC 6 is tagged with its type, because JSON cannot
tell text from bytes. What many cases of a file share, a chain for instance, stands once at its head under `given`,
and a case names it: `{"given": name}`. Long runs of one byte are written as such: `{"joined": [hex, {"repeat": hex,
"times": n}, hex]}`. A case is `valid` with outputs or `invalid` with the error code of SPEC 15.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.errors import E2esyncError

Json = Any
Inputs = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation gave: its outputs, and the values on the way that help to find a mistake."""

    output: Inputs
    intermediate: Inputs = field(default_factory=dict)


Operation = Callable[[Inputs, NamedEntropy], Outcome]
"""Performs one operation on JSON inputs. Raises an E2esyncError for what SPEC refuses."""


class Layer:
    """The cases of one file: built one after the other, each performed at once to learn its result."""

    def __init__(self, name: str, spec: str, operations: Mapping[str, Operation], flags: dict[str, str]) -> None:
        self.name = name
        self.spec = spec
        self.flags = flags
        self.cases: list[Json] = []
        self.given: Inputs = {}
        self.operations = operations

    def give(self, name: str, value: Json) -> Json:
        """Put a value at the head of the file; returns what stands for it in the inputs of cases."""
        if name in self.given:
            raise AssertionError(f"two given values are called {name}")
        self.given[name] = value
        return {"given": name}

    def perform(self, operation: str, inputs: Inputs, entropy: NamedEntropy) -> Outcome:
        """What an operation makes of inputs, with given values in their places."""
        return self.operations[operation](resolved(inputs, self.given), entropy)

    def valid(
        self, operation: str, name: str, spec: str, comment: str, inputs: Inputs, *, flags: tuple[str, ...] = (),
    ) -> Inputs:
        """Add a case that must succeed; returns its outputs."""
        entropy = NamedEntropy(f"{self.name}::{operation}::{name}")
        outcome = self.perform(operation, inputs, entropy)
        self._append(operation, name, spec, comment, flags, inputs, entropy, {
            **({"intermediate": outcome.intermediate} if outcome.intermediate else {}),
            "result": "valid",
            "output": outcome.output,
        })
        return outcome.output

    def invalid(
        self, operation: str, name: str, spec: str, comment: str, inputs: Inputs, error: type[E2esyncError],
        *, flags: tuple[str, ...] = (),
    ) -> None:
        """Add a case that must fail with exactly `error`. Raises AssertionError if the reference disagrees."""
        identity = f"{self.name}::{operation}::{name}"
        entropy = NamedEntropy(identity)
        try:
            self.perform(operation, inputs, entropy)
        except E2esyncError as raised:
            if raised.code != error.__name__:
                raise AssertionError(f"{identity} gives {raised.code} and not {error.__name__}") from raised
        else:
            raise AssertionError(f"{identity} is accepted")
        self._append(operation, name, spec, comment, flags, inputs, entropy, {
            "result": "invalid", "error": error.__name__,
        })

    def document(self) -> Json:
        """The whole file."""
        return {
            "format": "e2esync vectors", "version": 1, "suite": 1, "layer": self.name, "spec": self.spec,
            "flags": self.flags, **({"given": self.given} if self.given else {}), "cases": self.cases,
        }

    def _append(
        self, operation: str, name: str, spec: str, comment: str, flags: tuple[str, ...], inputs: Inputs,
        entropy: NamedEntropy, result: Inputs,
    ) -> None:
        identity = f"{self.name}::{operation}::{name}"
        if any(case["id"] == identity for case in self.cases):
            raise AssertionError(f"two cases are called {identity}")
        unknown = set(flags) - set(self.flags)
        if unknown:
            raise AssertionError(f"{identity} has flags that are not explained: {unknown}")
        draws = {"entropy": entropy.named()} if entropy.draws else {}
        self.cases.append({
            "id": identity, "spec": spec, "comment": comment, "flags": list(flags), "input": folded(inputs), **draws,
            **folded(result),
        })


def resolved(value: Json, given: Inputs) -> Json:
    """`value` with every `{"given": name}` in it replaced by what stands at the head of the file, and bytes whole."""
    if isinstance(value, list):
        return [resolved(item, given) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"given"}:
            return resolved(given[value["given"]], given)
        if value.keys() == {"joined"}:
            return "".join(part if isinstance(part, str) else part["repeat"] * part["times"]
                           for part in value["joined"])
        return {name: resolved(item, given) for name, item in value.items()}
    return value


_RUN: Final = re.compile(r"^((?:..)*?)(..)(\2{1023,})", re.DOTALL)


def folded(value: Json) -> Json:
    """`value` with every byte string that holds a run of 1024 equal bytes or more written as `{"joined": …}`."""
    if isinstance(value, list):
        return [folded(item) for item in value]
    if isinstance(value, dict):
        return value if value.keys() == {"text"} else {name: folded(item) for name, item in value.items()}
    run = _RUN.match(value) if isinstance(value, str) and len(value) > 2048 else None
    if run is None:
        return value
    before, byte, more = run.groups()
    return {"joined": [before, {"repeat": byte, "times": 1 + len(more) // 2}, value[run.end():]]}


def text(value: str) -> Json:
    """Text as vectors write it, to be told from hex."""
    return {"text": value}


def tagged(value: Any) -> Json:
    """A value of SPEC 6 with its type. Floats are the hex of their 64 bits, maps are lists of pairs."""
    kind = type(value)
    if value is None:
        return {"null": True}
    if kind is bool:
        return {"bool": value}
    if kind is int:
        return {"int": value}
    if kind is float:
        return {"float": struct.pack(">d", value).hex()}
    if kind is str:
        # JSON readers of many languages refuse half of a surrogate pair even as an escape, and with it the whole file.
        broken = any("\ud800" <= char <= "\udfff" for char in value)
        return {"utf16": value.encode("utf-16-be", "surrogatepass").hex()} if broken else {"text": value}
    if kind is bytes:
        return {"bytes": value.hex()}
    if kind is list:
        return {"array": [tagged(item) for item in value]}
    return {"map": [[key, tagged(item)] for key, item in value.items()]}


def untagged(value: Json) -> Any:
    """The value that `tagged` wrote."""
    [(kind, content)] = value.items()
    if kind == "null":
        return None
    if kind == "float":
        return struct.unpack(">d", bytes.fromhex(content))[0]
    if kind == "utf16":
        return bytes.fromhex(content).decode("utf-16-be", "surrogatepass")
    if kind == "bytes":
        return bytes.fromhex(content)
    if kind == "array":
        return [untagged(item) for item in content]
    if kind == "map":
        return {key: untagged(item) for key, item in content}
    return content


def hexed(value: Any) -> Json:
    """Arrays of integers and byte strings as cases write them: bytes in hex."""
    if isinstance(value, bytes):
        return value.hex()
    return [hexed(item) for item in value] if isinstance(value, list | tuple) else value


def unhexed(value: Json) -> Any:
    """The arrays that `hexed` wrote."""
    if isinstance(value, str):
        return bytes.fromhex(value)
    return [unhexed(item) for item in value] if isinstance(value, list) else value


def flipped(data: bytes, bit: int) -> bytes:
    """`data` with one bit changed; `bit` counts from the first byte's lowest, negative ones from the end."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
