"""A relay's settings: one table; flags before environment before file before defaults; nothing unknown passes."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path

import pytest

from e2esync.cli.exits import UsageError
from e2esync.cli.relay import add_arguments
from e2esync.cli.relay_settings import PREFIX, Settings, as_toml, read_settings, table


def write(folder: Path, text: str) -> str:
    (folder / "relay.toml").write_text(text, "utf-8")
    return str(folder / "relay.toml")


def test_the_nearest_word_wins(tmp_path: Path) -> None:
    file = write(tmp_path, 'name = "file"\noperator = "file"\ndb = "file"\n')
    environ = {PREFIX + "NAME": "environment", PREFIX + "OPERATOR": "environment", "OTHER": "x"}
    settings = read_settings({"name": "flag"}, environ, file)
    assert (settings.name, settings.operator, settings.db) == ("flag", "environment", "file")
    assert settings.connections == Settings().connections


def test_every_kind_of_value_from_the_environment() -> None:
    environ = {PREFIX + "LISTEN": "ws://127.0.0.1:1 tcp://127.0.0.1:2", PREFIX + "TRUST_PROXY": "yes",
               PREFIX + "LOG_ADDRESSES": "0", PREFIX + "CONNECTIONS": "5"}
    settings = read_settings({}, environ)
    assert settings.listen == ("ws://127.0.0.1:1", "tcp://127.0.0.1:2")
    assert (settings.trust_proxy, settings.log_addresses, settings.connections) == (True, False, 5)


@pytest.mark.parametrize("text", [
    "nam = 'x'", "name = 5", "trust_proxy = 'yes'", "connections = true", "connections = 0", "connections = -1",
    "listen = []", "listen = [5]", "log_format = 'xml'", "name = ", "[table]\nname = 'x'",
])
def test_what_is_no_setting_is_said(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        read_settings({}, {}, write(tmp_path, text))


@pytest.mark.parametrize(("name", "value"), [
    ("CONNECTIONS", "many"), ("TRUST_PROXY", "perhaps"), ("LOG_FORMAT", "xml"), ("LISTEN", ""),
])
def test_what_is_no_value_is_said_with_its_place(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=PREFIX + name):
        read_settings({}, {PREFIX + name: value})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_settings({}, {}, str(tmp_path / "none"))


def test_what_is_printed_can_be_read(tmp_path: Path) -> None:
    odd = Settings(name='a "quoted" \\ name', listen=("ws://a:1", "tcp://b:2"), trust_proxy=True, connections=7)
    assert read_settings({}, {}, write(tmp_path, as_toml(odd))) == odd
    assert set(tomllib.loads(as_toml(Settings()))) == {each.name for each in table()}


def test_every_setting_is_in_the_help() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    printed = " ".join(parser.format_help().split())
    for each in table():
        assert "--" + each.name.replace("_", "-") in printed
        assert " ".join(each.metadata["about"].split())[:30] in printed
