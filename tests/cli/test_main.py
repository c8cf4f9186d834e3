"""cli.main: every outcome becomes an exit code and one clear sentence, in this process and in a real one."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path
from typing import Any

import pytest

from e2esync.cli import exits
from e2esync.cli.commands import version
from e2esync.errors import AuthFailed, LocalProtocolError, NotFound, Unreachable

from .conftest import Cli
from .driving import environment, program, run_program, run_python

CANARY = "canary-contact-data"


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let `version` raise this."""
    def run(_context: Any) -> int:
        raise error
    monkeypatch.setattr(version, "run", run)


@pytest.mark.parametrize(("error", "code"), [
    (NotFound("no such contact"), 4), (Unreachable("nobody answers"), 20), (AuthFailed("forged"), 14),
])
def test_errors_of_the_tree(cli: Cli, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int) -> None:
    failing(monkeypatch, error)
    ran = cli("version")
    assert (ran.code, ran.out) == (code, "")
    assert str(error) in ran.err
    ran = cli("version", "--json")
    assert ran.code == code
    assert ran.error["code"] == type(error).__name__


@pytest.mark.parametrize("error", [ValueError(CANARY), LocalProtocolError(CANARY), KeyError(CANARY)])
def test_anything_else_is_a_bug_and_shows_no_data(cli: Cli, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    failing(monkeypatch, error)
    for arguments in (["version"], ["version", "--debug"], ["version", "--json"], ["--json", "--debug", "version"]):
        ran = cli(*arguments)
        assert ran.code == 1
        assert "this is a bug in e2esync" in ran.err
        assert type(error).__name__ in ran.err
        assert CANARY not in ran.out + ran.err
        assert ("test_main.py" in ran.err) is ("--debug" in arguments)


def test_the_place_of_a_bug_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "SPEC_VERSION", property())
    assert "at cli.output:" in cli("version", "--json").err


def test_interrupt(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    ran = cli("version")
    assert (ran.code, ran.out) == (130, "")
    assert "interrupted" in ran.err


@pytest.mark.parametrize(("errors", "code"), [
    ([Unreachable("gone")], 20),
    ([NotFound("first"), KeyboardInterrupt()], 130),
    ([Unreachable("gone"), ValueError(CANARY)], 1),
])
def test_groups_of_tasks(cli: Cli, monkeypatch: pytest.MonkeyPatch, errors: list[BaseException], code: int) -> None:
    failing(monkeypatch, BaseExceptionGroup("outer", [BaseExceptionGroup("inner", errors)]))
    ran = cli("version")
    assert ran.code == code
    assert CANARY not in ran.err


def test_who_could_not_reach_the_relay_is_told_to_repeat_the_command_itself(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, BaseExceptionGroup("tasks", [Unreachable("nobody answers")]))
    assert "run `e2esync version` again" in cli("version", "--json").error["hint"]
    failing(monkeypatch, Unreachable("no such port", "choose another port"))
    assert cli("version", "--json").error["hint"] == "choose another port"


def test_a_database_of_the_relay_that_cannot_be_a_file(cli: Cli, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere" / "relay.sqlite3"):
        ran = cli("relay", "serve", "--db", str(place), "--json")
        assert (ran.code, ran.error["code"]) == (exits.FAILURE, "FileProblem")


def test_operating_system_errors_are_one_sentence(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, PermissionError(13, "Permission denied", "/some/\x1bfile"))
    ran = cli("version")
    assert ran.code == 1
    assert "Permission denied: /some/file" in ran.err


def test_no_profile(cli: Cli) -> None:
    for command in (["list"], ["status"], ["sync"], ["export"], ["devices"], ["quarantine"], ["show", "x"]):
        ran = cli(*command)
        assert (ran.code, ran.out) == (10, "")
        assert "`e2esync init`" in ran.err


def test_real_process_exit_codes(tmp_path: Path) -> None:
    home = str(tmp_path / "none")
    done = run_program("--home", home, "list")
    assert (done.returncode, done.stdout) == (10, b"")
    done = run_program("list", "--home", home, "--json")
    assert done.returncode == 10
    assert b'"code":"NoProfile"' in done.stderr
    assert run_program("nonsense").returncode == 2
    assert run_program("--help").returncode == 0
    assert run_program("--version").stdout.startswith(b"e2esync ")


def test_a_reader_that_leaves_is_no_noise() -> None:
    process = subprocess.Popen(program("help", "scripting"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment())
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, b"")


def test_a_full_disk_behind_stdout_is_one_sentence(tmp_path: Path) -> None:
    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    with open(tmp_path / "out", "wb") as file:
        done = subprocess.run(program("help", "start"), stdout=file, stderr=subprocess.PIPE, env=environment(),
                              timeout=60, check=False, preexec_fn=small_disk)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"File too large" in done.stderr


def test_output_in_a_poor_encoding_is_escaped_not_refused() -> None:
    done = run_program("help", "phones", env=environment(PYTHONIOENCODING="ascii"))
    assert done.returncode == 0


def test_python_m_and_the_function_agree() -> None:
    code = "from e2esync.cli import main; raise SystemExit(main(['version', '--json']))"
    assert run_python(code) == run_program("version", "--json").stdout.decode().strip()


def test_every_code_is_documented(cli: Cli) -> None:
    shown = cli("help", "exit-codes").out
    numbers = {value for name, value in vars(exits).items() if name.isupper() and type(value) is int}
    assert numbers == exits.MEANINGS.keys()
    for number, meaning in exits.MEANINGS.items():
        assert f"{number:>3}  {meaning}" in shown
