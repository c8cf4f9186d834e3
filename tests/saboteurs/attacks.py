"""The negative controls of `tests/attacks`: each runs its attack with one check removed, and must see it succeed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

from tests.attacks.scene import CONTROLS, Weak

ATTACKS = Path(__file__).parents[1] / "attacks"


def controls() -> list[tuple[str, str, Weak]]:
    """Module and name of the test, and the check that is missing."""
    for path in sorted(ATTACKS.glob("test_*.py")):
        import_module(f"tests.attacks.{path.stem}")
    return list(CONTROLS)


def survivors() -> set[tuple[str, str, str]]:
    """Module, test and control of those that an attack does not tell from the library as it is, at any moment."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "", "-k", "without", f"--junitxml={report}",
             str(ATTACKS)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )
        assert done.returncode in (0, 1), done.stdout + done.stderr
        cases = list(ElementTree.parse(report).iter("testcase"))
    found = set()
    for module, test, weak in controls():
        runs = [case for case in cases if case.get("classname") == module
                and case.get("name", "").startswith(f"{test}[") and weak.name in case.get("name", "")]
        # A control that did not run at all is a survivor as well.
        if not runs or any(len(case) for case in runs):
            found.add((module, test, weak.name))
    return found
