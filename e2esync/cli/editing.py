"""Changes to a JSContact card from command-line options: pure functions on a card's dict.

Invariants: the card given is not changed, a new one is returned; an entry that says the same as before keeps its id,
label and every member this program does not know, so that only what a person changed becomes an edit; new entries get
the ids that an import would give them, so that the same addition on two devices is one.
"""

from __future__ import annotations

import argparse
import copy
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from .exits import UsageError

Card = dict[str, Any]
MakeId = Callable[[str, str], str]
"""(property, normalised value) to an entry id."""

_PATHS: Final = "`e2esync show CONTACT --json` shows the paths"
_MONTH_AND_DAY: Final = len("MM-DD")
_CONTEXTS: Final = {"home": "private", "private": "private", "work": "work"}
_URI: Final = re.compile("[:;@]")
"""A number as a URI may hold an equals sign, too: tel:+1-201;ext=9."""
_FEATURES: Final = {"mobile": "mobile", "cell": "mobile", "fax": "fax", "pager": "pager"}


def id_maker(set_id: bytes, uid: str) -> MakeId:
    """The ids that an import of this card into this set would give."""
    from e2esync.card.digests import IdMaker

    return IdMaker(set_id, uid).make


def add_field_options(parser: argparse.ArgumentParser) -> None:
    """The options that `new` and `edit` share."""
    add = parser.add_argument
    add("--name", help="the whole name, as it should be shown")
    add("--phone", action="append", metavar="[WORD=]NUMBER",
        help="phone number; may be given again; WORD is home, work, mobile, fax or a label of your own")
    add("--email", action="append", metavar="[WORD=]ADDRESS", help="email address; may be given again")
    add("--org", action="append", metavar="NAME", help="organization")
    add("--title", action="append", metavar="TEXT", help="job title")
    add("--note", action="append", metavar="TEXT", help="note")
    add("--birthday", metavar="DATE", help="YYYY-MM-DD, or MM-DD without a year")
    add("--label", action="append", metavar="NAME", help="label (group, category); may be given again")


FIELDS: Final = ("name", "phone", "email", "org", "title", "note", "birthday", "label")


def apply_fields(card: Card, args: argparse.Namespace, make_id: MakeId) -> Card:
    """The card with the fields of `add_field_options`: each option given replaces what the card said there."""
    card = copy.deepcopy(card)
    if args.name is not None:
        _set_name(card, args.name)
    for option, prop, member in _TEXTS:
        values = getattr(args, option)
        if values is not None:
            _replace(card, prop, member, [value for value in values if value], make_id)
    if args.birthday is not None:
        _set_birthday(card, args.birthday, make_id)
    if args.label is not None:
        _put(card, "keywords", {label: True for label in args.label if label})
    return card


_TEXTS: Final = (
    ("phone", "phones", "number"), ("email", "emails", "address"), ("org", "organizations", "name"),
    ("title", "titles", "name"), ("note", "notes", "note"),
)


def add_entries(card: Card, prop: str, member: str, values: Sequence[str], make_id: MakeId) -> Card:
    """The card with these values added, those that it has already left alone."""
    card = copy.deepcopy(card)
    entries = _entries(card, prop)
    known = {_normal(prop, str(entry.get(member, ""))) for entry in entries.values()}
    for value in values:
        entry = _parse(member, value)
        normal = _normal(prop, entry[member])
        if normal not in known:
            known.add(normal)
            entries[_new_id(make_id, prop, normal, entries)] = entry
    _put(card, prop, entries)
    return card


def remove_entries(card: Card, prop: str, member: str, values: Iterable[str]) -> Card:
    """The card without these values. Raises UsageError for one that it does not have."""
    card = copy.deepcopy(card)
    entries = _entries(card, prop)
    for value in values:
        normal = _normal(prop, value)
        doomed = [key for key, entry in entries.items() if _normal(prop, str(entry.get(member, ""))) == normal]
        if not doomed:
            raise UsageError(f"the contact has no such {member}: {value}", "`e2esync show` shows what it has")
        for key in doomed:
            del entries[key]
    _put(card, prop, entries)
    return card


def set_path(card: Card, assignment: str) -> Card:
    """The card with `PATH=JSON`, a path being member names and ids with `/` between (`~1` for a `/` inside one)."""
    path, equals, text = assignment.partition("=")
    if not equals:
        raise UsageError(f"--set takes PATH=JSON, not {assignment}", "for example --set 'name/full=\"Ada\"'")
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except ValueError:
        hint = "text needs quotes: --set 'name/full=\"Ada\"'"
        raise UsageError(f"the value of --set {path} is not JSON", hint) from None
    card = copy.deepcopy(card)
    parent, last = _walk(card, path, create=True)
    parent[last] = value
    return card


