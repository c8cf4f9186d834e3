"""The demo as a person runs it: everything it claims holds, and it leaves nothing behind, however it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from e2esync.cli import main
from e2esync.cli.output import width
from e2esync.demo.search import read_folder
from tests.bench.cards import vcards


def _command(tmp_path: Path, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "e2esync", "demo", *arguments], env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )


def _relay_runs(told: bytes) -> bool:
    """Whether the relay that a demo has told of is still a process."""
    found = re.search(rb"\(pid (\d+)\)", told)
    assert found is not None
    try:
        os.kill(int(found[1]), 0)
    except ProcessLookupError:
        return False
    return True


def test_the_sample_book(tmp_path: Path) -> None:
    with _command(tmp_path) as demo:
        told, problems = demo.communicate(timeout=120)
    text = told.decode()
    assert (demo.returncode, problems) == (0, b""), text
    assert "25 contacts and 3 photos imported" in text
    assert "claims hold." in text
    assert "NOT SO" not in text
    assert "\x1b" not in text
    assert max(map(width, text.splitlines())) <= 80
    assert list(tmp_path.iterdir()) == []
    assert not _relay_runs(told)


def test_a_book_of_ones_own_as_json(tmp_path: Path) -> None:
    source = tmp_path / "own.vcf"
    source.write_bytes(vcards(300) + b"This is not a card.\r\n")
    with _command(tmp_path, str(source), "--json") as demo:
        told, problems = demo.communicate(timeout=120)
    assert (demo.returncode, problems) == (0, b"")
    result = json.loads(told)
    assert result["ok"] is True
    assert all(claim["holds"] for claim in result["claims"])
    assert result["imported"] == {"contacts": 300, "photos": 0, "unreadable": 1}
    assert result["search"]["hits"] == 0
    assert result["search"]["texts"] > 1500
    assert result["control"]["plain_hits"] > 1000
    assert {step["step"] for step in result["steps"]} >= {"phone: upload everything", "laptop: pair and download"}
    assert list(tmp_path.iterdir()) == [source]


def test_a_tiny_book_gets_company(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "one.vcf"
    source.write_bytes(b"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Solitary Person\r\nEND:VCARD\r\n")
    assert main(["demo", str(source), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["imported"]["contacts"] == 1


def test_keep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept"
    assert main(["demo", "--keep", str(kept)]) == 0
    assert str(kept / "phone") in capsys.readouterr().out
    assert sorted(path.name for path in kept.iterdir()) == ["laptop", "laptop.key", "phone", "relay"]
    assert main(["list", "--home", str(kept / "laptop"), "--json"]) == 0
    names = {card["name"] for card in json.loads(capsys.readouterr().out)["contacts"]}
    assert "Wilhelmina Newbridge" in names
    assert main(["demo", "--keep", str(kept)]) != 0
    assert "not empty" in capsys.readouterr().err


def test_it_fails_when_a_claim_is_not_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A relay that kept one name in clear would be found out."""
    reader = read_folder

    def with_a_leak(folder: Path) -> dict[str, bytes]:
        files = reader(folder)
        return {**files, "leak": b"...Adaeze Okonkwo..."} if folder.name == "relay" else files

    monkeypatch.setattr("e2esync.demo.proof.read_folder", with_a_leak)
    assert main(["demo", "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["ok"] is False
    (false,) = [claim["claim"] for claim in result["claims"] if not claim["holds"]]
    assert "on the relay's disk" in false
    assert result["search"]["hits"] > 0


@pytest.mark.slow
def test_ten_thousand_contacts(tmp_path: Path) -> None:
    source = tmp_path / "large.vcf"
    source.write_bytes(vcards(10_000))
    with _command(tmp_path, str(source)) as demo:
        told, problems = demo.communicate(timeout=300)
    assert (demo.returncode, problems) == (0, b""), told.decode()
    assert "10,000 contacts" in told.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    source = tmp_path / "big.vcf"
    source.write_bytes(vcards(3000))
    work = tmp_path / "work"
    work.mkdir()
    with _command(work, str(source)) as demo:
        assert demo.stdout is not None
        told = b""
        while b"process of its own" not in told:
            told += demo.stdout.readline()
        assert _relay_runs(told)
        demo.send_signal(number)
        demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert list(work.iterdir()) == []
    assert not _relay_runs(told)
