"""Backups: everything comes back, into its own book or another; nothing altered, cut or foreign is taken."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from e2esync.access.kit import RecoveryKit
from e2esync.card import read_vcards
from e2esync.client import backup as module
from e2esync.client import settings
from e2esync.client.backup import MAGIC, backup_if_due, made_for, read_backup, write_backup
from e2esync.client.book import Book
from e2esync.client.restoring import apply_backup, plan_backup
from e2esync.errors import BadCode, NotFound, ProfileDamaged, ProfileError, WrongPassphrase
from e2esync.replica.founding import found
from e2esync.wire import encode
from tests.client.conftest import RELAY
from tests.client.test_book import vcards
from tests.client.world import ENTROPY, card, profile_in
from tests.helpers.entropy import FastEntropy

KIT = RecoveryKit.generate(ENTROPY)
DAY = 86_400_000


def a_book(folder: Path, kit: RecoveryKit, seed: str) -> Book:
    profile = profile_in(folder)
    found(profile.store.book(0), kit.signing_key(0), kit.sealing_key(0), RELAY, 1, FastEntropy(seed))
    return Book(profile)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """A book with photos, labels, a group, origins, a layout and a history."""
    book = a_book(tmp_path / "a", KIT, "one")
    read = read_vcards(vcards(3, photo=True), salt=book.set_id)
    book.apply(book.plan(read), "import phone.vcf")
    book.keep_layout("phone.vcf", read.layout)
    ada = book.add(card("Ada", keywords={"Kin": True}))
    book.add(card("Club", kind="group", members={"urn:Ada": True}))
    book.update(ada, {**book.card(ada), "notes": {"n": {"note": "x"}}})
    book.remove([book.add(card("Gone"))])
    yield book
    book.profile.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Book]:
    """An empty book of another set."""
    book = a_book(tmp_path / "b", RecoveryKit.generate(ENTROPY), "two")
    yield book
    book.profile.close()


def everything(book: Book) -> dict[str, object]:
    return {row.name: {path: value for path, value in book.registers(row.contact).items() if path[:6] != "blobs/"}
            for row in book.list()}


def written(book: Book, tmp_path: Path, passphrase: str | None = None) -> Path:
    path = tmp_path / "book.e2ebackup"
    assert write_backup(book, path, passphrase) == 5
    return path


def test_what_is_gone_comes_back_and_what_differs_is_as_it_was(book: Book, tmp_path: Path) -> None:
    before = everything(book)
    path = written(book, tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    photos = book.store.media_digests()
    book.remove([book.find("c000").contact, book.find("Ada").contact])
    book.store.delete_media(photos)
    club = book.find("Club").contact
    book.update(club, {**book.card(club), "notes": {"n": {"note": "newer"}}})
    newer = book.add(card("Newer"))
    plan = plan_backup(book, path, KIT)
    assert ([item.name for item in plan.new], [item.name for item in plan.changed], plan.identical) == (
        ["Ada", "c000"], ["Club"], 2)
    assert not plan.with_history
    apply_backup(book, plan, KIT)
    assert book.card(newer)["name"] == {"full": "Newer"}
    book.remove([newer])
    assert everything(book) == before
    assert book.store.media_digests() == photos
    book.carry_out(book.plan_undo(next(step.number for step in book.store.history.steps()
                                       if step.name == "restore book.e2ebackup")))
    assert [row.name for row in book.list()] == ["c001", "c002", "Club"]


def test_into_another_book_with_its_history(book: Book, other: Book, tmp_path: Path) -> None:
    path = written(book, tmp_path)
    plan = plan_backup(other, path, KIT)
    assert (len(plan.new), plan.with_history) == (5, True)
    apply_backup(other, plan, KIT)
    assert everything(other) == everything(book)
    assert all(other.media(digest) == book.media(digest) for digest in book.store.media_digests())
    contact = other.find("c001").contact
    assert any(path.startswith("blobs/") for path in other.registers(contact))
    assert other.as_imported("phone.vcf") == book.as_imported("phone.vcf")
    steps = [step.name for step in reversed(other.store.history.steps())]
    assert steps == ["import phone.vcf", "add", "add", "edit", "add", "delete"]
    edit = next(step for step in other.store.history.steps() if step.name == "edit")
    other.carry_out(other.plan_undo(edit.number))
    assert "notes" not in other.card(other.find("Ada").contact)


def test_a_passphrase_opens_what_was_made_for_it(book: Book, other: Book, tmp_path: Path) -> None:
    path = written(book, tmp_path, "pass phrase")
    assert made_for(path) == "passphrase"
    for way in ("other phrase", KIT):
        with pytest.raises(WrongPassphrase):
            read_backup(path, way)
    apply_backup(other, plan_backup(other, path, "pass phrase"), "pass phrase")
    assert everything(other) == everything(book)
    with pytest.raises(WrongPassphrase):
        write_backup(book, tmp_path / "none", "")


def test_the_kit_opens_what_was_made_for_it(book: Book, tmp_path: Path) -> None:
    path = written(book, tmp_path)
    assert made_for(path) == "kit"
    with pytest.raises(BadCode):
        read_backup(path, RecoveryKit.generate(ENTROPY))
    with pytest.raises(WrongPassphrase):
        read_backup(path, "pass phrase")


def test_nothing_of_the_book_is_in_the_file(book: Book, tmp_path: Path) -> None:
    content = written(book, tmp_path).read_bytes()
    assert b"Ada" not in content
    assert b"c001" not in content
    assert b"JFIF" not in content


def test_whatever_is_altered_or_cut_is_found_out(book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_TARGET", 200)
    path = written(book, tmp_path)
    content = path.read_bytes()
    ends = [len(MAGIC)]
    while ends[-1] < len(content):
        ends.append(ends[-1] + 4 + int.from_bytes(content[ends[-1] : ends[-1] + 4]))
    assert len(ends) > 5
    first, second, third = (content[start:end] for start, end in pairwise(ends[1:5]))
    bad = [content[:end] for end in ends[:-1]] + [content[: end + 3] for end in ends[:-1]]
    bad += [content + b"\0", content + first, content.replace(first + second, second + first),
            content.replace(second, b""), content.replace(second, third), b"", b"x" + content]
    for place in range(0, len(content), len(content) // 60):
        bad.append(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    for altered in bad:
        path.write_bytes(altered)
        with pytest.raises((ProfileDamaged, BadCode, WrongPassphrase)):
            read_backup(path, KIT)


@pytest.mark.parametrize("items", [
    [["contact", "u"]], [["contact", "u", 0, 5]], [["photo", "d"]], [["step", 1]], [[]], 5, [["book"]],
    [["change", 1, "u", 0, "text"]],
])
def test_what_is_sealed_and_makes_no_sense(book: Book, tmp_path: Path, items: object,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "encode", lambda value: encode(items if type(value) is list and (
        not value or type(value[0]) is list) else value))
    path = tmp_path / "odd"
    write_backup(book, path, None)
    with pytest.raises(ProfileDamaged):
        read_backup(path, KIT)


def test_a_backup_that_cannot_be_written_leaves_the_old_one(book: Book, tmp_path: Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(book, tmp_path)
    before = path.read_bytes()

    def full(*_arguments: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_sealed", full)
    with pytest.raises(ProfileError):
        write_backup(book, path, None)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_automatic_backups_come_when_they_are_due_and_old_ones_go(book: Book, tmp_path: Path) -> None:
    now = [1_700_000_000_000]
    book.now = lambda: now[0]
    assert backup_if_due(book) is None
    for name, value in (("backup-every", "7"), ("backup-keep", "2"), ("backup-dir", str(tmp_path / "backups"))):
        settings.put(book.profile.store, name, value)
    made = []
    for _week in range(4):
        made.append(backup_if_due(book))
        assert backup_if_due(book) is None
        now[0] += 7 * DAY
    assert None not in made
    assert sorted((tmp_path / "backups").iterdir()) == made[2:]
    assert len(read_backup(made[3], KIT).contacts) == 5


def test_a_book_without_a_kit_needs_a_passphrase(book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book.replica, "person", b"somebody else...")
    with pytest.raises(NotFound):
        write_backup(book, tmp_path / "none", None)
