"""Every error that e2esync raises, in one tree (SPEC 15).

    E2esyncError
     ├─ WireError            bytes that are not what the encoding allows
     │   ├─ NonCanonical         a second spelling, or no spelling, of a value
     │   └─ LimitExceeded        longer, deeper or more than a limit of SPEC 16
     ├─ CryptoError          something that does not open or verify
     │   ├─ AuthFailed           a ciphertext or signature is not authentic
     │   ├─ CommitMismatch       a ciphertext or secret is not the one committed to
     │   ├─ BadKey               a public key that must not be used
     │   └─ SuiteUnavailable     this machine lacks a part of the suite
     ├─ ObjectError          authentic or not, an object breaks its own rules
     │   ├─ BadCard              a contact is not a JSContact card within limits
     │   ├─ BadState             a stored contact state is malformed
     │   ├─ ChainInvalid         an epoch record does not follow from the one before
     │   ├─ RightMissing         a member did what its role does not allow
     │   ├─ EntryInvalid         an envelope or entry has no effect
     │   ├─ SnapshotInvalid      a manifest, run or chunk is not what the record names
     │   ├─ SlotInvalid          an announcement or heartbeat is refused
     │   ├─ EvidenceInvalid      a file of evidence that proves nothing
     │   └─ DeletionInvalid      a deletion that nobody with the right has signed
     ├─ Detection            somebody lies: the device's own data is untouched
     │   ├─ RollbackDetected  ForkDetected  WithheldDetected  RelayRestored
     │   └─ SnapshotMismatch  CloneDetected  StaleView
     ├─ SessionError         a conversation cannot go on
     │   ├─ LocalProtocolError   this side broke a rule of the protocol: a bug here
     │   ├─ RemoteProtocolError  the other side did
     │   ├─ HandshakeFailed      the other side is not who it must be
     │   └─ Unreachable          nobody answers; work is kept, try again
     ├─ Refused              the relay said no, with one of the codes of SPEC 13.8
     ├─ AccessError          pairing, recovery kit, invitation
     │   ├─ BadCode              a pairing code or kit that was mistyped
     │   └─ PairingAborted       one attempt, and it failed
     └─ ProfileError         the local folder
         ├─ NoProfile  ProfileExists  ProfileLocked  WrongPassphrase
         ├─ ProfileDamaged  ProfileBusy  DiskFull
         ├─ DeviceRemoved        this device is no longer a member
         ├─ SetDeleted           the relay has deleted the set, and shows who said so
         ├─ ReadOnly             this person may only read the book
         ├─ NotFound             no such contact, or device
         └─ Ambiguous            more than one

Any other exception that leaves the library is a bug. Messages say what was wrong, with which object, and (`hint`)
what to do now; they never hold key bytes or contact data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class E2esyncError(Exception):
    """Base of the tree. `code` is the stable name of SPEC 15; `hint` says what to do now."""

    code: ClassVar[str] = "Error"
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.code = cls.__name__


class WireError(E2esyncError):
    """Bytes that the strict encoding of SPEC 6 does not allow."""


class NonCanonical(WireError):
    """Not the one spelling that SPEC 6 gives to a value."""


class LimitExceeded(WireError):
    """A length, depth or count above its limit in SPEC 16."""


class CryptoError(E2esyncError):
    """Something that does not open or verify."""


class AuthFailed(CryptoError):
    """A ciphertext or signature is not authentic, or is in the wrong place."""


class CommitMismatch(CryptoError):
    """A ciphertext or an epoch secret is not the one that was committed to."""


class BadKey(CryptoError):
    """A public key of small order, of non-canonical encoding, or of the wrong length."""


class SuiteUnavailable(CryptoError):
    """This machine lacks a part of the suite; there is no fallback."""

    default_hint = "install a build of `cryptography` that has ML-KEM-768"


class ObjectError(E2esyncError):
    """An object breaks its own rules."""


class BadCard(ObjectError):
    """A contact is not a JSContact card within the limits."""


class BadState(ObjectError):
    """A packed contact state is malformed."""


class ChainInvalid(ObjectError):
    """An epoch record does not follow from the one before it."""


class RightMissing(ChainInvalid):
    """A member did what its role does not allow (SPEC 9.4)."""


class EntryInvalid(ObjectError):
    """An entry or envelope that takes its position and has no effect."""


class SnapshotInvalid(ObjectError):
    """A manifest, run or chunk is not what the record or manifest names."""


class SlotInvalid(ObjectError):
    """An announcement or heartbeat that members and relay refuse."""


class EvidenceInvalid(ObjectError):
    """A file of evidence that proves nothing."""


class DeletionInvalid(ObjectError):
    """A deletion that is not from the root or an owner, for this relay and time."""

    default_hint = "nothing on this device was changed; ask the relay's operator, or move to another relay"


class Detection(E2esyncError):
    """Somebody lies. The device's data and unsent edits are untouched by it."""

    default_hint = "nothing of yours is lost; see `e2esync status`"

    def __init__(self, message: str, hint: str = "", *, about: str = "", counter: int = 0,
                 evidence: bytes = b"") -> None:
        """`about` and `counter` say what it is about: the same again is the same finding. `evidence`: SPEC 10.8."""
        super().__init__(message, hint)
        self.about = about
        self.counter = counter
        self.evidence = evidence


