"""conflicts list, show and resolve."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2esync.client.book import Book
from e2esync.client.profile import Profile
from tests.client.test_events import disagree

from .conftest import Cli


@pytest.fixture
def torn(people: Cli, tmp_path: Path) -> Cli:
    """Two devices disagree about Adam's number and note."""
    with Profile.open(tmp_path / "profile") as profile:
        book = Book(profile)
        contact = book.find("Adam Ant").contact
        disagree(book, contact, "phones/p", {"number": "111"}, {"number": "222"})
    return people


def test_values_are_numbered(torn: Cli) -> None:
    assert "phones/p" in torn("conflicts").out
    shown = torn("conflicts", "show", "adam").out
    assert "0 shown    222" in shown
    assert "1 instead  111" in shown
    assert torn("conflicts", "--strict").code == 5


def test_a_script_resolves(torn: Cli) -> None:
    assert torn("conflicts", "resolve", "adam").code == 2
    assert torn("conflicts", "resolve", "adam", "phones/p", "--keep", "2").code == 4
    assert torn("conflicts", "resolve", "adam", "name", "--keep", "0").code == 4
    assert torn("conflicts", "resolve", "adam", "phones/p", "--keep", "1", "--json").json["resolved"] == {"phones/p": 1}
    assert torn("conflicts", "--strict").code == 0
    assert "111" in torn("phone", "-p", "adam").out
    assert torn("conflicts", "resolve", "adam", "--keep", "0", "--json").json["resolved"] == {}


def test_a_person_is_asked(torn: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["x", "7", "1"])
    monkeypatch.setattr("e2esync.cli.commands.conflicts.can_ask", lambda: True)
    monkeypatch.setattr("e2esync.cli.commands.conflicts.ask", lambda _question, **_why: next(answers))
    ran = torn("conflicts", "resolve", "adam")
    assert ran.code == 0
    assert "1 settled" in ran.err
    assert "111" in torn("phone", "-p", "adam").out
