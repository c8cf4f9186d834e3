"""The main job by hand: a real relay, real processes, two devices, and a person at a terminal."""

from __future__ import annotations

import json
import re
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from .driving import environment, program, run_here, run_program
from .terminal import Terminal
from .world import CARDS, PHOTO, Device, Devices, Relay


@pytest.fixture(scope="module")
def devices(relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> Devices:
    return Devices(tmp_path_factory.mktemp("devices"), relay.url)


def test_kit_file_is_private_and_complete(devices: Devices) -> None:
    assert stat.S_IMODE(devices.kit.stat().st_mode) == 0o600
    from e2esync.access.kit import parse_kit_file

    assert len(parse_kit_file(devices.kit.read_text()).kit.words()) == 24


def test_joining_brings_the_book(devices: Devices) -> None:
    lines = [json.loads(line) for line in devices.paired]
    assert lines[0].keys() == {"schema", "code"}
    assert lines[1]["device"]["name"] == "Laptop"
    assert json.loads(devices.joined)["contacts"] == 3
    assert devices.second.names() == devices.first.names() == ["Ada", "Bea", "山田"]


def test_edits_on_both_sides_converge(devices: Devices) -> None:
    devices.first.json("edit", "Bea", "--note", "from the phone")
    devices.second.json("edit", "Bea", "--add-phone", "work=+49 30 1")
    devices.second.json("new", "--name", "Cleo")
    devices.first.json("rm", "山田", "--yes")
    assert devices.first.json("status")["unsent"] == 2
    devices.sync()
    assert devices.first.json("status")["unsent"] == 0
    assert devices.first.names() == devices.second.names() == ["Ada", "Bea", "Cleo"]
    exports = [device.run("export", "--format", "vcard4") for device in (devices.first, devices.second)]
    assert exports[0] == exports[1]
    assert "from the phone" in exports[0]
    assert "+49 30 1" in exports[0]
    assert PHOTO in exports[0].replace("\r\n ", "")


def test_conflicts_are_kept_shown_and_settled(devices: Devices) -> None:
    devices.first.json("edit", "Ada", "--name", "Ada King")
    devices.second.json("edit", "Ada", "--name", "Ada Byron")
    devices.sync()
    for device in (devices.first, devices.second):
        (contact,) = device.json("conflicts", "--strict", code=5)["conflicts"]
        (field,) = contact["fields"].values()
        values = {field["shown"]["full"], *(other["value"]["full"] for other in field["others"])}
        assert values == {"Ada King", "Ada Byron"}
        assert device.json("status", "--strict", code=5)["conflicts"] == 1
        assert "instead" in device.run("conflicts", "show", "Ada")
        assert device.json("show", "Ada")["conflicts"] == ["name"]
    devices.second.json("edit", "Ada", "--name", "Ada Lovelace")
    devices.sync()
    devices.first.json("conflicts", "--strict")
    assert "Ada Lovelace" in devices.first.names()


def test_both_list_both(devices: Devices) -> None:
    devices.sync()
    for device in (devices.first, devices.second):
        listed = device.json("devices")["devices"]
        assert [each["name"] for each in listed] == ["Old phone", "Laptop"]
        assert sum(each["this"] for each in listed) == 1
    assert devices.first.json("inspect")["relay"]["members"] >= 2
    assert "members" in devices.first.run("inspect")


def test_watch_passes_on_changes_and_ends_on_sigterm(devices: Devices) -> None:
    watching = subprocess.Popen(
        program("--home", str(devices.second.home), "sync", "--watch", "--json"), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(), text=True,
    )
    try:
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline())["event"] == "connected"
        devices.first.json("new", "--name", "Dora")
        devices.first.json("sync")
        assert json.loads(watching.stdout.readline())["event"] == "received"
        assert "Dora" in devices.second.names()
        # Another process of the same profile must wait its turn.
        devices.second.run("sync", code=1)
        devices.second.json("new", "--name", "Eve")
        assert json.loads(watching.stdout.readline())["event"] == "sent"
        watching.send_signal(signal.SIGTERM)
        assert watching.wait(timeout=10) == 0
    finally:
        watching.kill()
        watching.communicate()
    devices.first.json("sync")
    assert "Eve" in devices.first.names()


def test_no_secret_in_json(devices: Devices) -> None:
    """Runs last: looks at everything that the tests above made the devices print."""
    from e2esync.access.kit import parse_kit_file

    words = parse_kit_file(devices.kit.read_text()).kit.words()
    code = json.loads(devices.paired[0])["code"].rpartition("#")[2]
    card = devices.first.json("show", "Bea")["card"]
    shown = "".join([*devices.first.shown, *devices.second.shown, *devices.paired[1:], devices.joined])
    assert code not in shown
    assert '","'.join(words[:2]) not in shown
    assert " ".join(words[:2]) not in shown
    assert '"keys"' not in shown
    # What tells where a photo lies, and under which keys, names it by the digest that its card holds.
    digest = next(iter(card["media"].values()))["digest"]
    assert f'"blobs":{{"{digest}"' not in shown
    assert f'"blobs/{digest}"' not in shown
    assert digest in shown


def test_unreachable_relay_keeps_the_work(tmp_path: Path) -> None:
    relay = Relay(tmp_path)
    device = Device(tmp_path / "device")
    device.json("init", "--relay", relay.url, "--plain", "--kit-file", str(tmp_path / "kit"))
    assert relay.stop() == 0
    device.json("new", "--name", "Ada")
    code, out, err = run_here("--home", str(device.home), "sync", "--json")
    assert (code, out) == (20, "")
    assert json.loads(err)["error"]["code"] == "Unreachable"
    assert device.names() == ["Ada"]
    assert device.json("status")["unsent"] >= 1
    device.run("pair", "--no-verify", code=20)
    device.run("inspect", code=20)


