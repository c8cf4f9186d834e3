"""A lost phone, a copied laptop, and the day when all devices are gone: revoke, rotate, recover."""

from __future__ import annotations

from pathlib import Path

import pytest

from .driving import run_here
from .terminal import Terminal
from .world import Device, Devices, Relay


@pytest.fixture
def devices(relay: Relay, tmp_path: Path) -> Devices:
    return Devices(tmp_path, relay.url)


def test_a_revoked_device_is_shut_out_and_told_so(devices: Devices) -> None:
    assert devices.first.json("revoke", "Laptop", "--yes")["removed"] == [{"member": 2, "name": "Laptop"}]
    devices.first.json("new", "--name", "Grace")
    devices.first.json("sync")
    code, out, err = run_here("--home", str(devices.second.home), "sync", "--json")
    assert (code, out) == (13, "")
    assert "DeviceRemoved" in err
    status = devices.second.json("status", code=13)
    assert (status["state"], status["by"], status["epoch"]) == ("frozen", "Old phone", 2)
    assert [device["name"] for device in devices.first.json("devices")["devices"]] == ["Old phone"]


def test_revoke_asks_first(devices: Devices) -> None:
    devices.first.run("revoke", "Laptop", code=2)
    with Terminal("--home", str(devices.first.home), "revoke", "Laptop") as screen:
        screen.expect("Shut out Laptop")
        screen.send("")
        assert screen.finish() == 1
    devices.second.json("sync")


@pytest.mark.parametrize(("device", "code"), [("Nobody", 4), ("Old phone", 1)])
def test_who_cannot_be_revoked(devices: Devices, device: str, code: int) -> None:
    devices.first.run("revoke", device, "--yes", code=code)
    devices.second.json("sync")


def test_a_rotation_is_entered_by_the_others(devices: Devices) -> None:
    before = devices.first.json("status")
    assert devices.first.json("rotate")["epoch"] == before["epoch"] + 1
    devices.first.json("new", "--name", "Grace")
    devices.sync()
    assert "Grace" in devices.second.names()
    first, second = devices.first.json("status"), devices.second.json("status")
    assert first["epoch"] == second["epoch"] == before["epoch"] + 1
    assert first["phrase"] == second["phrase"]
    assert len(first["phrase"]) == 6


def test_the_kit_brings_everything_back(devices: Devices, tmp_path: Path) -> None:
    devices.first.json("new", "--name", "Grace")
    devices.first.json("sync")
    names = devices.first.names()
    rescued = Device(tmp_path / "new phone")
    done = rescued.json("recover", "--kit-file", str(devices.kit), "--remove", "Old phone", "--plain",
                        "--device", "New phone")
    assert done["removed"] == ["Old phone"]
    assert done["contacts"] == len(names)
    assert rescued.names() == names
    # The photo is here too, byte for byte.
    assert rescued.run("export") == devices.first.run("export")
    assert any("FreshnessUnverified" in notice for notice in rescued.json("status")["notices"])
    assert not any("FreshnessUnverified" in notice for notice in rescued.json("status", "--confirm")["notices"])
    devices.first.run("sync", code=13)
    devices.second.json("sync")
    assert any("kit was used" in notice for notice in devices.second.json("status")["notices"])
    assert [device["name"] for device in devices.second.json("devices")["devices"]] == ["Laptop", "New phone"]
    assert devices.second.json("status")["phrase"] == rescued.json("status")["phrase"]


def test_words_typed_at_a_terminal_do_as_well(devices: Devices, relay: Relay, tmp_path: Path) -> None:
    text = devices.kit.read_text()
    words = [token for token in text.partition("words:")[2].split() if not token.isdecimal()]
    home = tmp_path / "new"
    with Terminal("--home", str(home), "recover", "--relay", relay.url, "--device", "Tablet", "--plain") as screen:
        screen.expect("24 words")
        screen.send(" ".join(words))
        screen.expect("Shut out Old phone")
        screen.send("y")
        screen.expect("Shut out Laptop")
        screen.send("n")
        screen.expect("The book is back")
        assert screen.finish() == 0
    assert Device(home).json("status")["contacts"] == 3
    devices.first.run("sync", code=13)
    devices.second.json("sync")


