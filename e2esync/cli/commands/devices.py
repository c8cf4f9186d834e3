"""`e2esync devices` and `e2esync devices rename`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from e2esync.errors import Ambiguous, NotFound

from ..context import Context
from ..marks import MARK, doubts, tell
from ..marks import as_json as marks_as_json
from ..parser import subcommands
from ..profiles import device_name
from ..times import ago

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2esync.client.book import Device

ABOUT = """\
Who is in the book, since when, when each was last heard, and how old its keys are: `e2esync rotate`, on that device,
renews both; any change of members or keys renews the sealing key of each device that is heard. A device's fingerprint
is four words; compare them on both screens to be sure that a name stands for the device you think. A name with (!)
behind it looks like another one, or is not what it seems to be. In a book that is shared each device has its person."""
EXAMPLES = '  e2esync devices\n  e2esync devices rename "Old phone" "Kitchen tablet"'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The rename action."""
    rename = subcommands(parser)("rename", "give a device another name, on all devices")
    rename.add_argument("device", metavar="DEVICE", help="its name, the start of its name, or its number")
    rename.add_argument("name", metavar="NAME", help="the new name")


def run(context: Context) -> int:
    """List or rename."""
    book = context.book()
    devices = book.devices()
    if context.args.action == "rename":
        device = find_device(devices, context.args.device)
        name = device_name(context.args.name)
        book.rename_device(device.member, name)
        context.out.result(member=device.member, name=name)
        context.out.note(f"{device.name or f'device {device.member}'} is now called {name}")
        return 0
    names = {device.member: device.name for device in devices}
    if context.out.json:
        context.out.result(devices=[as_json(device) | marks_as_json(device.member, names) for device in devices])
        return 0
    present, odd = context.now(), doubts(names)
    shared = len({device.person for device in devices}) > 1
    head = ("NO", "NAME", *["PERSON"] * shared, "ROLE", "SINCE", "HEARD", "SIGNING KEY", "SEALING KEY", "FINGERPRINT")
    context.out.table(head, [
        (str(device.member), (device.name or "(no name)") + MARK * (device.member in odd),
         *[device.person_name or "(no name)"] * shared, device.role,
         ago(device.since, present),
         "this device" if device.this else ago(device.last_heard, present), ago(device.signing_since, present),
         ago(device.sealing_since, present), " ".join(device.fingerprint))
        for device in devices
    ])
    tell(context, odd, names)
    behind = [device.name or f"device {device.member}" for device in devices if not device.entered]
    if behind:
        context.out.note(f"Not yet heard since the last change of members or keys: {', '.join(behind)}.")
    return 0


def as_json(device: Device) -> dict[str, Any]:
    """A device as JSON."""
    return {
        "member": device.member, "name": device.name, "person": device.person_name, "role": device.role,
        "this": device.this,
        "fingerprint": list(device.fingerprint), "added_epoch": device.added_epoch, "last_heard": device.last_heard,
        "since": device.since, "signing_key_since": device.signing_since, "sealing_key_since": device.sealing_since,
        "entered": device.entered,
    }


def find_device(devices: Sequence[Device], selector: str) -> Device:
    """The one device with this number or name, or whose name alone begins so. Raises NotFound or Ambiguous."""
    wanted = selector.casefold()
    exact = [device for device in devices if device.name.casefold() == wanted or str(device.member) == selector]
    found = exact or [device for device in devices if device.name.casefold().startswith(wanted)]
    if not found:
        raise NotFound(f"no device is called {selector}", "`e2esync devices` lists them")
    if len(found) > 1:
        raise Ambiguous(f"{len(found)} devices are called {selector}", "name one by its number in `e2esync devices`")
    return found[0]
