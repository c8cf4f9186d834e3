"""Two people at their terminals: a book is made, shared, followed by a second device, read, left; by the program."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .driving import run_here
from .terminal import Terminal
from .world import Device, Relay, pair


def _person(folder: Path, url: str, name: str) -> Device:
    device = Device(folder / name)
    kit = str(folder / f"{name}.txt")
    device.json("init", "--relay", url, "--device", f"{name}'s phone", "--plain", "--kit-file", kit)
    device.json("config", "set", "name", name)
    return device


@pytest.fixture(scope="module")
def people(relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> tuple[Device, Device]:
    """Ada, who has made the book Family, and Bob, whom she has invited as a reader; words typed at a terminal."""
    folder = tmp_path_factory.mktemp("people")
    ada, bob = _person(folder, relay.url, "Ada"), _person(folder, relay.url, "Bob")
    made = ada.json("new-book", "Family")
    assert (made["book"], made["name"]) == (1, "Family")
    ada.json("new", "--book", "Family", "--name", "Grace")
    with Terminal("--home", str(ada.home), "share", "family", "--role", "reader", "--no-qr") as host:
        code = host.expect(r"(\S+#[0-9A-Z-]{48})")[1]
        with Terminal("--home", str(bob.home), "accept", code) as guest:
            guest.expect("Ada invites you to the book Family, as reader")
            guest.expect("fingerprint: [a-z]+ [a-z]+ [a-z]+ [a-z]+")
            guest.expect("Accept")
            guest.send("y")
            words = guest.expect(r"other device:\n\s+([a-z]+\s+[a-z]+\s+[a-z]+)")[1]
            host.expect("Somebody called Bob is there, on Bob's phone")
            host.send(words)
            host.expect("Bob is in, as reader")
            assert host.finish() == 0
            guest.expect("Family is here, with 1 contact:")
            assert guest.finish() == 0
    return ada, bob


def test_each_sees_who_is_in_it(people: tuple[Device, Device]) -> None:
    ada, bob = people
    for device, me in ((ada, "Ada"), (bob, "Bob")):
        found = device.json("people", "--book", "Family")["people"]
        assert [(each["name"], each["role"], each["this"]) for each in found] == [
            ("Ada", "owner", me == "Ada"), ("Bob", "reader", me == "Bob")]
        assert [row["name"] for row in device.json("books")["books"]] == ["Contacts", "Family"]
    # The fingerprints are the same on both screens, and the ones that the invitation showed.
    prints = [[device["fingerprint"] for each in who.json("people", "--book", "1")["people"]
               for device in each["devices"]] for who in people]
    assert prints[0] == prints[1]
    assert "FINGERPRINT" in ada.run("people", "--book", "Family")
    shown = bob.run("devices", "--book", "Family")
    assert all(re.search(rf"  {name}  +{role} ", shown) for name, role in (("Ada", "owner"), ("Bob", "reader")))
    assert {each["person"] for each in bob.json("devices", "--book", "Family")["devices"]} == {"Ada", "Bob"}
    assert "PERSON" not in bob.run("devices")
    assert re.search(r"1 +Family +reader +2 +2 +1 ", bob.run("books"))


def test_a_readers_edit_is_refused_before_it_is_stored(people: tuple[Device, Device]) -> None:
    _ada, bob = people
    for command in (("new", "--name", "Eve"), ("rm", "Grace", "--yes"), ("edit", "Grace", "--note", "x")):
        code, out, err = run_here("--home", str(bob.home), *command, "--book", "Family", "--json")
        assert (code, out) == (1, "")
        assert json.loads(err.splitlines()[-1])["error"]["code"] == "ReadOnly"
    assert bob.json("status", "--book", "Family")["unsent"] == 0
    code, _out, err = run_here("--home", str(bob.home), "unshare", "Family", "Ada", "--yes")
    assert (code, "only an owner" in err) == (1, True)


def test_sync_is_for_all_books_and_a_default_is_kept(people: tuple[Device, Device]) -> None:
    ada, bob = people
    ada.json("new", "--book", "Family", "--name", "Linus")
    ada.json("sync")
    done = bob.json("sync")
    assert [(each["name"], each["received"] > 0) for each in done["books"]] == [("Contacts", False), ("Family", True)]
    bob.json("config", "set", "book", "Family")
    assert bob.names() == ["Grace", "Linus"]
    assert "books" not in bob.json("sync", "--book", "0")
    bob.json("config", "unset", "book")
    assert bob.names() == []
    err = run_here("--home", str(bob.home), "sync")[2]
    assert "Contacts: " in err
    assert "Family: " in err


def test_a_relay_that_is_gone_stops_no_other_book(relay: Relay, tmp_path: Path) -> None:
    other = Relay(tmp_path)
    dora = _person(tmp_path, relay.url, "Dora")
    dora.json("new-book", "Elsewhere", "--relay", other.url)
    assert other.stop() == 0
    dora.json("new", "--name", "Grace")
    code, out, err = run_here("--home", str(dora.home), "sync", "--json")
    assert code == 20
    books = json.loads(out)["books"]
    assert (books[0]["sent"] > 0, books[1]["error"]["code"]) == (True, "Unreachable")
    assert "Elsewhere: " in err
    code, _out, err = run_here("--home", str(dora.home), "new-book", "Elsewhere")
    assert (code, "already" in err) == (1, True)


def test_a_new_device_follows_and_a_revoked_one_goes(people: tuple[Device, Device], tmp_path: Path) -> None:
    ada, _bob = people
    laptop = Device(tmp_path / "laptop")
    pair(ada, laptop)
    laptop.json("sync")
    waiting = laptop.json("status")["waiting"]
    assert [(each["book"], each["kind"]) for each in waiting] == [("Family", "follow")]
    assert re.search(r"1 +Family +\(not here yet\)", laptop.run("books"))
    assert "to do      this device is not in Family yet" in laptop.run("status")
    code, _out, err = run_here("--home", str(laptop.home), "list", "--book", "Family")
    assert (code, "Family is not on this device yet" in err) == (4, True)
    ada.json("sync")
    laptop.json("sync")
    assert laptop.json("status")["waiting"] == []
    assert [row["name"] for row in laptop.json("list", "--book", "Family")["contacts"]] == ["Grace", "Linus"]
    ada.json("revoke", "Laptop", "--yes")
    assert ada.json("status")["waiting"] == []
    assert len(ada.json("devices", "--book", "Family")["devices"]) == 2
    laptop.run("sync", code=13)
    ada.run("pair", "--book", "Family", "--no-verify", code=2)
    # A book that there is not is said before a name is asked for.
    Device(ada.home).run("share", "Famly", "--no-verify", code=4)


def test_a_code_is_for_one_thing(people: tuple[Device, Device], tmp_path: Path) -> None:
    ada, bob = people
    with Terminal("--home", str(ada.home), "share", "Family", "--no-qr") as host:
        code = host.expect(r"(\S+#[0-9A-Z-]{48})")[1]
        ended, _out, err = run_here("--home", str(tmp_path / "new"), "join", code, "--plain", "--device", "X")
        assert (ended, "invitation" in err) == (12, True)
        ended, _out, err = run_here("--home", str(bob.home), "accept", code)
        assert (ended, "no terminal" in err) == (2, True)
        dora = _person(tmp_path, bob.json("status")["relay"], "Dora")
        ended, _out, err = run_here("--home", str(dora.home), "accept", code, "--decline")
        assert (ended, "declined" in err) == (14, True)
        host.expect("declined")
        assert host.finish() == 14
    assert len(ada.json("people", "--book", "Family")["people"]) == 2


def test_ones_own_book_is_shared_by_moving_its_contacts(relay: Relay, tmp_path: Path) -> None:
    from .world import CARDS

    eva, cards = _person(tmp_path, relay.url, "Eva"), tmp_path / "cards.vcf"
    cards.write_bytes(CARDS.encode())
    eva.json("import", str(cards))
    before = eva.run("export")
    eva.run("share", "0", code=2)
    eva.run("share", "0", "--as", "Work", "--no-verify", code=2)
    with Terminal("--home", str(eva.home), "share", "0", "--as", "Work", "--no-qr") as host:
        host.expect("Move all contacts")
        host.send("y")
        host.expect("3 contacts moved to Work")
        host.expect(r"#[0-9A-Z-]{48}")
    assert (eva.names(), len(eva.json("list", "--book", "Work")["contacts"])) == ([], 3)
    # With the photo, byte for byte, and what the import knew of each card.
    assert eva.run("export", "--book", "Work") == before
    eva.json("undo")
    assert eva.run("export") == before


def test_who_leaves_is_gone_with_the_next_sync_of_an_owner(people: tuple[Device, Device]) -> None:
    ada, bob = people
    bob.run("leave", "Family", code=2)
    bob.run("leave", "0", "--yes", code=1)
    assert bob.json("leave", "Family", "--yes")["left"]
    assert "you have left Family" in bob.run("status")
    ada.json("sync")
    assert [each["name"] for each in ada.json("people", "--book", "Family")["people"]] == ["Ada"]
    bob.json("sync")
    assert [row["name"] for row in bob.json("books")["books"]] == ["Contacts"]
    ada.run("leave", "Family", "--yes", code=1)
    ada.run("unshare", "Family", "Nobody", "--yes", code=4)
