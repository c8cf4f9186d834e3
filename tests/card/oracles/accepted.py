"""Where other implementations read something else, and why they are not followed.

There is no vote by majority, which would let one oracle be wrong in silence wherever the others agree with us: each of
them has to agree on each property of each card, or to stand here with a reason. That is stricter.

An entry discards one oracle's vote on some properties of the cards that ``when`` describes; every other difference
fails. A new entry needs a reason out of a standard, or a program that writes such cards and reads them back our way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .reading import PROPERTIES

EVERY = PROPERTIES
TEXTS = ("FN", "NOTE", "TITLE", "ROLE", "NICKNAME", "CATEGORIES", "N", "ORG")


@dataclass(frozen=True)
class Accepted:
    """Why the oracle's reading of these properties does not count in cards of which ``when`` is true."""

    oracle: str
    properties: tuple[str, ...]
    when: Callable[[str], bool]
    why: str


def has(pattern: str) -> Callable[[str], bool]:
    """Whether a card holds a line or text that fits."""
    compiled = re.compile(pattern, re.I | re.M)
    return lambda text: compiled.search(text) is not None


V21 = has(r"^VERSION:2\.1")
NOT_UTF8 = has("[\udc80-\udcff]|CHARSET=\"?(?!UTF-?8)")
ESCAPED_COLON = has(r"^(?:[\w-]+\.)?URL[^:\n]*:.*\\:")
BARE_COMMA = has(r"^(?:[\w-]+\.)?(?:FN|NOTE|TITLE|ROLE|NICKNAME|URL)[;:](?:.|\r?\n[ \t])*[^\\],")

ACCEPTED = (
    Accepted("vobject", EVERY, NOT_UTF8, "it reads every text as UTF-8; Outlook, Shift_JIS phones and old programs "
             "write in their own charset, declared (RFC 2426 5, vCard 2.1) or not"),
    Accepted("ical.js", EVERY, NOT_UTF8, "it is given text, so that the charset of a property is lost"),
    Accepted("vobject", ("URL",), ESCAPED_COLON, "a URI is not escaped (RFC 6350 4.2); Google writes http\\:// and "
             "means the address"),
    Accepted("ical.js", ("URL",), ESCAPED_COLON, "the same"),
    Accepted("vcard4-ts", ("URL",), ESCAPED_COLON, "the same"),
    Accepted("ical.js", EVERY, has("QUOTED-PRINTABLE"), "it does not know quoted-printable"),
    Accepted("ical.js", TEXTS, V21, "it has no rules for 2.1, where a backslash is a backslash"),
    Accepted("vobject", TEXTS, V21, "it undoes the escapes of 3.0 in 2.1, too (\\\\ and \\n), drops spaces of folds "
             "and splits NICKNAME at commas"),
    Accepted("vobject", (*TEXTS, "URL"), BARE_COMMA, "it splits one text at a comma that is not escaped, though FN, "
             "NOTE and TITLE are no lists, and gives the first piece"),
    Accepted("ical.js", TEXTS, has(r"\\;"), "it leaves the backslash of an escaped semicolon in a text"),
    Accepted("vobject", TEXTS, has(r'\\"'), "it drops a backslash before a quote; 3.0 and 4.0 know four escapes and no "
             "more, and what is none stays as it is"),
    Accepted("vobject", EVERY, has(r"\r[^\n]"), "it ends a line at a carriage return alone, in a file whose lines end "
             "otherwise: so could a value begin a property (attack A51)"),
    Accepted("vobject", ("NICKNAME",), has("X-ANDROID-CUSTOM"), "Android's own row for a nickname, which we read"),
    Accepted("ical.js", ("NICKNAME",), has("X-ANDROID-CUSTOM"), "the same"),
)


def is_accepted(oracle: str, prop: str, text: str) -> bool:
    """Whether an oracle has no vote on a property of this card."""
    return any(
        each.oracle == oracle and prop in each.properties and each.when(text) for each in ACCEPTED
    )
