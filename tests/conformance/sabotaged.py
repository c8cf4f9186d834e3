"""The testee of this implementation with one check removed: `python -m tests.conformance.sabotaged module:name`."""

from __future__ import annotations

import sys
from types import SimpleNamespace

from e2esync.conformance.performing import layers
from e2esync.conformance.testee import main
from tests.saboteurs.removing import Saboteur, at_work


async def idle(_profile: object) -> SimpleNamespace:
    """Says that it has synced."""
    return SimpleNamespace(notices=())


if __name__ == "__main__":
    target = f"e2esync.{sys.argv[1]}"
    layers()
    saboteur = Saboteur(target, "", (), idle) if target.endswith("devices:sync") else Saboteur(target, "", ())
    with at_work(saboteur):
        sys.exit(main())
