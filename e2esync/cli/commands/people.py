"""`e2esync people`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..marks import MARK, as_json, doubts, tell
from ..people import TAG_LETTERS

ABOUT = """\
Who is in a book, by the name that each has chosen for it, with role and devices. A name proves nothing: the fingerprint
of a device does, four words that its owner finds with `e2esync people` on it. A name with (!) behind it looks
like another one, or is not what it seems to be."""
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
    names = {each.tag: each.name for each in everybody}
    called = {member: device.name for member, device in devices.items()}
    if out.json:
        out.result(people=[
            {"person": each.tag, "name": each.name, "role": each.role, "this": each.this, **as_json(each.tag, names),
             "devices": [{"member": member, "name": called[member], **as_json(member, called),
                          "fingerprint": list(devices[member].fingerprint)}
                         for member in each.members if member in devices]}
            for each in everybody
        ])
        return 0
    odd, odd_devices = doubts(names), doubts(called)
    out.table(("WHO", "NAME", "ROLE", "DEVICE", "FINGERPRINT"), [
        (each.tag.hex()[:TAG_LETTERS], (each.name or "(no name)") + MARK * (each.tag in odd) + " (you)" * each.this,
         each.role, called[member] + MARK * (member in odd_devices), " ".join(devices[member].fingerprint))
        for each in everybody for member in each.members if member in devices
    ])
    tell(context, odd, names)
    tell(context, odd_devices, called)
    return 0
