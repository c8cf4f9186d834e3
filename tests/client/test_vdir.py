"""The vdir bridge: what each side changed goes over, and nothing is lost, doubled or deleted by mistake."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path
from typing import Any

import pytest

from e2esync.card import read_vcards
from e2esync.client import vdir_writing
from e2esync.client.book import Book
from e2esync.client.folder import Folder
from e2esync.client.vdir import BridgePlan, plan_bridge
from e2esync.client.vdir_writing import Bridged, carry_out_bridge
from e2esync.errors import NotFound, ProfileBusy, ProfileError
from tests.client.test_book import vcards
from tests.client.world import card

ADA = ("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:ada\r\nFN:Ada Lovelace\r\nN:Lovelace;Ada;;;\r\nTEL;TYPE=CELL:+44 1\r\n"
       "TEL;TYPE=HOME:+44 2\r\nX-ODD;A=b:kept\\, as it is\r\nNOTE:first\r\nEND:VCARD\r\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "cards"
    path.mkdir()
    return path


def bridge(book: Book, path: Path, **options: Any) -> tuple[BridgePlan, Bridged]:
    with Folder.open(path) as folder:
        plan = plan_bridge(book, folder, **options)
        return plan, carry_out_bridge(book, folder, plan)


def planned(book: Book, path: Path, **options: Any) -> BridgePlan:
    with Folder.open(path) as folder:
        return plan_bridge(book, folder, **options)


def only(book: Book) -> dict[str, Any]:
    (row,) = book.list()
    return book.registers(row.contact)


def numbers(registers: dict[str, Any]) -> list[str]:
    return sorted(value["number"] for path, value in registers.items() if path.startswith("phones/"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new).encode())


def settled(book: Book, path: Path) -> None:
    """Both sides say the same: another pass does nothing."""
    plan = planned(book, path)
    assert plan.quiet, plan
    assert not plan.problems, plan


def test_a_card_of_the_folder_comes_into_the_book_and_its_file_is_left_alone(book: Book, folder: Path) -> None:
    (folder / "x.vcf").write_bytes(ADA.encode())
    _plan, done = bridge(book, folder)
    assert (done.new, done.written) == (1, 0)
    assert numbers(only(book)) == ["+44 1", "+44 2"]
    assert (folder / "x.vcf").read_bytes() == ADA.encode()
    settled(book, folder)


def test_a_contact_of_the_book_becomes_a_private_file_named_by_its_uid(book: Book, folder: Path) -> None:
    book.add(card("Ada", phones={"m": {"number": "+44 1", "features": {"mobile": True}}}))
    assert bridge(book, folder)[1].written == 1
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"UID:urn:Ada\r\n" in file.read_bytes()
    settled(book, folder)


def test_an_edit_in_the_folder_changes_only_what_changed_in_it(book: Book, folder: Path) -> None:
    """The id and what vCard 3.0 cannot say stay in the book."""
    contact = book.add(card("Ada", phones={"m": {"number": "+44 1", "x-secret": 7}, "h": {"number": "+44 2"}},
                            notes={"n": {"note": "first", "created": "2020-01-01T00:00:00Z"}}))
    bridge(book, folder)
    (file,) = folder.iterdir()
    edit(file, "+44 1", "+44 9")
    assert bridge(book, folder)[1].updated == 1
    shown = book.registers(contact)
    assert shown["phones/m"]["number"] == "+44 9"
    assert shown["phones/m"]["x-secret"] == 7
    assert shown["phones/h"]["number"] == "+44 2"
    assert shown["notes/n"] == {"note": "first", "created": "2020-01-01T00:00:00Z"}
    settled(book, folder)


def test_an_edit_in_the_book_changes_only_its_line_of_the_file(book: Book, folder: Path) -> None:
    (folder / "x.vcf").write_bytes(ADA.encode())
    bridge(book, folder)
    (row,) = book.list()
    (path,) = (path for path, value in only(book).items() if path.startswith("phones/") and value["number"] == "+44 2")
    book.write(row.contact, {path: {**only(book)[path], "number": "+44 22"}})
    assert bridge(book, folder)[1].written == 1
    assert (folder / "x.vcf").read_bytes() == ADA.replace("+44 2", "+44 22").encode()
    settled(book, folder)


def test_backslashes_that_another_program_adds_to_what_it_does_not_know_are_no_edit(book: Book, folder: Path) -> None:
    (folder / "x.vcf").write_bytes(ADA.replace("kept\\, as", "a;b;c as").encode())
    bridge(book, folder)
    before = only(book)
    edit(folder / "x.vcf", "a;b;c as", "a\\;b\\;c as")
    assert bridge(book, folder)[1].updated == 0
    assert only(book) == before
    settled(book, folder)
    edit(folder / "x.vcf", "a\\;b\\;c as", "a\\;b\\;d as")
    assert bridge(book, folder)[1].updated == 1


def test_edits_of_both_sides_are_merged(book: Book, folder: Path) -> None:
    (folder / "x.vcf").write_bytes(ADA.encode())
    bridge(book, folder)
    (row,) = book.list()
    edit(folder / "x.vcf", "+44 1", "+44 9")
    edit(folder / "x.vcf", "TEL;TYPE=HOME:+44 2\r\n", "")
    (note,) = (path for path in only(book) if path.startswith("notes/"))
    book.write(row.contact, {note: {"note": "second"}, "keywords/Friends": True})
    plan, done = bridge(book, folder)
    assert (done.updated, done.written, plan.both) == (1, 1, [])
    text = (folder / "x.vcf").read_text()
    for shown in ("+44 9", "second", "Friends", "X-ODD;A=b:kept\\, as it is"):
        assert shown in text
    assert "+44 2" not in text
    assert "first" not in text
    assert numbers(only(book)) == ["+44 9"]
    settled(book, folder)


def test_one_number_changed_on_both_sides_is_kept_twice_and_a_name_is_named(book: Book, folder: Path) -> None:
    (folder / "x.vcf").write_bytes(ADA.encode())
    bridge(book, folder)
    (row,) = book.list()
    (path,) = (path for path, value in only(book).items() if path.startswith("phones/") and value["number"] == "+44 1")
    book.write(row.contact, {path: {"number": "+44 7"}, "name": {"full": "Ada of the book"}})
    edit(folder / "x.vcf", "+44 1", "+44 8")
    edit(folder / "x.vcf", "FN:Ada Lovelace", "FN:Ada of the folder")
    plan, _done = bridge(book, folder)
    assert plan.both == ["Ada of the folder"]
    assert numbers(only(book)) == ["+44 2", "+44 7", "+44 8"]
    assert only(book)["name"]["full"] == "Ada of the folder"
    settled(book, folder)


def test_deletions_go_over_and_an_edit_beats_one(book: Book, folder: Path) -> None:
    for name in ("a", "b", "c", "d", "e"):
        (folder / f"{name}.vcf").write_bytes(ADA.replace("UID:ada", f"UID:{name}").replace("Ada", name).encode())
    bridge(book, folder)
    rows = {row.uid: row.contact for row in book.list()}
    (folder / "a.vcf").unlink()
    book.remove([rows["b"], rows["c"]])
    edit(folder / "c.vcf", "first", "edited")
    (folder / "d.vcf").unlink()
    book.write(rows["d"], {"keywords/Kept": True})
    bridge(book, folder)
    assert sorted(row.uid for row in book.list()) == ["c", "d", "e"]
    assert len(list(folder.iterdir())) == 3
    assert "Kept" in (folder / "d.vcf").read_text()
    settled(book, folder)


def test_photos_are_embedded_and_come_back(book: Book, folder: Path) -> None:
    book.apply(book.plan(read_vcards(vcards(1, photo=True), salt=book.set_id)))
    bridge(book, folder)
    (file,) = folder.iterdir()
    (row,) = book.list()
    text = file.read_bytes()
    assert b"PHOTO" in text
    file.write_bytes(b"".join(line for line in text.splitlines(keepends=True) if not line.startswith((b"PHOTO", b" "))))
    bridge(book, folder)
    assert not any(path.startswith("media/") for path in only(book))
    file.write_bytes(text)
    bridge(book, folder)
    (media,) = (value for path, value in book.registers(row.contact).items() if path.startswith("media/"))
    assert book.media(media["digest"]) is not None
    settled(book, folder)


def test_a_photo_that_is_not_here_yet_is_written_when_it_is(book: Book, folder: Path) -> None:
    book.apply(book.plan(read_vcards(vcards(1, photo=True), salt=book.set_id)))
    (digest,) = book.store.media_digests()
    content = book.store.media(digest)
    assert content is not None
    book.store.delete_media([digest])
    bridge(book, folder)
    (file,) = folder.iterdir()
    assert b"PHOTO" not in file.read_bytes()
    settled(book, folder)
    book.store.put_media(digest, content)
    bridge(book, folder)
    assert b"PHOTO" in file.read_bytes()
    assert any(path.startswith("media/") for path in only(book))
    settled(book, folder)


def test_a_file_without_uid_gets_one_once(book: Book, folder: Path) -> None:
    (folder / "x.vcf").write_bytes(ADA.replace("UID:ada\r\n", "").encode())
    assert bridge(book, folder)[1].written == 1
    text = (folder / "x.vcf").read_bytes()
    assert text.count(b"UID:") == 1
    assert text.replace(f"UID:{only(book)['uid']}\r\n".encode(), b"") == ADA.replace(
        "UID:ada\r\n", "").encode()
    settled(book, folder)


def test_a_renamed_file_is_the_same_contact(book: Book, folder: Path) -> None:
    (folder / "x.vcf").write_bytes(ADA.encode())
    bridge(book, folder)
    edit(folder / "x.vcf", "+44 1", "+44 9")
    (folder / "x.vcf").rename(folder / "y.vcf")
    assert bridge(book, folder)[1].removed == 0
    assert numbers(only(book)) == ["+44 2", "+44 9"]
    settled(book, folder)


@pytest.mark.parametrize("content", [b"no card", b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\n", b"", 2 * ADA.encode(),
                                     ADA.encode() + ADA.replace("UID:ada", "UID:b").encode()])
def test_what_is_no_card_stays_and_deletes_nobody(book: Book, folder: Path, content: bytes) -> None:
    (folder / "x.vcf").write_bytes(ADA.encode())
    bridge(book, folder)
    for _ in range(2):
        (folder / "x.vcf").write_bytes(content)
        plan, done = bridge(book, folder)
        assert (len(plan.problems), done.removed, done.written) == (content != 2 * ADA.encode(), 0, 0)
        assert len(book.list()) == 1
        assert (folder / "x.vcf").read_bytes() == content
    (folder / "x.vcf").write_bytes(ADA.replace("+44 1", "+44 9").encode())
    bridge(book, folder)
    assert numbers(only(book)) == ["+44 2", "+44 9"]
    settled(book, folder)


def test_an_emptied_folder_never_empties_the_book(book: Book, folder: Path) -> None:
    book.add(card("Ada"))
    bridge(book, folder)
    for file in folder.iterdir():
        file.unlink()
    assert "the folder is empty" in planned(book, folder).stop
    plan, done = bridge(book, folder, refill=True)
    assert (plan.stop, done.written, len(book.list())) == ("", 1, 1)
    settled(book, folder)


def test_much_on_either_side_stops_and_little_does_not(book: Book, folder: Path) -> None:
    contacts = [book.add(card(f"Person {number}")) for number in range(20)]
    bridge(book, folder)
    files = sorted(folder.iterdir())
    for file in files[:10]:
        file.unlink()
    assert planned(book, folder).stop == ""
    files[10].unlink()
    assert "11 of 20 contacts" in planned(book, folder).stop
    bridge(book, folder, refill=True)
    book.remove(contacts[:11])
    assert "11 of 20 files" in planned(book, folder).stop
    book.remove(contacts)
    assert "the book is empty" in planned(book, folder).stop
    bridge(book, folder)
    assert (list(folder.iterdir()), planned(book, folder).stop) == ([], "")


def test_both_empty_cries_no_wolf(book: Book, folder: Path) -> None:
    contact = book.add(card("Ada"))
    bridge(book, folder)
    book.remove([contact])
    for file in folder.iterdir():
        file.unlink()
    plan, _done = bridge(book, folder)
    assert plan.stop == ""
    settled(book, folder)


def test_a_folder_that_was_there_before_meets_the_book_without_doubles(book: Book, folder: Path) -> None:
    """The rows are lost, as on a new device: equal cards stay, others are united."""
    book.apply(book.plan(read_vcards(ADA.encode(), salt=book.set_id)))
    (folder / "x.vcf").write_bytes(ADA.replace("+44 1", "+44 3").encode())
    bridge(book, folder)
    assert numbers(only(book)) == ["+44 1", "+44 2", "+44 3"]
    settled(book, folder)
    text = (folder / "x.vcf").read_bytes()
    book.store.copies.drop(str(folder), ["x.vcf"])
    _plan, done = bridge(book, folder)
    assert (done.updated, (folder / "x.vcf").read_bytes()) == (0, text)


def test_links_and_other_files_are_left_alone(book: Book, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.vcf"
    outside.write_bytes(ADA.encode())
    (folder / "link.vcf").symlink_to(outside)
    (folder / "displayname").write_text("Friends")
    (folder / "color").write_text("#ff0000")
    os.mkfifo(folder / "pipe.vcf")
    plan, done = bridge(book, folder)
    assert (sorted(name for name, _reason in plan.problems), done.new) == (["link.vcf", "pipe.vcf"], 0)
    (tmp_path / "alias").symlink_to(folder)
    with pytest.raises(ProfileError, match="symbolic link"):
        Folder.open(tmp_path / "alias")
    with pytest.raises(NotFound):
        Folder.open(tmp_path / "nowhere")
    with Folder.open(folder), pytest.raises(ProfileBusy):
        Folder.open(folder)
    assert (folder / "displayname").read_text() == "Friends"


def test_groups_travel_as_cards(book: Book, folder: Path) -> None:
    book.add(card("Ada"))
    book.add({**card("Friends"), "kind": "group", "members": {"urn:Ada": True}})
    bridge(book, folder)
    settled(book, folder)
    (group,) = (file for file in folder.iterdir() if "urn:Ada" in file.read_text().replace("UID:urn:Ada", ""))
    file = group.read_text()
    group.write_text(file.replace("END:VCARD", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:bob\r\nEND:VCARD"), newline="")
    bridge(book, folder)
    row = book.find("Friends")
    assert len([path for path in book.registers(row.contact) if path.startswith("members/")]) == 2


def test_a_forgotten_contact_leaves_no_value_in_the_profile(book: Book, folder: Path) -> None:
    contact = book.add(card("Ada", phones={"m": {"number": "+44 1", "x-secret": "hidden there"}}))
    bridge(book, folder)
    book.remove([contact])
    book.store.forget()
    (row,) = book.store.copies.of_folder(str(folder))
    assert row.hash
    assert (book.store.contact(contact) is None or row.base == b"")


class Killed(BaseException):
    """Ends a pass where a process would have been killed."""


STEPS = ("stage", "publish", "settle", "discard", "settled_stamp")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("touched", [False, True])
def test_killed_anywhere_nothing_is_lost_or_doubled(book: Book, folder: Path, monkeypatch: pytest.MonkeyPatch,
                                                    step: str, late: bool, touched: bool) -> None:
    for name in ("a", "b", "c"):
        (folder / f"{name}.vcf").write_bytes(ADA.replace("UID:ada", f"UID:{name}").encode())
    bridge(book, folder)
    rows = {row.uid: row.contact for row in book.list()}
    book.write(rows["a"], {"keywords/Mine": True})
    edit(folder / "a.vcf", "first", "from the folder")
    book.remove([rows["b"]])
    book.add(card("New"))
    (folder / "z.vcf").write_bytes(ADA.replace("UID:ada\r\n", "").replace("Ada", "Zoe").encode())
    real = getattr(Folder, step)

    def dies(self: Folder, *args: Any) -> Any:
        if late:
            real(self, *args)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Folder, step, dies)
        with pytest.raises(Killed):
            bridge(book, folder)
    if touched:
        edit(folder / "a.vcf", "Ada Lovelace", "Ada Byron")
    bridge(book, folder)
    bridge(book, folder)
    settled(book, folder)
    shown = {row.uid: book.registers(row.contact) for row in book.list()}
    assert len(shown) == 4
    assert "b" not in shown
    assert [value["note"] for path, value in shown["a"].items() if path.startswith("notes/")] == ["from the folder"]
    assert shown["a"]["keywords/Mine"] is True
    assert numbers(shown["a"]) == ["+44 1", "+44 2"]
    assert shown["a"]["name"]["full"] == ("Ada Byron" if touched else "Ada Lovelace")
    assert len(list(folder.iterdir())) == 4
    assert "Mine" in (folder / "a.vcf").read_text()


def test_a_file_that_changes_under_the_pass_is_taken_by_the_next(book: Book, folder: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "x.vcf").write_bytes(ADA.encode())
    bridge(book, folder)
    (row,) = book.list()
    book.write(row.contact, {"keywords/Mine": True})
    real = Folder.stage

    def stage(self: Folder, content: bytes, number: int) -> str:
        edit(folder / "x.vcf", "first", "meanwhile")
        return real(self, content, number)

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "stage", stage)
        assert bridge(book, folder)[1].left == 1
    assert "meanwhile" in (folder / "x.vcf").read_text()
    bridge(book, folder)
    text = (folder / "x.vcf").read_text()
    assert "meanwhile" in text
    assert "Mine" in text
    settled(book, folder)


@pytest.mark.parametrize("seed", range(8))
def test_random_edits_of_both_sides_converge(book: Book, folder: Path, seed: int,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens on both sides, a pass brings them together, and what was added on either side is there."""
    monkeypatch.setattr(vdir_writing, "_BATCH", 3)
    chance, added = random.Random(seed), 0
    for number in range(12):
        book.add(card(f"Person {number}", phones={"a": {"number": f"+44 100 {number:04}"}}))
    for _round in range(8):
        bridge(book, folder)
        bridge(book, folder)
        settled(book, folder)
        wanted = []
        for file in chance.sample(sorted(folder.iterdir()), 4):
            added += 1
            wanted += _edit_file(chance, file, added)
        for row in chance.sample(book.list(), 4):
            added += 1
            wanted += _edit_contact(chance, book, row.contact, added)
        bridge(book, folder)
        bridge(book, folder)
        settled(book, folder)
        text = "".join(file.read_text() for file in folder.iterdir())
        assert [mark for mark in wanted if mark not in text] == []
        assert len(list(folder.iterdir())) == len(book.list())


