"""References with one check removed that the library's own tests must catch: what no vector can show.

These are the checks that need a store, a network or a file. Each of them is removed before the test run starts, in a
process of its own; the run must fail.
"""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from typing import Any

from tests.saboteurs.removing import Saboteur, first

RULES, CHECKS = "tests/session/test_rules.py", "tests/procedures/test_checks.py"
FOUNDING, HEALING = "tests/procedures/test_founding.py", "tests/procedures/test_healing.py"
NETWORK, CATCHING_UP = "tests/replica/test_network.py", "tests/procedures/test_reading.py"
ENTERING, READING = "tests/replica/test_entering.py", "tests/replica/test_reading.py"
KEEPING = "tests/stores/test_relay_schema.py"
DELETING, DELETION = "tests/session/test_deleting.py", "tests/stores/test_relay_deletion.py"
STORE = tuple(f"tests/stores/test_relay{name}.py" for name in ("", "_blobs", "_slots", "_reads", "_kits"))
GIVING_WAY = "tests/procedures/test_giving_way.py"
SEEDS = ("tests/procedures/test_seeding.py", "tests/client/test_relocating.py")


def _extended(view: Any, _member: int, record: Any) -> Any:
    return view.chain.extend(record)


def _anybody(view: Any, member: int) -> Any:
    return view, view.chain.all_members.get(member, view.chain.all_members[0])


def _full_again(due: int, now: int, _removal: bool = False) -> int:
    return max(due, now) + int(import_module("e2esync.limits").OPENINGS_INTERVAL)


def _seen(chain: Any, keys: Any) -> Any:
    return chain.members[keys.member].person if keys.member in chain.members else bytes(16)


def _told(*_: Any) -> Any:
    """A procedure that asks for nothing and finds nothing wrong."""
    yield from ()


def _rules(*checks: tuple[str, str], **options: Any) -> list[Saboteur]:
    by = (RULES, *STORE, *SEEDS)
    return [Saboteur(f"e2esync.session.rules:{name}", spec, by, **options) for name, spec in checks]


