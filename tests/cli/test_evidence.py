"""`e2esync evidence`, `verify` and `doctor`: what a person does with proof, and how everything is looked over."""

from __future__ import annotations

import json
from pathlib import Path

from e2esync.conformance.vectors.heads import make_head
from e2esync.conformance.vectors.world import NOW, world
from e2esync.log.evidence import rolled_back, with_chain
from tests.cli.driving import run_here


def _file(folder: Path) -> Path:
    at = world()
    evidence = rolled_back(at.set_id, make_head(), make_head(seq=8, time=NOW + 1))
    path = folder / "lie.evidence"
    path.write_bytes(with_chain(evidence, [bytes.fromhex(record) for record in at.records]))
    return path


def test_a_file_is_verified_without_a_profile(tmp_path: Path) -> None:
    code, out, _err = run_here("--json", "evidence", "verify", str(_file(tmp_path)))
    found = json.loads(out)
    assert code == 0
    assert (found["kind"], found["position"], found["member"]) == (2, 8, None)
    assert "went back" in found["says"]


def test_a_file_that_was_altered_proves_nothing(tmp_path: Path) -> None:
    path = _file(tmp_path)
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    assert run_here("evidence", "verify", str(path))[0] == 14