def test_a_wrong_kit_changes_nothing(devices: Devices, relay: Relay, tmp_path: Path) -> None:
    words = devices.kit.read_text().partition("words:")[2].split()
    wrong = tmp_path / "wrong.txt"
    wrong.write_text(" ".join(word for word in words if not word.isdecimal()).replace(words[1], "notaword", 1))
    home = tmp_path / "new"
    code, _out, err = run_here("--home", str(home), "recover", "--kit-file", str(wrong), "--relay", relay.url,
                               "--plain", "--device", "X", "--json")
    assert code == 12
    assert "word 1" in err
    assert not home.exists()
    other = tmp_path / "other"
    run_here("--home", str(other), "init", "--relay", relay.url, "--plain", "--device", "X", "--kit-file",
             str(tmp_path / "other.txt"))
    code, _out, err = run_here("--home", str(home), "recover", "--kit-file", str(devices.kit), "--relay",
                               "ws://127.0.0.1:1", "--plain", "--device", "X", "--json")
    assert code == 20
    assert not home.exists()


def test_forget_asks_and_says_who_is_still_to_acknowledge(devices: Devices) -> None:
    devices.sync()
    devices.first.run("forget", code=2)
    devices.first.json("rm", "Ada", "--yes")
    done = devices.first.json("forget", "--yes")
    assert (done["complete"], done["waiting"]) == (False, [{"member": 2, "name": "Laptop"}])
    assert devices.first.json("status")["forgetting"] == ["Laptop"]
    assert "sync Laptop, then this device" in devices.first.run("status")
    # Asked again it opens nothing: it reports.
    assert devices.first.json("forget", "--yes")["epoch"] == done["epoch"] == devices.first.json("status")["epoch"]
    entered = {device["name"]: device["entered"] for device in devices.first.json("devices")["devices"]}
    assert entered == {"Old phone": True, "Laptop": False}
    assert "Not yet heard since the last change" in run_here("--home", str(devices.first.home), "devices")[2]
    for _round in range(2):
        devices.second.json("sync")
        devices.first.json("sync")
    assert devices.first.json("status")["forgetting"] == []
    assert devices.first.json("forget", "--yes")["complete"]
    # Nothing of the contact is in either profile, which here are plain files.
    for device in (devices.first, devices.second):
        assert b"Ada" not in b"".join(path.read_bytes() for path in device.home.iterdir())
        assert b"Bea" in b"".join(path.read_bytes() for path in device.home.iterdir())


def test_forget_without_a_device_that_will_not_come_back(devices: Devices) -> None:
    devices.first.json("rm", "Ada", "--yes")
    done = devices.first.json("forget", "--without", "Laptop", "--yes")
    assert (done["complete"], done["removed"], done["waiting"]) == (True, [2], [])
    devices.second.run("sync", code=13)


def test_keys_renew_themselves_after_a_set_time(devices: Devices) -> None:
    devices.sync()
    before = {device["name"]: device for device in devices.first.json("devices")["devices"]}
    assert before["Laptop"]["since"] > before["Old phone"]["since"] > 0
    devices.second.run("config", "set", "rotate-after", "3")
    for name in ("Grace", "Heidi", "Ivan", "Judy"):
        devices.second.json("new", "--name", name)
        devices.second.json("sync")
    devices.first.json("sync")
    after = {device["name"]: device for device in devices.first.json("devices")["devices"]}
    assert after["Laptop"]["signing_key_since"] > before["Laptop"]["signing_key_since"]
    assert after["Old phone"]["signing_key_since"] == before["Old phone"]["signing_key_since"]
    assert after["Laptop"]["fingerprint"] != before["Laptop"]["fingerprint"]
    # Once: the count begins anew with the new key.
    epoch = devices.second.json("status")["epoch"]
    devices.second.json("sync")
    assert devices.second.json("status")["epoch"] == epoch