@pytest.mark.parametrize(("url", "code"), [("ws://127.0.0.1:1", 20), ("nonsense://x", 2), ("ws://", 2)])
def test_a_failed_init_leaves_nothing(tmp_path: Path, url: str, code: int) -> None:
    home, kit = tmp_path / "home", tmp_path / "kit"
    for _ in range(2):
        Device(home).run("init", "--relay", url, "--plain", "--kit-file", str(kit), code=code)
        assert not home.exists()
        assert not kit.exists()


def test_init_does_not_overwrite_a_kit_or_a_profile(devices: Devices, relay: Relay, tmp_path: Path) -> None:
    kit = devices.kit.read_text()
    options = ("--relay", relay.url, "--plain")
    done = run_program("--home", str(tmp_path / "x"), "init", *options, "--kit-file", str(devices.kit))
    assert done.returncode == 1
    assert devices.kit.read_text() == kit
    assert not (tmp_path / "x").exists()
    done = run_program("--home", str(devices.first.home), "init", *options, "--kit-file", str(tmp_path / "kit"))
    assert done.returncode == 1
    assert b"already" in done.stderr
    assert devices.first.names()
    done = run_program("--home", str(tmp_path / "y"), "init", *options, "--json")
    assert len(json.loads(done.stdout)["kit"]) == 24


def test_bad_codes(devices: Devices, tmp_path: Path) -> None:
    used = json.loads(devices.paired[0])["code"]
    for code, expected in ((used[:-1], 12), (used[:-6] + "000000", 12), ("hello", 12), (used.rpartition("#")[2], 2),
                           (used, 12)):
        Device(tmp_path / "new").run("join", code, "--plain", "--no-verify", code=expected)
        assert not (tmp_path / "new").exists()


# A person at a terminal

def test_init_at_a_terminal(relay: Relay, tmp_path: Path) -> None:
    with Terminal("--home", str(tmp_path / "home"), "init", "--device", "Phone") as screen:
        screen.expect("Address of the relay")
        screen.send(relay.url)
        screen.expect("New passphrase: ")
        screen.send("secret")
        screen.expect("the same again: ")
        screen.send("secret")
        shown = screen.expect(r"Your recovery kit.*24 (\w+)").group()
        words = {int(number): word for number, word in re.findall(r"(\d+) ([a-z]+)", shown)}
        assert len(words) == 24
        first = int(screen.expect(r"Word (\d+): ").group(1))
        screen.send("wrong")
        screen.expect(f"not word {first}")
        for _ in range(3):
            number = int(screen.expect(r"Word (\d+): ").group(1))
            screen.send(words[number])
        screen.expect("The book is ready")
        assert screen.finish() == 0
    # The passphrase was typed unseen.
    assert "secret" not in screen.seen
    with Terminal("--home", str(tmp_path / "home"), "status") as screen:
        screen.expect("Passphrase: ")
        screen.send("secret")
        screen.expect("device     Phone")
        assert screen.finish() == 0
    with Terminal("--home", str(tmp_path / "home"), "status") as screen:
        screen.expect("Passphrase: ")
        screen.send("Secret")
        assert screen.finish() == 12


@pytest.mark.parametrize("right", [True, False])
def test_pairing_with_words(devices: Devices, tmp_path: Path, right: bool) -> None:
    home = tmp_path / "third"
    with Terminal("--home", str(devices.first.home), "pair") as first:
        shown = first.expect(r"(█.*\n)?(WS://127\S+)\n")
        assert "█" in shown.group()
        with Terminal("--home", str(home), "join", shown.group(2), "--device", "Lарtор", "--plain") as second:
            words = second.expect(r"Type these words on the other device:\s+(\w+)  (\w+)  (\w+)\n").groups()
            first.expect(r"A device called Lарtор is there. CAREFUL: this name looks like Laptop.* several alphabets")
            first.send(" ".join(words) if right else " ".join(reversed(words)))
            assert first.finish() == (0 if right else 14), first.seen
            if not right:
                second.expect("the other device has ended the pairing")
            assert second.finish() == (0 if right else 14), second.seen
    assert home.exists() is right


@pytest.mark.parametrize("number", [None, signal.SIGHUP, signal.SIGTERM])
def test_interrupting_init_leaves_nothing(relay: Relay, tmp_path: Path, number: signal.Signals | None) -> None:
    with Terminal("--home", str(tmp_path / "home"), "init", "--relay", relay.url, "--plain") as screen:
        screen.expect(r"Word (\d+): ")
        if number is None:
            screen.send("\x03")
        else:
            screen.process.send_signal(number)
        assert screen.finish() == 130
    assert not (tmp_path / "home").exists()


def test_bar_on_a_terminal_is_gone_at_the_end(devices: Devices, tmp_path: Path) -> None:
    folder = tmp_path / "cards"
    folder.mkdir()
    for n in range(3):
        (folder / f"{n}.vcf").write_bytes(CARDS.encode())
    with Terminal("--home", str(devices.first.home), "import", str(folder), "--dry-run") as screen:
        assert screen.finish() == 0, screen.seen
    assert "reading [" in screen.seen
    assert "reading [" not in screen.seen.rpartition("\x1b[K")[2]
