"""A phone that is sold, and one that somebody shut out: retire, the locked device, and what comes back from it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from e2esync.access.rescue import read_header

from .driving import environment, program, run_here
from .terminal import Terminal
from .world import Device, Devices, Relay, pair


@pytest.fixture
def devices(relay: Relay, tmp_path: Path) -> Devices:
    return Devices(tmp_path, relay.url)


def on_disk(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.iterdir())


def rescue_in(home: Path) -> Path:
    (path,) = home.glob("rescue-*.e2esync")
    return path


def test_a_device_that_retires_sends_asks_and_erases(devices: Devices) -> None:
    devices.sync()
    devices.second.json("new", "--name", "Grace")
    devices.second.run("retire", code=2)
    left = devices.second.json("retire", "--yes")
    assert (left["state"], left["member"], left["others"], left["closed"]) == ("retired", 2, ["Old phone"], 0)
    assert [path.name for path in devices.second.home.iterdir()] == ["left.json"]
    for text in (b"Grace", b"Ada"):
        assert text not in on_disk(devices.second.home)
    # What is still to be done stands first, and every other command says it too.
    out = devices.second.run("status", code=13)
    assert out.startswith("next       sync Old phone: another device must still close the door. This one has no keys")
    code, _out, err = run_here("--home", str(devices.second.home), "list")
    assert code == 13
    assert "has left" in err
    assert "sync Old phone" in err
    # The next device that syncs closes the door and says so.
    synced = devices.first.json("sync")
    assert (synced["left"], synced["opened"]) == (["Laptop"], True)
    assert "Grace" in devices.first.names()
    assert [device["name"] for device in devices.first.json("devices")["devices"]] == ["Old phone"]
    assert devices.first.json("sync")["left"] == []


def test_the_folder_of_one_that_left_takes_a_new_profile(devices: Devices) -> None:
    devices.sync()
    devices.second.json("retire", "--yes")
    devices.first.json("sync")
    pair(devices.first, devices.second)
    assert len(devices.second.names()) == 3
    assert not (devices.second.home / "left.json").exists()


def test_the_last_device_is_told_that_only_the_kit_is_left(devices: Devices, tmp_path: Path) -> None:
    devices.first.json("revoke", "Laptop", "--yes")
    with Terminal("--home", str(devices.first.home), "retire") as screen:
        screen.expect("only the recovery kit")
        screen.send("y")
        screen.expect("keep the recovery kit")
        assert screen.finish() == 0
    assert "no other device can close the door" in devices.first.run("status", code=13)
    rescued = Device(tmp_path / "new")
    done = rescued.json("recover", "--kit-file", str(devices.kit), "--remove-all", "--plain", "--device", "New")
    assert done["contacts"] == 3


def test_it_may_wait_to_see_the_door_closed(devices: Devices) -> None:
    devices.sync()
    watch = subprocess.Popen(program("--home", str(devices.first.home), "sync", "--watch", "--json"),
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(), text=True)
    assert watch.stdout is not None
    assert "connected" in watch.stdout.readline()
    try:
        left = devices.second.json("retire", "--wait", "30", "--yes")
    finally:
        watch.terminate()
        watch.communicate(timeout=20)
    assert (left["closed"], left["closed_by"]) == (2, "Old phone")
    assert "nothing: the door is closed since epoch 2" in devices.second.run("status", code=13)


def test_a_device_that_another_shut_out_locks_itself_and_the_kit_opens_what_it_kept(devices: Devices) -> None:
    devices.sync()
    devices.second.json("new", "--name", "Unsent")
    devices.second.json("edit", "Ada", "--name", "Ada of the laptop")
    devices.first.json("edit", "Ada", "--name", "Ada of the phone")
    devices.first.json("rm", "Bea", "--yes")
    devices.first.json("revoke", "Laptop", "--yes")
    code, _out, err = run_here("--home", str(devices.second.home), "sync")
    assert code == 13
    assert "Old phone shut this device, Laptop, out of Contacts (epoch 2)" in err
    assert "recover --add-rescue" in err
    path = rescue_in(devices.second.home)
    assert {each.name for each in devices.second.home.iterdir()} == {"left.json", path.name}
    assert path.stat().st_mode & 0o777 == 0o600
    for text in (b"Unsent", b"Bea", b"Ada", b"laptop"):
        assert text not in path.read_bytes()
    # Paired again, in the same folder: what it kept is still there, and goes back with the kit.
    pair(devices.first, devices.second)
    devices.second.json("sync")
    assert devices.second.names() == ["Ada of the phone", "山田"]
    again = rescue_in(devices.second.home)
    (done,) = devices.second.json("recover", "--add-rescue", str(again), "--kit-file", str(devices.kit))["files"]
    assert sorted(done["contacts"]) == ["Bea", "Unsent"]
    assert done["edits"] == 1
    devices.sync()
    devices.first.json("sync")
    assert sorted(devices.first.names()) == ["Ada of the phone", "Bea", "Unsent", "山田"]
    # With its photo, which had to be uploaded anew.
    assert "PHOTO" in devices.first.run("export", "Bea")
    # An edit of then is a conflict with the one of since, and nobody's victim.
    assert "Ada of the phone  name" in devices.first.run("conflicts")
    # A second time does nothing more.
    (done,) = devices.second.json("recover", "--add-rescue", str(again), "--kit-file", str(devices.kit))["files"]
    assert done["contacts"] == []


def test_what_a_locked_device_keeps_is_erased_after_a_month(devices: Devices, monkeypatch: pytest.MonkeyPatch) -> None:
    devices.sync()
    devices.first.json("revoke", "Laptop", "--yes")
    devices.second.run("sync", code=13)
    with rescue_in(devices.second.home).open("rb") as file:
        written = read_header(file.read).time
    day = 86_400_000
    for days, kept in ((29, 1), (31, 0)):
        monkeypatch.setattr(time, "time_ns", lambda days=days: (written + days * day) * 1_000_000)
        devices.second.run("status", code=13)
        assert len(list(devices.second.home.glob("rescue-*"))) == kept


def test_consent_on_the_locked_device_itself_erases_at_once(devices: Devices) -> None:
    devices.sync()
    devices.first.json("revoke", "Laptop", "--yes")
    devices.second.run("sync", code=13)
    devices.second.run("retire", code=2)
    assert devices.second.json("retire", "--yes")["erased"] == 1
    assert list(devices.second.home.glob("rescue-*")) == []
    # And nothing is said of a locked copy any more.
    said = devices.second.run("status", code=13)
    assert "erased" in said
    assert "locked" not in said


def test_one_that_the_kit_shut_out_erases(devices: Devices, tmp_path: Path) -> None:
    devices.sync()
    devices.second.json("new", "--name", "Unsent")
    Device(tmp_path / "new").json("recover", "--kit-file", str(devices.kit), "--remove-all", "--plain", "--device", "N")
    devices.second.run("sync", code=13)
    assert devices.second.json("status", code=13)["state"] == "erased"
    assert [path.name for path in devices.second.home.iterdir()] == ["left.json"]


def test_another_kit_does_not_open_it(devices: Devices, relay: Relay, tmp_path: Path) -> None:
    devices.sync()
    devices.first.json("revoke", "Laptop", "--yes")
    devices.second.run("sync", code=13)
    path = rescue_in(devices.second.home)
    other = Device(tmp_path / "other")
    other.json("init", "--relay", relay.url, "--device", "X", "--plain", "--kit-file", str(tmp_path / "k.txt"))
    other.run("recover", "--add-rescue", str(path), "--kit-file", str(tmp_path / "k.txt"), code=12)
    other.run("recover", "--add-rescue", str(path), "--kit-file", str(devices.kit), code=4)
    spoiled = tmp_path / "spoiled"
    spoiled.write_bytes(path.read_bytes()[:-1])
    devices.first.run("recover", "--add-rescue", str(spoiled), "--kit-file", str(devices.kit), code=14)
    devices.first.run("recover", "--add-rescue", str(tmp_path / "none"), "--kit-file", str(devices.kit), code=1)
