"""`e2esync export [QUERY]`."""

from __future__ import annotations

import argparse
import os
import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from ..context import Context
from ..exits import UsageError
from ..files import check_target, make_folder, write_private
from ..prompts import confirm

if TYPE_CHECKING:
    from collections.abc import Callable

ABOUT = """\
Everything that the card says goes out, photos and fields that e2esync does not know included; what nobody touched, byte
for byte as it came in. With -o the file is readable by you alone (0600) and appears whole or not at all. A folder gets
one file for each contact. Remember that an exported file is not encrypted."""
EXAMPLES = """\
  e2esync export -o all.vcf                       vCard 3.0, which phones and clouds read
  e2esync export ada --format jscontact           one contact, to stdout
  e2esync export -o cards/ --format vcard4        one file for each contact"""

_VERSIONS: Final = {"vcard2.1": "2.1", "vcard3": "3.0", "vcard4": "4.0"}
_SAFE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@-]{0,99}", re.A)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which contacts, where to, in which format."""
    parser.add_argument("query", nargs="*", metavar="QUERY", help="only contacts that it fits, as in `list`")
    parser.add_argument("-o", "--output", metavar="FILE|DIR",
                        help="a file, or a folder (one that exists, or ends in /)")
    parser.add_argument("--format", choices=(*_VERSIONS, "jscontact"), default="vcard3", help="default: vcard3")


def run(context: Context) -> int:
    """Write the contacts."""
    args, out = context.args, context.out
    if out.json and args.output is None:
        raise UsageError("export --json needs -o FILE, because the cards themselves would go to stdout",
                         "for cards as JSON: e2esync export --format jscontact")
    rows = context.cards(" ".join(args.query) or None)
    writer = _Writer(context, args.format)
    if args.output is None:
        out.document(writer.render([row.contact for row in rows]))
    elif _is_folder(args.output):
        _write_folder(context, writer, [(row.contact, row.uid) for row in rows])
    else:
        _write_file(context, writer, [row.contact for row in rows])
    if writer.missing:
        out.warn(f"{writer.missing} photos or attachments are not on this device and were left out",
                 "run `e2esync sync`, then export again")
    out.result(contacts=len(rows), output=args.output, format=args.format, missing_media=writer.missing)
    if args.output is not None:
        out.note(f"{len(rows):,} contact{'' if len(rows) == 1 else 's'} written to {args.output}")
    return 0


class _Writer:
    """Turns contacts into the bytes of a file."""

    def __init__(self, context: Context, kind: str) -> None:
        self.missing = 0
        self.ending = ".json" if kind == "jscontact" else ".vcf"
        self._context = context
        self._version = _VERSIONS.get(kind)

    def render(self, contacts: list[bytes]) -> bytes:
        """One file with these contacts."""
        from e2esync.card import jscontact, write_vcards

        registers: list[dict[str, Any]] = [self._context.registers(contact) for contact in contacts]
        source: Callable[[str], bytes | None] = self._media
        if self._version is None:
            return jscontact.write(registers, media=source).encode("utf-8", "surrogatepass")
        return write_vcards(registers, version=self._version, media=source)

    def _media(self, digest: str) -> bytes | None:
        content = self._context.book().media(digest)
        if content is None:
            self.missing += 1
        return content


def _is_folder(path: str) -> bool:
    return path.endswith(os.sep) or os.path.isdir(path)


def _write_file(context: Context, writer: _Writer, contacts: list[bytes]) -> None:
    path = context.args.output
    replace = context.args.yes
    if not replace and os.path.isfile(path) and not os.path.islink(path):
        replace = confirm(f"replace {path}?")
    check_target(path, replace=replace)
    write_private(path, writer.render(contacts), replace=replace)


def _write_folder(context: Context, writer: _Writer, contacts: list[tuple[bytes, str]]) -> None:
    folder = context.args.output
    make_folder(folder)
    bar = context.progress()
    used: set[str] = set()
    for count, (contact, uid) in enumerate(contacts):
        bar.update("writing", count, len(contacts))
        name = file_name(uid)
        if name.casefold() in used:
            # Two uids that a file system without case takes for one, or two cards with one uid.
            name = file_name(uid + "\0" + contact.hex())
        used.add(name.casefold())
        write_private(os.path.join(folder, name + writer.ending), writer.render([contact]), replace=True)
    bar.close()


def file_name(uid: str) -> str:
    """A contact's file name without ending: its uid if that is a harmless name, else a hash of it."""
    uid = uid.removeprefix("urn:uuid:")
    if _SAFE.fullmatch(uid):
        return uid
    return blake2b(uid.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
