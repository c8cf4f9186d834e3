"""What `phone`, `email` and `birthdays` share: one value a line, for people and, as khard prints it, for programs.

Invariants: with -p a line is VALUE, NAME and TYPE with tabs between and nothing else, so that mutt, aerc and scripts
made for khard or abook take it; a tab or line end inside a value has become a space.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .cardtext import type_words

if TYPE_CHECKING:
    from .context import Context

Found = tuple[str, str, str]
"""(value, name, type)"""


def add_listing_options(parser: argparse.ArgumentParser) -> None:
    """The query and the form of the output."""
    parser.add_argument("query", nargs="*", metavar="QUERY", help="only contacts that it fits, as in `list`")
    parser.add_argument("-p", "--parsable", action="store_true", help="lines of VALUE, NAME and TYPE with tabs between")


def entries(context: Context, prop: str, member: str) -> Iterator[Found]:
    """Every entry of a property of the contacts that the query fits, preferred ones first."""
    for row in context.cards(" ".join(context.args.query) or None):
        card = context.card(row.contact)
        found = [entry for entry in _entries(card.get(prop)) if isinstance(entry.get(member), str) and entry[member]]
        for entry in sorted(found, key=_pref):
            yield entry[member], row.name, ", ".join(type_words(entry))


def show(context: Context, found: list[Found], header: str, key: str) -> int:
    """Print them; nobody found is exit code 1, as with khard."""
    out = context.out
    if out.json:
        out.result(**{key: [{"value": value, "name": name, "type": kind} for value, name, kind in found]})
    elif context.args.parsable:
        out.tabbed(found)
    elif found:
        out.table(("NAME", "TYPE", header), [(name, kind, value) for value, name, kind in found])
    else:
        out.note("nothing found")
    return 0 if found else 1


def _entries(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value.values() if isinstance(entry, dict)] if isinstance(value, dict) else []


def _pref(entry: dict[str, Any]) -> int:
    pref = entry.get("pref")
    return pref if type(pref) is int else 101
