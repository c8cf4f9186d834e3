"""`e2esync people`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..people import TAG_LETTERS

ABOUT = """\
Who is in a book, by the name that each has chosen for it, with role and devices. A name proves nothing: the fingerprint
of a device does, four words that its owner finds with `e2esync people` on it."""
EXAMPLES = "  e2esync people --book Family"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""
    del parser


def run(context: Context) -> int:
    """List them."""
    from e2esync.client.books import people

    book, out = context.book(), context.out
    devices = {device.member: device for device in book.devices()}
    everybody = people(book.replica)
    if out.json:
        out.result(people=[
            {"person": each.tag, "name": each.name, "role": each.role, "this": each.this,
             "devices": [{"member": member, "name": devices[member].name,
                          "fingerprint": list(devices[member].fingerprint)}
                         for member in each.members if member in devices]}
            for each in everybody
        ])
        return 0
    out.table(("WHO", "NAME", "ROLE", "DEVICE", "FINGERPRINT"), [
        (each.tag.hex()[:TAG_LETTERS], (each.name or "(no name)") + (" (you)" if each.this else ""), each.role,
         devices[member].name, " ".join(devices[member].fingerprint))
        for each in everybody for member in each.members if member in devices
    ])
    return 0
