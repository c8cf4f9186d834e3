"""`e2esync relay example NAME`: files that a relay is run with, printed to be kept where they belong."""

from __future__ import annotations

import argparse
from importlib.resources import files
from typing import Final

from .exits import UsageError
from .relay import the_place

NAMES: Final = {
    "systemd": "e2esync-relay.service", "container": "Containerfile", "nginx": "nginx.conf", "caddy": "Caddyfile",
}


def example(args: argparse.Namespace) -> int:
    """Prints it."""
    name = the_place(args, f"one of {', '.join(NAMES)}")
    if name not in NAMES:
        raise UsageError(f"there is no example {name}", f"there are {', '.join(NAMES)}")
    print(example_text(name), end="")
    return 0


def example_text(name: str) -> str:
    """The text of an example."""
    return (files("e2esync.relay") / "examples" / NAMES[name]).read_text("utf-8")
