"""What local commands import and cost: a shell must not wait for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from e2esync.client.protection import KeyFile, Plain

from .conftest import Cli
from .driving import environment, local_profile, many, run_program, run_python

FORBIDDEN = ("trio", "websockets", "rich", "keyring", "cryptography")
"""No local command may import these: issue of the command line."""
HEAVY = (*FORBIDDEN, "nacl", "msgpack", "json", "dataclasses", "asyncio", "email", "shtab", "segno", "mnemonic",
         "e2esync.card", "e2esync.contactset", "e2esync.replica", "e2esync.client.book")
"""`list` does without these too, because it is what people and completions run most."""
CODE = """
import sys, io, time
from e2esync.cli import main
out, sys.stdout = sys.stdout, io.StringIO()
code = main({arguments!r})
sys.stdout = out
import json
print(json.dumps({{"code": code, "cpu": time.process_time(), "modules": sorted(sys.modules)}}))
"""


def imported(*arguments: str) -> set[str]:
    """Run a command in a fresh interpreter: the top-level packages and our modules that it imported."""
    ran = json.loads(run_python(CODE.format(arguments=list(arguments))))
    assert ran["code"] == 0
    names = set(ran["modules"])
    return names | {name.partition(".")[0] for name in names}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A plain profile with three contacts."""
    folder = tmp_path_factory.mktemp("start")
    local_profile(folder / "profile", Plain())
    path = many(folder / "cards.vcf", 3)
    assert run_program("--home", str(folder / "profile"), "import", path).returncode == 0
    return str(folder / "profile")


@pytest.mark.parametrize("arguments", [
    ["list"], ["list", "Person", "00001"], ["show", "00001"], ["status"], ["devices"], ["export"], ["conflicts"],
    ["quarantine"], ["new", "--name", "Ada"], ["edit", "00001", "--note", "x"], ["rm", "00002"], ["version"],
    ["help", "import"], ["completion", "bash"],
], ids=lambda arguments: arguments[0])
def test_local_commands_import_no_network_and_no_keyring(home: str, arguments: list[str]) -> None:
    assert not imported("--home", home, *arguments) & set(FORBIDDEN)


def test_import_of_a_file_needs_none_of_them_either(home: str, tmp_path: Path) -> None:
    assert not imported("--home", home, "import", many(tmp_path / "more.vcf", 60)) & set(FORBIDDEN)


def test_list_imports_little(home: str) -> None:
    found = imported("--home", home, "list") & set(HEAVY)
    # The measuring itself imports json, after the command has run.
    assert found <= {"json"}


def test_a_key_file_profile_needs_no_more_than_libsodium(tmp_path: Path) -> None:
    local_profile(tmp_path / "profile", KeyFile(tmp_path / "key"))
    assert not imported("--home", str(tmp_path / "profile"), "list") & (set(FORBIDDEN) | {"e2esync.card"})


def test_ten_thousand_contacts_are_listed_in_order_and_quickly(cli: Cli, tmp_path: Path) -> None:
    """The goal is 150 ms of CPU on an idle machine (tests/bench measures it); here only a blunder fails."""
    local_profile(tmp_path / "profile")
    assert cli("import", many(tmp_path / "many.vcf", 10_000)).code == 0
    done = run_program("list", env=environment(E2ESYNC_HOME=str(tmp_path / "profile")))
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 10_001
    assert lines[1].startswith("Person 00000 ")
    assert lines[-1].startswith("Person 09999 ")
    code = CODE.format(arguments=["--home", str(tmp_path / "profile"), "list"])
    assert min(json.loads(run_python(code))["cpu"] for _ in range(3)) < 0.6
