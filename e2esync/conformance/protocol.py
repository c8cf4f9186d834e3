"""How a conformance run speaks with the implementation under test: JSON, one object a line (SPEC appendix B).

The runner writes a request to the testee's standard input, the testee one answer to its standard output, in turn. What
it writes to standard error is shown to whoever runs it, and means nothing. `vectors/schema/conformance.json` is the
schema of both directions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

VERSION: Final = 1
LINE_MAX: Final = 64 << 20
"""Bytes that a line may have: a snapshot in hex, with room."""


class Level(StrEnum):
    """What an implementation can do; each level stands on the ones before."""

    READ = "L1"
    """Decode, verify and open what others made."""
    WRITE = "L2"
    """Encode, sign, seal and fold: the same bytes from the same draws."""
    CONVERSE = "L3"
    """Hold the conversations: sessions with a relay, pairing."""
    SYNC = "L4"
    """Be a device: through an honest relay, with a device of the reference."""
    WITHSTAND = "L5"
    """Be a device through a relay that lies."""


class Verdict(StrEnum):
    """What became of a case."""

    PASS = "pass"
    WEAK = "weak"
    """It was refused, as it must be, but with another code than SPEC 15 names."""
    FAIL = "fail"
    SKIP = "skip"
    """The testee says that it does not do this."""
    CRASH = "crash"
    """The testee ended."""
    HANG = "hang"
    """The testee did not answer in time."""


_CONVERSATIONS: Final = ("session::", "scenarios::", "access::sponsor", "access::joiner")
_MAKING: Final = (
    "encode", "sign", "seal", "build", "pad", "plan", "split", "code_text", "entropy_to", "kit_keys", "possession",
    "fold", "converge", "boundary", "view", "digest", "write", "make",
)


def level_of(operation: str) -> Level:
    """The level of an operation of the vectors, `layer::operation`."""
    if operation.startswith(_CONVERSATIONS):
        return Level.CONVERSE
    name = operation.partition("::")[2]
    making = name.startswith(_MAKING) and name != "padded_size"
    return Level.WRITE if making else Level.READ


@dataclass(frozen=True, slots=True)
class Case:
    """One question to a testee and what is right to answer. `operation` is `layer::operation`, or a command."""

    id: str
    level: Level
    spec: str
    comment: str
    operation: str
    input: dict[str, Any]
    entropy: list[dict[str, str]]
    right: dict[str, Any]
    """`{"result": "valid", "output": …}` or `{"result": "invalid", "error": code}`."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A case's verdict, and in a sentence why it is not `pass`."""

    id: str
    level: Level
    spec: str
    verdict: Verdict
    reason: str = ""
    answer: dict[str, Any] = field(default_factory=dict, repr=False)


def vectors_folder() -> Path:
    """The vectors of this version: beside the package in a checkout, inside it where it was installed."""
    inside = Path(__file__).parents[1] / "vectors"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "vectors"


def vector_cases(folder: Path | None = None) -> list[Case]:
    """All cases of a folder of vectors, from the bottom up. Raises OSError or ValueError for another folder."""
    from e2esync.conformance.vectors.case import resolved

    cases: list[Case] = []
    for path in sorted(((folder or vectors_folder()) / "v1").glob("*.json")):
        document = json.loads(path.read_bytes())
        given = document.get("given", {})
        for case in document["cases"]:
            operation = case["id"].rpartition("::")[0]
            right = {name: resolved(case[name], {}) for name in ("result", "output", "error") if name in case}
            cases.append(Case(
                case["id"], level_of(operation), case["spec"], case["comment"], operation,
                resolved(case["input"], given), case.get("entropy", []), right,
            ))
    return sorted(cases, key=lambda case: case.level)


def judge(case: Case, answer: dict[str, Any]) -> Judged:
    """What an answer to a case is worth."""
    verdict, reason = _verdict(case.right, answer)
    return Judged(case.id, case.level, case.spec, verdict, reason, answer if reason else {})


def _verdict(right: dict[str, Any], answer: dict[str, Any]) -> tuple[Verdict, str]:
    result, wanted = answer.get("result"), right["result"]
    if result == "skip":
        return Verdict.SKIP, str(answer.get("reason", ""))
    if result not in ("valid", "invalid"):
        return Verdict.FAIL, "the answer has no `result` that is `valid`, `invalid` or `skip`"
    if result != wanted:
        code = right.get("error")
        return Verdict.FAIL, f"accepted; it must be refused with {code}" if code else f"refused: {answer.get('error')}"
    if result == "invalid":
        if answer.get("error") == right["error"]:
            return Verdict.PASS, ""
        return Verdict.WEAK, f"refused with {answer.get('error')} and not with {right['error']}"
    differing = _differing(right["output"], answer.get("output"))
    return (Verdict.FAIL, f"other values: {differing}") if differing else (Verdict.PASS, "")


def _differing(right: dict[str, Any], output: Any) -> str:
    """The names under which outputs differ. More than was asked for is no mistake."""
    if not isinstance(output, dict):
        return "there is no `output`"
    return ", ".join(name for name, value in right.items() if output.get(name) != value)


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """The JSON schema of requests and answers."""
    document: dict[str, Any] = json.loads((vectors_folder() / "schema" / "conformance.json").read_bytes())
    return document


def shape_problem(direction: str, message: Any) -> str:
    """In a sentence what of the schema a `request` or `answer` breaks; empty if nothing.

    Raises ModuleNotFoundError without the package jsonschema (extra `conformance`).
    """
    from jsonschema import Draft202012Validator

    whole = schema()
    validator = Draft202012Validator({"$defs": whole["$defs"], "$ref": f"#/$defs/{direction}"})
    errors = sorted(validator.iter_errors(message), key=lambda error: list(map(str, error.path)))
    return f"{'.'.join(map(str, errors[0].path)) or direction}: {errors[0].message[:200]}" if errors else ""
