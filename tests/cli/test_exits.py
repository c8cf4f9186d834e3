"""cli.exits: one code for every error of the tree."""

from __future__ import annotations

import inspect

import pytest

from e2esync import errors
from e2esync.cli import exits
from e2esync.cli.exits import exit_code
from e2esync.errors import E2esyncError, PairingAborted, Refused

TREE = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, E2esyncError)]
EXPECTED = {
    "NoProfile": 10, "ProfileLocked": 11, "WrongPassphrase": 12, "BadCode": 12, "DeviceRemoved": 13,
    "RollbackDetected": 14, "ForkDetected": 14, "WithheldDetected": 14, "CloneDetected": 14, "HandshakeFailed": 14,
    "PairingAborted": 14, "ProfileDamaged": 14, "ChainInvalid": 14, "RightMissing": 14, "AuthFailed": 14,
    "SetDeleted": 16, "DeletionInvalid": 14,
    "Unreachable": 20, "NotFound": 4, "Ambiguous": 4, "BadCard": 1, "DiskFull": 1, "ProfileBusy": 1,
    "ProfileExists": 1, "SuiteUnavailable": 1,
}


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_error_has_a_documented_code(kind: type[E2esyncError]) -> None:
    error = Refused("Busy", "later") if kind is Refused else kind("what happened")
    assert exit_code(error) in exits.MEANINGS.keys() - {exits.OK}


@pytest.mark.parametrize(("name", "code"), EXPECTED.items())
def test_codes(name: str, code: int) -> None:
    assert exit_code(getattr(errors, name)("what happened")) == code


@pytest.mark.parametrize(("reason", "code"), [("NotMember", 13), ("Busy", 20), ("TooOften", 20), ("QuotaExceeded", 1)])
def test_refusals(reason: str, code: int) -> None:
    assert exit_code(Refused(reason, "no")) == code


def test_a_code_that_the_relay_has_no_place_for_is_a_wrong_code() -> None:
    error = PairingAborted("used already")
    error.__cause__ = Refused("MailboxTaken", "no")
    assert exit_code(error) == 12


def test_own_errors() -> None:
    assert exit_code(exits.UsageError("x")) == 2
    assert exit_code(exits.MassChange("x")) == 15
    assert exit_code(exits.NoTerminal("x")) == 2
    assert exit_code(exits.FileProblem("x")) == 1
    assert exit_code(exits.Declined("x")) == 1
