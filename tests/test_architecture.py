"""The folders are floors, and imports only ever point down; no I/O below the line; one door to each native library.

Everything here reads the source with `ast`; only the last class runs a Python of its own, to see what gets imported.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "e2esync"

# From the bottom up. Modules of one floor may import one another and every floor before theirs.
FLOORS = (
    ("errors", "limits"),
    ("wire", "crypto"),
    ("card", "contactset"),
    ("epoch", "log", "snapshot"),
    ("access",),
    ("replica",),
    ("session",),
    ("procedures",),
    ("transports", "stores"),
    ("client", "relay", "testing", "conformance"),
    ("cli", "demo"),
    # The public names and `python -m e2esync` stand on top of everything.
    ("", "__main__"),
)
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names}
IO_LINE = FLOOR_OF["transports"]

FORBIDDEN_BELOW = {
    "trio", "asyncio", "socket", "threading", "time", "os", "pathlib", "random", "secrets", "uuid", "sqlite3", "apsw",
    "websockets", "ssl", "select", "selectors", "subprocess", "multiprocessing", "concurrent", "tempfile", "shutil",
    "signal", "urllib.request", "http", "glob", "fcntl", "importlib.resources", "logging",
}
FORBIDDEN_CALLS = {"open", "print", "input", "breakpoint", "eval", "exec"}
CLOCK = re.compile(r"(?:.*\.)?(?:datetime\.(?:now|utcnow|today)|date\.today)")
ONLY_IMPORTER = {
    "msgpack": ("wire.py",), "nacl": ("crypto/",), "cryptography": ("crypto/",), "psycopg": ("stores/postgres",),
}

MODULE_LINES, FUNCTION_LINES = 500, 50
SECRET_NAME = re.compile(r"(?:^|_)(?:tag|commitment|commit|secret|token|mac|subkey|checksum|passphrase|seed)(?:$|_)")

# What a local command imports before it touches a profile. A further local command's module belongs here.
LOCAL_MODULES = (
    "e2esync", "e2esync.cli", "e2esync.cli.parser", "e2esync.cli.context", "e2esync.cli.output",
    "e2esync.cli.commands.list", "e2esync.cli.commands.show", "e2esync.cli.commands.new", "e2esync.cli.commands.edit",
    "e2esync.cli.commands.remove", "e2esync.cli.commands.export", "e2esync.cli.commands.importing",
    "e2esync.cli.commands.conflicts", "e2esync.cli.commands.quarantine", "e2esync.cli.commands.status",
    "e2esync.cli.commands.devices", "e2esync.cli.commands.help", "e2esync.cli.commands.version",
    "e2esync.cli.commands.history", "e2esync.cli.commands.diff", "e2esync.cli.commands.undo",
    "e2esync.cli.commands.labels", "e2esync.cli.commands.photo", "e2esync.cli.commands.phone",
    "e2esync.cli.commands.email", "e2esync.cli.commands.birthdays", "e2esync.client.labels",
    "e2esync.cli.commands.vdir", "e2esync.client.vdir", "e2esync.client.vdir_writing",
    "e2esync.cli.commands.dedupe", "e2esync.cli.commands.merge", "e2esync.client.duplicates",
    "e2esync.cli.commands.backup", "e2esync.client.events", "e2esync.client.backup", "e2esync.client.restoring",
    "e2esync.cli.commands.restore", "e2esync.cli.commands.trash", "e2esync.cli.commands.config",
    "e2esync.client.history", "e2esync.client.settings",
    "e2esync.cli.commands.completion", "e2esync.client.book", "e2esync.client.profile", "e2esync.replica",
)
SLOW_LIBRARIES = ("trio", "websockets", "rich", "keyring", "cryptography")

Check = Callable[[Path, ast.AST], list[str]]

FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8"), str(path)) for path in FILES}


def name_of(path: Path) -> str:
    """A file's path inside the package, with slashes."""
    return path.relative_to(PACKAGE).as_posix()


