"""`e2esync kit check|sheet|split|join|replace`."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from e2esync.errors import BadCode

from ..context import Context
from ..exits import OK, PARTLY, WRONG_SECRET, UsageError
from ..files import check_target, make_folder, read_input, write_private
from ..kitcheck import ask_back, show_kit
from ..kitinput import add_kit_option, has_profile, kit_text, read_kit
from ..kitpage import kit_sheet, share_sheet
from ..parser import subcommands
from ..prompts import ask, can_ask
from ..qr import kit_qr_text
from ..sheet import check_sheet_name, kit_code, write_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2esync.access.kit import KitFile, RecoveryKit

ABOUT = """\
The recovery kit is 24 words on paper, and outranks every device. Try it once a year: `kit check` asks for the words and
says whether they are the kit of this book, and which word is wrong if not. It changes nothing and sends nothing."""
EXAMPLES = """\
  e2esync kit check                                  asks for the words
  e2esync kit check kit.txt
  e2esync kit sheet --kit-file kit.txt -o kit.html
  e2esync kit split 2-of-3 --kit-file kit.txt -o shares
  e2esync kit join shares/share-1.txt shares/share-3.txt -o kit.txt
  e2esync kit replace --old-kit kit.txt --sheet new-kit.html"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions."""
    add = subcommands(parser)
    check = add("check", "say whether these words are the kit of this book, and which one is wrong")
    add_kit_option(check)
    check.add_argument("file", metavar="FILE", nargs="?", help="the same as --kit-file FILE")
    sheet = add("sheet", "make the printable page of a kit once more")
    add_kit_option(sheet)
    sheet.add_argument("-o", "--output", metavar="FILE", required=True, help="a .html or .svg that only you can read")
    split = add("split", "split the kit into shares, of which some are enough (SLIP-39)")
    split.add_argument("scheme", metavar="M-of-N", help="2-of-3: three shares, any two give the kit back")
    add_kit_option(split)
    split.add_argument("-o", "--output", metavar="DIR", required=True, help="a folder for the shares: text and page")
    replace = add("replace", "put a new kit in the place of this one, in every book")
    old = replace.add_mutually_exclusive_group()
    old.add_argument("--old-kit", metavar="FILE", help="the kit that gives way; - reads stdin; default: it is typed")
    old.add_argument("--lost", action="store_true", help="the old kit is not at hand: replace what can be without it")
    replace.add_argument("--new-kit", metavar="FILE", help="a kit that was made before: go on with it")
    add_hand_over_options(replace)
    join = add("join", "put a kit together from its shares")
    join.add_argument("shares", metavar="SHARE", nargs="*", help="files with a share each; without any they are typed")
    join.add_argument("-o", "--output", metavar="FILE", help="write a kit file that only you can read")


def run(context: Context) -> int:
    """The action."""
    actions = {"check": _check, "sheet": _sheet, "split": _split, "join": _join, "replace": _replace}
    action = actions.get(context.args.action)
    if action is None:
        raise UsageError("what about the kit?", "check, sheet, split, join or replace; see `e2esync kit --help`")
    return action(context)


def _check(context: Context) -> int:
    from e2esync.access.kit import parse_kit_file

    known = _known_books(context)
    if context.args.file is not None and context.args.kit_file is not None:
        raise UsageError("two files were given", "name one")
    text = kit_text(context, context.args.file or context.args.kit_file)
    try:
        kit = parse_kit_file(text)
    except BadCode as error:
        raise _located(context, text, known) or error from None
    places = _places(known, kit.kit)
    found = bool(places) or not known
    context.out.result(words=True, kit_of_a_book=bool(places) if known else None, books=places)
    if not known:
        context.out.note("These are 24 words of a recovery kit: spelling and checksum are right. Whether of your book,",
                         "only a device of it can say: run this there.")
    for place in places:
        what = "the root" if place["role"] == "root" else "a recovery member"
        if not place["member"]:
            context.out.warn(f"{place['book']}: this kit was replaced. Use the newer one, and destroy this.")
        else:
            context.out.note(f"{place['book']}: right, this kit is {what} (key {place['number']}).")
    if known and not places:
        context.out.warn("The words are a recovery kit, but not one of any book on this device.")
    return OK if found and (not places or any(place["member"] for place in places)) else WRONG_SECRET


