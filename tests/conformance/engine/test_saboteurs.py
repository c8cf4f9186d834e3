"""Engines with one rule removed: the suite of `check-engine` has to notice each of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2esync.conformance.engine import (
    checks_deletion,
    checks_epoch,
    checks_holds,
    checks_log,
    checks_rest,
    checks_shared,
)
from e2esync.conformance.engine.run import Check, run_check
from e2esync.epoch.boxes import check_boxes
from e2esync.session.holds import Holds
from e2esync.session.rules import check_rate
from e2esync.stores import (
    postgres,
    postgres_append,
    relay_decide,
    relay_deletion,
    relay_log,
    relay_plan,
    relay_slots,
    relay_sweep,
)
from e2esync.stores.relay_rows import SqliteRows
from tests.helpers.postgres import Server

Sabotage = Callable[[pytest.MonkeyPatch], object]


def nothing(*_: Any, **__: Any) -> None:
    """In the place of a check."""


def rewritten(kind: Any, old: str, new: str) -> Sabotage:
    """Rows on which every statement that says `old` says `new`."""
    def sabotage(patch: pytest.MonkeyPatch) -> None:
        for name in ("run", "many", "one", "all"):
            real = getattr(kind, name)
            patch.setattr(
                kind, name, lambda self, sql, args=(), real=real: real(self, sql.replace(old, new), args)
            )
    return sabotage


def replaced(module: Any, name: str, value: Any = nothing) -> Sabotage:
    """A function that is not there any more."""
    return lambda patch: patch.setattr(module, name, value)


SQLITE: dict[str, tuple[Sabotage, Check]] = {
    "no compare-and-set": (replaced(relay_log.rules, "check_close"), checks_epoch.compare_and_set),
    "no quota": (replaced(relay_log.rules, "check_quota"), checks_log.a_quota_is_exact),
    "no rate": (replaced(relay_log.rules, "check_rate", lambda _due, now, _removal: now),
                checks_epoch.openings_are_limited),
    "removals wait": (replaced(relay_log.rules, "check_rate", lambda due, now, _removal: check_rate(due, now)),
                      checks_epoch.openings_are_limited),
    "no completeness": (
        replaced(relay_log.rules, "check_blobs_complete"), checks_epoch.a_refused_opening_leaves_no_trace),
    "boxes are checked too late": (
        replaced(relay_log, "_check_boxes"), checks_epoch.a_refused_opening_leaves_no_trace),
    "no cut": (replaced(relay_log, "_drop_envelopes"), checks_epoch.a_removal_cuts),
    "nothing dies": (replaced(relay_log, "mark_dead"), checks_epoch.an_opening_is_whole),
    "nothing lives": (replaced(relay_log, "mark_live"), checks_rest.what_is_over_is_swept),
    "no token": (replaced(relay_slots.rules, "check_side"), checks_rest.mailboxes_pass_messages_on),
    "heartbeats stay": (
        rewritten(SqliteRows, "UPDATE slots SET heartbeat = ?", "UPDATE slots SET announcement = announcement || ?"),
        checks_epoch.an_opening_is_whole),
    "repetitions are errors": (
        rewritten(SqliteRows, "ON CONFLICT DO NOTHING", ""), checks_log.an_envelope_again_is_not_twice),
    "openings wait for nobody": (replaced(relay_log.rules, "check_not_held"), checks_holds.the_root_comes_first),
    "appends wait for nobody": (replaced(relay_plan, "check_not_held"), checks_holds.who_lost_a_race_comes_next),
    "holds are forgotten": (replaced(Holds, "pack", lambda _self: b""), checks_holds.the_root_comes_first),
    "holds are for ever": (replaced(Holds, "decided", lambda self, *_, **__: self), checks_holds.the_root_comes_first),
    "what is deleted stays": (replaced(relay_deletion, "erase"), checks_deletion.a_large_set_goes_whole),
    "what goes in pieces stays": (replaced(relay_sweep, "erase_piece", lambda *_: 0),
                                  checks_deletion.a_large_set_goes_whole),
    "only one piece goes": (rewritten(SqliteRows, "INSERT INTO erasing (owner)", "DELETE FROM erasing WHERE ? = -1 --"),
                            checks_deletion.a_large_set_goes_whole),
    "a tombstone goes before its set": (replaced(relay_deletion, "is_erased", lambda *_: True),
                                        checks_deletion.a_large_set_goes_whole),
    "a deleted set is served": (replaced(relay_log.rules, "check_not_gone"), checks_deletion.the_root_deletes_at_once),
    "an owner's word at once": (
        replaced(relay_deletion.deleting, "due_of", lambda _view, _word, now: now),
        checks_deletion.an_owner_is_waited_for),
    "a removed owner's word counts": (
        replaced(relay_log, "due_after", lambda view, _chain: view.due), checks_deletion.an_owner_is_waited_for),
    "no day comes": (replaced(SqliteRows, "due_sets", lambda *_: []), checks_deletion.a_day_comes),
    "no proof": (replaced(relay_decide.handshake, "check_proof"), checks_log.who_is_admitted),
}


@pytest.mark.parametrize("name", SQLITE)
def test_a_sabotaged_sqlite_is_noticed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage, check = SQLITE[name]
    sabotage(monkeypatch)
    assert _fault(check, str(tmp_path / "relay"))


def _first_seen(views: postgres.SharedViews, rows: Any, set_id: bytes) -> Any:
    row = rows.find_set(set_id)
    return row and (views.peek(set_id) or views.compare(rows, set_id, row))


POSTGRES: dict[str, tuple[Sabotage, Check]] = {
    "no version in the group's statement": (
        replaced(postgres_append, "_STATEMENT", postgres_append._STATEMENT.replace("s.version = g.version", "true")),
        checks_shared.two_processes_write_one_log),
    "nobody is notified of appends": (
        replaced(postgres_append, "_STATEMENT", postgres_append._STATEMENT.replace("count(*) > 0", "false")),
        checks_shared.others_are_heard),
    "each process has its own holds": (
        replaced(Holds, "pack", lambda _self: b""), checks_holds.no_process_is_a_way_round),
    "nobody is notified of the rest": (replaced(postgres.PostgresStore, "_notify"), checks_shared.others_are_heard),
    "old views are good enough": (
        replaced(postgres.SharedViews, "get", _first_seen),
        checks_shared.nobody_is_admitted_to_the_past),
    "a word is not heard": (
        replaced(postgres.SharedViews, "worded", lambda _self, known, _row: known),
        checks_deletion.every_process_knows),
    "news are not told": (
        replaced(postgres.SharedViews, "take", lambda _self: ([], {})), checks_shared.two_processes_write_one_log),
}


@pytest.mark.parametrize("name", POSTGRES)
def test_a_sabotaged_postgresql_is_noticed(name: str, postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage, check = POSTGRES[name]
    monkeypatch.setattr(checks_shared, "_PATIENCE", 2)
    sabotage(monkeypatch)
    assert _fault(check, postgres.database())


def _fault(check: Check, url: str) -> str:
    try:
        return run_check(check, url).fault
    except Exception as error:
        # The set that every check begins with could not be made.
        return f"{type(error).__name__}: {error}"


def test_the_sabotaged_checks_are_the_ones_in_force() -> None:
    assert relay_log.check_boxes is check_boxes
