"""How a profile's database key is protected: plain, passphrase, key file or OS keyring.

The database is encrypted under 32 random bytes that never change; what changes is what seals them:

    KEK    = Argon2id(NFC(passphrase), salt) | BLAKE2b(label PROFILE_KEY, key file) | 32 bytes kept by the keyring
    sealed = AE(KEK, nonce, "e2e profile" ‖ kind ‖ salt, database key)

Invariants: a new passphrase re-wraps and never re-encrypts; a wrong secret is `WrongPassphrase`, a missing one
`ProfileLocked`, a file that was altered or cut `ProfileDamaged`, and these three are never mistaken for one another
but by somebody who forges the file's checksum as well.
"""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, TypeAlias

from e2esync.errors import (
    AuthFailed,
    CommitMismatch,
    ProfileDamaged,
    ProfileError,
    ProfileLocked,
    WrongPassphrase,
)
from e2esync.limits import KEY, NONCE, SALT
from e2esync.stores.files import create_private, file_error, read_limited

if TYPE_CHECKING:
    from e2esync.crypto import Entropy, Secret

Kind: TypeAlias = Literal["plain", "passphrase", "keyfile", "keyring"]
KINDS: Final = ("plain", "passphrase", "keyfile", "keyring")

VERSION: Final = 1
FILE_MAX: Final = 16 << 10
KEYFILE_MIN: Final = 32
KEYFILE_MAX: Final = 1 << 20
_CONTEXT: Final = b"e2e profile"
_SERVICE: Final = "e2esync"


# Plain classes and tuples: importing `dataclasses` would cost local commands a tenth of their time.


class Plain:
    """No encryption: only when a person says so."""

    kind: ClassVar[Kind] = "plain"


class Passphrase:
    """A passphrase, as typed."""

    kind: ClassVar[Kind] = "passphrase"
    __slots__ = ("passphrase",)

    def __init__(self, passphrase: str) -> None:
        self.passphrase = passphrase


class KeyFile:
    """A file of at least 32 random bytes; made if a profile is to be protected by one that does not exist."""

    kind: ClassVar[Kind] = "keyfile"
    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path


class Keyring:
    """The keyring of the operating system."""

    kind: ClassVar[Kind] = "keyring"


Way: TypeAlias = Plain | Passphrase | KeyFile | Keyring


