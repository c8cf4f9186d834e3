"""import, quarantine and export, on a real profile."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from e2esync.client.profile import Profile

from .conftest import Cli
from .driving import CARD, many, run_here

PHOTO = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:p\r\nFN:Ada\r\nN:;Ada;;;\r\n"
    "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRgABAQAAAQABAAD/2Q==\r\nEND:VCARD\r\n"
)

def test_import_twice_and_dry_run(book: Cli, tmp_path: Path) -> None:
    path = many(tmp_path / "many.vcf", 3)
    ran = book("import", path, "--dry-run")
    assert (ran.code, "3 cards: 3 new, 0 identical, 0 updated" in ran.err) == (0, True)
    assert book("list", "--json").json["contacts"] == []
    expected = {"cards": 3, "new": 3, "identical": 0, "updated": 0, "applied": True, "quarantined": [],
                "duplicates": 0, "skipped": 0}
    assert book("import", path, "--json").json == {"schema": 1, **expected}
    assert book("import", path, "--json").json == {"schema": 1, **expected, "new": 0, "identical": 3}


def test_import_label_folder_and_stdin(book: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "cards"
    folder.mkdir()
    many(folder / "a.vcf", 1)
    (folder / "b.json").write_text('[{"@type":"Card","version":"1.0","uid":"b","name":{"full":"Bea"}}]')
    (folder / "notes.txt").write_text("not a card")
    assert book("import", str(folder), "--label", "From there", "--json").json["new"] == 2
    assert book("show", "Bea", "--json").json["card"]["keywords"] == {"From there": True}
    assert run_here("import", "-", stdin=CARD.format("c", "Cleo").encode())[0] == 0
    assert book("show", "Cleo").code == 0
    assert book("import", str(tmp_path / "missing.vcf")).code == 1
    (tmp_path / "empty").mkdir()
    assert book("import", str(tmp_path / "empty")).code == 1


def test_one_bad_file_of_a_folder_stops_no_other(book: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "cards"
    folder.mkdir()
    many(folder / "a.vcf", 2)
    (folder / "b.json").write_text('{"broken": ')
    (folder / "c.vcf").mkdir()
    (folder / "d.vcf").write_bytes(os.urandom(200).replace(b"\0", b""))
    ran = book("import", str(folder))
    assert (ran.code, "5 cards: 2 new" in ran.err) == (3, True)
    for said in ("b.json:1: ", "not strict JSON", "c.vcf:1: cannot read", "Is a directory", "d.vcf holds no contact"):
        assert said in ran.err
    assert book("quarantine", "--json").json["quarantined"] == []  # They are where they were.


@pytest.mark.parametrize(("name", "content", "arguments", "said"), [
    ("photo.vcf", b"\x89PNG\r\n\x1a\n and so on", [], "photo.vcf holds no contact"),
    ("notes.txt", b"buy milk\n", [], "`e2esync help phones`"),
    ("other.csv", b"a,b,c\n1,2,3\n", [], "holds no contact"),
    ("card.vcf", CARD.format("1", "Ada").encode(), ["--from", "google-csv"], "no column of Google's CSV"),
    ("card.vcf", CARD.format("1", "Ada").encode(), ["--from", "outlook-csv"], "no column of an Outlook"),
    ("broken.json", b'{"a":', [], "broken.json: this is not strict JSON"),
])
def test_what_is_no_file_of_contacts_is_said_and_not_kept(
    book: Cli, tmp_path: Path, name: str, content: bytes, arguments: list[str], said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    ran = book("import", str(path), *arguments)
    assert (ran.code, said in ran.err) == (1, True)
    assert book("quarantine", "--json").json["quarantined"] == book("list", "--json").json["contacts"] == []


def test_files_that_cannot_be_read_or_written_are_named_with_what_to_do(book: Cli, tmp_path: Path) -> None:
    missing = str(tmp_path / "nothing" / "here.vcf")
    said = {"message": f"cannot read {missing}: No such file or directory",
            "hint": "check the name, and the folder it is in", "code": "FileProblem"}
    assert json.loads(book("import", missing, "--json").err)["error"] == said
    assert "download it first" in book("import", "https://cloud.example/all.vcf").err
    assert "without a name" in book("import", "").err
    card = tmp_path / "card.vcf"
    card.write_text(CARD.format("1", "Ada"))
    assert "is no folder" in book("vdir", str(card)).err
    assert book("vdir", "").code == 2
    assert book("new", "--name", "Ada").code == 0
    assert f"{card}: this is no JPEG" in book("photo", "set", "Ada", str(card)).err
    assert f"{card} is no evidence" in book("evidence", "verify", str(card)).err
    ran = book("backup", "--restore", str(card))
    assert "card.vcf is no backup" in ran.err
    assert "`e2esync import`" in ran.err
    assert f"cannot write {missing}" in book("backup", missing).err


def test_bad_cards_are_quarantined_and_listed(book: Cli, tmp_path: Path) -> None:
    path = tmp_path / "mixed.vcf"
    path.write_text(CARD.format("1", "Ada") + "junk \x1b[2J outside\r\n" + CARD.format("2", "Bea"), newline="")
    ran = book("import", str(path))
    assert ran.code == 3
    assert "3 cards: 2 new, 0 identical, 0 updated, 1 unreadable -> quarantine" in ran.err
    assert "mixed.vcf:7:" in ran.err
    assert book("import", str(path), "--json").json["quarantined"][0]["line"] == 7
    items = book("quarantine", "--json").json["quarantined"]
    assert [item["source"] for item in items] == ["mixed.vcf"]
    assert "mixed.vcf" in book("quarantine", "list").out
    out = tmp_path / "bad.vcf"
    assert book("quarantine", "export", "-o", str(out)).code == 0
    assert out.read_bytes() == b"junk \x1b[2J outside\r\n"
    assert book("quarantine", "drop", "99").code == 4
    assert book("quarantine", "drop", str(items[0]["id"])).code == 0
    assert book("quarantine", "--json").json["quarantined"] == []


def test_export_is_what_was_imported(book: Cli, tmp_path: Path) -> None:
    path = Path(many(tmp_path / "many.vcf", 3))
    book("import", str(path))
    out = tmp_path / "out.vcf"
    before = os.umask(0)
    try:
        assert book("export", "-o", str(out)).code == 0
    finally:
        os.umask(before)
    assert out.read_bytes() == path.read_bytes()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert book("export", "-o", str(out)).code == 1
    assert book("export", "Person 00001", "-o", str(out), "--yes", "--json").json["contacts"] == 1
    assert out.read_bytes().decode() == CARD.format("uid-00001", "Person 00001")
    assert book("export", "--json").code == 2
    full = out.read_bytes()
    ran = book("export", "Nobody", "-o", str(out), "--yes")
    assert (ran.code, "no contact fits 'Nobody'" in ran.err, out.read_bytes()) == (4, True, full)


@pytest.mark.parametrize(("kind", "mark"), [
    ("vcard2.1", "VERSION:2.1"), ("vcard3", "VERSION:3.0"), ("vcard4", "VERSION:4.0"), ("jscontact", '"@type": "Card"'),
])
def test_export_formats_come_back(people: Cli, tmp_path: Path, kind: str, mark: str) -> None:
    shown = people("export", "--format", kind).out
    assert shown.count(mark) == 3
    assert "山田太郎" in shown or kind == "vcard2.1"
    path = tmp_path / "again"
    path.write_text(shown, newline="")
    assert people("import", str(path), "--dry-run", "--json").json["new"] == 0


def test_a_uid_that_is_a_file_name_already_gets_no_second_ending(book: Cli, tmp_path: Path) -> None:
    for uid in ("one.vcf", "one", ".vcf"):
        card = {"@type": "Card", "version": "1.0", "uid": uid, "name": {"full": uid}}
        (tmp_path / "card.json").write_text(json.dumps(card))
        book("new", "--from", str(tmp_path / "card.json"))
    folder = tmp_path / "out"
    assert book("export", "-o", f"{folder}/").code == 0
    files = {path.name: path.read_text() for path in folder.iterdir()}
    assert len(files) == 3
    assert "one.vcf" in files
    assert not any(name.endswith(".vcf.vcf") for name in files)
    assert sorted(line for text in files.values() for line in text.splitlines() if line.startswith("UID:")) == [
        "UID:.vcf", "UID:one", "UID:one.vcf"]


def test_export_to_a_folder(book: Cli, tmp_path: Path) -> None:
    names = ["plain-uid", "../../evil", ".hidden", "UPPER", "upper", "a/b", "x" * 300]
    path = tmp_path / "cards.vcf"
    path.write_text("".join(CARD.format(uid, f"Person {n}") for n, uid in enumerate(names)), newline="")
    book("import", str(path))
    folder = tmp_path / "out"
    assert book("export", "-o", str(folder) + "/").code == 0
    files = sorted(file.name for file in folder.iterdir())
    assert len(files) == len(names)
    assert "plain-uid.vcf" in files
    assert all(file.endswith(".vcf") and not file.startswith(".") for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert not (tmp_path.parent / "evil.vcf").exists()
    assert book("import", str(folder), "--dry-run", "--json").json["identical"] == len(names)


def test_export_refuses_a_symbolic_link(people: Cli, tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "link"
    victim.write_text("precious")
    link.symlink_to(victim)
    assert people("export", "-o", str(link), "--yes").code == 1
    assert victim.read_text() == "precious"


def test_photos_go_out_and_their_keys_do_not(book: Cli, tmp_path: Path) -> None:
    path = tmp_path / "photo.vcf"
    path.write_text(PHOTO, newline="")
    assert book("import", str(path)).code == 0
    assert book("export").out == PHOTO
    for arguments in (["show", "Ada", "--json"], ["export", "--format", "jscontact"], ["show", "Ada"],
                      ["conflicts", "--json"], ["status", "--json"], ["list", "--json"]):
        shown = book(*arguments).out
        assert "blobs" not in shown
        assert '"keys"' not in shown
    assert "data:image/jpeg;base64,/9j/4AAQ" in book("export", "--format", "jscontact").out


def test_importing_a_photo_again_changes_nothing(book: Cli, tmp_path: Path) -> None:
    path = tmp_path / "photo.vcf"
    path.write_text(PHOTO, newline="")
    for new in (1, 0):
        assert book("import", str(path), "--json").json["new"] == new
    assert book("import", str(path), "--json").json["identical"] == 1


GOOGLE = "Given Name,Labels,Phone 1 - Label,Phone 1 - Value\r\nAda,Crew,Mobile,+44 20 7946 0001\r\nBea,\"open\r\n"


def test_every_format_is_detected_and_may_be_named(book: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    many(folder / "a.vcf", 1)
    (folder / "b.json").write_text('["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "Jay"]]]')
    (folder / "c.csv").write_text(GOOGLE, newline="")
    (folder / "d.ldif").write_text("dn: cn=Lil\ncn: Lil\n")
    (folder / "e.csv").write_text("Primary Email\nout@look.example\n")
    ran = book("import", str(folder), "--json")
    assert (ran.code, ran.json["new"]) == (3, 5)
    assert [(each["source"], each["line"]) for each in ran.json["quarantined"]] == [("c.csv", 3)]
    assert book("show", "Ada", "--json").json["card"]["keywords"] == {"Crew": True}
    assert book("import", str(folder), "--json").json["identical"] == 5
    assert book("import", str(folder / "d.ldif"), "--from", "ldif", "--json").json["identical"] == 1
    assert book("import", str(folder / "d.ldif"), "--from", "jcard").code == 1
    assert book("import", str(folder / "d.ldif"), "--from", "word").code == 2


def test_a_file_comes_back_as_it_was_imported(book: Cli, tmp_path: Path) -> None:
    ada, bea = CARD.format("1", "Ada"), CARD.format("2", "Bea").replace("\r\n", "\n")
    text = f"{ada}junk\n\n{bea}{ada}"
    path, out = tmp_path / "mine.vcf", tmp_path / "out.vcf"
    path.write_bytes(text.encode("utf-16-le"))
    assert book("import", str(path)).code == 3
    assert book("export", "--as-imported", "mine.vcf", "-o", str(out), "--json").json["as_imported"] == "mine.vcf"
    assert out.read_bytes() == path.read_bytes()
    assert book("edit", "Bea", "--note", "edited").code == 0
    assert book("rm", "Ada", "--yes").code == 0
    again = book("export", "--as-imported", str(path)).out.encode().decode("utf-16-le", "replace")
    assert "NOTE:edited" in again
    assert "Ada" not in again
    assert "junk" in again


def test_json_comes_back_equal_and_csv_does_not(book: Cli, tmp_path: Path) -> None:
    card = [{"@type": "Card", "version": "2.0", "name": {"full": "Joy"}, "x.example:y": [1]}, 7]
    (tmp_path / "j.json").write_text(json.dumps(card))
    (tmp_path / "c.csv").write_text(GOOGLE, newline="")
    for name in ("j.json", "c.csv"):
        assert book("import", str(tmp_path / name)).code == 3
    assert json.loads(book("export", "--as-imported", "j.json").out) == card
    assert book("export", "--as-imported", "c.csv").code == 1
    assert book("export", "--as-imported", "never.vcf").code == 4
    assert book("export", "--as-imported", "j.json", "--format", "jcard").code == 2
    assert book("export", "Joy", "--as-imported", "j.json").code == 2


def test_csv_and_jcard_go_out(book: Cli, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(GOOGLE.replace("Ada", "=Ada"), newline="")
    book("import", str(tmp_path / "c.csv"))
    shown = book("export", "--format", "csv").out
    assert "'=Ada,,,,,,,,,,,,,,,,Crew,Mobile,+44 20 7946 0001" in shown
    assert json.loads(book("export", "--format", "jcard").out)[0][0] == "vcard"


def test_exports_for_programs(book: Cli, tmp_path: Path) -> None:
    path = tmp_path / "a.vcf"
    path.write_text(
        CARD.format("a", "Ada").replace("END", "CATEGORIES:Crew\r\nitem1.TEL:1\r\nitem1.X-ABLabel:Boat\r\nEND")
        + CARD.format("b", "Bea"), newline="")
    book("import", str(path))
    assert "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:a" in book("export", "--for", "apple").out
    assert "CATEGORIES:Crew" in book("export", "--for", "google").out
    assert "TEL;TYPE=X-Boat:1" in book("export", "--for", "android").out
    ran = book("export", "--for", "outlook")
    assert "VERSION:2.1" in ran.out
    assert "Outlook reads only the first card" in ran.err
    folder = tmp_path / "out"
    assert book("export", "--for", "apple", "-o", f"{folder}/").code == 0
    assert len(list(folder.iterdir())) == 3
    assert book("export", "--for", "outlook", "-o", f"{tmp_path}/outlook/", "--json").json["warnings"] == []


def test_quarantine_is_read_again(book: Cli, tmp_path: Path) -> None:
    bad = tmp_path / "bad.vcf"
    bad.write_text("junk\r\n" + CARD.format("1", "Ada"), newline="")
    assert book("import", str(bad)).code == 3
    assert book("quarantine", "retry").code == 3
    assert book("quarantine", "retry", "99").code == 4
    with Profile.open(tmp_path / "profile", lambda _kind: None) as profile:
        profile.store.quarantine("old.vcf", CARD.format("2", "Bea").encode(), "an older version could not", 1)
    ran = book("quarantine", "retry", "--json")
    assert (ran.code, ran.json["read"], ran.json["new"], ran.json["left"]) == (3, 1, 1, 1)
    assert book("show", "Bea").code == 0
    assert [item["source"] for item in book("quarantine", "--json").json["quarantined"]] == ["bad.vcf"]


_watched: list[str] | None = None


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _watched is not None and (event == "open" or event.startswith("socket.")):
        _watched.append(f"{event} {arguments!r}")


def test_no_address_in_a_card_is_ever_fetched(book: Cli, tmp_path: Path) -> None:
    """Attack A53: a photo's address would tell its owner who has imported the card, and from where."""
    global _watched
    canary = tmp_path / "canary.jpg"
    canary.write_bytes(b"\xff\xd8\xff")
    uris = [f"{scheme}{where}" for scheme in ("http://", "https://", "ftp://", "gopher://", "ldap://", "//", "")
            for where in ("127.0.0.1:9/a.jpg", "localhost/canary.jpg")] + [f"file://{canary}", str(canary)]
    lines = "".join(f"{name};VALUE=uri:{uri}\r\n" for uri in uris for name in ("PHOTO", "LOGO", "SOUND", "KEY", "URL"))
    path = tmp_path / "a.vcf"
    path.write_text(CARD.format("a", "Ada").replace("END", f"{lines}END"), newline="")
    (tmp_path / "b.csv").write_text(f"Given Name,Photo,Labels\r\nBea,file://{canary},\r\n")
    (tmp_path / "c.ldif").write_text(f"dn: cn=C\ncn: C\njpegPhoto:< file://{canary}\n")
    sys.addaudithook(_watch)
    _watched = []
    try:
        assert book("import", str(tmp_path)).code == 0
        for arguments in (["show", "Ada"], ["list"], ["export"], ["export", "--for", "apple"],
                          ["export", "--format", "csv"], ["export", "--format", "jcard"]):
            assert book(*arguments).code == 0
        seen = _watched
    finally:
        _watched = None
    assert [each for each in seen if "canary" in each or each.startswith("socket.")] == []
    assert any("a.vcf" in each for each in seen)
