"""`e2esync show CONTACT`."""

from __future__ import annotations

import argparse

from ..context import Context

ABOUT = "All that the card says, and what two devices say differently (`e2esync conflicts`)."
EXAMPLES = "  e2esync show ada\n  e2esync show 089123456\n  e2esync show ada --json   the card as JSContact (RFC 9553)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The contact."""
    parser.add_argument("contact", metavar="CONTACT", help="name, phone, email or uid (`e2esync help selectors`)")


def run(context: Context) -> int:
    """Print the card."""
    from ..cardtext import card_lines

    book = context.book()
    row = context.find(context.args.contact)
    card = context.card(row.contact)
    conflicts = book.conflicts(row.contact)
    if context.out.json:
        context.out.result(uid=row.uid, card=card, conflicts=sorted(conflicts))
        return 0
    context.out.heading(row.name or "(no name)")
    context.out.data(*card_lines(card))
    if conflicts:
        context.out.note(f"two devices said different things here: {', '.join(sorted(conflicts))}; "
                         "see `e2esync conflicts show`")
    return 0