def _edit_file(chance: random.Random, file: Path, number: int) -> list[str]:
    """Change a file; returns what has to be there after that, whatever the other side does."""
    text = file.read_text()
    action = chance.randrange(5)
    if action == 0 and len(list(file.parent.iterdir())) > 6:
        file.unlink()
    elif action == 1:
        file.write_text(text.replace("END:VCARD", f"TEL:+44 200 {number:04}\nEND:VCARD"))
        return [f"+44 200 {number:04}"]
    elif action == 2:
        file.write_text("".join(line + "\n" for line in text.splitlines() if not line.startswith("TEL")))
    elif action == 3:
        file.write_text(text.replace("END:VCARD", f"NOTE:#{number}.\nEND:VCARD"))
        return [f"#{number}."]
    else:
        copy = text.replace("UID:", f"UID:x{number}")
        (file.parent / f"new{number}.vcf").write_text(copy)
        return [f"UID:x{number}"]
    return []


def _edit_contact(chance: random.Random, book: Book, contact: bytes, number: int) -> list[str]:
    """The same in the book."""
    action = chance.randrange(5)
    registers = book.registers(contact)
    phones = [path for path in registers if path.startswith("phones/")]
    if action == 0 and len(book.list()) > 6:
        book.remove([contact])
    elif action == 1 and phones:
        book.write(contact, {phones[0]: {"number": f"+44 300 {number:04}"}})
        return [f"+44 300 {number:04}"]
    elif action == 2 and phones:
        book.write(contact, {phones[-1]: None})
    elif action == 3:
        book.write(contact, {f"notes/n{number}": {"note": f"#{number}."}})
        return [f"#{number}."]
    else:
        book.write(contact, {f"keywords/k{number % 3}": True, "name": {"full": f"Name {number}"}})
        return [f"Name {number}"]
    return []
