"""`e2esync edit CONTACT`."""

from __future__ import annotations

import argparse
from typing import Any

from ..context import Context
from ..editing import (
    FIELDS,
    add_entries,
    add_field_options,
    apply_fields,
    id_maker,
    remove_entries,
    set_path,
    unset_path,
)
from ..editor import edit_card

ABOUT = """\
Only what you change is sent, so edits of other fields on another device are kept. An option such as --phone replaces
all phone numbers; --add-phone and --remove-phone leave the others alone. An empty value removes: --note ''.
Without options the card opens in your editor (VISUAL or EDITOR), as JSON in the JSContact format."""
EXAMPLES = """\
  e2esync edit ada --add-phone work=+4989123 --remove-email old@example.org
  e2esync edit ada --set 'titles/t1={"name":"Countess"}' --unset notes
  e2esync edit ada                                  in your editor"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The contact and the changes."""
    parser.add_argument("contact", metavar="CONTACT", help="name, phone, email or uid (`e2esync help selectors`)")
    add_field_options(parser)
    add = parser.add_argument
    for option, metavar in (("phone", "NUMBER"), ("email", "ADDRESS")):
        add(f"--add-{option}", action="append", default=[], metavar=f"[WORD=]{metavar}", help="one more")
        add(f"--remove-{option}", action="append", default=[], metavar=metavar, help="this one goes")
    add("--set", action="append", default=[], metavar="PATH=JSON", help="any part of the card, as `show --json` has it")
    add("--unset", action="append", default=[], metavar="PATH", help="remove any part of the card")


def run(context: Context) -> int:
    """Change the contact."""
    args = context.args
    book = context.book()
    row = context.find(args.contact)
    before = context.card(row.contact)
    if _has_options(args):
        card = _changed(before, args, book.set_id)
    else:
        card = edit_card(before, context.out)
    count = book.update(row.contact, card)
    context.out.result(uid=row.uid, changed=count)
    context.out.note(f"changed {row.name or row.uid}" if count else "nothing to change: the card says that already")
    return 0


def _has_options(args: argparse.Namespace) -> bool:
    added = (args.add_phone, args.remove_phone, args.add_email, args.remove_email, args.set, args.unset)
    return any(getattr(args, field) is not None for field in FIELDS) or any(added)


def _changed(card: dict[str, Any], args: argparse.Namespace, set_id: bytes) -> dict[str, Any]:
    make_id = id_maker(set_id, str(card.get("uid", "")))
    card = apply_fields(card, args, make_id)
    card = remove_entries(card, "phones", "number", args.remove_phone)
    card = remove_entries(card, "emails", "address", args.remove_email)
    card = add_entries(card, "phones", "number", args.add_phone, make_id)
    card = add_entries(card, "emails", "address", args.add_email, make_id)
    for assignment in args.set:
        card = set_path(card, assignment)
    for path in args.unset:
        card = unset_path(card, path)
    return card
