"""backup, from the command line."""

from __future__ import annotations

from pathlib import Path

from e2esync.access.kit import RecoveryKit, render_kit_file
from e2esync.client.book import Book
from e2esync.client.profile import Profile
from e2esync.crypto import Secret, SigningKey
from e2esync.replica.founding import found
from tests.client.world import ENTROPY, profile_in
from tests.helpers.entropy import FastEntropy

from .conftest import Cli


def test_a_backup_with_a_passphrase_comes_back(people: Cli, tmp_path: Path) -> None:
    secret, path = tmp_path / "secret", tmp_path / "book.e2ebackup"
    secret.write_text("correct horse\n")
    with_it = ("--backup-passphrase-file", str(secret))
    ran = people("backup", str(path), *with_it, "--json")
    assert (ran.json["contacts"], ran.json["opened_by"]) == (3, "passphrase")
    assert people("backup", str(path), *with_it).code == 1
    assert people("rm", "adam").code == 0
    ran = people("backup", "--restore", str(path), *with_it, "--dry-run", "--json")
    assert (ran.json["back"], ran.json["applied"]) == (1, False)
    assert people("backup", "--restore", str(path), *with_it).code == 0
    assert people("show", "adam").code == 0
    assert people("undo").code == 0
    assert people("show", "adam ant").code == 4
    secret.write_text("wrong\n")
    assert people("backup", "--restore", str(path), *with_it).code == 12
    assert people("backup", "--restore", str(path)).code == 11
    assert people("backup", "--restore", str(tmp_path / "nothing")).code == 1
    assert people("backup", str(tmp_path / "other"), "--with-passphrase").code == 11


def test_the_kit_opens_a_backup_of_the_default_folder(cli: Cli, tmp_path: Path) -> None:
    kit = RecoveryKit.generate(ENTROPY)
    with profile_in(tmp_path / "profile") as profile:
        found(profile.store.book(0), kit.signing_key(0), kit.sealing_key(0), SigningKey(Secret(bytes(32))).verify_key,
              1, FastEntropy("backup"))
    assert cli("new", "--name", "Ada").code == 0
    path = cli("backup", "--json").json["output"]
    assert Path(path).parent == tmp_path / "profile" / "backups"
    file = tmp_path / "kit.txt"
    with Profile.open(tmp_path / "profile") as profile:
        file.write_text(render_kit_file(kit, "ws://relay.example", Book(profile).set_id))
    assert cli("rm", "ada", "--yes").code == 0
    assert cli("backup", "--restore", path).code == 2
    assert cli("backup", "--restore", path, "--kit-file", str(file)).code == 0
    assert cli("show", "ada").code == 0