def _known_books(context: Context) -> list[tuple[str, Any]]:
    """(name, chain) of the books of the profile; none without a profile."""
    if not has_profile(context):
        return []
    from e2esync.client.book import Book

    profile = context.profile()
    books = [Book(profile, info.number) for info in profile.store.books()]
    return [(book.name or f"book {book.number}", book.replica.chain) for book in books if book.exists()]


def _places(known: list[tuple[str, Any]], kit: RecoveryKit) -> list[dict[str, Any]]:
    """Where the kit is or was a member."""
    from e2esync.limits import KIT_HALVES

    keys = {kit.signing_key(number).verify_key: number for number in range(KIT_HALVES)}
    return [
        {"book": name, "role": member.role.name.lower(), "number": keys[member.verify_key],
         "member": member.index in chain.members}
        for name, chain in known for member in chain.all_members.values()
        if member.verify_key in keys and not member.is_device
    ]


def _located(context: Context, text: str, known: list[tuple[str, Any]]) -> BadCode | None:
    """An error that names the wrong word, where all are of the list and a book can tell which one it is."""
    from e2esync.access.kit import kit_fields, wrong_words
    from e2esync.access.words import is_word
    from e2esync.limits import KIT_WORDS

    words, _fields = kit_fields(text)
    if not known or len(words) != KIT_WORDS or not all(map(is_word, words)):
        return None
    context.out.note("The checksum is wrong; looking for the word…")
    at = wrong_words(words, known[0][1].root.verify_key)
    if not at:
        return None
    what = f"word {at[0]} is wrong" if len(at) == 1 else f"words {at[0]} and {at[1]} are swapped"
    return BadCode(f"{what}; all the others are those of this book's kit", "correct your paper, then check it again")


def _sheet(context: Context) -> int:
    path = context.args.output
    check_sheet_name(path)
    check_target(path, replace=context.args.yes)
    write_sheet(path, kit_sheet(context, read_kit(context, context.args.kit_file)), replace=context.args.yes)
    context.out.result(sheet=path)
    context.out.note(f"The page is in {path}. Print it, then delete the file: it holds the words.")
    return OK


def _split(context: Context) -> int:
    from e2esync.client.shares import parse_scheme, split_kit

    args, out = context.args, context.out
    needed, count = parse_scheme(args.scheme)
    kit = read_kit(context, args.kit_file)
    files = [os.path.join(args.output, f"share-{number}") for number in range(1, count + 1)]
    make_folder(args.output)
    for file in files:
        check_target(file + ".txt", replace=args.yes)
        check_target(file + ".html", replace=args.yes)
    for number, (file, words) in enumerate(zip(files, split_kit(kit.kit, needed, count), strict=True), start=1):
        sheet = share_sheet(context, kit, words, number, (needed, count))
        text = f"# e2esync recovery kit: share {number} of {count}; any {needed} together give the kit\n{sheet.code}"
        write_private(file + ".txt", text.encode(), replace=args.yes)
        write_sheet(file + ".html", sheet, replace=args.yes)
    out.result(shares=[file + ".txt" for file in files], sheets=[file + ".html" for file in files], needed=needed)
    out.note(f"{count} shares are in {args.output}; any {needed} of them give the kit back (`e2esync kit join`).",
             "Give each to another person or place, then delete the files. The 24 words stay valid as they are.")
    return OK


def _join(context: Context) -> int:
    from e2esync.access.kit import kit_fields, parse_kit_file, short_set_id
    from e2esync.client.shares import join_shares
    from e2esync.epoch.record import set_id_of

    args, out = context.args, context.out
    if args.output:
        check_target(args.output, replace=args.yes)
    texts = [read_input(path).decode("utf-8", "replace") for path in args.shares] or _typed_shares()
    kit = join_shares(texts)
    said = {name: value for text in texts for name, value in kit_fields(text)[1].items()}
    book = said.get("set") or short_set_id(set_id_of(kit.signing_key(0).verify_key))
    text = kit_code(kit.words(), said.get("relay", ""), said.get("relay key", ""), book)
    parse_kit_file(text)
    if args.output:
        write_private(args.output, f"# e2esync recovery kit\n{text}".encode(), replace=args.yes)
        out.result(kit_file=args.output, set=book)
        out.note(f"The kit is in {args.output}.")
    elif out.json:
        out.result(kit=kit.words(), set=book)
    else:
        show_kit(kit.words(), out)
    return OK