def floor_name(path: Path) -> str:
    """The floor that a file belongs to, as FLOORS names it."""
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def imports(path: Path, tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(absolute name, line) of everything that a module imports, wherever in it the import stands.

    `from e2esync import wire` counts as `e2esync.wire`; names that are no modules are harmless, they only make the
    name longer.
    """
    package = ["e2esync", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((f"{module}.{alias.name}", node.lineno) for alias in node.names)


def under(name: str, modules: set[str] | tuple[str, ...]) -> bool:
    """Whether a dotted name is one of the modules, or inside one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def upward(path: Path, tree: ast.AST) -> list[str]:
    """Imports of a floor above the module's own."""
    own = FLOOR_OF[floor_name(path)]
    found = []
    for name, line in imports(path, tree):
        parts = name.split(".")
        if parts[0] == "e2esync" and FLOOR_OF.get(parts[1], -1) > own:
            found.append(f"{name_of(path)}:{line} imports {name}")
    return found


def forbidden(path: Path, tree: ast.AST) -> list[str]:
    """I/O, clocks and randomness: imports and calls that have no place below the line."""
    found = [f"{name_of(path)}:{line} imports {name}" for name, line in imports(path, tree)
             if under(name, FORBIDDEN_BELOW)]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in FORBIDDEN_CALLS or CLOCK.fullmatch(called):
            found.append(f"{name_of(path)}:{node.lineno} calls {called}")
    return found


def loose_comparisons(path: Path, tree: ast.AST) -> list[str]:
    """Comparisons by `==`, `!=` or `in` of what must be compared in constant time."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        if not any(isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for operator in node.ops):
            continue
        sides = (node.left, *node.comparators)
        if any(isinstance(side, ast.Call) and ast.unparse(side.func) == "len" for side in sides):
            continue
        for side in sides:
            bare = side.value if isinstance(side, ast.Subscript) else side
            name = bare.attr if isinstance(bare, ast.Attribute) else bare.id if isinstance(bare, ast.Name) else ""
            if SECRET_NAME.search(name.lower()):
                found.append(f"{name_of(path)}:{node.lineno} compares {ast.unparse(node)}")
    return found


def long_functions(path: Path, tree: ast.AST) -> list[str]:
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    lengths = ((node, (node.end_lineno or node.lineno) - node.lineno + 1) for node in functions)
    return [f"{name_of(path)}:{node.lineno} {node.name} has {length} lines"
            for node, length in lengths if length > FUNCTION_LINES]


def of_all(check: Check) -> list[str]:
    return [finding for path, tree in TREES.items() for finding in check(path, tree)]


def test_every_module_stands_on_a_floor() -> None:
    assert [name_of(path) for path in FILES if floor_name(path) not in FLOOR_OF] == []


def test_no_arrow_points_up() -> None:
    assert of_all(upward) == []


def test_nothing_below_the_line_does_io() -> None:
    below = {path: tree for path, tree in TREES.items() if FLOOR_OF.get(floor_name(path), 99) < IO_LINE}
    assert len(below) > 30
    assert [finding for path, tree in below.items() for finding in forbidden(path, tree)] == []


@pytest.mark.parametrize(("library", "doors"), ONLY_IMPORTER.items())
def test_a_native_library_has_one_importer(library: str, doors: tuple[str, ...]) -> None:
    importers = {name_of(path) for path, tree in TREES.items() for name, _line in imports(path, tree)
                 if under(name, (library,))}
    assert {name for name in importers if not name.startswith(doors)} == set()
    assert importers


def test_secrets_are_compared_in_constant_time() -> None:
    parts = {path: tree for path, tree in TREES.items() if floor_name(path) in {"crypto", "access"}}
    assert [finding for path, tree in parts.items() for finding in loose_comparisons(path, tree)] == []


def test_modules_and_functions_are_short() -> None:
    lines = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: count for name, count in lines.items() if count > MODULE_LINES} == {}
    assert of_all(long_functions) == []


def test_every_module_says_what_it_is() -> None:
    assert [name_of(path) for path, tree in TREES.items() if tree.body and not ast.get_docstring(tree)] == []


def test_no_python_module_stands_where_the_wheel_puts_data() -> None:
    assert not (PACKAGE / "vectors").exists()
    assert not (PACKAGE / "vectors.py").exists()


class TestTheTestItself:
    """Each check finds what it is for: it would be green for ever otherwise."""

    @pytest.mark.parametrize(("where", "source"), [
        ("crypto/x.py", "from e2esync.card import model"), ("crypto/x.py", "import e2esync.session.relay"),
        ("wire.py", "from e2esync import cli"), ("epoch/x.py", "from ..access import kit"),
        ("errors.py", "from . import wire"), ("log/x.py", "def f():\n    from e2esync.client import book"),
    ])
    def test_upward(self, where: str, source: str) -> None:
        assert upward(PACKAGE / where, ast.parse(source))

    @pytest.mark.parametrize(("where", "source"), [
        ("cli/x.py", "from e2esync.card import model"), ("epoch/x.py", "from e2esync import wire, limits"),
        ("epoch/x.py", "from .record import Record"), ("log/x.py", "import e2esync.epoch.chain"),
        ("card/x.py", "from e2esync import __version__"),
    ])
    def test_downward(self, where: str, source: str) -> None:
        assert upward(PACKAGE / where, ast.parse(source)) == []

    @pytest.mark.parametrize("source", [
        "import os", "import os.path", "from pathlib import Path", "import time as t", "def f():\n    import random",
        "from urllib.request import urlopen", "open('x')", "print(1)", "import datetime\ndatetime.date.today()",
        "from datetime import datetime\ndatetime.now()", "import datetime\ndatetime.datetime.now(None)",
    ])
    def test_io(self, source: str) -> None:
        assert forbidden(PACKAGE / "log/x.py", ast.parse(source))

    @pytest.mark.parametrize("source", [
        "import hashlib", "from datetime import datetime\ndatetime.fromisoformat('x')", "book.open(key)",
        "now = clock.now()", "from urllib.parse import quote",
    ])
    def test_no_io(self, source: str) -> None:
        assert forbidden(PACKAGE / "log/x.py", ast.parse(source)) == []

    @pytest.mark.parametrize("source", [
        "tag == b''", "x.commitment != y", "if a in self.tokens_of or b == secret: pass", "key[0] == secret[1]",
        "self._seed == other._seed", "auth_tag == x",
    ])
    def test_loose(self, source: str) -> None:
        assert loose_comparisons(PACKAGE / "crypto/x.py", ast.parse(source))

    @pytest.mark.parametrize("source", [
        "len(secret) != 32", "len(self.seed) != KIT_SEED", "stage == 1", "a == b", "secret is None", "tag > 3",
    ])
    def test_not_loose(self, source: str) -> None:
        assert loose_comparisons(PACKAGE / "crypto/x.py", ast.parse(source)) == []

    def test_long(self) -> None:
        assert long_functions(PACKAGE / "x.py", ast.parse("def f():\n" + "    x = 1\n" * 50))
        assert not long_functions(PACKAGE / "x.py", ast.parse("def f():\n" + "    x = 1\n" * 49))


@pytest.mark.parametrize("module", LOCAL_MODULES)
def test_local_commands_import_nothing_slow(module: str) -> None:
    program = f"import sys, {module}; print(*(name for name in {SLOW_LIBRARIES!r} if name in sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.split() == []
