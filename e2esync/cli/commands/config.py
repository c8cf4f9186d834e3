"""`e2esync config list|get|set|unset`."""

from __future__ import annotations

import argparse
from typing import Any

from ..context import Context
from ..parser import subcommands

ABOUT = "Settings of this profile. They stay on this device, and what is not set has its default."
EXAMPLES = """\
  e2esync config                        all of them, with what they mean
  e2esync config list
  e2esync config get sort
  e2esync config set sort name
  e2esync config set keep-history 90    days for which undo and trash reach back
  e2esync config unset sort"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions."""
    add = subcommands(parser)
    add("list", "list the settings")
    for name, text in (("get", "print one"), ("set", "change one"), ("unset", "go back to the default")):
        action = add(name, text)
        action.add_argument("name", metavar="NAME", help="its name in the list")
        if name == "set":
            action.add_argument("value", metavar="VALUE", help="what it is to be")


def run(context: Context) -> int:
    """List, print or change."""
    from e2esync.client import settings

    args, out, store = context.args, context.out, context.profile().store
    if args.action in (None, "list"):
        if out.json:
            out.result(settings={one.name: _as_json(store, one) for one in settings.SETTINGS})
            return 0
        width = max(len(one.name) for one in settings.SETTINGS)
        for one in settings.SETTINGS:
            # A table would cut what a setting means.
            out.data(f"{one.name:<{width}}  {settings.shown(store, one) or '-':<10}  {one.about}")
        return 0
    setting = settings.find(args.name)
    if args.action == "set":
        if setting.name == settings.BOOK and args.value:
            # A name that fits no book now would make every command fail.
            args.book = args.value
            context.book_number()
        settings.put(store, setting.name, args.value)
    elif args.action == "unset":
        settings.unset(store, setting.name)
    out.result(name=setting.name, **_as_json(store, setting))
    if not out.json:
        out.data(settings.shown(store, setting))
    return 0


def _as_json(store: Any, setting: Any) -> dict[str, Any]:
    from e2esync.client import settings

    value = settings.shown(store, setting)
    return {"value": value if setting.kind in ("text", "choice") else int(value),
            "set": settings.is_set(store, setting.name), "about": setting.about}
