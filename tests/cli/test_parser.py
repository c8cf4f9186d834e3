"""cli.parser, cli.table: global options anywhere, lazy commands, mistakes as usage errors."""

from __future__ import annotations

import argparse

import pytest

from e2esync.cli import main
from e2esync.cli.exits import UsageError
from e2esync.cli.parser import command_parser, parse, whole_parser
from e2esync.cli.table import BY_NAME, COMMANDS, Command

from .driving import run_python


@pytest.mark.parametrize("arguments", [
    ["--home", "x", "--json", "list", "ada"],
    ["list", "--home", "x", "--json", "ada"],
    ["list", "ada", "--json", "--home", "x"],
    ["--json", "list", "ada", "--home=x"],
])
def test_global_options_before_and_after(arguments: list[str]) -> None:
    command, options = parse(arguments)
    assert command.name == "list"
    assert (options.home, options.json, options.query) == ("x", True, ["ada"])


def test_later_option_wins_and_defaults_hold() -> None:
    _, options = parse(["--home", "a", "--quiet", "list", "--home", "b"])
    assert (options.home, options.quiet, options.json, options.yes, options.book) == ("b", True, False, False, None)


def test_global_options_reach_nested_subcommands() -> None:
    for arguments in (["--json", "devices", "rename", "a", "b"], ["devices", "--json", "rename", "a", "b"],
                      ["devices", "rename", "a", "b", "--json"]):
        _, options = parse(arguments)
        assert options.json
        assert (options.action, options.device, options.name) == ("rename", "a", "b")


def test_aliases_lead_to_the_same_command() -> None:
    assert parse(["ls"])[0] is BY_NAME["list"]
    assert parse(["add", "--name", "x"])[0] is BY_NAME["new"]


@pytest.mark.parametrize("arguments", [
    [], ["--json"], ["lst"], ["list", "--nonsense"], ["--nonsense", "list"], ["show"], ["list", "--hom", "x"],
    ["sync", "--progress", "sometimes"], ["import"], ["vectors"], ["vectors", "--write", "a", "--check", "b"],
    ["completion", "fish"],
])
def test_mistakes_are_usage_errors(arguments: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse(arguments)
    assert caught.value.hint


def test_unknown_command_is_told_what_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lisst"]) == 2
    assert "`e2esync list`" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_explains_itself(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command.name, "--help"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert command.summary[1:] in shown.out
    assert "examples:" in shown.out
    assert "options of every command:" in shown.out
    assert f"  e2esync {command.name}" in shown.out
    # The usage line names the command's own options, not those of every command.
    assert "--passphrase-file" not in shown.out.partition("\n\n")[0]


def nested(command: Command) -> list[str]:
    """The names of a command's subcommands."""
    found = [each for each in command_parser(command)._actions if isinstance(each, argparse._SubParsersAction)]
    return [name for each in found for name in each.choices]


NESTED = [(command, action) for command in COMMANDS for action in nested(command)]


@pytest.mark.parametrize(("command", "action"), NESTED, ids=[f"{each.name} {action}" for each, action in NESTED])
def test_every_subcommand_explains_itself(command: Command, action: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command.name, action, "--help"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    first = shown.out.rpartition("\nexamples:\n")[2].partition("\n")[0]
    assert f"{first} ".startswith(f"  e2esync {command.name} {action} ")


def test_names_and_aliases_are_unique() -> None:
    names = [name for command in COMMANDS for name in (command.name, *command.aliases)]
    assert len(names) == len(set(names)) == len(BY_NAME)


def test_top_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n  {command.name}" in shown


def test_whole_parser_knows_every_command() -> None:
    parser = whole_parser()
    assert parser.parse_args(["list", "ada", "--json"]).query == ["ada"]
    assert parser.parse_args(["devices", "rename", "a", "b"]).action == "rename"


def test_command_parsers_do_not_shadow_global_options() -> None:
    for command in COMMANDS:
        # argparse refuses a second definition; what is left to check is that defaults do not overwrite.
        parser = command_parser(command)
        for action in parser._actions:
            if "--json" in action.option_strings:
                assert action.default == "==SUPPRESS=="


def test_parsing_one_command_imports_no_other() -> None:
    code = (
        "import sys; from e2esync.cli.parser import parse; parse(['list', 'x']);"
        "print(sorted(name.rpartition('.')[2] for name in sys.modules if name.startswith('e2esync.cli.commands.')))"
    )
    assert run_python(code) == "['list']"


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "quarantine" in script
    assert "passphrase-file" in script
    if shell == "bash":
        assert "_shtab_compgen_files" in script.partition("_shtab_e2esync_import")[2]
