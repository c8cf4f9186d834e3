"""Removing one check: a function is replaced by one that does the rest of its work and no longer refuses.

The library has no switch for this: the names that it gave to the function point elsewhere, before or while it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any


def nothing(*_: Any, **__: Any) -> None:
    """Refuses nothing."""


def first(value: Any, *_: Any, **__: Any) -> Any:
    """Gives back what it was to look at."""
    return value


@dataclass(frozen=True, slots=True)
class Saboteur:
    """A check to be removed: `module:name` (or `module:Class.name`), SPEC step, and where its absence must show.

    `by`: operations of the vectors, or paths of tests.
    It is removed everywhere it was imported to, or in its module `alone`. A `valid` case catches a saboteur only if
    `shows` says that the check decides what comes out, not whether anything does.
    """

    target: str
    spec: str
    by: tuple[str, ...]
    instead: Any = nothing
    alone: bool = False
    shows: bool = False


@contextmanager
def at_work(saboteur: Saboteur) -> Iterator[None]:
    """The library with the saboteur's check removed."""
    module_name, _, path = saboteur.target.partition(":")
    module = import_module(module_name)
    *owners, name = path.split(".")
    holder: Any = getattr(module, owners[0]) if owners else module
    original = getattr(holder, name)
    places: list[tuple[Any, str]] = [(holder, name)]
    if isinstance(holder, ModuleType) and not saboteur.alone:
        places = list(_everywhere(original))
    for place, attribute in places:
        setattr(place, attribute, saboteur.instead)
    try:
        yield
    finally:
        for place, attribute in places:
            setattr(place, attribute, original)


def _everywhere(function: object) -> Iterator[tuple[ModuleType, str]]:
    """Every name that the function has in the library, as `from … import` gave it to many modules."""
    for name, module in list(sys.modules.items()):
        if name.startswith("e2esync") and module is not None:
            yield from ((module, attribute) for attribute, value in list(vars(module).items()) if value is function)
