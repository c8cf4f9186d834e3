"""`e2esync export [QUERY]`."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any, Final

from e2esync.errors import NotFound

from ..context import Context
from ..exits import UsageError
from ..files import check_target, make_folder, write_private
from ..output import counted
from ..prompts import confirm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

ABOUT = """\
Everything that the card says goes out, photos and fields that e2esync does not know included; what nobody touched, byte
for byte as it came in. `--for` makes every card anew as one program reads it (Apple: labels as groups; Google,
Android, Outlook: labels as categories) and says what that program refuses. `csv` is Google's, which cannot say
everything; values that a spreadsheet would compute have an apostrophe before them. `--as-imported` gives an imported
file back, untouched cards to the byte. With -o the file is readable by you alone (0600) and appears whole or not at
all. A folder gets one file for each contact. Remember that an exported file is not encrypted."""
EXAMPLES = """\
  e2esync export -o all.vcf                       vCard 3.0, which phones and clouds read
  e2esync export ada --format jscontact           one contact, to stdout
  e2esync export -o cards/ --format vcard4        one file for each contact
  e2esync export -o iphone.vcf --for apple        as Apple's programs read it best
  e2esync export --as-imported old.vcf -o old.vcf the imported file again, with what was edited since"""

_VERSIONS: Final = {"vcard2.1": "2.1", "vcard3": "3.0", "vcard4": "4.0"}
_ENDINGS: Final = {"jscontact": ".json", "jcard": ".json", "csv": ".csv"}
_PROGRAMS: Final = ("apple", "google", "android", "outlook")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which contacts, where to, in which format."""
    parser.add_argument("query", nargs="*", metavar="QUERY", help="only contacts that it fits, as in `list`")
    parser.add_argument("-o", "--output", metavar="FILE|DIR",
                        help="a file, or a folder (one that exists, or ends in /)")
    parser.add_argument("--format", choices=(*_VERSIONS, *_ENDINGS), help="default: vcard3")
    parser.add_argument("--for", dest="program", choices=_PROGRAMS, help="as this program reads cards best")
    parser.add_argument("--as-imported", metavar="FILE", help="an imported file again, by the name that it had")


def run(context: Context) -> int:
    """Write the contacts."""
    args, out = context.args, context.out
    if out.json and args.output is None:
        raise UsageError("export --json needs -o FILE, because the cards themselves would go to stdout",
                         "for cards as JSON: e2esync export --format jscontact")
    if sum(map(bool, (args.format, args.program, args.as_imported))) > 1 or (args.as_imported and args.query):
        raise UsageError("--format, --for and --as-imported exclude each other, and --as-imported takes no query",
                         "see `e2esync export --help`")
    if args.as_imported:
        from e2esync.client.importing import as_imported

        _write_content(context, as_imported(context.book(), args.as_imported))
        out.result(output=args.output, as_imported=args.as_imported)
        return 0
    query = " ".join(args.query)
    rows = context.cards(query or None)
    if query and not rows:
        # An empty file would look like success, and may replace a full one.
        raise NotFound(f"no contact fits {query!r}, so nothing was written", "`e2esync list` shows all")
    kind = args.format or "vcard3"
    writer = _Dressed(context, args.program) if args.program else _Writer(context, kind)
    contacts = {row.contact: row.uid for row in rows}
    if args.output is not None and _is_folder(args.output):
        _write_folder(context, writer, contacts)
    else:
        _write_content(context, writer.parts(contacts))
    for warning in writer.warnings:
        out.warn(warning)
    if writer.missing:
        out.warn(f"{writer.missing} photos or attachments are not on this device and were left out",
                 "run `e2esync sync`, then export again")
    out.result(contacts=len(rows), output=args.output, format=args.program or kind, missing_media=writer.missing,
               warnings=writer.warnings)
    if args.output is not None:
        out.note(f"{counted(len(rows), 'contact')} written to {args.output}")
    return 0


