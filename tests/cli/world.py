"""A relay process, and devices with a profile each on which the program runs."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

from .driving import environment, program, run_here

PHOTO = "/9j/4AAQSkZJRgABAQAAAQABAAD/2Q=="
CARDS = "".join(
    f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:uid-{n}\r\nFN:{name}\r\nN:;{name};;;\r\nTEL;TYPE=CELL:+49 170 00{n}\r\n"
    + (f"PHOTO;ENCODING=b;TYPE=JPEG:{PHOTO}\r\n" if n == 1 else "") + "END:VCARD\r\n"
    for n, name in enumerate(("Ada", "Bea", "山田"))
)


class Relay:
    """A relay process on a free loopback port."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.process = subprocess.Popen(
            program("relay", "serve", "--db", str(folder / "relay.sqlite3"), "--listen", "127.0.0.1:0", "--json",
                    *settings),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(),
        )
        assert self.process.stdout is not None
        self.url: str = json.loads(self.process.stdout.readline())["listening"][0]

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


class Device:
    """A profile, and the program on it. `shown` is everything that its --json commands printed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.shown: list[str] = []

    def run(self, *arguments: str, code: int = 0, stdin: bytes = b"") -> str:
        """Run a command; stdout."""
        ended, out, err = run_here("--home", str(self.home), *arguments, stdin=stdin)
        assert ended == code, (arguments, out, err)
        return out

    def json(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run a command with --json; its one object."""
        out = self.run(*arguments, "--json", code=code)
        self.shown.append(out)
        value = json.loads(out)
        assert value["schema"] == 1
        assert isinstance(value, dict)
        return value

    def names(self) -> list[str]:
        """The names in the book."""
        return [row["name"] for row in self.json("list")["contacts"]]


def pair(first: Device, second: Device) -> tuple[list[str], str]:
    """Pair two devices without words: what the first printed, and what the second did."""
    sponsor = subprocess.Popen(
        program("--home", str(first.home), "pair", "--json", "--no-verify"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True,
    )
    assert sponsor.stdout is not None
    line = sponsor.stdout.readline()
    code = json.loads(line)["code"]
    joined = second.run("join", "-", "--no-verify", "--plain", "--device", "Laptop", "--json",
                        stdin=code.encode())
    rest, err = sponsor.communicate(timeout=60)
    assert sponsor.returncode == 0, err
    assert "--no-verify" in err
    return [line, *rest.splitlines()], joined


class Devices:
    """Two paired devices with three contacts."""

    def __init__(self, folder: Path, url: str) -> None:
        self.first, self.second = Device(folder / "first"), Device(folder / "second")
        self.kit = folder / "kit.txt"
        self.cards = folder / "cards.vcf"
        self.cards.write_bytes(CARDS.encode())
        self.first.json("init", "--relay", url, "--device", "Old phone", "--plain", "--kit-file", str(self.kit))
        self.first.json("import", str(self.cards))
        self.first.json("sync")
        self.paired, self.joined = pair(self.first, self.second)

    def sync(self) -> None:
        """First, second, first: after that both know everything."""
        for device in (self.first, self.second, self.first):
            device.json("sync")
