"""A plug-in of pytest that removes a check of the library before any test is imported: `--saboteur NUMBER`."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.saboteurs.removing import at_work
from tests.saboteurs.units import chosen


def pytest_addoption(parser: pytest.Parser) -> None:
    """The number of the saboteur in the table of `units`."""
    parser.addoption("--saboteur", type=int, required=True)


def pytest_configure(config: pytest.Config) -> None:
    """Remove the check until the run ends."""
    stack = ExitStack()
    stack.enter_context(at_work(chosen(config.getoption("saboteur"))))
    config.add_cleanup(stack.close)
