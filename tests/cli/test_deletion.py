"""`delete-everything`: an owner's word and what every device says of it, the kit's, and the kit without any device."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .driving import run_here
from .terminal import Terminal
from .world import Device, Devices, Relay

DAY = 86_400_000


@pytest.fixture
def devices(relay: Relay, tmp_path: Path) -> Devices:
    made = Devices(tmp_path, relay.url)
    made.sync()
    return made


def said(device: Device, *arguments: str) -> tuple[int, str]:
    """Exit code and stderr of a command that need not succeed."""
    code, _out, err = run_here("--home", str(device.home), *arguments)
    return code, err


def test_a_device_asks_and_another_one_cancels(devices: Devices) -> None:
    first, second = devices.first, devices.second
    assert said(first, "delete-everything")[0] == 2
    asked = first.json("delete-everything", "--yes")
    assert (asked["state"], asked["left"]) == ("pending", {})
    for device in (first, second):
        deleting = device.json("sync")["books"][0]["deleting"]
        assert (deleting["by"], deleting["done"]) == ("Old phone", False)
        assert abs(deleting["time"] - asked["due"]) < DAY
        assert device.json("status")["deleting"] == deleting
        assert "Old phone wants this book deleted" in device.run("status")
        assert "--cancel" in said(device, "sync")[1]
    code, err = said(second, "delete-everything", "--yes")
    assert code == 1
    assert "waits here already" in err
    assert second.json("delete-everything", "--cancel")["state"] == "kept"
    for device in (first, second):
        assert device.json("sync")["books"][0]["deleting"] is None
        assert device.json("status")["deleting"] is None
    assert said(second, "delete-everything", "--cancel")[0] == 1


def test_the_kit_deletes_and_everybody_is_told(devices: Devices) -> None:
    first, second, kit = devices.first, devices.second, ["--kit-file", str(devices.kit)]
    gone = first.json("delete-everything", *kit, "--yes")
    assert (gone["state"], gone["due"]) == ("deleted", 0)
    assert gone["left"]["records"] > 0
    assert gone["left"]["envelopes"] == gone["left"]["blobs"] == gone["left"]["boxes"] == 0
    for device in (first, second):
        code, err = said(device, "sync")
        assert code == 16
        assert "was deleted at its relay" in err
        assert "e2esync relay move" in err
        status = device.json("status")
        assert status["deleting"]["done"]
        assert status["deleting"]["by"] == ""
        assert status["contacts"] == 3
    # Again it is not an error: what was wanted is so. To keep it, it is too late.
    assert first.json("delete-everything", *kit, "--yes")["state"] == "deleted"
    assert said(first, "delete-everything", *kit, "--cancel")[0] == 16
    # A sync of one book says the same in JSON.
    code, _out, err = run_here("--home", str(second.home), "sync", "--book", "0", "--json")
    assert code == 16
    assert json.loads(err.splitlines()[-1])["error"]["code"] == "SetDeleted"
    left = second.json("retire", "--yes")
    assert (left["state"], left["others"]) == ("retired", [])
    assert "deleted at its relay before" in second.run("status", code=13)
    assert len(first.names()) == 3


def test_a_person_types_the_books_name(devices: Devices) -> None:
    arguments = ["--home", str(devices.first.home), "delete-everything", "--kit-file", str(devices.kit)]
    terminal = Terminal(*arguments)
    terminal.expect("Type “Contacts”")
    terminal.send("yes")
    assert terminal.finish() == 1
    assert "nothing was deleted" in terminal.seen
    assert devices.first.json("sync")
    terminal = Terminal(*arguments)
    terminal.expect("now, for good")
    terminal.expect("Type “Contacts”")
    terminal.send("Contacts")
    terminal.expect("deleted at its relay")
    assert terminal.finish() == 0


def test_words_and_an_address_are_enough(devices: Devices, tmp_path: Path) -> None:
    nobody = Device(tmp_path / "nobody")
    assert said(nobody, "delete-everything", "--yes")[0] == 10
    assert said(nobody, "delete-everything", "--kit-file", str(devices.kit))[0] == 2
    assert said(nobody, "delete-everything", "--kit-file", str(devices.kit), "--book", "Family", "--yes")[0] == 2
    assert said(devices.first, "delete-everything", "--relay", "ws://127.0.0.1:1", "--yes")[0] == 2
    assert devices.first.json("delete-everything", "--yes")["state"] == "pending"
    kept = nobody.json("delete-everything", "--kit-file", str(devices.kit), "--cancel")
    assert (kept["state"], kept["due"]) == ("kept", 0)
    words = tmp_path / "words.txt"
    words.write_text("\n".join(line for line in devices.kit.read_text().splitlines() if not line.startswith("relay")))
    assert said(nobody, "delete-everything", "--kit-file", str(words), "--yes")[0] == 2
    url = devices.first.json("status")["relay"]
    gone = nobody.json("delete-everything", "--kit-file", str(words), "--relay", url, "--yes")
    assert gone["state"] == "deleted"
    assert said(devices.second, "sync")[0] == 16
    assert not nobody.home.exists()
