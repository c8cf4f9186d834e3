"""A stranger's verifier, written from SPEC.md and vectors/ alone, agrees with the reference on every vector it runs.

That it is a stranger is tested too: by its syntax tree it imports nothing of `e2esync`, nor what that parses with.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2esync.cli import main
from tests.interop.verifier import encoding, log, records
from tests.interop.verifier.__main__ import judge_log
from tests.interop.verifier.__main__ import main as verifier
from tests.interop.verifier.errors import Refusal

ROOT = Path(__file__).parents[2]
SOURCES = sorted((Path(__file__).parent / "verifier").glob("*.py"))
ALLOWED = set(sys.stdlib_module_names) | {"nacl", "kyber_py"}


def _imported(source: Path) -> Iterator[str]:
    """The first names of all absolute imports of a module, wherever in it they stand."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level < 2, f"{source.name} reaches out of its package"
            if not node.level:
                yield str(node.module).partition(".")[0]
        elif isinstance(node, ast.Name):
            assert node.id not in ("__import__", "importlib"), f"{source.name} imports in disguise"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_it_imports_nothing_of_ours(source: Path) -> None:
    assert set(_imported(source)) <= ALLOWED


def test_conformance(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every case that it performs passes: none weak, none failed; and it performs what decodes, verifies or opens."""
    monkeypatch.chdir(ROOT)
    levels = ["--level", "L1", "--level", "L2"]
    code = main(["conformance", "run", *levels, "--", sys.executable, "-m", "tests.interop.verifier"])
    printed = capsys.readouterr().out
    assert code == 0, printed
    for level, at_least in (("L1", 820), ("L2", 80)):
        row = next(line.split() for line in printed.splitlines() if line.startswith(level + " "))
        assert int(row[1]) >= at_least, printed
        assert row[2:4] == ["-", "-"], f"weak or failed:\n{printed}"


def _case(layer: str, name: str) -> dict[str, dict[str, object]]:
    """A vector, with the given values in their places."""
    vectors = json.loads((ROOT / "vectors" / "v1" / f"{layer}.json").read_text(encoding="utf-8"))
    case = next(case for case in vectors["cases"] if case["id"] == name)
    given = vectors["given"]
    case["input"]["records"] = [
        given[record["given"]] if isinstance(record, dict) else record for record in case["input"]["records"]
    ]
    return dict(case)


def test_evidence_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of evidence is judged from bytes alone; altered by one bit it proves nothing."""
    case = _case("envelopes", "envelopes::verify_evidence::two-logs")
    evidence = tmp_path / "evidence"
    evidence.write_bytes(bytes.fromhex(str(case["input"]["evidence"])))
    chain = []
    for number, record in enumerate(case["input"]["records"]):  # type: ignore[var-annotated,arg-type]
        chain.append(tmp_path / str(number))
        chain[-1].write_bytes(bytes.fromhex(record))
    assert verifier(["evidence", str(evidence), *map(str, chain)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: found[name] for name in ("kind", "epoch", "position")} == {"kind": 1, "epoch": 1, "position": 7}
    assert verifier(["evidence", str(evidence)]) == 1
    assert "EvidenceInvalid" in capsys.readouterr().err


def _bundle() -> tuple[bytes, list[bytes], bytes]:
    """A chain, the log of its last epoch, and a head of the relay at its end: all from vectors."""
    case = _case("envelopes", "envelopes::verify_evidence::two-logs")
    chain = [bytes.fromhex(record) for record in case["input"]["records"]]  # type: ignore[attr-defined]
    envelope = bytes.fromhex(str(_case("envelopes", "envelopes::read_envelope::smallest")["input"]["envelope"]))
    return bytes.fromhex(str(case["output"]["set_id"])), chain, envelope


def test_log_of_a_chain() -> None:
    """Chain, log and heads as bytes: the position and log hash that anybody can compute without a key."""
    set_id, chain, envelope = _bundle()
    found = judge_log(set_id, encoding.encode([chain, [envelope, envelope], []]))
    start = records.parse_record(chain[-1]).hash
    assert found["position"] == 2
    assert found["log_hash"] == log.log_hash(start, [envelope, envelope]).hex()
    with pytest.raises(Refusal, match="ChainInvalid"):
        judge_log(bytes(32), encoding.encode([chain, [], []]))


def test_head_of_another_log_is_a_fork() -> None:
    """The relay's own signature convicts it: a head of nine envelopes that are not these."""
    set_id, chain, envelope = _bundle()
    vectors = json.loads((ROOT / "vectors" / "v1" / "envelopes.json").read_text(encoding="utf-8"))
    head = next(case["input"] for case in vectors["cases"] if case["id"] == "envelopes::verify_head::plain")
    signed = [bytes.fromhex(head["body"]), bytes.fromhex(head["signature"])]
    with pytest.raises(Refusal, match="ForkDetected"):
        judge_log(set_id, encoding.encode([chain, [envelope] * 9, [signed]]))
    with pytest.raises(Refusal, match="WithheldDetected"):
        judge_log(set_id, encoding.encode([chain, [envelope] * 8, [signed]]))


def test_as_a_process() -> None:
    """What is no vector operation is skipped, so a stranger's partial testee conforms as far as it goes."""
    request = {"id": 7, "command": "perform", "operation": "session::client", "input": {}, "entropy": []}
    command = [sys.executable, "-m", "tests.interop.verifier"]
    line = json.dumps(request) + "\n"
    ended = subprocess.run(command, input=line, capture_output=True, text=True, cwd=ROOT, check=True)
    assert json.loads(ended.stdout)["result"] == "skip"
