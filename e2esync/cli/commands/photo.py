"""`e2esync photo show|set|export|remove`."""

from __future__ import annotations

import argparse
from typing import Any

from e2esync.errors import BadCard, NotFound

from ..context import Context
from ..exits import UsageError
from ..files import read_input, write_private
from ..parser import subcommands

ABOUT = """\
Photos are kept and synced byte for byte, never shrunk and never fetched from an address in a card. A picture is JPEG,
PNG, GIF or WebP, of at most 16 MiB."""
EXAMPLES = """\
  e2esync photo show ada
  e2esync photo set ada ada.jpg
  e2esync photo export ada -o ada.jpg
  e2esync photo remove ada"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions."""
    add = subcommands(parser)
    actions = {name: add(name, text) for name, text in (
        ("show", "say what photo a contact has"), ("set", "give a contact a photo"),
        ("export", "write a contact's photo to a file"), ("remove", "take a contact's photo away"))}
    for action in actions.values():
        action.add_argument("contact", metavar="CONTACT", help="name, phone, email or uid (`e2esync help selectors`)")
    actions["set"].add_argument("file", metavar="FILE", help="the picture; - is stdin")
    actions["export"].add_argument("-o", "--output", metavar="FILE", help="a file that only you can read; "
                                                                          "default: stdout")


def run(context: Context) -> int:
    """Show, set, export or remove."""
    from e2esync.client import labels

    args, book = context.args, context.book()
    if args.action is None:
        raise UsageError("which action?", "see `e2esync photo --help`")
    row = context.find(args.contact)
    if args.action == "set":
        try:
            labels.set_photo(book, row.contact, read_input(args.file))
        except BadCard as error:
            raise BadCard(f"{args.file}: {error.message}", error.hint) from None
        context.out.note(f"{row.name or row.uid} has a new photo")
    elif args.action == "remove":
        count = labels.remove_photo(book, row.contact)
        context.out.note("the photo is gone; `e2esync undo` brings it back" if count else "there was no photo")
    else:
        photos = labels.photos_of(book, row.contact)
        if args.action == "export":
            return _export(context, photos)
        _show(context, photos)
        return 0
    context.out.result(uid=row.uid)
    return 0


def _show(context: Context, photos: list[tuple[str, dict[str, Any]]]) -> None:
    out, book = context.out, context.book()
    shown = []
    for _path, entry in photos:
        digest = entry.get("digest")
        here = isinstance(digest, str) and book.media(digest) is not None
        shown.append({"type": entry.get("mediaType"), "size": entry.get("size"), "uri": entry.get("uri"), "here": here})
    out.result(photos=shown)
    for one in shown if not out.json else ():
        if one["uri"]:
            out.data(f"{one['uri']}   (an address in the card; it is never fetched)")
        else:
            where = "" if one["here"] else "   (not on this device yet: `e2esync sync`)"
            out.data(f"{one['type'] or 'picture'}, {one['size']:,} bytes{where}" if type(one["size"]) is int
                     else f"{one['type'] or 'picture'}{where}")
    if not shown:
        out.note("no photo")


def _export(context: Context, photos: list[tuple[str, dict[str, Any]]]) -> int:
    book, out, path = context.book(), context.out, context.args.output
    digests = [entry["digest"] for _path, entry in photos if isinstance(entry.get("digest"), str)]
    content = next((found for digest in digests if (found := book.media(digest)) is not None), None)
    if content is None:
        raise NotFound("this contact has no photo on this device",
                       "run `e2esync sync`" if digests else "`e2esync photo set` gives it one")
    if path is None:
        if out.json:
            raise UsageError("photo export --json needs -o FILE, because the picture itself would go to stdout")
        out.binary(content)
        return 0
    write_private(path, content, replace=context.args.yes)
    out.note(f"{len(content):,} bytes written to {path}")
    out.result(output=path, bytes=len(content))
    return 0
