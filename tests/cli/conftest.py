"""Fixtures of the command line's tests: a profile in a folder of its own, and `main` driven in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from e2esync.cli import main

from .driving import local_profile
from .world import Relay


class Ran(NamedTuple):
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        (line,) = self.out.splitlines()
        value = json.loads(line)
        assert value["schema"] == 1
        assert isinstance(value, dict)
        return value

    @property
    def error(self) -> dict[str, Any]:
        """The error object on stderr; stdout is empty."""
        assert self.out == ""
        value = json.loads(self.err.splitlines()[-1])
        assert value.keys() == {"schema", "error"}
        error = value["error"]
        assert isinstance(error, dict)
        return error


Cli = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No profile, passphrase or editor of whoever runs the tests."""
    for name in ("E2ESYNC_PASSPHRASE", "EDITOR", "VISUAL", "NO_COLOR", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("E2ESYNC_HOME", str(tmp_path / "profile"))


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run the program in this process."""
    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(list(arguments))
        shown = capsys.readouterr()
        return Ran(code, shown.out, shown.err)
    return run


@pytest.fixture
def book(cli: Cli, tmp_path: Path) -> Cli:
    """Run the program on a plain profile with an empty book."""
    local_profile(tmp_path / "profile")
    return cli


@pytest.fixture
def people(book: Cli) -> Cli:
    """Run the program on a book of three."""
    for name, phone, email in (
        ("Ada Lovelace", "mobile=+44 20 7946 0001", "ada@example.org"),
        ("Adam Ant", "+44 20 7946 0002", "adam@example.org"),
        ("山田太郎", "+81 3 1234 5678", "taro@example.jp"),
    ):
        assert book("new", "--name", name, "--phone", phone, "--email", email).code == 0
    return book


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """A relay process; a module has one, and it ends as it should."""
    running = Relay(tmp_path_factory.mktemp("relay"))
    yield running
    assert running.stop() == 0
