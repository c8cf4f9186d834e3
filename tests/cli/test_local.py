"""The commands that need no relay, on a real profile (files in and out: test_files_in_and_out)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from e2esync.cli import exits
from e2esync.cli.guard import is_mass_change
from e2esync.client.protection import KeyFile, Passphrase

from .conftest import Cli
from .driving import local_profile, many, run_here, run_program

HOSTILE = "\x1b]0;pwn\x07Eve\u202e\x9b2J\nnext\x7f"
FORBIDDEN = set("\x1b\x07\u202e\x9b\x7f")
# list, show, selectors

def test_list(people: Cli) -> None:
    ran = people("list")
    assert (ran.code, ran.err) == (0, "")
    assert [line.split("  ")[0] for line in ran.out.splitlines()] == ["NAME", "Ada Lovelace", "Adam Ant", "山田太郎"]
    assert people("ls", "--json").json["contacts"][0]["phones"] == ["+44 20 7946 0001"]


@pytest.mark.parametrize(("query", "names"), [
    ("ada", ["Ada Lovelace", "Adam Ant"]), ("Ada Love", ["Ada Lovelace"]), ("taro@example.jp", ["山田太郎"]),
    ("020 79460002", ["Adam Ant"]), ("nobody", []),
])
def test_list_query(people: Cli, query: str, names: list[str]) -> None:
    ran = people("list", *query.split(), "--json")
    assert [row["name"] for row in ran.json["contacts"]] == names
    assert people("list", "nobody").out == ""


def test_the_listed_uid_selects(people: Cli) -> None:
    for line in people("list").out.splitlines()[1:]:
        assert people("show", line.split()[-1]).code == 0


def test_a_urn_uid_is_listed_and_found_without_its_beginning(book: Cli, tmp_path: Path) -> None:
    card = tmp_path / "card.json"
    card.write_text(json.dumps({"@type": "Card", "version": "1.0", "name": {"full": "Grace"},
                                "uid": "urn:uuid:12345678-1234-4234-8234-123456789abc"}))
    assert book("import", str(card)).code == 0
    assert book("list").out.splitlines()[1].split() == ["Grace", "12345678"]
    assert book("show", "12345678", "--json").json["card"]["name"]["full"] == "Grace"


def test_ambiguous_and_unknown_selectors(people: Cli) -> None:
    ran = people("show", "ada")
    assert (ran.code, ran.out) == (4, "")
    assert "Ada Lovelace" in ran.err
    assert "Adam Ant" in ran.err
    error = people("show", "ada", "--json").error
    assert error["code"] == "Ambiguous"
    assert {row["name"] for row in error["candidates"]} == {"Ada Lovelace", "Adam Ant"}
    assert people("show", "nobody", "--json").error["code"] == "NotFound"
    assert people("show", " ").code == 2


def test_show(people: Cli) -> None:
    ran = people("show", "ada@example.org")
    assert ran.out.startswith("Ada Lovelace\n")
    assert "phone (mobile)        +44 20 7946 0001" in ran.out
    card = people("show", "ada@example.org", "--json").json["card"]
    assert card["name"] == {"full": "Ada Lovelace"}
    assert card["@type"] == "Card"


def test_hostile_text_never_reaches_output_raw(book: Cli, tmp_path: Path) -> None:
    card = tmp_path / "card.json"
    card.write_text(json.dumps({
        "@type": "Card", "version": "1.0", "uid": HOSTILE, "name": {"full": HOSTILE},
        "phones": {"p": {"number": HOSTILE, "label": HOSTILE}}, "notes": {"n": {"note": HOSTILE}},
        "keywords": {HOSTILE: True}, f"example.com:{HOSTILE}": HOSTILE,
        "media": {"m": {"kind": HOSTILE, "uri": HOSTILE}},
    }))
    assert book("import", str(card), "--label", HOSTILE).code == 0
    for arguments in (["list"], ["show", "Eve"], ["show", HOSTILE], ["status"], ["devices"], ["conflicts"],
                      ["rm", "Eve", HOSTILE + "x"], ["edit", "Eve", "--note", HOSTILE],
                      ["devices", "rename", "1", HOSTILE], ["devices"], ["devices", "rename", HOSTILE + "x", "x"],
                      [HOSTILE], ["list", HOSTILE], ["--home", HOSTILE, "list"], ["import", HOSTILE],
                      ["help", HOSTILE]):
        for more in ([], ["--json"]):
            ran = book(*arguments, *more)
            assert not (set(ran.out) | set(ran.err)) & FORBIDDEN, arguments
            assert "bug" not in ran.err, ran.err


# new, edit, rm

def test_new_prints_the_uid_and_nothing_else(book: Cli) -> None:
    ran = book("new", "--name", "Ada", "--birthday", "12-10", "--label", "Maths", "--org", "Analytical Engines")
    uid = ran.out.strip()
    card = book("show", uid, "--json").json["card"]
    assert card["uid"] == uid
    assert card["keywords"] == {"Maths": True}
    assert next(iter(card["anniversaries"].values()))["date"] == {"month": 12, "day": 10}


def test_new_from_a_file_and_from_nothing(book: Cli, tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text('{"@type": "Card", "version": "1.0", "uid": "mine", "name": {"full": "Ada"}}')
    assert book("new", "--from", str(path), "--json").json["uid"] == "mine"
    path.write_text("{nonsense")
    assert book("new", "--from", str(path)).code == 2
    path.write_text('{"@type": "Card", "phones": 3}')
    assert book("new", "--from", str(path)).code == 1
    path.write_text('{"@type": "Card", "version": "1.0"}')
    assert "nothing was added" in book("new", "--from", str(path)).err
    assert book("new").code == 2
    assert book("new", "--from", str(path), "--name", "x").code == 2
    assert len(book("list", "--json").json["contacts"]) == 1


def test_edit(people: Cli) -> None:
    assert people("edit", "Adam", "--add-phone", "work=+49 89 1", "--note", "line one", "--json").json["changed"] == 2
    card = people("show", "Adam", "--json").json["card"]
    assert {"number": "+49 89 1", "contexts": {"work": True}} in card["phones"].values()
    assert people("edit", "Adam", "--note", "line one", "--json").json["changed"] == 0
    assert people("edit", "Adam", "--set", 'titles/t1={"name":"Prince"}', "--unset", "notes").code == 0
    card = people("show", "Adam", "--json").json["card"]
    assert "notes" not in card
    assert card["titles"] == {"t1": {"name": "Prince"}}
    assert people("edit", "Adam", "--set", "phones=3").code == 1
    assert people("edit", "Adam").code == 2
    assert people("edit", "nobody", "--note", "x").code == 4


@pytest.fixture
def editor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """An editor that runs a piece of Python on the card, and a person at a terminal who starts it."""
    import sys

    def use(code: str) -> None:
        script = tmp_path / "editor.py"
        script.write_text("import json, os, sys\npath = sys.argv[1]\ncard = json.load(open(path))\n" + code +
                          "\njson.dump(card, open(path, 'w'))\n")
        monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
        monkeypatch.setattr("e2esync.cli.editor.can_ask", lambda: True)
    return use


def test_edit_in_an_editor(people: Cli, editor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2ESYNC_PASSPHRASE", "canary")
    log = tmp_path / "log"
    editor(f"open({str(log)!r}, 'w').write(repr((path, oct(os.stat(path).st_mode), oct(os.stat(os.path.dirname(path))"
           ".st_mode), sorted(card), 'E2ESYNC_PASSPHRASE' in os.environ)))\ncard['notes'] = {'n': {'note': 'edited'}}")
    assert people("edit", "Adam", "--json").json["changed"] == 1
    path, mode, folder, props, leaked = eval(log.read_text())  # what the script above wrote
    assert (mode[-3:], folder[-3:], leaked) == ("600", "700", False)
    assert not os.path.exists(os.path.dirname(path))
    assert "origin" not in props
    assert "blobs" not in props
    assert people("show", "Adam", "--json").json["card"]["notes"] == {"n": {"note": "edited"}}


def test_new_in_an_editor(book: Cli, editor: Any) -> None:
    editor("card['name']['full'] = 'Ada'")
    card = book("show", book("new").out.strip(), "--json").json["card"]
    assert card["name"] == {"full": "Ada"}
    assert "phones" not in card
    editor("pass")
    assert book("new").code == 1


def test_a_spoiled_edit_changes_nothing(people: Cli, editor: Any) -> None:
    editor("open(path, 'w').write('{'); sys.exit()")
    ran = people("edit", "Adam")
    assert ran.code == 1
    assert "not valid JSON" in ran.err
    editor("sys.exit(3)")
    assert "ended with 3" in people("edit", "Adam").err
    assert "notes" not in people("show", "Adam", "--json").json["card"]


def test_rm(people: Cli) -> None:
    assert people("rm", "Adam", "nobody").code == 4
    assert len(people("list", "--json").json["contacts"]) == 3
    assert people("rm", "Adam", "adam@example.org", "--json").json["count"] == 1
    assert [row["name"] for row in people("list", "--json").json["contacts"]] == ["Ada Lovelace", "山田太郎"]


def test_rm_asks_a_person_and_takes_no_for_the_answer(people: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2esync.cli.guard.can_ask", lambda: True)
    monkeypatch.setattr("e2esync.cli.guard.confirm", lambda _question: False)
    assert people("rm", "Adam").code == 1
    assert people("show", "Adam").code == 0
    assert people("rm", "Adam", "--yes").code == 0


@pytest.mark.parametrize(("removed", "total", "stops"), [
    (10, 10, False), (11, 11, True), (11, 110, False), (11, 109, True), (0, 0, False), (1000, 10_000, False),
    (1001, 10_000, True),
])
def test_mass_change(removed: int, total: int, stops: bool) -> None:
    assert is_mass_change(removed, total) is stops


def test_mass_removal_needs_yes(book: Cli, tmp_path: Path) -> None:
    assert book("import", many(tmp_path / "many.vcf", 60)).code == 0
    doomed = [f"Person {n:05d}" for n in range(11)]
    ran = book("rm", *doomed)
    assert ran.code == 15
    assert "11 of 60" in ran.err
    assert "Person 00000" in ran.err
    assert len(book("list", "--json").json["contacts"]) == 60
    assert book("rm", *doomed, "--yes").code == 0
    assert len(book("list", "--json").json["contacts"]) == 49


# status, devices, conflicts

def test_status(people: Cli) -> None:
    ran = people("status")
    assert "Contacts, 3 contacts" in ran.out
    assert "never" in ran.out
    status = people("status", "--json", "--strict").json
    assert (status["contacts"], status["last_sync"], status["conflicts"]) == (3, 0, 0)
    assert status["unsent"] >= 3
    assert len(status["set_id"]) == 64


def test_devices(book: Cli) -> None:
    (device,) = book("devices", "--json").json["devices"]
    assert (device["name"], device["this"], device["role"]) == ("Test device", True, "owner")
    assert len(device["fingerprint"]) == 4
    assert book("devices", "rename", "test", "Kitchen").code == 0
    assert "Kitchen" in book("devices").out
    assert book("devices", "rename", "nothing", "x").code == 4
    for name in ("x" * 300, "two\nlines", "\x1b[31mred", " "):
        assert book("devices", "rename", "Kitchen", name).code == exits.USAGE


def test_no_conflicts(people: Cli) -> None:
    assert people("conflicts", "--strict").code == 0
    assert people("conflicts", "list", "--json").json["conflicts"] == []
    assert people("conflicts", "show", "Adam", "--json").json["conflicts"] == []


def test_book_selection(people: Cli) -> None:
    assert people("list", "--book", "0").code == 0
    assert people("--book", "contacts", "list").code == 0
    ran = people("list", "--book", "Work")
    assert ran.code == 4
    assert "0 Contacts" in ran.err


# protection

def test_passphrase(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local_profile(tmp_path / "profile", Passphrase("old secret"))
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old secret\n")
    new.write_text("new secret\n")
    ran = cli("list")
    assert (ran.code, ran.out) == (11, "")
    assert "--passphrase-file" in ran.err
    assert cli("list", "--passphrase-file", str(new)).code == 12
    assert cli("--passphrase-file", str(old), "list").code == 0
    assert cli("list", "--passphrase-command", f"cat {old}").code == 0
    ran = cli("passphrase", "--passphrase-file", str(old), "--new-passphrase-file", str(new))
    assert ran.code == 0
    assert "secret" not in ran.out + ran.err
    assert cli("list", "--passphrase-file", str(old)).code == 12
    monkeypatch.setenv("E2ESYNC_PASSPHRASE", "new secret")
    assert cli("list").code == 0
    assert cli("passphrase", "--new-key-file", str(tmp_path / "key"), "--json").json["protection"] == "keyfile"
    assert cli("list", "--key-file", str(tmp_path / "key")).code == 0
    assert cli("list", "--key-file", str(new)).code in (12, 14)


def test_passphrase_without_a_terminal_or_protection(cli: Cli, tmp_path: Path) -> None:
    local_profile(tmp_path / "profile", KeyFile(tmp_path / "key"))
    assert cli("passphrase").code == 11
    local_profile(tmp_path / "plain")
    assert cli("--home", str(tmp_path / "plain"), "passphrase", "--new-key-file", "x").code == 1


def test_no_terminal_no_question(tmp_path: Path) -> None:
    local_profile(tmp_path / "locked", Passphrase("secret"))
    for command, code in ((["list"], 11), (["sync"], 11), (["passphrase"], 11)):
        done = run_program("--home", str(tmp_path / "locked"), *command)
        assert (done.returncode, done.stdout) == (code, b"")
    done = run_program("--home", str(tmp_path / "new"), "init", "--relay", "ws://127.0.0.1:1", "--kit-file", "kit")
    assert done.returncode == 11
    assert b"--plain" in done.stderr
    done = run_program("--home", str(tmp_path / "new"), "init", "--relay", "ws://127.0.0.1:1", "--plain")
    assert done.returncode == 2
    assert b"--kit-file" in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("listen", ["127.0.0.1:99999", "wss://127.0.0.1:0"])
def test_a_relay_that_cannot_listen_there_says_so(tmp_path: Path, listen: str) -> None:
    code, out, err = run_here("relay", "serve", "--db", str(tmp_path / "relay.sqlite3"), "--listen", listen)
    assert (code, out) == (2, "")
    assert "e2esync: " in err
