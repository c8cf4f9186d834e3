"""README says what is so: its commands and programs run, its output is what is printed, its links lead somewhere.

A person answers questions; here options answer them. Nothing else is changed but the relay's port.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2esync.cli.table import BY_NAME

from .blocks import README, blocks, lines

ROOT = README.parent
TEXT = README.read_text("utf-8")
SAMPLE = ROOT / "e2esync" / "demo" / "sample.vcf"
ANSWERS = {
    "init": ["--plain", "--kit-file", "kit.txt"],
    "pair": ["--no-verify"],
    "join": ["--plain", "--no-verify"],
    "rm": ["--yes"],
}
COMMAND_ONE = "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/e2esync demo"
COMMAND_TWO = "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest"


class Desk:
    """A folder with contacts.vcf in it, a port, and what a shell remembers: the environment and what runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
        self.environment = {**os.environ, "E2ESYNC_HOME": "phone", "PYTHONPATH": str(ROOT)}
        self.running: list[subprocess.Popen[str]] = []
        self.code = ""
        shutil.copy(SAMPLE, folder / "contacts.vcf")

    def start(self, arguments: list[str]) -> str:
        """Start a command that stays; returns the first line that it prints."""
        process = subprocess.Popen([sys.executable, "-m", "e2esync", *arguments], cwd=self.folder, text=True,
                                   env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.running.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def run(self, arguments: list[str]) -> str:
        """Run a command that must succeed; returns what it prints."""
        done = subprocess.run([sys.executable, "-m", "e2esync", *arguments], cwd=self.folder, text=True,
                              env=self.environment, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    def follow(self, line: str) -> str:
        """Do what a line of README says; returns what is printed, if it ends."""
        words = shlex.split(line.replace("127.0.0.1:8765", f"127.0.0.1:{self.port}").replace("CODE", self.code))
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            self.environment[name] = value
            return ""
        assert words[0] == "e2esync", line
        arguments = [*words[1:], *ANSWERS.get(words[1], [])]
        if words[1] == "relay":
            return self.start(arguments)
        if words[1] == "pair":
            self.code = self.start(arguments)
            return self.code
        return self.run(arguments)

    def stop(self) -> None:
        """End what still runs, the newest first."""
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk in a temporary folder."""
    desk = Desk(tmp_path)
    try:
        yield desk
    finally:
        desk.stop()


def test_by_hand(desk: Desk) -> None:
    printed = {line: desk.follow(line) for line in lines("By hand, every day", "sh")}
    assert len(json.loads(desk.run(["list", "--json"]))["contacts"]) == 25
    assert "Bartholomew Quince" in printed["e2esync list quince"]
    assert "Press master" in printed["e2esync show quince"]
    assert "25 contacts" in printed["e2esync status"]
    assert "Old phone" in printed["e2esync devices"]
    assert (desk.folder / "all.vcf").read_bytes().count(b"BEGIN:VCARD") == 25
    desk.environment["E2ESYNC_HOME"] = "phone"
    desk.run(["sync"])
    assert len(json.loads(desk.run(["list", "--json"]))["contacts"]) == 25


def test_the_program(desk: Desk) -> None:
    program = "\n".join(lines("In your own program", "python"))
    desk.follow("e2esync relay serve --listen 127.0.0.1:8765")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program.replace(":8765", f":{desk.port}")], cwd=desk.folder,
        env=desk.environment, capture_output=True, text=True, timeout=120, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Grace Example +44 7700 900123" in done.stdout
    assert len(program.splitlines()) <= 32


def test_the_attack(tmp_path: Path) -> None:
    program = "\n".join(lines("Attack your own app", "python"))
    (tmp_path / "test_attack.py").write_text(program, "utf-8")
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-W", "error", "-o", "trio_mode=true", "-p",
                           "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)], cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
                          check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_two_commands_are_the_ones_that_are_checked() -> None:
    setup = lines("See it work", "")
    assert setup == ["git clone … && cd e2esync", COMMAND_ONE, COMMAND_TWO]
    ci = ROOT / ".ci" / "run"
    if ci.exists():
        assert COMMAND_TWO in ci.read_text("utf-8")


def test_the_demo_prints_what_is_shown() -> None:
    printed = subprocess.run([sys.executable, "-m", "e2esync", "demo"], env={**os.environ, "PYTHONPATH": str(ROOT)},
                             capture_output=True, text=True, timeout=120, check=True).stdout
    shapes = {_shape(line) for line in printed.splitlines()}
    (shown,) = [block.text for block in blocks() if block.language == "text"]
    missing = [line for line in shown.splitlines() if _shape(line) not in shapes and line.strip() != "[...]"]
    assert missing == []


def test_every_command_that_is_named_exists() -> None:
    named = set(re.findall(r"(?:`|^|bin/)e2esync ([a-z-]+)", TEXT, re.M))
    to_come = TEXT.partition("Still to come")[2].partition("\n\n")[0]
    absent = set(re.findall(r"`(?:e2esync )?([a-z]+)`", to_come))
    assert absent
    assert not absent & BY_NAME.keys()
    assert named >= {"demo", "init", "relay", "vectors"}
    assert named - absent <= BY_NAME.keys()


def test_links_lead_somewhere() -> None:
    titles = re.findall(r"^#+ (.+)$", TEXT, re.M)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif not target.startswith("https://"):
            assert (ROOT / target).exists(), target


def test_the_house_is_built_as_shown() -> None:
    (house,) = [block.text for block in blocks() if block.section == "The house"]
    inside = house.partition("e2esync/\n")[2].partition("tests/")[0]
    for name in re.findall(r"\b([a-z]+/|[a-z]+\.py)", re.sub(r"   +\S.*$", "", inside, flags=re.M)):
        assert (ROOT / "e2esync" / name).exists(), name


def _shape(line: str) -> str:
    """A line without what differs from run to run: numbers, units that go with them, bytes in hex, spaces."""
    if re.search(r"( [0-9a-f]{2}){8}$", line):
        # Side by side: which of a contact's numbers comes first hangs on ids that are random.
        line = re.sub(r"^ +\+.*", "number", line[:28])
    line = re.sub(r"[0-9a-f]{32}…", "#", line)
    line = re.sub(r"[\d.,]+( (B|kB|MB)\b)?", "#", line)
    return re.sub(r"[ ]+", " ", line).strip()
