"""Whether a change takes something away from what a person saw of a contact: what the guard counts (SPEC 14.9)."""

from __future__ import annotations

from typing import Final

from e2esync.contactset.diff import same
from e2esync.contactset.view import BLOBS, view

_ORIGIN: Final = "origin"
"""The path of what an import knew: nobody sees it, nor where bytes lie."""


def harms(before: bytes, after: bytes) -> bool:
    """Whether a contact that was shown is gone, or a value that was shown is gone or another one.

    Both are packed states, empty for a contact that there is not. What is only added harms nothing.
    """
    old = view(before) if before and before != after else None
    if old is None:
        return False
    new = view(after) if after else None
    if new is None:
        return True
    return any(path not in new.registers or not same(value, new.registers[path])
               for path, value in old.registers.items() if path != _ORIGIN and not path.startswith(BLOBS))