class _Writer:
    """Turns contacts (their ids and uids) into the bytes of a file, or of one for each."""

    def __init__(self, context: Context, kind: str) -> None:
        self.missing = 0
        self.warnings: list[str] = []
        self.ending = _ENDINGS.get(kind, ".vcf")
        self._context = context
        self._kind = kind

    def parts(self, contacts: Mapping[bytes, str]) -> Iterator[bytes]:
        """One file with these contacts, piece by piece."""
        from e2esync.card import jcard, jscontact, write_google
        from e2esync.card.vcard import vcard_parts

        registers = (self._context.registers(contact) for contact in contacts)
        source: Callable[[str], bytes | None] = self._media
        if self._kind == "csv":
            yield write_google(list(registers))
        elif self._kind in _ENDINGS:
            write = jcard.write if self._kind == "jcard" else jscontact.write
            yield write(list(registers), media=source).encode("utf-8", "surrogatepass")
        else:
            yield from vcard_parts(registers, version=_VERSIONS[self._kind], media=source)

    def files(self, contacts: Mapping[bytes, str]) -> Iterator[tuple[bytes, str, bytes]]:
        """(contact, uid, content) of a file for each contact."""
        for contact, uid in contacts.items():
            yield contact, uid, b"".join(self.parts({contact: uid}))

    def _media(self, digest: str) -> bytes | None:
        content = self._context.book().media(digest)
        if content is None:
            self.missing += 1
        return content


class _Dressed(_Writer):
    """Turns contacts into what one program reads best; what is a group is decided over all of them."""

    def __init__(self, context: Context, program: str) -> None:
        super().__init__(context, "vcard3")
        self._program = program

    def parts(self, contacts: Mapping[bytes, str]) -> Iterator[bytes]:
        """One file with these contacts, and the groups that they are in where the program reads those."""
        cards = self._cards(contacts)
        sizes: dict[bytes, int] = {}
        for contact, content in self._written(cards):
            sizes[contact] = len(content)
            yield content
        self._warn(cards, sizes)

    def files(self, contacts: Mapping[bytes, str]) -> Iterator[tuple[bytes, str, bytes]]:
        """As of any writer."""
        cards = self._cards(contacts)
        for contact, content in self._written(cards):
            self._warn({contact: cards[contact]}, {contact: len(content)})
            yield contact, str(cards[contact].get("uid", "")), content

    def _cards(self, contacts: Mapping[bytes, str]) -> dict[bytes, dict[str, Any]]:
        from e2esync.card.profiles import dress

        registers = {contact: self._context.registers(contact) for contact in contacts}
        return dress(self._program, registers, self._context.book().set_id)

    def _written(self, cards: Mapping[bytes, dict[str, Any]]) -> Iterator[tuple[bytes, bytes]]:
        from e2esync.card.profiles import write_for

        for contact, card in cards.items():
            yield contact, write_for(self._program, card, self._media).encode("utf-8", "surrogateescape")

    def _warn(self, cards: Mapping[bytes, dict[str, Any]], sizes: Mapping[bytes, int]) -> None:
        from e2esync.card.profiles import warnings_for

        self.warnings = list(dict.fromkeys([*self.warnings, *warnings_for(self._program, cards, sizes)]))


def _is_folder(path: str) -> bool:
    return path.endswith(os.sep) or os.path.isdir(path)


def _write_content(context: Context, content: Iterable[bytes]) -> None:
    """Write a document to the file that was named, or to stdout."""
    path = context.args.output
    if path is None:
        context.out.document(content)
        return
    replace = context.args.yes
    if not replace and os.path.isfile(path) and not os.path.islink(path):
        replace = confirm(f"replace {path}?")
    check_target(path, replace=replace)
    write_private(path, content, replace=replace)


def _write_folder(context: Context, writer: _Writer, contacts: Mapping[bytes, str]) -> None:
    from e2esync.client.folder import file_name

    folder = context.args.output
    make_folder(folder)
    bar = context.progress()
    used: set[str] = set()
    for count, (contact, uid, content) in enumerate(writer.files(contacts)):
        bar.update("writing", count, len(contacts))
        name = file_name(uid)
        if name.casefold() in used:
            # Two uids that a file system without case takes for one, or two cards with one uid.
            name = file_name(uid + "\0" + contact.hex())
        used.add(name.casefold())
        write_private(os.path.join(folder, name + writer.ending), content, replace=True)
    bar.close()
