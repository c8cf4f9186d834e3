"""Exit codes, in one place: which error ends the program with which number (`e2esync help exit-codes`).

Invariants: every error of `e2esync.errors` has a code; the first class found along an error's ancestors decides. A
script may treat a code it does not know as failure, so new codes may be added and old ones never change meaning.
"""

from __future__ import annotations

from typing import Final

from e2esync import errors
from e2esync.errors import E2esyncError

OK: Final = 0
FAILURE: Final = 1
USAGE: Final = 2
PARTLY: Final = 3
NOT_FOUND: Final = 4
CONFLICTS: Final = 5
NO_PROFILE: Final = 10
LOCKED: Final = 11
WRONG_SECRET: Final = 12
REMOVED: Final = 13
UNVERIFIED: Final = 14
GUARD: Final = 15
DELETED: Final = 16
UNREACHABLE: Final = 20
INTERRUPTED: Final = 130

MEANINGS: Final[dict[int, str]] = {
    OK: "done",
    FAILURE: "it failed; the message says why",
    USAGE: "the command line was wrong",
    PARTLY: "partly done: some cards could not be read and wait in quarantine",
    NOT_FOUND: "no contact or device fits, or more than one does",
    CONFLICTS: "conflicts wait for a person (only with --strict)",
    NO_PROFILE: "there is no profile here yet: init, or join",
    LOCKED: "the profile is locked and nothing gave its passphrase or key file",
    WRONG_SECRET: "wrong passphrase, key file, pairing code or recovery kit",
    REMOVED: "this device was removed from the book",
    UNVERIFIED: "something did not verify (tampering, rollback, a wrong relay, wrong words); your data is untouched",
    GUARD: "very many contacts would go: --yes to go on; or, after a sync, `e2esync guard` to agree or refuse",
    DELETED: "the book was deleted at its relay, by its owner or the recovery kit; your copy is untouched",
    UNREACHABLE: "the relay cannot be reached or is busy; your changes are kept, try again",
    INTERRUPTED: "interrupted",
}


class UsageError(E2esyncError):
    """The command line asks for something that makes no sense."""

    default_hint = "see `e2esync help`"


class FileProblem(E2esyncError):
    """A file that the person named cannot be read or written."""


class MassChange(E2esyncError):
    """A removal so large that it needs a second word."""

    default_hint = "add --yes if this is what you want"


class Declined(E2esyncError):
    """The person said no."""


class NoTerminal(E2esyncError):
    """A question has to be asked and there is nobody to ask."""


class Bug(E2esyncError):
    """Something happened that must not."""

    default_hint = "please report it, with what the same command says with --debug added"


class Unsupported(E2esyncError):
    """This installation lacks the part that the command needs."""


_CODES: Final[dict[type[E2esyncError], int]] = {
    E2esyncError: FAILURE,
    UsageError: USAGE,
    MassChange: GUARD,
    NoTerminal: USAGE,
    errors.NotFound: NOT_FOUND,
    errors.Ambiguous: NOT_FOUND,
    errors.NoProfile: NO_PROFILE,
    errors.ProfileLocked: LOCKED,
    errors.WrongPassphrase: WRONG_SECRET,
    errors.BadCode: WRONG_SECRET,
    errors.DeviceRemoved: REMOVED,
    errors.SetDeleted: DELETED,
    errors.Unreachable: UNREACHABLE,
    # Whatever somebody forged, replayed or bent. A card that breaks the rules is no attack: BadCard stays a failure.
    errors.CryptoError: UNVERIFIED,
    errors.SuiteUnavailable: FAILURE,
    errors.ChainInvalid: UNVERIFIED,
    errors.EntryInvalid: UNVERIFIED,
    errors.SnapshotInvalid: UNVERIFIED,
    errors.SlotInvalid: UNVERIFIED,
    errors.DeletionInvalid: UNVERIFIED,
    errors.Detection: UNVERIFIED,
    errors.HandshakeFailed: UNVERIFIED,
    errors.RemoteProtocolError: UNVERIFIED,
    errors.PairingAborted: UNVERIFIED,
    errors.ProfileDamaged: UNVERIFIED,
}

_REFUSALS: Final = {"NotMember": REMOVED, "Busy": UNREACHABLE, "TooOften": UNREACHABLE}


def exit_code(error: E2esyncError) -> int:
    """The code that this error ends the program with."""
    if isinstance(error, errors.Refused):
        return _REFUSALS.get(error.reason, FAILURE)
    if isinstance(error, errors.PairingAborted) and isinstance(error.__cause__, errors.Refused):
        # The relay has no place for this code any more: it was used, or is too old, and nothing failed to verify.
        return WRONG_SECRET
    for kind in type(error).__mro__:
        if kind in _CODES:
            return _CODES[kind]
    return FAILURE


def describe() -> str:
    """The table of codes as text, for the help topic."""
    return "\n".join(f"  {code:>3}  {meaning}" for code, meaning in MEANINGS.items())
