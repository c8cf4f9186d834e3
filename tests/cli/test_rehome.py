"""`rehome`: the kit is lost; the book moves, and each other device follows with a code."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest

from .driving import environment, program
from .world import Device, Devices, Relay


def test_a_device_by_itself(relay: Relay, tmp_path: Path) -> None:
    phone, old, new = Device(tmp_path / "phone"), tmp_path / "old.txt", tmp_path / "new.txt"
    phone.json("init", "--relay", relay.url, "--plain", "--kit-file", str(old))
    phone.json("new", "--name", "Ada")
    phone.json("new-book", "Family")
    phone.run("rehome", code=2)
    phone.run("rehome", "--confirm", "nonsense", code=12)
    phone.run("rehome", "--yes", "--kit-file", str(old), code=1)
    done = phone.json("rehome", "--yes", "--kit-file", str(new))
    assert (done["contacts"], done["others"]) == (1, [])
    assert done["books"] == [{"book": 1, "name": "Family", "problem": ""}]
    assert "kit" not in done
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    checked = phone.json("kit", "check", "--kit-file", str(new))["books"]
    assert [(each["book"], each["role"]) for each in checked] == [("Contacts", "root"), ("Family", "root")]
    assert phone.json("rehome", "--finish")["books"] == []
    phone.json("kit", "check", "--kit-file", str(old), code=12)
    assert len(phone.json("rehome", "--yes")["kit"]) == 24
    assert phone.names() == ["Ada"]


@pytest.mark.slow
def test_the_whole_move(relay: Relay, tmp_path: Path) -> None:
    devices = Devices(tmp_path, relay.url)
    first, second = devices.first, devices.second
    kit = tmp_path / "new-kit.txt"
    first.run("rehome", code=2)
    before = first.json("status")["set_id"]
    done = first.json("rehome", "--yes", "--kit-file", str(kit))
    assert (done["contacts"], done["others"]) == (3, ["Laptop"])
    assert "kit" not in done
    assert stat.S_IMODE(kit.stat().st_mode) == 0o600
    assert first.names() == ["Ada", "Bea", "山田"]
    assert first.json("status")["set_id"] == done["set_id"] != before
    assert first.json("kit", "check", "--kit-file", str(kit))["books"][0]["role"] == "root"
    first.json("kit", "check", "--kit-file", str(devices.kit), code=12)

    second.json("sync")
    assert any("has moved to a new set, says Old phone" in notice for notice in second.json("status")["notices"])
    sponsor = subprocess.Popen(
        program("--home", str(first.home), "pair", "--json", "--no-verify"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True,
    )
    assert sponsor.stdout is not None
    code = json.loads(sponsor.stdout.readline())["code"]
    second.run("new", "--name", "Cleo")
    assert json.loads(second.run("rehome", "--confirm", "-", "--no-verify", "--json", stdin=code.encode()))[
        "contacts"] >= 0
    _out, err = sponsor.communicate(timeout=60)
    assert sponsor.returncode == 0, err
    first.json("sync")
    assert first.names() == second.names() == ["Ada", "Bea", "Cleo", "山田"]
    assert second.json("status")["set_id"] == done["set_id"]

    rescued = Device(tmp_path / "rescued")
    assert rescued.json("recover", "--kit-file", str(kit), "--keep-all", "--plain")["contacts"] == 4

