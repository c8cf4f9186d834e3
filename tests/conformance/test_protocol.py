"""Levels, verdicts and the schema of a conformance run (SPEC appendix B)."""

from __future__ import annotations

from typing import Any

import pytest

from e2esync.conformance.performing import WrongDraw, operation_names, perform
from e2esync.conformance.protocol import Case, Level, Verdict, judge, level_of, shape_problem, vector_cases

CASES = vector_cases()


def _case(right: dict[str, Any]) -> Case:
    return Case("layer::operation::name", Level.READ, "6", "", "layer::operation", {}, [], right)


VALID = _case({"result": "valid", "output": {"a": "01", "b": 2}})
INVALID = _case({"result": "invalid", "error": "AuthFailed"})


@pytest.mark.parametrize(("case", "answer", "verdict"), [
    (VALID, {"result": "valid", "output": {"a": "01", "b": 2}}, Verdict.PASS),
    (VALID, {"result": "valid", "output": {"a": "01", "b": 2, "more": 3}}, Verdict.PASS),
    (VALID, {"result": "valid", "output": {"a": "01", "b": 3}}, Verdict.FAIL),
    (VALID, {"result": "valid", "output": {"a": "01"}}, Verdict.FAIL),
    (VALID, {"result": "valid"}, Verdict.FAIL),
    (VALID, {"result": "invalid", "error": "AuthFailed"}, Verdict.FAIL),
    (VALID, {"result": "skip", "reason": "not yet"}, Verdict.SKIP),
    (INVALID, {"result": "invalid", "error": "AuthFailed"}, Verdict.PASS),
    (INVALID, {"result": "invalid", "error": "NonCanonical"}, Verdict.WEAK),
    (INVALID, {"result": "valid", "output": {}}, Verdict.FAIL),
    (INVALID, {"result": "perhaps"}, Verdict.FAIL),
    (INVALID, {}, Verdict.FAIL),
])
def test_judge(case: Case, answer: dict[str, Any], verdict: Verdict) -> None:
    judged = judge(case, answer)
    assert judged.verdict is verdict
    assert bool(judged.reason) == (verdict is not Verdict.PASS)


@pytest.mark.parametrize(("operation", "level"), [
    ("encoding::decode", Level.READ), ("encoding::encode", Level.WRITE), ("crypto::open", Level.READ),
    ("crypto::seal_to", Level.WRITE), ("crypto::padded_size", Level.READ), ("crypto::pad", Level.WRITE),
    ("contactset::fold", Level.WRITE), ("session::decode", Level.CONVERSE), ("access::sponsor", Level.CONVERSE),
    ("access::parse_code", Level.READ), ("epochs::verify", Level.READ), ("epochs::sign_record", Level.WRITE),
])
def test_level_of(operation: str, level: Level) -> None:
    assert level_of(operation) is level


def test_cases_are_all_of_the_vectors_with_whole_inputs() -> None:
    assert {case.operation for case in CASES} <= set(operation_names())
    assert all("{'given':" not in str(case.input) and "{'joined':" not in str(case.input) for case in CASES)
    assert {case.level for case in CASES} == {Level.READ, Level.WRITE, Level.CONVERSE}
    refusals = [case for case in CASES if case.level is Level.READ and case.right["result"] == "invalid"]
    assert len(refusals) > len([case for case in CASES if case.level is Level.READ]) / 2


def test_a_draw_that_is_not_listed_is_no_result() -> None:
    case = next(case for case in CASES if case.operation == "crypto::seal" and case.right["result"] == "valid")
    assert perform(case.operation, case.input, case.entropy)["output"] == case.right["output"]
    with pytest.raises(WrongDraw, match="nothing is left"):
        perform(case.operation, case.input, [])
    with pytest.raises(WrongDraw, match="where the case lists"):
        perform(case.operation, case.input, [{"name": "other", "value": "00" * 24}])
    with pytest.raises(WrongDraw, match="were not used"):
        perform(case.operation, case.input, [*case.entropy, case.entropy[0]])


@pytest.mark.parametrize(("direction", "message", "fits"), [
    ("request", {"id": 1, "command": "hello", "version": 1}, True),
    ("request", {"id": 1, "command": "hello", "version": 2}, False),
    ("request", {"id": 1, "command": "sync", "device": "a"}, True),
    ("request", {"id": 1, "command": "sync"}, False),
    ("request", {"id": 1, "command": "dance", "device": "a"}, False),
    ("request", {"id": 1, "command": "write", "device": "a", "uid": "u", "registers": {"name": {"text": "x"}}}, True),
    ("request", {"id": 1, "command": "write", "device": "a", "uid": "u", "registers": {"name": "x"}}, False),
    ("answer", {"id": 1, "result": "valid", "output": {}}, True),
    ("answer", {"id": 1, "result": "valid"}, False),
    ("answer", {"id": 1, "result": "invalid", "error": "AuthFailed", "message": "why"}, True),
    ("answer", {"id": 1, "result": "invalid", "error": "auth failed"}, False),
    ("answer", {"id": 1, "result": "skip"}, True),
    ("answer", {"id": "1", "result": "skip"}, False),
    ("answer", [], False),
])
def test_schema(direction: str, message: Any, fits: bool) -> None:
    assert (shape_problem(direction, message) == "") is fits
