"""cli.topics and `help`: every topic is there, and what the texts say of the program is so."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from e2esync.cli.parser import command_parser
from e2esync.cli.qr import qr_text
from e2esync.cli.table import BY_NAME, COMMANDS
from e2esync.cli.times import ago
from e2esync.cli.topics import TOPICS, topic

from .conftest import Cli


@pytest.mark.parametrize("name", TOPICS)
def test_topics(cli: Cli, name: str) -> None:
    ran = cli("help", name)
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.out) > 200
    assert max(map(len, ran.out.splitlines())) <= 120
    assert cli("help", name, "--json").json["text"] == ran.out.rstrip("\n")


def test_help_of_commands_and_nothing(cli: Cli) -> None:
    assert "usage: e2esync import" in cli("help", "import").out
    assert "usage: e2esync rm" in cli("help", "remove").out
    assert "Getting started" not in cli("help").out
    assert cli("help").out == cli("--help").out
    assert cli("help", "nonsense").code == 2


def test_every_command_that_a_text_names_exists() -> None:
    texts = [topic(name) or "" for name in TOPICS]
    for command in COMMANDS:
        module = command.load()
        texts += [module.ABOUT, module.EXAMPLES]
    named = {match for text in texts for match in re.findall(r"(?:`|^ {2}|: +)e2esync ([a-z-]+)", text, re.M)}
    assert named
    assert named <= BY_NAME.keys()


def _options(parser: argparse.ArgumentParser) -> set[str]:
    """The options of a parser, and of the actions under it."""
    options = {option for action in parser._actions for option in action.option_strings}
    under = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return options.union(*(_options(each) for action in under for each in action.choices.values()))


def test_every_option_that_a_text_names_exists() -> None:
    known = {option for command in COMMANDS for option in _options(command_parser(command))} | {"--db", "--listen"}
    for command in COMMANDS:
        module = command.load()
        options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", module.ABOUT + module.EXAMPLES))
        assert options <= known | {"--new"}, command.name
    for name in TOPICS:
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", topic(name) or "")) <= known, name


@pytest.mark.parametrize(("moment", "text"), [
    (0, "never"), (1000, "just now"), (10**12, "just now"), (10**12 - 59_999, "just now"),
    (10**12 - 60_000, "1 min ago"), (10**12 - 7_200_000, "2 h ago"),
    (10**12 - 3 * 86_400_000, "3 d ago"), (10**12 + 5, "just now"),
])
def test_ago(moment: int, text: str) -> None:
    assert ago(moment, 10**12 if moment != 1000 else 1000) == text


def test_vectors_are_written_and_checked(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "vectors"
    written = cli("vectors", "--write", str(folder), "--json").json["written"]
    assert written
    assert cli("vectors", "--check", str(folder)).code == 0
    victim = next(path for path in sorted(folder.rglob("*.json")))
    victim.write_bytes(victim.read_bytes() + b" ")
    ran = cli("vectors", "--check", str(folder))
    assert ran.code == 1
    assert victim.name in ran.err
    assert cli("vectors", "--check", str(folder), "--json").json["differences"]


def test_a_code_as_qr_fits_a_terminal() -> None:
    code = "WSS://" + "R" * 71 + "#" + "-".join(["4F7Q2M"] * 7)
    assert len(code) >= 120
    rows = qr_text(code[:120]).splitlines()
    # A screen of 24 rows, less one for the cursor.
    assert len(rows) <= 23
    assert max(map(len, rows)) <= 80
    assert all(row.isprintable() for row in rows)