class RollbackDetected(Detection):
    """The relay serves an older state than this device has seen."""

    default_hint = (
        "nothing of yours is lost: the next `e2esync sync` gives the relay back what it lacks; if this goes on, take "
        "the book elsewhere: `e2esync relay move URL`")


class ForkDetected(Detection):
    """Two histories exist where there must be one."""

    default_hint = (
        "nothing of yours is lost: the next `e2esync sync` brings both together; if this goes on, take the book "
        "elsewhere: `e2esync relay move URL`")


class WithheldDetected(Detection):
    """Somebody's envelope exists and the relay does not serve it."""

    default_hint = (
        "nothing of yours is lost: sync again later; if it stays so, take the book elsewhere: `e2esync relay move URL`")


class RelayRestored(Detection):
    """The relay came back from a backup: a new incarnation, not a fork."""

    default_hint = (
        "there is nothing for you to do: your devices give it back what it lost")


class SnapshotMismatch(Detection):
    """A snapshot differs from this device's own complete fold."""

    default_hint = (
        "nothing of yours is lost; if you do not trust that device, shut it out: `e2esync revoke DEVICE`")


class CloneDetected(Detection):
    """Somebody else writes under this device's index: the profile was copied or restored."""

    default_hint = ("this device has stopped writing: run `e2esync pair` on another device, and `e2esync rejoin CODE` "
                    "here, which brings everything along")


class StaleView(Detection):
    """A device that promised to be heard was not heard."""

    default_hint = (
        "look whether that device is online; if it is, the relay holds it back: `e2esync relay move URL`")


class SessionError(E2esyncError):
    """A conversation cannot go on."""


class LocalProtocolError(SessionError):
    """This side broke a rule of the protocol: a bug in the caller."""


class RemoteProtocolError(SessionError):
    """The other side broke a rule of the protocol."""


class HandshakeFailed(SessionError):
    """The other side is not who it must be."""

    default_hint = "check the relay's address; if it was set up anew, its key has changed"


class Unreachable(SessionError):
    """Nobody answers. Unsent work is kept."""

    default_hint = "your changes are kept; try `e2esync sync` again later"


class Refused(E2esyncError):
    """The relay said no. `reason` is one of the codes of SPEC 13.8."""

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.reason = reason


class AccessError(E2esyncError):
    """Pairing, recovery kit, invitation."""


class BadCode(AccessError):
    """A pairing code or a recovery kit that was mistyped or cut short."""

    default_hint = "check it against the original, character by character"


class PairingAborted(AccessError):
    """A pairing or an invitation that failed. A code is good for one attempt."""

    default_hint = "start again with a new code"


class ProfileError(E2esyncError):
    """The local folder."""


class NoProfile(ProfileError):
    """There is no profile in the folder."""

    default_hint = "`e2esync init` makes one, `e2esync join` adds this device to one"


class ProfileExists(ProfileError):
    """There is a profile in the folder already."""

    default_hint = "choose another folder with --home"


class ProfileLocked(ProfileError):
    """The profile needs its passphrase or key file."""

    default_hint = "give --passphrase-file, --passphrase-command or E2ESYNC_PASSPHRASE"


class WrongPassphrase(ProfileError):
    """The passphrase or key file is not this profile's."""


class ProfileDamaged(ProfileError):
    """A file of the profile is truncated or altered."""

    default_hint = "restore the folder from a backup, or pair this device again; other devices hold the contacts"


class ProfileBusy(ProfileError):
    """Another process is at work on this profile."""

    default_hint = "wait for it to end, then run the command again"


class DiskFull(ProfileError):
    """The disk is full. What was stored before is intact."""

    default_hint = "free some space, then run the command again"


class DeviceRemoved(ProfileError):
    """This device is no longer a member of the set."""

    def __init__(self, message: str, hint: str = "", removal: object = None) -> None:
        super().__init__(message, hint)
        self.removal = removal
        """The record that proves it (`replica.leaving.Removal`); None where only the relay says so."""


class SetDeleted(ProfileError):
    """The root or an owner had the set deleted at its relay. This device keeps its copy."""

    def __init__(self, message: str, hint: str = "", deletion: bytes = b"") -> None:
        super().__init__(message, hint)
        self.deletion = deletion
        """The signed word (SPEC 10.9) that the relay shows, checked."""


class ReadOnly(ProfileError):
    """This person may read the book and not change it. Nothing was changed."""

    default_hint = "ask one of the book's owners to invite you as a writer"


class NotFound(ProfileError):
    """No contact or device fits."""


class Ambiguous(ProfileError):
    """More than one contact or device fits."""

    default_hint = "name it by the start of its uid, which `e2esync list` shows"

    def __init__(self, message: str, hint: str = "", candidates: Sequence[object] = ()) -> None:
        super().__init__(message, hint)
        self.candidates = candidates
