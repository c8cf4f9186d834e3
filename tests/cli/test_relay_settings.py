"""A relay's settings: one table; flags before environment before file before defaults; nothing unknown passes."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from e2esync.cli.exits import UsageError
from e2esync.cli.parser import command_parser
from e2esync.cli.relay_settings import PREFIX, Settings, as_toml, read_settings, strangers, table
from e2esync.cli.table import BY_NAME


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


@pytest.mark.parametrize(("text", "words"), [
    ("regisration = 'closed'", "did you mean registration?"), ("colour = 'red'", "see `e2esync relay config`"),
])
def test_a_misspelt_setting_is_refused_with_the_one_that_was_meant(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings({}, {}, write(tmp_path, text))
    assert caught.value.hint == words


def test_a_misspelt_variable_is_named_and_others_peoples_are_left_alone() -> None:
    environ = {PREFIX + "REGISRATION": "closed", PREFIX + "PORT_8765_TCP": "x", PREFIX + "CONFIG": "f",
               "REGISRATION": "x", PREFIX + "NAME": "x"}
    said = strangers(environ)
    assert [line.split()[3].rstrip(",") for line in said] == [PREFIX + "PORT_8765_TCP", PREFIX + "REGISRATION"]
    assert said[1].endswith("did you mean registration?")
    assert "closed" not in "".join(said)


@pytest.mark.parametrize(("flag", "value", "words"), [
    ("keepalive", 60, "a number from 45 to 55"), ("connections", 0, "a number from 1 up"),
    ("set_members", 65, "a number from 2 to 64"), ("set_entries", 512, "0, or a number from 1,024 up"),
    ("registration", "maybe", "one of open, invitation, closed"),
])
def test_the_range_is_said(flag: str, value: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_settings({flag: value}, {})


def test_no_limit_is_a_limit_that_can_be_said() -> None:
    flags = {"set_entries": 0, "connects_burst": 0, "sets_per_hour": 0}
    assert read_settings(flags, {}).set_entries == 0
    assert read_settings({"set_entries": 1024}, {}).set_entries == 1024


def test_every_setting_is_in_the_help_of_serve_and_only_the_store_in_that_of_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = command_parser(BY_NAME["relay"])
    for action in ("serve", "config", "stats"):
        with pytest.raises(SystemExit):
            parser.parse_args([action, "--help"])
        printed = " ".join(capsys.readouterr().out.split())
        assert "--config" in printed
        assert "examples:" in printed
        for each in table():
            wanted = action != "stats" or each.name == "db"
            assert ("--" + each.name.replace("_", "-") + " " in printed) == wanted
            assert (" ".join(each.metadata["about"].split())[:30] in printed) == wanted
