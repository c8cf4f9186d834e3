"""cli.prompts: where passphrases come from, and that nothing asks without a terminal."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from e2esync.cli import prompts
from e2esync.cli.exits import FileProblem, NoTerminal, UsageError
from e2esync.cli.prompts import SecretSource, ask, ask_secret, child_environment, confirm, new_secret
from e2esync.errors import E2esyncError, ProfileLocked

CANARY = "correct horse"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch):
    """Pretend that a person types these lines."""
    def type_lines(*lines: str) -> Terminal:
        monkeypatch.setattr("sys.stdin", Terminal("".join(line + "\n" for line in lines)))
        monkeypatch.setattr("sys.stderr", Terminal())
        monkeypatch.setattr("getpass.getpass", lambda *_args, **_options: sys.stdin.readline().rstrip("\n"))
        return sys.stderr  # type: ignore[return-value]
    return type_lines


@pytest.fixture(autouse=True)
def _no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(prompts.ENVIRONMENT, raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())


def test_without_a_terminal_nothing_asks() -> None:
    assert not confirm("delete everything?")
    with pytest.raises(NoTerminal, match="no terminal"):
        ask("Which relay?", why="give --relay")
    with pytest.raises(ProfileLocked) as caught:
        ask_secret("Passphrase", why="give a file")
    assert caught.value.hint == "give a file"
    with pytest.raises(ProfileLocked) as caught:
        SecretSource(None, None).existing()
    assert "--passphrase-file" in caught.value.hint


def test_closed_stdin_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr("sys.stdin", stream)
    assert not prompts.can_ask()
    monkeypatch.setattr("sys.stdin", None)
    assert not prompts.can_ask()


@pytest.mark.parametrize(("answer", "expected"), [("y", True), ("YES", True), ("", False), ("n", False), ("j", False)])
def test_confirm_defaults_to_no(typed, answer: str, expected: bool) -> None:
    screen = typed(answer)
    assert confirm("delete \x1b[2J?") is expected
    assert "\x1b" not in screen.getvalue()


def test_end_of_input_is_no_answer(typed) -> None:
    typed()
    with pytest.raises(NoTerminal):
        ask("Name?", why="")


def test_new_secret_is_typed_twice(typed) -> None:
    typed("", "one", "two", CANARY, CANARY)
    assert new_secret("New passphrase", why="") == CANARY


def test_sources_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed) -> None:
    path = tmp_path / "secret"
    path.write_bytes(CANARY.encode() + b"\r\nsecond line\n")
    monkeypatch.setenv(prompts.ENVIRONMENT, "from the environment")
    assert SecretSource(str(path), None).existing() == CANARY
    assert SecretSource(None, f"{sys.executable} -c 'print(\"from a command\")'").existing() == "from a command"
    assert SecretSource(None, None).existing() == "from the environment"
    assert SecretSource(None, None, environment="").given() is None
    monkeypatch.delenv(prompts.ENVIRONMENT)
    typed("from a person")
    assert SecretSource(None, None).existing() == "from a person"


def test_two_sources_are_refused() -> None:
    with pytest.raises(UsageError):
        SecretSource("a", "b")


@pytest.mark.parametrize(("content", "error"), [(b"", "empty"), (b"\nx", "empty"), (b"\xff\n", "UTF-8")])
def test_bad_files(tmp_path: Path, content: bytes, error: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(FileProblem, match=error):
        SecretSource(str(path), None).given()
    with pytest.raises(FileProblem, match="cannot read"):
        SecretSource(str(path) + "x", None).given()


@pytest.mark.parametrize("command", ["false", "/no/such/program", f"{sys.executable} -c 'raise SystemExit(3)'"])
def test_failing_commands_leave_the_profile_locked(command: str) -> None:
    with pytest.raises(ProfileLocked):
        SecretSource(None, command).given()


@pytest.mark.parametrize("command", ["", "  ", "'unmatched"])
def test_commands_that_are_none(command: str) -> None:
    with pytest.raises(UsageError):
        SecretSource(None, command).given()


def test_the_passphrase_is_in_no_message_and_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(prompts.ENVIRONMENT, CANARY)
    assert CANARY not in child_environment().values()
    with pytest.raises(E2esyncError) as caught:
        SecretSource(None, f"{sys.executable} -c 'print(\"{CANARY}\"); raise SystemExit(1)'").given()
    assert CANARY not in caught.value.message + caught.value.hint
