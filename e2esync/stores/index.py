"""The index of names: what `list`, `search` and selectors read, without unpacking a contact.

One row per shown contact, derived from its shown state and from nothing else. `mark` is called in the transaction
that changes contacts: it makes a few rows anew at once and notes many as stale, so that a restore is not slowed by
what nobody asked for yet; `catch_up` makes the stale ones anew before anything is read, and when the profile is
closed. Reading imports neither the CRDT nor the card model, so that `list` starts fast.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from e2esync.errors import E2esyncError, ProfileDamaged
from e2esync.limits import CONTACT_ID
from e2esync.stores.database import Database, Row, blob

RESERVED: Final = frozenset({bytes(CONTACT_ID), b"\xff" * CONTACT_ID})
"""The set's own object (SPEC 8.8): never shown as a contact."""
DIGITS_MIN: Final = 3
"""A shorter number names nobody."""
UID_MIN: Final = 4
"""A shorter beginning of a uid names nobody."""
_KANA: Final = 0x60
"""How far katakana lies from hiragana."""
_URN: Final = "urn:uuid:"
LOCAL_DIGITS: Final = 7
"""From this length on, a number without its country is recognized inside one that has it."""

AT_ONCE: Final = 64
"""Up to so many contacts are made anew in the transaction that changed them."""
_STEP: Final = 1024

_CARD: Final = "SELECT contact, uid, name, sort, phones, emails, org FROM cards WHERE book = ?"
_ORDER: Final = " ORDER BY sort, name, contact"
_SHOWN: Final = """
    SELECT contact, state FROM overlay WHERE book = ?1 AND contact = ?2
    UNION ALL SELECT contact, state FROM contacts WHERE book = ?1 AND contact = ?2 LIMIT 1"""
_STALE: Final = """
    SELECT stale.contact, coalesce(overlay.state, contacts.state) FROM stale
    LEFT JOIN overlay ON overlay.book = stale.book AND overlay.contact = stale.contact
    LEFT JOIN contacts ON contacts.book = stale.book AND contacts.contact = stale.contact
    WHERE stale.book = ? ORDER BY stale.contact LIMIT ?"""
