"""`e2esync new`."""

from __future__ import annotations

import argparse
import uuid
from typing import Any

from e2esync.errors import BadCard

from ..context import Context
from ..editing import FIELDS, add_field_options, apply_fields, id_maker
from ..editor import edit_card, parse_card
from ..exits import UsageError
from ..files import read_input

ABOUT = """\
Without options it opens an empty card in your editor (VISUAL or EDITOR), as JSON in the JSContact format."""
EXAMPLES = """\
  e2esync new --name "Ada Lovelace" --phone mobile=+44123456 --email ada@example.org --label Family
  e2esync new --from card.json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The fields, or a file."""
    add_field_options(parser)
    parser.add_argument("--from", dest="source", metavar="FILE", help="a JSContact card in JSON; - is stdin")


def run(context: Context) -> int:
    """Add the contact and print its uid."""
    args = context.args
    given = any(getattr(args, field) is not None for field in FIELDS)
    if given and args.source:
        raise UsageError("give the fields or --from, not both")
    book = context.book()
    if args.source:
        card = parse_card(read_input(args.source).decode("utf-8", "replace"))
    else:
        card = _blank()
        if given:
            card = apply_fields(card, args, id_maker(book.set_id, card["uid"]))
        else:
            card = edit_card({**card, "name": {"full": ""}, "phones": {"p1": {"number": ""}},
                              "emails": {"e1": {"address": ""}}}, context.out)
            card = _without_blanks(card)
    if not _says_something(card):
        raise BadCard("the card is empty, so nothing was added", "give it at least a name, a phone number or an email")
    contact = book.add(card)
    uid = context.card(contact).get("uid", "")
    if context.out.json:
        context.out.result(uid=uid, contact=contact)
    else:
        context.out.data(uid)
    return 0


def _blank() -> dict[str, Any]:
    return {"@type": "Card", "version": "1.0", "uid": str(uuid.uuid4())}


def _without_blanks(card: dict[str, Any]) -> dict[str, Any]:
    """The card without the lines of the form that the person left empty."""
    kept = dict(card)
    for prop, member in (("phones", "number"), ("emails", "address")):
        entries = kept.get(prop)
        if isinstance(entries, dict):
            kept[prop] = {key: entry for key, entry in entries.items()
                          if not isinstance(entry, dict) or entry.get(member) or len(entry) > 1}
            if not kept[prop]:
                del kept[prop]
    if kept.get("name") == {"full": ""}:
        del kept["name"]
    return kept


def _says_something(card: dict[str, Any]) -> bool:
    return bool(card.keys() - {"@type", "version", "uid", "prodId", "created", "updated", "kind"})
