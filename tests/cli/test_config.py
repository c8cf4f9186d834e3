"""config, and what obeys it."""

from __future__ import annotations

from .conftest import Cli


def test_settings_are_listed_set_and_unset(people: Cli) -> None:
    assert "keep-history" in people("config").out
    assert people("config", "set", "keep-history", "90").out == "90\n"
    assert people("config", "get", "keep-history", "--json").json["value"] == 90
    assert people("config", "list", "--json").json["settings"]["keep-history"]["set"] is True
    assert people("config", "set", "proxy", "127.0.0.1:9050").code == 1
    assert people("config", "set", "proxy", "socks5://127.0.0.1:9050").out == "socks5://127.0.0.1:9050\n"
    assert people("config", "unset", "keep-history").out == "30\n"
    assert people("config", "get", "nothing").code == 4
    assert people("config", "set", "sort", "age").code == 1


def test_the_order_of_the_list(book: Cli) -> None:
    for name in ("Zoe Adams", "Adam Zeller"):
        assert book("new", "--name", name).code == 0

    def names(*options: str) -> list[str]:
        return [str(row["name"]) for row in book("list", *options, "--json").json["contacts"]]

    assert names("--sort", "name") == ["Adam Zeller", "Zoe Adams"]
    assert book("config", "set", "sort", "name").code == 0
    assert names() == ["Adam Zeller", "Zoe Adams"]


def test_the_default_book(people: Cli) -> None:
    assert people("config", "set", "book", "nowhere").code == 4
    assert people("config", "set", "book", "0").code == 0
    assert len(people("list", "--json").json["contacts"]) == 3
