"""`guard`: what another device deleted by the hundred, shown, agreed to and refused from the command line."""

from __future__ import annotations

from pathlib import Path

from e2esync.client.book import Book
from e2esync.client.profile import Profile
from e2esync.replica.guarding import watch
from e2esync.replica.port import HELD, ContactRow

from .conftest import Cli
from .driving import many


def rob(cli: Cli, home: Path, tmp_path: Path) -> None:
    """What a sync leaves behind when member 2 has deleted sixty contacts."""
    assert cli("import", many(tmp_path / "many.vcf", 60)).code == 0
    with Profile.open(home) as profile:
        book = Book(profile)
        store = book.store
        with profile.store.transaction():
            shown = [store.overlay(row.contact) or b"" for row in book.list("person")]
            contacts = [row.contact for row in book.list("person")]
            watch(book.replica, [(2, contact, state, b"") for contact, state in zip(contacts, shown, strict=True)],
                  lambda: 63, book.now())
            store.put_contacts([ContactRow(contact, b"", b"", 0, False) for contact in contacts[:1]])
        assert len(store.kept_keys(HELD)) == 60


def test_nothing_waits(people: Cli) -> None:
    assert people("guard").code == 0
    assert people("guard", "--json").json["contacts"] == []


def test_show_list_and_refuse(people: Cli, tmp_path: Path) -> None:
    rob(people, tmp_path / "profile", tmp_path)
    assert len(people("guard", "show", "--json").json["contacts"]) == 60
    assert sum(row["guarded"] for row in people("list", "--json").json["contacts"]) == 60
    assert "guard" in " ".join(people("status", "--json").json["notices"])
    ran = people("guard", "confirm")
    assert ran.code == 15
    assert people("guard", "confirm", "Person 00001", "--yes", "--json").json["confirmed"] == 1
    assert people("guard", "refuse", "--json").json["refused"] == 59
    assert people("guard", "--json").json["contacts"] == []
