"""client.protection: what seals the database key."""

from __future__ import annotations

import json
import stat
import sys
import unicodedata
from pathlib import Path

import pytest

from e2esync.client import protection as module
from e2esync.client.entropy import SystemEntropy
from e2esync.client.protection import (
    KeyFile,
    Keyring,
    Passphrase,
    Plain,
    Protection,
    Way,
    change_protection,
    forget,
    protect,
    unlock,
)
from e2esync.crypto import Secret
from e2esync.errors import ProfileDamaged, ProfileError, ProfileLocked, WrongPassphrase

KEY = Secret(bytes(range(32)))
ENTROPY = SystemEntropy()


class FakeKeyring:
    """A keyring in memory, in place of the package; `broken` makes it fail as a missing backend does."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.broken = False

    def _check(self) -> None:
        if self.broken:
            raise RuntimeError("no backend")

    def set_password(self, service: str, name: str, password: str) -> None:
        self._check()
        self.kept[service, name] = password

    def get_password(self, service: str, name: str) -> str | None:
        self._check()
        return self.kept.get((service, name))

    def delete_password(self, service: str, name: str) -> None:
        self._check()
        del self.kept[service, name]


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> FakeKeyring:
    fake = FakeKeyring()
    monkeypatch.setitem(sys.modules, "keyring", fake)
    return fake


def opened(protection: Protection, way: Way | None = None) -> bytes:
    key = unlock(protection, way)
    assert key is not None
    return key.reveal()


def again(protection: Protection) -> Protection:
    """As it comes back from the file."""
    return Protection.decode(protection.encode())


def test_plain_has_no_key_and_asks_for_none() -> None:
    protection = again(protect(None, Plain(), entropy=ENTROPY))
    assert unlock(protection) is None
    assert unlock(protection, Passphrase("whatever")) is None


def test_plain_and_encrypted_do_not_become_one_another() -> None:
    with pytest.raises(ProfileError):
        protect(KEY, Plain(), entropy=ENTROPY)
    with pytest.raises(ProfileError):
        protect(None, Passphrase("secret"), entropy=ENTROPY)


def test_a_passphrase_opens_in_any_spelling_of_its_letters() -> None:
    protection = again(protect(KEY, Passphrase(unicodedata.normalize("NFD", "Schlüssel")), entropy=ENTROPY))
    assert opened(protection, Passphrase(unicodedata.normalize("NFC", "Schlüssel"))) == KEY.reveal()


@pytest.mark.parametrize("wrong", ["Secret", "", "secret ", "\udc80"])
def test_another_passphrase_is_wrong(wrong: str) -> None:
    protection = protect(KEY, Passphrase("secret"), entropy=ENTROPY)
    with pytest.raises(WrongPassphrase):
        unlock(protection, Passphrase(wrong))


def test_an_empty_passphrase_protects_nothing() -> None:
    with pytest.raises(ProfileError):
        protect(KEY, Passphrase(""), entropy=ENTROPY)


def test_a_missing_secret_or_one_of_another_kind_is_locked(tmp_path: Path) -> None:
    protection = protect(KEY, Passphrase("secret"), entropy=ENTROPY)
    for way in (None, KeyFile(tmp_path / "key"), Keyring(), Plain()):
        with pytest.raises(ProfileLocked) as caught:
            unlock(protection, way)
        assert "--passphrase-file" in caught.value.hint


def test_a_key_file_is_made_kept_private_and_found_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    protection = again(protect(KEY, KeyFile(Path("key")), entropy=ENTROPY))
    path = tmp_path / "key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size >= 32
    monkeypatch.chdir("/")
    assert opened(protection) == KEY.reveal()
    path.rename(tmp_path / "moved")
    with pytest.raises(ProfileLocked):
        unlock(protection)
    assert opened(protection, KeyFile(tmp_path / "moved")) == KEY.reveal()


def test_a_key_file_that_exists_is_used_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"k" * 100)
    protection = protect(KEY, KeyFile(path), entropy=ENTROPY)
    assert path.read_bytes() == b"k" * 100
    for content, error in ((b"k" * 99, WrongPassphrase), (b"k" * 31, WrongPassphrase),
                           (b"k" * ((1 << 20) + 1), ProfileLocked)):
        path.write_bytes(content)
        with pytest.raises(error):
            unlock(protection)
    path.unlink()
    path.mkdir()
    with pytest.raises(ProfileLocked):
        unlock(protection)


def test_a_key_file_too_short_protects_nothing(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(WrongPassphrase):
        protect(KEY, KeyFile(tmp_path / "key"), entropy=ENTROPY)


def test_a_key_file_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot make the key file"):
        protect(KEY, KeyFile(tmp_path / "nowhere" / "key"), entropy=ENTROPY)


def test_a_keyring_keeps_what_opens_the_key_and_not_the_key(keyring: FakeKeyring) -> None:
    protection = again(protect(KEY, Keyring(), entropy=ENTROPY))
    assert opened(protection) == KEY.reveal()
    [name] = keyring.kept
    assert keyring.kept[name] != KEY.reveal().hex()
    for wrong in ("", "no hex", "00" * 31, "00" * 32):
        keyring.kept[name] = wrong
        with pytest.raises(WrongPassphrase):
            unlock(protection)
    forget(protection)
    assert not keyring.kept
    with pytest.raises(ProfileLocked):
        unlock(protection)


def test_without_a_keyring_there_is_a_clear_error(keyring: FakeKeyring) -> None:
    protection = protect(KEY, Keyring(), entropy=ENTROPY)
    keyring.broken = True
    with pytest.raises(ProfileLocked, match="no keyring"):
        unlock(protection)
    with pytest.raises(ProfileLocked, match="no keyring"):
        protect(KEY, Keyring(), entropy=ENTROPY)
    forget(protection)


def test_the_real_package_without_a_backend_is_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring
    from keyring.backends import fail

    monkeypatch.setattr(keyring.core, "_keyring_backend", fail.Keyring())  # type: ignore[no-untyped-call]
    with pytest.raises(ProfileLocked, match="no keyring"):
        protect(KEY, Keyring(), entropy=ENTROPY)


def test_a_change_of_protection_keeps_the_key(tmp_path: Path) -> None:
    old = protect(KEY, Passphrase("old"), entropy=ENTROPY)
    new = change_protection(old, Passphrase("old"), Passphrase("new"), entropy=ENTROPY)
    assert new.salt != old.salt
    assert opened(new, Passphrase("new")) == KEY.reveal()
    with pytest.raises(WrongPassphrase):
        unlock(new, Passphrase("old"))
    with pytest.raises(WrongPassphrase):
        change_protection(new, Passphrase("old"), Passphrase("newer"), entropy=ENTROPY)
    filed = change_protection(new, Passphrase("new"), KeyFile(tmp_path / "key"), entropy=ENTROPY)
    assert opened(filed) == KEY.reveal()


def test_the_file_holds_no_secret() -> None:
    content = protect(KEY, Passphrase("correct horse"), entropy=ENTROPY).encode()
    assert KEY.reveal().hex().encode() not in content
    assert b"horse" not in content
    assert "horse" not in repr(Passphrase("correct horse"))


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return protect(KEY, KeyFile(tmp_path / "key"), entropy=ENTROPY).encode()


def test_every_altered_bit_and_every_cut_is_damage_or_changes_nothing(content: bytes) -> None:
    protection = Protection.decode(content)
    harmless = 0
    copies = [content[:length] for length in range(len(content))]
    for place in range(len(content)):
        for bit in range(8):
            turned = bytearray(content)
            turned[place] ^= 1 << bit
            copies.append(bytes(turned))
    for copy in copies:
        try:
            assert Protection.decode(copy) == protection
        except ProfileDamaged:
            continue
        harmless += 1
    assert harmless < 30, "only white space may change"


@pytest.mark.parametrize(
    "changes",
    [{"kind": "none"}, {"kind": 1}, {"salt": "00"}, {"salt": None}, {"salt": "zz"}, {"sealed": 5}, {"keyfile": 5},
     {"keyfile": "a\0b"}, {"more": 1}],
)
def test_what_no_writer_writes_is_refused_even_with_a_right_checksum(
    content: bytes, changes: dict[str, object]
) -> None:
    fields = json.loads(content) | changes
    del fields["check"]
    if changes == {"more": 1}:
        fields = fields | {"check": 0}
    else:
        fields = fields | {"check": module._checksum(fields)}
    with pytest.raises(ProfileDamaged):
        Protection.decode(json.dumps(fields).encode())


@pytest.mark.parametrize("garbage", [b"", b"{}", b"[]", b"null", b"1", b"\xff\xfe", b"[" * 100_000, b'{"check": NaN}'])
def test_garbage_is_damage(garbage: bytes) -> None:
    with pytest.raises(ProfileDamaged):
        Protection.decode(garbage)


def test_a_newer_version_is_refused_as_such(content: bytes) -> None:
    fields = json.loads(content) | {"version": 2, "more": 1}
    del fields["check"]
    with pytest.raises(ProfileError, match="newer") as caught:
        Protection.decode(json.dumps(fields | {"check": module._checksum(fields)}).encode())
    assert type(caught.value) is ProfileError


def test_an_altered_seal_with_a_right_checksum_does_not_open(tmp_path: Path) -> None:
    protection = protect(KEY, KeyFile(tmp_path / "key"), entropy=ENTROPY)
    end = bytearray(protection.sealed)
    end[-1] ^= 1
    with pytest.raises(ProfileDamaged):
        unlock(protection._replace(sealed=bytes(end)))
    with pytest.raises(WrongPassphrase):
        unlock(protection._replace(salt=bytes(16)))
    with pytest.raises(ProfileDamaged):
        unlock(protection._replace(sealed=b""))
