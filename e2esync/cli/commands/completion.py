"""`e2esync completion SHELL`."""

from __future__ import annotations

import argparse

from ..context import Context

ABOUT = ("A script that completes commands, options and file names when you press Tab. It never opens the profile.\n"
         "There is none for fish, which knows file names by itself.")
EXAMPLES = """\
  e2esync completion bash > ~/.local/share/bash-completion/completions/e2esync
  e2esync completion zsh > ~/.zfunc/_e2esync        (with ~/.zfunc in $fpath)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The shell."""
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="the shell to complete for")


def run(context: Context) -> int:
    """Print the script."""
    import shtab

    from ..parser import whole_parser

    parser = whole_parser()
    _complete_files(parser)
    script = shtab.complete(parser, shell=context.args.shell)
    if context.out.json:
        context.out.result(shell=context.args.shell, script=script)
    else:
        context.out.document(script.encode())
    return 0


def _complete_files(parser: argparse.ArgumentParser) -> None:
    """Tell shtab which arguments are files and folders, by what the help calls them."""
    import shtab

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for nested in action.choices.values():
                _complete_files(nested)
        elif isinstance(action.metavar, str) and "FILE" in action.metavar:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif isinstance(action.metavar, str) and "DIR" in action.metavar:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
