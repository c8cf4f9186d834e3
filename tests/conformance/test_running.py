"""Whole conformance runs: this implementation conforms, and one that lacks a check does not (SPEC appendix B)."""

from __future__ import annotations

import sys

import pytest

from e2esync.conformance.protocol import Level, Verdict
from e2esync.conformance.reporting import as_json, table
from e2esync.conformance.running import Report, run

OWN = [sys.executable, "-m", "e2esync", "conformance", "testee"]
SABOTEUR = [sys.executable, "-m", "tests.conformance.sabotaged"]


async def test_this_implementation_conforms_to_the_vectors() -> None:
    report = await run(OWN, levels=frozenset({Level.READ, Level.WRITE, Level.CONVERSE}), validate=True)
    assert report.failures == []
    assert report.conforms
    assert {each.verdict for each in report.results} == {Verdict.PASS}
    assert table(report)[0].startswith("e2esync ")


async def test_this_implementation_syncs_with_itself() -> None:
    report = await run(OWN, levels=frozenset({Level.SYNC}), validate=True)
    assert [(each.id, each.reason) for each in report.failures] == []
    assert len(report.results) >= 16


async def test_this_implementation_withstands_a_relay_that_lies() -> None:
    report = await run(OWN, levels=frozenset({Level.WITHSTAND}), validate=True)
    assert [(each.id, each.reason) for each in report.failures] == []
    assert len(report.results) >= 17


async def test_a_device_that_believes_everything_fails() -> None:
    report = await run([*SABOTEUR, "replica.reading:check_welcome"], only="withstand::rollback")
    assert [each.verdict for each in report.results] == [Verdict.FAIL]


@pytest.mark.parametrize(("check", "only"), [
    ("crypto.signing:check_verify_key", "crypto::check_verify_key"),
    ("epoch.boxes:check_commit", "epochs::open_own_box"),
    ("session.client:ClientSession._receiving", "session::client"),
])
async def test_a_missing_check_is_a_failure(check: str, only: str) -> None:
    report = await run([*SABOTEUR, check], only=only)
    assert report.failures
    assert not report.conforms


async def test_a_device_that_does_not_sync_fails_its_scenarios() -> None:
    report = await run([*SABOTEUR, "conformance.devices:sync"], only="sync::both-ways")
    assert [each.verdict for each in report.results] == [Verdict.FAIL]


async def test_the_list_of_known_failures_is_strict() -> None:
    known = frozenset({"encoding::decode::empty", "encoding::decode::no-such-case"})
    one = next(each.id for each in (await run(OWN, only="encoding::encode")).results)
    report = await run(OWN, only="encoding::encode", expected=known | {one})
    assert report.unexpected == (one,)
    assert not report.conforms
    assert as_json(report)["unexpected_passes"] == [one]


def test_the_table_is_a_screenful() -> None:
    from e2esync.conformance.protocol import Judged

    results = tuple(Judged(f"a::b::{n}", Level.READ, "6", Verdict.FAIL, "wrong") for n in range(100))
    lines = table(Report({"name": "toy"}, results, (), frozenset({"a::b::0"})))
    assert len(lines) < 30
    assert "100" in lines[2]
    assert lines[-1] == "100 cases, 99 failures, 1 expected: does not conform"