SABOTEURS: list[Saboteur] = [
    *_rules(("check_not_waiting", "13.12"), ("check_here", "13.12"), ("check_seed_complete", "13.12"),
            ("check_seedable", "13.12 step 4"), ("check_not_held", "13.6"),
            ("check_append", "13.4 step 1"), ("check_envelope", "13.4 step 3"),
            ("check_blobs_complete", "13.4 step 4"), ("check_quota", "13.4 step 6"),
            ("check_close", "13.5 step 5"), ("check_slot_size", "10.6"), ("check_heartbeat", "10.7"),
            ("check_announced", "10.6"), ("check_opening_announcement", "13.5 step 8"),
            ("check_may_upload", "11.5"), ("check_part", "11.1"), ("check_blob", "11.1"),
            ("check_side", "13.7"), ("check_mail", "13.7")),
    *_rules(("check_member", "13.2 step 2"), instead=first),
    *(Saboteur(f"e2esync.session.{name}", f"13.14 step {step}", (DELETING, DELETION))
      for name, step in (("deleting:check_word", 1), ("deleting:check_own_word", 1), ("deleting:check_clock", 1),
                         ("deleting:check_turn", 2), ("rules:check_not_gone", 4))),
    Saboteur("e2esync.session.deleting:due_after", "13.14 step 3", (DELETING, DELETION), lambda view, _chain: view.due),
    Saboteur("e2esync.session.deleting:due_without", "13.14 step 3", (DELETING, DELETION),
             lambda view, _epoch: view.due),
    *_rules(("check_was_member", "13.2 step 4"), instead=_anybody),
    *(Saboteur(f"e2esync.session.policy:{name}", "13.13", ("tests/session/test_policy.py",))
      for name in ("check_registration", "check_entries", "check_members")),
    *_rules(("check_opening", "13.5 step 1"), instead=_extended),
    *_rules(("check_rate", "13.5 step 9"), instead=_full_again),
    Saboteur("e2esync.stores.relay_log:_check_boxes", "13.5 step 6", STORE),
    Saboteur("e2esync.stores.relay_reads:_check_retained", "13.6", STORE),
    Saboteur("e2esync.stores.relay_schema:check_not_moved", "13", ("tests/stores/test_relay_migrate.py",)),
    Saboteur("e2esync.stores.relay_schema:_check_header", "13", (KEEPING,)),
    Saboteur("e2esync.stores.index:_check_columns", "14", ("tests/stores/test_profile_index.py",)),
    Saboteur("e2esync.procedures.sending:_check_landed", "14.1", (CHECKS,)),
    Saboteur("e2esync.procedures.founding:_check_guest", "12.3 step 3", (CHECKS,)),
    Saboteur("e2esync.procedures.founding:_check_told_head", "12.2 step 3", (CHECKS,), _told),
    Saboteur("e2esync.procedures.founding:_told_chain", "12.2 step 3", (FOUNDING,)),
    Saboteur("e2esync.procedures.recovering:check_is_kit", "12.4", (CHECKS,), _seen),
    Saboteur("e2esync.procedures.opening:check_not_frozen", "14.9", (CHECKS,)),
    Saboteur("e2esync.replica.entering:_check_closing", "14.2 step 2", (ENTERING, CATCHING_UP, NETWORK)),
    Saboteur("e2esync.replica.giving_way:check_gives_way", "14.7 step 7", (GIVING_WAY,)),
    Saboteur("e2esync.replica.entering:check_dropped", "14.2 step 2", (ENTERING, CATCHING_UP, NETWORK)),
    Saboteur("e2esync.replica.writing:check_may_write", "10.4", (NETWORK,)),
    Saboteur("e2esync.replica.reading:check_welcome", "14.1", (READING, HEALING, NETWORK)),
    Saboteur("e2esync.replica.reading:verify_head", "10.2", (READING, HEALING, NETWORK), alone=True),
    Saboteur("e2esync.replica.reading:_check_own", "14.9", (READING, "tests/client/test_rejoining.py")),
    Saboteur("e2esync.wire:_check_keys", "6.2", ("tests/test_wire.py",)),
    Saboteur("e2esync.wire:_check_number", "6.2", ("tests/test_wire.py",)),
    Saboteur("e2esync.card.vcard:_check_size", "7.1 step 3", ("tests/card",)),
    Saboteur("e2esync.access.code:_check", "12.1", ("tests/access/test_code.py",), lambda *_: bytes(2)),
    Saboteur("e2esync.access.words:_checksum", "12.4", ("tests/access/test_words.py",), lambda *_: b"\0"),
    Saboteur("e2esync.crypto.kem:check_kem_key", "5.5", ("tests/crypto",)),
    Saboteur("e2esync.crypto.signing:check_verify_key", "5.4", ("tests/crypto/test_signing.py",)),
    Saboteur("e2esync.crypto.aead:check_commitment", "5.3", ("tests/crypto/test_aead.py",)),
]

EVERYTHING = tuple(sorted({path for saboteur in SABOTEURS for path in saboteur.by}))
HONEST = Saboteur("e2esync.session.rules:check_append", "", EVERYTHING,
                  import_module("e2esync.session.rules").check_append)
"""Removes nothing, before all the tests of the table: what catches this one proves nothing about the others."""


def chosen(number: int) -> Saboteur:
    """The saboteur of this number; -1 is the honest one."""
    return HONEST if number < 0 else SABOTEURS[number]


def caught_by(saboteur: Saboteur) -> str | None:
    """The first test that fails without the check, in a process that has never had it; None if it survives."""
    number = -1 if saboteur is HONEST else SABOTEURS.index(saboteur)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", "-n", "0", "-p",
         "tests.saboteurs.plugin", "--saboteur", str(number), *saboteur.by],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )
    # A run that cannot even start has caught nobody.
    assert done.returncode in (0, 1), done.stdout + done.stderr
    failed = [line.split(" ")[1] for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return failed[0].removeprefix("tests/") if failed else None
