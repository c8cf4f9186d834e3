"""What a conformance run found: as one screen for people, as JSON for programs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from e2esync.conformance.protocol import Judged, Level, Verdict
from e2esync.conformance.running import Report

_SHOWN = 20


def table(report: Report) -> list[str]:
    """One line a level with its verdicts, then what went wrong, at most a screenful."""
    who = report.testee
    lines = [" ".join(str(who[name]) for name in ("name", "version", "language") if name in who) or "testee"]
    lines.append(f"{'':10}" + "".join(f"{verdict.value:>8}" for verdict in Verdict))
    for level in Level:
        counts = Counter(each.verdict for each in report.results if each.level is level)
        if counts:
            lines.append(f"{level.value:10}" + "".join(f"{counts[verdict] or '-':>8}" for verdict in Verdict))
    lines += [_line(each) for each in report.failures[:_SHOWN]]
    if len(report.failures) > _SHOWN:
        lines.append(f"... and {len(report.failures) - _SHOWN} more; --json lists all")
    lines += [f"{identity} passes and is expected to fail: take it off the list" for identity in report.unexpected]
    known = sum(1 for each in report.results if each.id in report.expected) - len(report.unexpected)
    verdict = "conforms" if report.conforms else "does not conform"
    lines.append(f"{len(report.results)} cases, {len(report.failures)} failures, {known} expected: {verdict}")
    return lines


def as_json(report: Report) -> dict[str, Any]:
    """Everything, with the answers that were wrong."""
    return {
        "testee": report.testee,
        "conforms": report.conforms,
        "levels": {
            level.value: {verdict.value: count for verdict, count in sorted(Counter(
                each.verdict for each in report.results if each.level is level).items())}
            for level in Level
        },
        "results": [_result(each) for each in report.results],
        "unexpected_passes": list(report.unexpected),
    }


def _line(judged: Judged) -> str:
    return f"{judged.verdict.value:6}{judged.id} (SPEC {judged.spec}): {judged.reason}"


def _result(judged: Judged) -> dict[str, Any]:
    result: dict[str, Any] = {"id": judged.id, "level": judged.level.value, "spec": judged.spec,
                              "verdict": judged.verdict.value}
    if judged.reason:
        result["reason"] = judged.reason
    if judged.answer:
        result["answer"] = judged.answer
    return result
