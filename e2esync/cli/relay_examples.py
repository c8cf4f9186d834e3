"""`e2esync relay example NAME`: files that a relay is run with, printed to be kept where they belong."""

from __future__ import annotations

import argparse
import json
from importlib.resources import files
from typing import Final

NAMES: Final = {
    "systemd": "e2esync-relay.service", "container": "Containerfile", "nginx": "nginx.conf", "caddy": "Caddyfile",
}


def example(args: argparse.Namespace) -> int:
    """Prints it."""
    text = example_text(args.name)
    if getattr(args, "json", False):
        print(json.dumps({"schema": 1, "name": args.name, "text": text}))
    else:
        print(text, end="")
    return 0


def example_text(name: str) -> str:
    """The text of an example."""
    return (files("e2esync.relay") / "examples" / NAMES[name]).read_text("utf-8")