def unset_path(card: Card, path: str) -> Card:
    """The card without what stands at a path. Raises UsageError if nothing does."""
    card = copy.deepcopy(card)
    parent, last = _walk(card, path, create=False)
    if last not in parent:
        raise UsageError(f"the card has nothing at {path}", _PATHS)
    del parent[last]
    if not parent and "/" in path:
        # An empty map of entries is no card value: it goes with its last entry.
        above, name = _walk(card, path.rpartition("/")[0], create=False)
        del above[name]
    return card


def _walk(card: Card, path: str, *, create: bool) -> tuple[Card, str]:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")]
    if not all(parts):
        raise UsageError(f"{path or 'an empty path'} is no path", "for example phones/p1/number")
    at: Any = card
    for part in parts[:-1]:
        if create and part not in at:
            at[part] = {}
        at = at.get(part)
        if not isinstance(at, dict):
            raise UsageError(f"the card has no map at {part} in {path}", _PATHS)
    return at, parts[-1]


def _no_constant(text: str) -> None:
    raise ValueError(text)


def _set_name(card: Card, full: str) -> None:
    if not full.strip():
        card.pop("name", None)
        return
    name = card.get("name")
    # Components of the old name would contradict the new one.
    if not (isinstance(name, dict) and name.get("full") == full):
        card["name"] = {"full": full}


def _set_birthday(card: Card, text: str, make_id: MakeId) -> None:
    from e2esync.card.dates import parse_date

    entries = _entries(card, "anniversaries")
    births = [key for key, entry in entries.items() if entry.get("kind") == "birth"]
    if text:
        # vCard leads a date without a year with two hyphens, which on a command line would look like an option.
        date = parse_date("--" + text if len(text) == _MONTH_AND_DAY else text)
        if date is None:
            raise UsageError(f"{text} is no date", "a birthday is YYYY-MM-DD, or MM-DD without a year")
        key = births[0] if births else make_id("anniversaries", "birth")
        entries[key] = {**entries.get(key, {"kind": "birth"}), "date": date}
    else:
        for key in births:
            del entries[key]
    _put(card, "anniversaries", entries)


def _replace(card: Card, prop: str, member: str, values: Sequence[str], make_id: MakeId) -> None:
    """Make the values of a property exactly these, and touch no entry more than it takes."""
    old = _entries(card, prop)
    wanted = [_parse(member, value) for value in values]
    if len(old) == 1 and len(wanted) == 1:
        ((key, entry),) = old.items()
        _put(card, prop, {key: entry | wanted[0]})
        return
    left = dict(old)
    entries: Card = {}
    for entry in wanted:
        normal = _normal(prop, entry[member])
        same = next((key for key in left if _normal(prop, str(left[key].get(member, ""))) == normal), None)
        if same is None:
            entries[_new_id(make_id, prop, normal, old | entries)] = entry
        else:
            entries[same] = left.pop(same) | entry
    _put(card, prop, entries)


def _new_id(make_id: MakeId, prop: str, normal: str, taken: Card) -> str:
    """An id for a new entry: not that of one which once said this and was edited since."""
    while (key := make_id(prop, normal)) in taken:
        pass
    return key


def _parse(member: str, value: str) -> Card:
    """An entry of `[WORD=]VALUE`; of an email only known words count, because an address may hold an equals sign."""
    written, equals, rest = value.partition("=")
    word = written.strip().casefold()
    if equals and member in ("number", "address") and word in _CONTEXTS:
        return {member: rest, "contexts": {_CONTEXTS[word]: True}}
    if equals and member == "number" and word in _FEATURES:
        return {member: rest, "features": {_FEATURES[word]: True}}
    if word and equals and member == "number" and not _URI.search(word):
        return {member: rest, "label": written.strip()}
    return {member: value}


def _normal(prop: str, value: str) -> str:
    from e2esync.card.phone import normalize_email, normalize_phone

    if prop == "phones":
        return normalize_phone(value)
    return normalize_email(value) if prop == "emails" else value


def _entries(card: Card, prop: str) -> dict[str, Card]:
    entries = card.get(prop)
    if not isinstance(entries, dict):
        return {}
    return {key: entry for key, entry in entries.items() if isinstance(entry, dict)}


def _put(card: Card, prop: str, entries: Card) -> None:
    if entries:
        card[prop] = entries
    else:
        card.pop(prop, None)
