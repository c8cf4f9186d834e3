"""The second implementation, in JavaScript (`tests/interop/js`): a whole conformance run, and its package files.

Written from SPEC.md and `vectors/`, it shows that they are enough: what they left open was mended there. For the replay
of whole lives (`scenarios::`, draw by draw) alone the reference was looked at, as the order in which a device takes its
steps is nobody else's business. A machine without Node skips the run with a line that says so; where CI is set it
fails.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.node import check_package_files, install

JS = Path(__file__).parent / "js"
EXPECTED = JS / "expected-failures.txt"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The testee in a folder of its own, with exactly the packages of the lock file."""
    return install(JS, tmp_path_factory.mktemp("client") / "js") / "testee.mjs"


@pytest.mark.slow
def test_the_javascript_client_conforms(client: Path) -> None:
    """L1 to L5: every vector, and every scenario with the reference through honest and lying relays."""
    command = [sys.executable, "-m", "e2esync", "conformance", "run", "--validate", "--expect", str(EXPECTED)]
    done = subprocess.run([*command, "--", "node", str(client)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    table = re.findall(r"^(L[1-5])\s+(\d+)\s", done.stdout, re.MULTILINE)
    assert [level for level, passed in table if int(passed) > 0] == ["L1", "L2", "L3", "L4", "L5"]


@pytest.mark.slow
@pytest.mark.parametrize(("module", "check", "only"), [
    ("encoding.mjs", "must(last === null || compareText(last, key) < 0,", "encoding::decode::"),
    ("crypto.mjs", "must(equal(commitment, claimed), 'CommitMismatch', 'a ciphertext", "crypto::open::"),
    ("chain.mjs", "invalid(!this.keys.has(toHex(verifyKey)),", "epochs::verify::"),
    ("log.mjs", "verify(author.verifyKey, 'SIGN_ENTRY',", "envelopes::read_envelope::"),
])
def test_a_client_without_a_check_does_not(client: Path, tmp_path: Path, module: str, check: str, only: str) -> None:
    """The run sees the client itself: take a check out of it, and it fails."""
    folder = tmp_path / "js"
    shutil.copytree(client.parent, folder)
    source = (folder / module).read_text()
    assert source.count(check) == 1
    (folder / module).write_text(source.replace(check, f"((..._all) => undefined){check[check.index('('):]}"))
    command = [sys.executable, "-m", "e2esync", "conformance", "run", "--only", only, "--", "node"]
    done = subprocess.run([*command, str(folder / "testee.mjs")], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"fail  {only}" in done.stdout


def test_package_files_name_no_download_address() -> None:
    check_package_files(JS)


def test_every_expected_failure_has_a_reason() -> None:
    lines = EXPECTED.read_text().splitlines()
    bare = [line for line in lines if line.strip() and not line.startswith("#") and not re.search(r" # \S", line)]
    assert bare == []


def test_the_modules_say_which_section_they_are_of() -> None:
    modules = sorted(JS.glob("*.mjs"))
    assert modules
    for module in modules:
        head = module.read_text().split("\n\n")[0]
        assert head.startswith("//"), module.name
        assert re.search(r"SPEC|vectors/README", head), module.name
