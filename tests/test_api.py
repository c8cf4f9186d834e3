"""The public API: every name it promises is there, documented, and costs nothing before it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import e2esync


@pytest.mark.parametrize("name", [name for name in e2esync.__all__ if not name.startswith("__")])
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(e2esync, name).__doc__


@pytest.mark.parametrize("name", [name for name in e2esync.__all__ if not name.startswith("__")])
def test_the_docstring_of_the_package_names_it(name: str) -> None:
    assert name in (e2esync.__doc__ or "")


def test_what_is_not_public_is_no_attribute() -> None:
    with pytest.raises(AttributeError):
        _ = e2esync.no_such_name


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, e2esync; print([m for m in sys.modules if m.startswith('e2esync.')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
