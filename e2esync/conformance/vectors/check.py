"""Says how a folder of vectors differs from what the reference would write: nothing, or a list of sentences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from e2esync.conformance.vectors.generate import FOLDER, SUMS, generated, sums

_TOLD: int = 10


def check(folder: Path) -> list[str]:
    """Differences between `folder` and the reference's own vectors, empty if byte-identical.

    Raises SuiteUnavailable if kyber-py is missing: unchecked is not the same as equal.
    """
    expected = generated()
    differences: list[str] = []
    for path, content in expected.items():
        target = folder / path
        if not target.is_file():
            differences.append(f"{path} is missing")
        elif target.read_bytes() != content:
            differences += _cases_that_differ(path, target.read_bytes(), content)
    strangers = sorted(path.relative_to(folder).as_posix() for path in (folder / FOLDER).glob("*"))
    differences += [f"{path} is not a file that the reference writes" for path in strangers if path not in expected]
    listed = folder / SUMS
    if not listed.is_file() or listed.read_bytes() != sums(folder):
        differences.append(f"{SUMS} does not list the files as they are")
    return differences


def _cases_that_differ(path: str, found: bytes, expected: bytes) -> list[str]:
    """Which cases differ, by id; a file that is no JSON, or differs only in layout, is named as a whole."""
    try:
        ours, theirs = _by_id(expected), _by_id(found)
    except (ValueError, KeyError, TypeError):
        return [f"{path} cannot be read as vectors"]
    changed = [identity for identity in ours if theirs.get(identity) != ours[identity]]
    changed += [identity for identity in theirs if identity not in ours]
    if not changed:
        return [f"{path} has the same cases and other bytes"]
    more = [f"{path}: and {len(changed) - _TOLD} more"] if len(changed) > _TOLD else []
    return [f"{path}: {identity} differs" for identity in changed[:_TOLD]] + more


def _by_id(content: bytes) -> dict[str, Any]:
    return {case["id"]: case for case in json.loads(content)["cases"]}