def _typed_shares() -> Sequence[str]:
    if not can_ask():
        raise UsageError("kit join needs the shares, and there is no terminal to type them", "name their files")
    shares: list[str] = []
    while line := ask(f"Share {len(shares) + 1} (empty when that is all):", why="name their files"):
        shares.append(line)
    return shares


def _replace(context: Context) -> int:
    from e2esync.access.kit import KitFile, RecoveryKit
    from e2esync.client.entropy import SystemEntropy
    from e2esync.client.kits import replace_kit

    from ..net import run as run_trio

    args, out = context.args, context.out
    profile, book = context.profile(), context.book()
    old = None if args.lost else read_kit(context, args.old_kit).kit
    if args.new_kit is not None:
        new = read_kit(context, args.new_kit).kit
    else:
        check_hand_over(context)
        new = RecoveryKit.generate(SystemEntropy())
        # In its owner's hands before it counts: the other way round a crash would leave a book without a kit.
        hand_over(context, KitFile(new, book.relay_url, book.replica.chain.relay_key, None), book.set_id, result=False)
    done = run_trio(lambda: replace_kit(profile, old, new))
    fields: dict[str, Any] = {} if args.new_kit or args.kit_file or args.sheet else {"kit": new.words()}
    out.result(books=[{"book": each.book, "name": each.name, "done": each.done, "root": each.root,
                       "problem": each.problem} for each in done], **fields)
    for each in done:
        if each.done:
            out.note(f"{each.name}: the new kit is in its place. Destroy the old one.")
        else:
            out.warn(f"{each.name}: not replaced ({each.problem}).")
    if any(each.root and not each.done for each in done) and old is None:
        out.warn("The root of a book gives way to nobody but itself. Without the old kit the way out is",
                 "`e2esync rehome`: it moves the book to a new set with the new kit.")
    elif not all(each.done for each in done):
        out.note("Run the same again later, with --new-kit and the new kit's file.")
    return OK if all(each.done for each in done) else PARTLY


def hand_over(context: Context, kit: KitFile, set_id: bytes, *, result: bool = True) -> None:
    """Give a new kit to its owner: page, file, JSON or terminal, as the options say.

    Without `result` the one JSON object is left to the caller, with the words in it if they went nowhere else.
    """
    from e2esync.access.kit import render_kit_file

    args, out, words = context.args, context.out, kit.kit.words()
    relay = kit.relay_url or ""
    if args.sheet is not None:
        write_sheet(args.sheet, kit_sheet(context, kit), replace=False)
        out.note(f"The page with the recovery kit is in {args.sheet}. Print it, then delete the file.")
    if args.kit_file is not None:
        content = render_kit_file(kit.kit, relay, set_id, kit.relay_key).encode()
        write_private(args.kit_file, content, replace=False)
        out.note(f"The recovery kit is in {args.kit_file}. Print it, and keep it off your devices.")
    written = {"kit_file": args.kit_file, "sheet": args.sheet}
    fields: dict[str, Any] = {name: path for name, path in written.items() if path is not None}
    if result:
        out.result(set_id=set_id, relay=relay, **(fields or {"kit": words}))
    if not out.json and args.kit_file is None and (args.sheet is None or can_ask()):
        if args.qr:
            sheet = kit_sheet(context, kit)
            out.show("", "The recovery kit as a QR code:", "", *kit_qr_text(sheet.code).splitlines())
        show_kit(words, out)
        ask_back(words, out)


def add_hand_over_options(parser: argparse.ArgumentParser) -> None:
    """Where a new kit goes."""
    parser.add_argument("--qr", action="store_true", help="draw the recovery kit as a QR code in the terminal, too")
    parser.add_argument("--sheet", metavar="FILE",
                        help="write the recovery kit as a page to print (.html or .svg), with its QR code")
    parser.add_argument("--kit-file", metavar="FILE",
                        help="write the recovery kit to a file only you can read, instead of asking words back")


def check_hand_over(context: Context) -> None:
    """Before anything is made: the kit can be given to somebody. Raises UsageError or FileProblem."""
    args, out = context.args, context.out
    for path in (args.kit_file, args.sheet):
        if path is not None:
            check_target(path, replace=False)
    if args.sheet is not None:
        check_sheet_name(args.sheet)
    if args.kit_file is None and args.sheet is None and not out.json and not can_ask():
        raise UsageError(f"{args.command} shows the recovery kit and asks three of its words back, and there is no "
                         "terminal", "give --kit-file FILE to keep the kit in a file instead")
