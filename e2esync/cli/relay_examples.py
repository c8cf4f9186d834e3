"""`e2esync relay example NAME`: files that a relay is run with, printed to be kept where they belong."""

from __future__ import annotations

import argparse
from importlib.resources import files
from typing import Final

NAMES: Final = {
    "systemd": "e2esync-relay.service", "container": "Containerfile", "nginx": "nginx.conf", "caddy": "Caddyfile",
}


def example(args: argparse.Namespace) -> int:
    """Prints it."""
    print(example_text(args.name), end="")
    return 0


def example_text(name: str) -> str:
    """The text of an example."""
    return (files("e2esync.relay") / "examples" / NAMES[name]).read_text("utf-8")
