"""A relay that takes new books by invitation: every command that brings it one says so, and takes the invitation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Cli
from .world import Relay


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("relay")


@pytest.fixture(scope="module")
def relay(folder: Path) -> Iterator[Relay]:
    running = Relay(folder, "--registration", "invitation")
    yield running
    running.stop()


def test_each_new_book_brings_an_invitation(cli: Cli, relay: Relay, folder: Path, tmp_path: Path) -> None:
    def invitation() -> str:
        made = cli("relay", "invite", "--db", str(folder / "relay.sqlite3"), "--json").json
        return str(made["invitation"])

    def run(*arguments: str) -> None:
        refused = cli(*arguments, "--json", "--yes")
        assert refused.code == 1, arguments
        assert "by invitation only" in refused.error["message"]
        assert "--invitation CODE" in refused.error["hint"]
        malformed = cli(*arguments, "--invitation", "1234", "--json", "--yes")
        assert (malformed.code, malformed.error["code"]) == (2, "UsageError")
        done = cli(*arguments, "--invitation", invitation(), "--json", "--yes")
        assert done.code == 0, done.err

    run("init", "--relay", relay.url, "--plain")
    run("new-book", "Family")
    # Each book that moves is a new one to the relay: an invitation for each, or the rest of them later.
    refused = cli("rehome", "--kit-file", str(tmp_path / "kit.txt"), "--json", "--yes")
    assert refused.code == 1
    assert "--invitation CODE" in refused.error["hint"]
    partly = cli("rehome", "--kit-file", str(tmp_path / "kit.txt"), "--invitation", invitation(), "--json", "--yes")
    assert partly.code == 3
    assert "by invitation only" in partly.json["books"][0]["problem"]
    finished = cli("rehome", "--finish", "--invitation", invitation(), "--json")
    assert finished.code == 0, finished.err
    both = cli("rehome", "--kit-file", str(tmp_path / "new.txt"), "--invitation", invitation(), "--invitation",
               invitation(), "--json", "--yes")
    assert both.code == 0, both.err
    assert [book["name"] for book in cli("books", "--json").json["books"]] == ["Contacts", "Family"]
    elsewhere = Relay(tmp_path)
    try:
        assert cli("new-book", "Work", "--relay", elsewhere.url, "--json").code == 0
        run("relay", "move", relay.url, "--book", "Work")
        # And back to where it is known, without one.
        assert cli("relay", "move", elsewhere.url, "--book", "Work", "--json").json["brought"]
        assert cli("relay", "move", relay.url, "--book", "Work", "--json").json["brought"]
    finally:
        elsewhere.stop()
    assert cli("sync", "--json").code == 0


def test_the_books_of_a_share_too(cli: Cli, relay: Relay, folder: Path) -> None:
    code = cli("relay", "invite", "--db", str(folder / "relay.sqlite3"), "--json").json["invitation"]
    assert cli("init", "--relay", relay.url, "--plain", "--invitation", code, "--json").code == 0
    refused = cli("share", "0", "--as", "Club", "--name", "Ada", "--no-verify", "--yes", "--json")
    assert refused.code == 1
    assert "--invitation CODE" in refused.err
    assert [book["name"] for book in cli("books", "--json").json["books"]] == ["Contacts"]