_PUT: Final = """
    INSERT OR REPLACE INTO cards(book, contact, uid, name, sort, phones, emails, org, search, digits)
    VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class CardRow(NamedTuple):
    """A shown contact as lists print it."""

    contact: bytes
    uid: str
    name: str
    sort: str
    phones: tuple[str, ...]
    emails: tuple[str, ...]
    org: str


class NameIndex:
    """The index of one book."""

    def __init__(self, database: Database, book: int) -> None:
        self._db = database
        self._book = book

    def cards(self, query: str | None = None) -> list[CardRow]:
        """Every shown contact in the order of its sort key; with a query those that have all of its words.

        A word is found in whatever the card's summary says is searched, or, if it is a number, among the phones.
        """
        if query is None:
            return self._select("", ())
        condition, values = "", []
        for word in _words(query):
            matched, arguments = _match(word)
            condition += f" AND ({matched})"
            values += arguments
        return self._select(condition, tuple(values))

    def find(self, selector: str) -> list[CardRow]:
        """The contacts that a selector names: part of a name, a phone in any format, an email, or how a uid begins.

        A uid, name or email that is given in full names only the contacts that have it, and where a name has the
        selector in it, what else has it (an organization, say) does not count.
        """
        selector = _clean(selector).strip()
        wanted = fold(selector)
        if not wanted:
            return []
        condition, values = _match(wanted)
        if len(wanted) >= UID_MIN:
            condition += " OR instr(lower(uid), ?) = 1 OR instr(lower(uid), ?) = 1"
            values += [wanted, _URN + wanted]
        rows = self._select(f" AND ({condition})", tuple(values))
        for better in (
            [row for row in rows if row.uid in (selector, _URN + selector)],
            [row for row in rows if fold(row.name) == wanted or wanted in map(fold, row.emails)],
            [row for row in rows if wanted in fold(row.name)],
        ):
            if better:
                return better
        return rows

    def count(self) -> int:
        """How many contacts are shown."""
        self.catch_up()
        row = self._db.one("SELECT count(*) FROM cards WHERE book = ?", (self._book,))
        return 0 if row is None else int(row[0])

    def held(self) -> set[bytes]:
        """The contacts that the guard goes on showing (SPEC 14.9), for whoever lists them."""
        # Spelled as in `replica.port`, which this module, the one that `list` needs, does without.
        rows = self._db.all("SELECT key FROM kept WHERE book = ? AND kind = 'held'", (self._book,))
        return {blob(row[0]) for row in rows}

    def _select(self, condition: str, values: Row) -> list[CardRow]:
        self.catch_up()
        rows = self._db.all(_CARD + condition + _ORDER, (self._book, *values))
        _check_columns(rows)
        return [
            CardRow(contact, uid, name, sort, _lines(phones), _lines(emails), org)
            for contact, uid, name, sort, phones, emails, org in rows
        ]

    def mark(self, contacts: Iterable[bytes]) -> None:
        """The shown state of these contacts changed: make their rows anew, at once or before the next reading."""
        changed = sorted(set(contacts) - RESERVED)
        keys = [(self._book, contact) for contact in changed]
        if len(keys) > AT_ONCE:
            self._db.many("INSERT OR IGNORE INTO stale(book, contact) VALUES(?, ?)", keys)
            return
        with self._db.transaction():
            self._refresh([self._db.one(_SHOWN, key) or (key[1], None) for key in keys])

    def catch_up(self) -> None:
        """Make all stale rows anew, in short transactions: others may write in between."""
        while self._db.one("SELECT 1 FROM stale WHERE book = ? LIMIT 1", (self._book,)):
            with self._db.transaction():
                # Read under the lock: whoever wrote since they were marked is shown as well.
                self._refresh(self._db.all(_STALE, (self._book, _STEP)))

    def _refresh(self, rows: list[Row]) -> None:
        """Make the rows of contacts anew, from (contact, shown state or nothing)."""
        keys = [(self._book, blob(contact)) for contact, _state in rows]
        columns = [_columns(blob(state)) if state else None for _contact, state in rows]
        self._db.many(_PUT, [(*key, *told) for key, told in zip(keys, columns, strict=True) if told is not None])
        self._db.many(
            "DELETE FROM cards WHERE book = ? AND contact = ?",
            [key for key, told in zip(keys, columns, strict=True) if told is None],
        )
        self._db.many("DELETE FROM stale WHERE book = ? AND contact = ?", keys)

    def rebuild(self) -> None:
        """Note every contact as stale: for `doctor`, and for a migration that changes what a row holds."""
        rows = self._db.all(
            "SELECT contact FROM contacts WHERE book = ?1 UNION SELECT contact FROM overlay WHERE book = ?1"
            " UNION SELECT contact FROM cards WHERE book = ?1", (self._book,),
        )
        self.mark(blob(row[0]) for row in rows)


def fold(string: str) -> str:
    """Text as it is compared: without case, width, accents and kind of kana.

    Folding what the card's summary has folded changes nothing more than this; so both sides are folded here, and a
    query in any script is answered without importing the card model.
    """
    if string.isascii():
        return string.lower()
    import unicodedata

    letters = unicodedata.normalize("NFKD", string).casefold()
    return "".join(
        chr(ord(letter) - _KANA) if "\u30a1" <= letter <= "\u30f6" else letter
        for letter in letters if not unicodedata.combining(letter)
    )


def digits_of(phone: str) -> str:
    """The digits of a phone number without what makes it national or international: leading zeros."""
    phone = phone.partition(";")[0]
    if "(0)" in phone and "+" in phone:
        phone = phone.replace("(0)", "", 1)
    digits = "".join(filter(str.isdecimal, phone))
    return (digits if digits.isascii() else "".join(str(int(digit)) for digit in digits)).lstrip("0")


def _match(word: str) -> tuple[str, list[str]]:
    """The condition, with its values, under which a folded word finds a row."""
    digits = digits_of(word)
    if len(digits) < DIGITS_MIN or not _is_number(word):
        return "instr(search, ?)", [word]
    # The stored number holds the digits asked for, or is what they end with: +49 30 … finds 030 … and the reverse.
    return (
        "instr(search, ?) OR instr(digits, ?) OR EXISTS (SELECT 1 FROM json_each('[\"' || replace(digits, ' ', '\",\"')"
        f" || '\"]') WHERE length(value) >= {LOCAL_DIGITS} AND substr(?, -length(value)) = value)",
        [word, digits, digits],
    )


def _is_number(word: str) -> bool:
    return all(char.isdecimal() or char in "+-/.()  " for char in word.removeprefix("tel:"))


def _words(query: str) -> list[str]:
    """The words of a query; one that is a phone number as a whole stays together."""
    folded = fold(_clean(query)).strip()
    return [folded] if _is_number(folded) else folded.split()


def _columns(state: bytes) -> Row | None:
    """What the index says of a packed state; None if nobody is to be seen in it."""
    from e2esync.card import summary
    from e2esync.contactset.view import view

    try:
        shown = view(state)
        if shown is None:
            return None
        uid, told = shown.registers.get("uid"), summary(shown.registers)
    except (E2esyncError, TypeError, ValueError, LookupError, AttributeError) as error:
        # Whoever stored the state had checked it: that it makes no sense now, in whatever way, is damage.
        raise ProfileDamaged("a contact in the profile's database is damaged") from error
    phones, emails = [_line(phone) for phone in told.phones], [_line(email) for email in told.emails]
    numbers = " ".join(filter(None, map(digits_of, phones)))
    return (
        _line(uid) if isinstance(uid, str) else "", _line(told.name), _line(told.sort), "\n".join(phones),
        "\n".join(emails), _line(told.org), fold(told.search), numbers,
    )


def _clean(string: str) -> str:
    """What somebody typed as text that SQLite takes: what UTF-8 cannot carry is replaced."""
    return string if string.isascii() else string.encode("utf-8", "replace").decode("utf-8")


def _line(string: str) -> str:
    """Text on one line: line ends part the values of a column."""
    return string if string.isprintable() else " ".join(string.splitlines())


def _lines(column: str) -> tuple[str, ...]:
    return tuple(column.split("\n")) if column else ()


def _check_columns(rows: list[Row]) -> None:
    """Raises ProfileDamaged if a column holds another type than was stored; a column at a time, for speed."""
    for number, column in enumerate(zip(*rows, strict=True)):
        if set(map(type, column)) != {str if number else bytes}:
            raise ProfileDamaged("the profile's index of names is damaged")
