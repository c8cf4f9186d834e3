"""Names of devices and people that are not what they seem to be (SPEC 8.8), marked where somebody chooses by them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from e2esync.access.lookalike import alike, is_disguised

from .output import clean

if TYPE_CHECKING:
    from .context import Context

Key = TypeVar("Key")
MARK: Final = " (!)"
"""Behind a name that is marked. A name itself may end so; then it is marked twice."""
_LONG: Final = 60


def doubt(name: str, others: Mapping[Key, str]) -> str:
    """What is odd about a name beside these; empty for a name that nobody would mistake."""
    found = []
    if like := alike(name, others):
        found.append("looks like " + ", ".join(clean(others[key], _LONG) for key in like))
    if is_disguised(name):
        found.append("holds letters of several alphabets, or what is not seen")
    return ", and ".join(found)


def doubts(names: Mapping[Key, str]) -> dict[Key, str]:
    """What is odd about each of these names, those without a doubt left out."""
    found = {key: doubt(name, _others(names, key)) for key, name in names.items()}
    return {key: said for key, said in found.items() if said}


def as_json(key: Key, names: Mapping[Key, str]) -> dict[str, Any]:
    """The marks of one name among all, for JSON."""
    name = names[key]
    return {"alike": list(alike(name, _others(names, key))), "disguised": is_disguised(name)}


def tell(context: Context, found: Mapping[Key, str], names: Mapping[Key, str]) -> None:
    """Say below a table why names are marked in it."""
    for key, said in found.items():
        context.out.warn(f"{clean(names[key], _LONG)}{MARK} {said}", "only the fingerprint tells who is who")


def question(name: str, others: Mapping[Key, str]) -> str:
    """A sentence for a prompt that lets somebody in under this name; empty for a name without a doubt."""
    said = doubt(name, others)
    return f"CAREFUL: this name {said}. " if said else ""


def _others(names: Mapping[Key, str], key: Key) -> dict[Key, str]:
    return {other: name for other, name in names.items() if other != key}
