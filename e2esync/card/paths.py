"""Register paths (SPEC 7): ``property`` or ``property/id`` as one string.

Invariants: in the property part ``~`` and ``/`` are written ``~0`` and ``~1``; the first ``/`` splits; the id part is
verbatim and may hold anything. So a path has one spelling, and a property name with a slash cannot pose as another.
"""

from __future__ import annotations


def join_path(prop: str, key: str | None = None) -> str:
    """The path of the register of ``prop``, or of its entry ``key``."""
    if "~" in prop or "/" in prop:
        prop = prop.replace("~", "~0").replace("/", "~1")
    return prop if key is None else f"{prop}/{key}"


def split_path(path: str) -> tuple[str, str | None]:
    """(property, id or None) of a path: the inverse of ``join_path``."""
    prop, slash, key = path.partition("/")
    if "~" in prop:
        prop = prop.replace("~1", "/").replace("~0", "~")
    return prop, key if slash else None