class Protection(NamedTuple):
    """What `profile.json` says: no secret in it that is not sealed."""

    kind: Kind
    salt: bytes
    sealed: bytes
    keyfile: str
    """Where the key file was when the profile was protected by it."""

    def encode(self) -> bytes:
        """The content of `profile.json`."""
        fields: dict[str, Any] = {
            "version": VERSION, "kind": self.kind, "salt": self.salt.hex(), "sealed": self.sealed.hex(),
            "keyfile": self.keyfile,
        }
        return json.dumps(fields | {"check": _checksum(fields)}, indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def decode(cls, content: bytes) -> Protection:
        """Read `profile.json`. Raises ProfileDamaged, or ProfileError for one of a newer version."""
        try:
            fields = json.loads(content)
            check = fields.pop("check")
            # Every version carries the checksum of its other fields, so that damage is not taken for novelty.
            if check != _checksum(fields):
                raise ProfileDamaged("profile.json was altered")
            if fields["version"] != VERSION:
                raise ProfileError("profile.json was written by a newer e2esync", "update e2esync")
            kind, keyfile = fields["kind"], fields["keyfile"]
            salt, sealed = bytes.fromhex(fields["salt"]), bytes.fromhex(fields["sealed"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ProfileDamaged("profile.json is not what e2esync wrote") from error
        whole = kind in KINDS and type(keyfile) is str and "\0" not in keyfile
        if not whole or len(salt) != (0 if kind == "plain" else SALT):
            raise ProfileDamaged("profile.json is not what e2esync wrote")
        return cls(kind, salt, sealed, keyfile)


def protect(key: Secret | None, way: Way, *, entropy: Entropy) -> Protection:
    """Seal the 32-byte database key; None goes with `Plain` and with nothing else.

    Argon2id takes its half second here. A key file that does not exist is made, a keyring gets an entry of its own.
    """
    if key is None or isinstance(way, Plain):
        if key is None and isinstance(way, Plain):
            return Protection("plain", b"", b"", "")
        raise ProfileError(
            "a plain profile stays plain, and an encrypted one encrypted", "make a new profile and pair it"
        )
    from e2esync.crypto import seal

    salt = entropy.draw("profile salt", SALT)
    if isinstance(way, KeyFile) and not way.path.exists():
        _make_keyfile(way.path, entropy)
    if isinstance(way, Keyring):
        _keep_in_keyring(salt, entropy.draw("profile keyring key", KEY))
    kek = _kek(way, salt, new=True)
    sealed = seal(kek, entropy.draw("profile nonce", NONCE), _context(way.kind, salt), key.reveal())
    keyfile = os.path.abspath(way.path) if isinstance(way, KeyFile) else ""
    return Protection(way.kind, salt, sealed, keyfile)


def unlock(protection: Protection, way: Way | None = None) -> Secret | None:
    """The database key; None of a plain profile, whatever is offered.

    A key file and the keyring are found without help. Raises ProfileLocked if the secret is missing or of another
    kind, WrongPassphrase if it is wrong, ProfileDamaged if what is sealed was altered.
    """
    if protection.kind == "plain":
        return None
    from e2esync.crypto import Secret, open_sealed

    way = way or _found_by_itself(protection)
    if way is None or way.kind != protection.kind:
        raise ProfileLocked(f"the profile is protected by a {protection.kind}", _HINTS[protection.kind])
    kek = _kek(way, protection.salt)
    try:
        key = open_sealed(kek, _context(protection.kind, protection.salt), protection.sealed)
    except CommitMismatch as error:
        raise WrongPassphrase(f"the {protection.kind} is not this profile's", _OTHER_WAYS) from error
    except AuthFailed as error:
        raise ProfileDamaged("the sealed key in profile.json was altered") from error
    if len(key) != KEY:
        raise ProfileDamaged("the sealed key in profile.json has the wrong length")
    return Secret(key)


def change_protection(
    protection: Protection, old: Way | None, new: Way, *, entropy: Entropy
) -> Protection:
    """The same database key under another secret; the caller writes it, then calls `forget` on the old one."""
    return protect(unlock(protection, old), new, entropy=entropy)


def forget(protection: Protection) -> None:
    """Remove what a protection that is no longer used left in the keyring. A key file is its owner's to delete."""
    if protection.kind == "keyring":
        # A backend may raise anything; an entry that stays opens nothing any more.
        with suppress(Exception):
            _keyring().delete_password(_SERVICE, protection.salt.hex())


_OTHER_WAYS: Final = "nothing can look it up: but another device, or the recovery kit, brings the contacts back"
_HINTS: Final = {
    "passphrase": "give --passphrase-file, --passphrase-command or E2ESYNC_PASSPHRASE",
    "keyfile": "give the key file with --key-file",
    "keyring": "unlock the keyring of your desktop session",
}


def _found_by_itself(protection: Protection) -> Way | None:
    if protection.kind == "keyfile":
        return KeyFile(Path(protection.keyfile))
    return Keyring() if protection.kind == "keyring" else None


def _kek(way: Way, salt: bytes, *, new: bool = False) -> Secret:
    if isinstance(way, Passphrase):
        return _passphrase_key(way.passphrase, salt, new=new)
    if isinstance(way, KeyFile):
        return _keyfile_key(way.path)
    return _keyring_key(salt)


def _passphrase_key(passphrase: str, salt: bytes, *, new: bool) -> Secret:
    import unicodedata

    from e2esync.crypto.passphrase import key_from_passphrase

    if new and not passphrase:
        raise ProfileError("an empty passphrase protects nothing", "choose one, or say that the profile is plain")
    try:
        return key_from_passphrase(unicodedata.normalize("NFC", passphrase), salt)
    except UnicodeEncodeError as error:
        raise WrongPassphrase("the passphrase is not valid text", "check the terminal's encoding") from error


def _keyfile_key(path: Path) -> Secret:
    from e2esync.crypto import Label, Secret, blake2b

    try:
        content = read_limited(path, KEYFILE_MAX)
    except FileNotFoundError as error:
        raise ProfileLocked(f"the key file {path} is not there", _HINTS["keyfile"]) from error
    except (OSError, ProfileDamaged) as error:
        raise ProfileLocked(f"the key file {path} cannot be read", _HINTS["keyfile"]) from error
    if len(content) < KEYFILE_MIN:
        raise WrongPassphrase(f"the key file {path} holds fewer than {KEYFILE_MIN} bytes")
    return Secret(blake2b(Label.PROFILE_KEY, content))


def _make_keyfile(path: Path, entropy: Entropy) -> None:
    try:
        create_private(path, entropy.draw("profile key file", KEYFILE_MIN))
    except OSError as error:
        raise file_error(error, f"make the key file {path}") from error


def _keyring() -> Any:
    """The `keyring` package: imported by those who use one only, since it looks for backends all over the system."""
    import keyring

    return keyring


def _keep_in_keyring(salt: bytes, kek: bytes) -> None:
    try:
        _keyring().set_password(_SERVICE, salt.hex(), kek.hex())
    except Exception as error:  # a backend may raise anything that its bus or daemon does
        raise _no_keyring() from error


def _keyring_key(salt: bytes) -> Secret:
    from e2esync.crypto import Secret

    try:
        kept = _keyring().get_password(_SERVICE, salt.hex())
    except Exception as error:  # as above
        raise _no_keyring() from error
    if kept is None:
        raise ProfileLocked("the keyring holds no key for this profile", _HINTS["keyring"])
    try:
        kek = bytes.fromhex(kept)
    except ValueError:
        kek = b""
    if len(kek) != KEY:
        raise WrongPassphrase("the keyring's entry for this profile is not a key")
    return Secret(kek)


def _no_keyring() -> ProfileLocked:
    return ProfileLocked(
        "this system has no keyring that can be used now", "unlock it, or choose a passphrase or a key file"
    )


def _context(kind: str, salt: bytes) -> bytes:
    return _CONTEXT + kind.encode() + salt


def _checksum(fields: dict[str, Any]) -> int:
    """Tells damage from a wrong secret; it keeps nobody out."""
    return zlib.crc32(json.dumps(fields, sort_keys=True).encode())
