"""The command line: `main(argv)` parses, runs one command and turns every outcome into an exit code.

Invariants: only errors of `e2esync.errors` (and a full disk, a closed pipe, Ctrl-C) are outcomes; any other exception
is reported as a bug of e2esync, with its type and place and never with its message, which could hold contact data.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from e2esync.errors import E2esyncError

    from .output import Output

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with these arguments (default: the process's) and return its exit code; never raises."""
    from .output import Output

    # Ten thousand contacts are a million small objects that all live until the end: the collector finds nothing among
    # them, and looking takes a quarter of an import or first sync.
    gc.set_threshold(100_000, 50, 100)
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Parsing itself can fail, and must then already know how to say so.
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    out = Output(json="--json" in own, quiet="--quiet" in own or "-q" in own, color="--no-color" not in own)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BaseException as error:
        return _outcome(error, out, debug="--debug" in own)
    return code


def _run(arguments: list[str]) -> int:
    from .context import Context
    from .parser import parse

    command, options = parse(arguments)
    with Context(options) as context:
        try:
            code: int = command.load().run(context)
        except BaseException as error:
            _say_again(_innermost(error), command.name)
            raise
    return code


def _say_again(error: BaseException, command: str) -> None:
    """Where no relay answered, say what to run again: `sync` sends edits, and carries out no other command."""
    from e2esync.errors import Unreachable

    if isinstance(error, Unreachable) and error.hint == Unreachable.default_hint and command != "sync":
        error.hint = f"do not count it as done: check that the relay runs, then run `e2esync {command}` again"


def _outcome(error: BaseException, out: Output, *, debug: bool) -> int:
    from e2esync.errors import E2esyncError, LocalProtocolError

    from . import exits

    error = _innermost(error)
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else exits.OK
    if isinstance(error, KeyboardInterrupt):
        out.note("interrupted; what was stored before stays stored")
        return exits.INTERRUPTED
    _settle_stdout()
    if isinstance(error, BrokenPipeError):
        return exits.FAILURE
    if isinstance(error, OSError):
        error = exits.FileProblem(_os_error(error))
    if isinstance(error, E2esyncError) and not isinstance(error, LocalProtocolError):
        out.error(error)
        return exits.exit_code(error)
    out.error(_bug(error))
    if debug:
        import traceback

        # Frames only: an exception's message may hold what somebody's card says.
        traceback.print_tb(error.__traceback__)
    return exits.FAILURE


def _innermost(error: BaseException) -> BaseException:
    """The error that a group of tasks failed with: a bug before an interrupt before an error of the tree."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    from e2esync.errors import E2esyncError

    leaves = [_innermost(leaf) for leaf in error.exceptions]
    for kind in (KeyboardInterrupt, E2esyncError):
        if all(isinstance(leaf, KeyboardInterrupt | E2esyncError) for leaf in leaves):
            for leaf in leaves:
                if isinstance(leaf, kind):
                    return leaf
    return next(leaf for leaf in leaves if not isinstance(leaf, KeyboardInterrupt | E2esyncError))


def _bug(error: BaseException) -> E2esyncError:
    from . import exits

    where = _place(error.__traceback__)
    return exits.Bug(f"this is a bug in e2esync ({type(error).__name__}{where}); what was stored before stays stored")


def _place(trace: TracebackType | None) -> str:
    """The module and line of the package where it happened: no values, so no contact data."""
    place = ""
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module.startswith("e2esync."):
            place = f" at {module.removeprefix('e2esync.')}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _os_error(error: OSError) -> str:
    name = error.filename if isinstance(error.filename, str) else ""
    return f"{error.strerror or type(error).__name__}" + (f": {name}" if name else "")


def _settle_stdout() -> None:
    """Write what is left; where nobody takes it, drop it, so that the interpreter's own flush at exit stays quiet."""
    try:
        sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
