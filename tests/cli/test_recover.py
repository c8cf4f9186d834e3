"""`recover` and `kit replace` as a person runs them: an earlier time, a device that is in already, another kit."""

from __future__ import annotations

import json
import re
import stat
from datetime import datetime
from pathlib import Path

from .driving import run_here
from .terminal import Terminal
from .world import Device, Relay


def made(folder: Path, relay: Relay) -> tuple[Device, Path]:
    """A device with a book of two, and its kit."""
    device, kit = Device(folder / "phone"), folder / "kit.txt"
    device.json("init", "--relay", relay.url, "--device", "Phone", "--plain", "--kit-file", str(kit))
    device.json("new", "--name", "Ada")
    device.json("new", "--name", "Bea")
    device.json("sync")
    return device, kit


def test_an_emptied_book_on_a_new_device(relay: Relay, tmp_path: Path) -> None:
    phone, kit = made(tmp_path, relay)
    at = datetime.now().isoformat()
    phone.json("rm", "Ada", "Bea", "--yes")
    phone.json("sync")
    new = Device(tmp_path / "new")
    (listed,) = new.json("recover", "--kit-file", str(kit), "--list")["retained"]
    assert (listed["epoch"], listed["until"]) == (0, 0)
    assert not new.home.exists()
    done = new.json("recover", "--kit-file", str(kit), "--at", at, "--remove-all", "--plain", "--device", "New")
    assert (done["contacts"], done["removed"], done["books"]) == (2, ["Phone"], [])
    assert new.names() == ["Ada", "Bea"]
    phone.run("sync", code=13)


def test_on_a_device_that_is_in_the_book(relay: Relay, tmp_path: Path) -> None:
    phone, kit = made(tmp_path, relay)
    at = datetime.now().isoformat()
    phone.json("rm", "Ada", "--yes")
    phone.json("new", "--name", "Cleo")
    done = phone.json("recover", "--kit-file", str(kit), "--at", at)
    assert (done["came"], done["changed"], done["went"]) == (1, 0, 1)
    assert phone.names() == ["Ada", "Bea"]
    assert phone.json("recover", "--kit-file", str(kit))["books"] == []


def test_a_device_that_was_shut_out_is_told_so(relay: Relay, tmp_path: Path) -> None:
    phone, kit = made(tmp_path, relay)
    Device(tmp_path / "new").json("recover", "--kit-file", str(kit), "--remove-all", "--plain")
    for more in ((), ("--at", datetime.now().isoformat())):
        code, out, err = run_here("--home", str(phone.home), "recover", "--kit-file", str(kit), *more)
        assert (code, out) == (13, "")
        assert "new folder" in err
    assert phone.names() == ["Ada", "Bea"]


def test_the_qr_code_on_a_terminal_and_three_words_back(relay: Relay, tmp_path: Path) -> None:
    with Terminal("--home", str(tmp_path / "home"), "init", "--relay", relay.url, "--plain", "--qr") as screen:
        screen.expect("as a QR code:.*█.*Your recovery kit")
        shown = screen.expect(r"Write these words.*24 (\w+)").group()
        words = dict(re.findall(r"(\d+) ([a-z]+)", shown))
        for _ in range(3):
            screen.send(words[screen.expect(r"Word (\d+): ").group(1)])
        assert screen.finish() == 0


def test_another_books_kit_is_refused_where_there_is_a_profile(relay: Relay, tmp_path: Path) -> None:
    phone, _kit = made(tmp_path, relay)
    _other, kit = made(tmp_path / "other", relay)
    code, out, err = run_here("--home", str(phone.home), "recover", "--kit-file", str(kit), "--json")
    assert out == ""
    assert code != 0
    assert "another recovery kit" in err


def test_a_new_kit_takes_the_old_ones_place(relay: Relay, tmp_path: Path) -> None:
    phone, old = made(tmp_path, relay)
    new, page = tmp_path / "new.txt", tmp_path / "new.html"
    done = phone.json("kit", "replace", "--old-kit", str(old), "--kit-file", str(new), "--sheet", str(page))
    assert done["books"] == [{"book": 0, "name": "Contacts", "done": True, "root": True, "problem": ""}]
    assert "kit" not in done
    assert {stat.S_IMODE(path.stat().st_mode) for path in (new, page)} == {0o600}
    assert phone.json("kit", "check", "--kit-file", str(new))["books"][0]["role"] == "root"
    replaced = phone.json("kit", "check", "--kit-file", str(old), code=12)
    assert replaced["books"][0]["member"] is False
    rescued = Device(tmp_path / "rescued")
    code, _out, err = run_here("--home", str(rescued.home), "recover", "--kit-file", str(old), "--plain",
                               "--relay", relay.url, "--keep-all")
    assert code != 0
    assert "newest kit" in err
    assert rescued.json("recover", "--kit-file", str(new), "--plain", "--keep-all")["contacts"] == 2


def test_without_the_old_kit_the_way_out_is_named(relay: Relay, tmp_path: Path) -> None:
    phone, _old = made(tmp_path, relay)
    code, out, err = run_here("--home", str(phone.home), "kit", "replace", "--lost", "--kit-file",
                              str(tmp_path / "new.txt"))
    assert (code, out) == (3, "")
    assert "e2esync rehome" in err


def test_json_gives_the_words_where_nothing_else_does(relay: Relay, tmp_path: Path) -> None:
    phone, old = made(tmp_path, relay)
    done = phone.json("kit", "replace", "--old-kit", str(old))
    assert len(done["kit"]) == 24
    words = tmp_path / "words.txt"
    words.write_text(" ".join(done["kit"]))
    assert json.loads(phone.run("kit", "check", "--kit-file", str(words), "--json"))["kit_of_a_book"] is True
