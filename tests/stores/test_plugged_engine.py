"""An engine that somebody else wrote: a distribution of its own, found by its entry point, proved and served from.

It is a folder, as an installer would leave it. What it adds to ours is a dot for each batch, beside the store.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from e2esync.cli import main
from e2esync.conformance.engine.run import CHECKS, run_check
from e2esync.errors import Unreachable
from e2esync.stores.relay_engine import open_engine
from e2esync.stores.relay_migrate import open_depot

ROOT = Path(__file__).parents[2]
MODULE = '''
from pathlib import Path

from e2esync.stores.relay import RelayStore


class Counting(RelayStore):
    def execute(self, commands, now):
        done = super().execute(commands, now)
        with open(str(self.path) + ".tally", "a") as tally:
            tally.write(".")
        return done


def open_counting(url, *, draw, policy):
    """counting:///path/of/a/file"""
    return Counting(Path(url.removeprefix("counting://")), draw=draw, policy=policy)
'''


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = tmp_path / "site"
    info = site / "e2esync_counting-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "e2esync_counting.py").write_text(MODULE, "utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: e2esync-counting\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text("[e2esync.engines]\ncounting = e2esync_counting:open_counting\n", "utf-8")
    monkeypatch.syspath_prepend(str(site))
    # For the processes that the suite kills, and the relay.
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{ROOT}")
    return site


def test_it_keeps_the_rules_even_when_it_is_killed(site: Path, tmp_path: Path) -> None:
    assert site.exists()
    for check in (CHECKS[0], CHECKS[-1]):
        place = tmp_path / check.__name__
        assert run_check(check, f"counting://{place}").fault == ""
        assert Path(f"{place}.tally").stat().st_size


def test_a_relay_serves_from_it(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.exists()
    url = f"counting://{tmp_path}/relay"
    process = subprocess.Popen(
        [sys.executable, "-m", "e2esync", "relay", "serve", "--db", url, "--listen", "127.0.0.1:0", "--json"],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process, process.stdout:
        told = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    engine = open_engine(url)
    assert engine.key.verify_key.hex() == told["key"]
    engine.close()
    with pytest.raises(Unreachable, match="own tools"):
        open_depot(url)
    assert main(["relay", "stats", "--db", url]) == 2
    assert "serve and check-engine use it" in capsys.readouterr().err


def test_without_it_there_is_no_such_database(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["relay", "serve", "--db", "counting:///tmp/relay"]) == 2
    assert "counting is no kind of database" in capsys.readouterr().err
