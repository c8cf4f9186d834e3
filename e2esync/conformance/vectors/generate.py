"""Writes `vectors/v1/*.json` and `SHA256SUMS`, byte for byte the same on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from e2esync.conformance.vectors import (
    access,
    cards,
    contactset,
    crypto,
    encoding,
    envelopes,
    epochs,
    scenarios,
    session,
    snapshots,
)
from e2esync.conformance.vectors.case import Json, Layer

LAYERS: Final[tuple[Callable[[], Layer], ...]] = (
    encoding.layer, crypto.layer, cards.layer, contactset.layer, epochs.layer, envelopes.layer, snapshots.layer,
    access.layer, session.layer, scenarios.layer,
)
"""One function per file, from the bottom up. A further floor adds its own here."""

FOLDER: Final = "v1"
SUMS: Final = "SHA256SUMS"


def generated() -> dict[str, bytes]:
    """Every generated file by its path under `vectors/`. Raises SuiteUnavailable without kyber-py."""
    layers = [make() for make in LAYERS]
    return {f"{FOLDER}/{layer.name}.json": _written(layer.document()) for layer in layers}


def write(folder: Path) -> list[str]:
    """Write all generated files under `folder`; returns their paths under it."""
    files = generated()
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (folder / SUMS).write_bytes(sums(folder))
    return [*files, SUMS]


def sums(folder: Path) -> bytes:
    """`SHA256SUMS` as `sha256sum -c` reads it: of every JSON file under `folder`."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
        for path in sorted(folder.rglob("*.json"))
    ]
    return "".join(lines).encode()


def _written(document: Json) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=True) + "\n").encode()
