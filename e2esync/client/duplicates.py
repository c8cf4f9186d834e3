"""Contacts that may be one person: found by number and address with the name as support; merged only when asked.

Two contacts are suggested if they have a phone number or an email address in common, however it is written, *and* their
names do not contradict one another. Never by name alone, and never where a family or an office shares a number under
different names. `phonenumbers`, if it is installed, reads numbers without a country as those of the setting `region`;
without it 030 1234567 still is +49 30 1234567. What a person typed is never rewritten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

from e2esync.card import normalize_email, normalize_phone
from e2esync.card.digests import IdMaker
from e2esync.card.labels import member_key
from e2esync.card.merging import merge_registers
from e2esync.client import settings
from e2esync.replica.history import Step
from e2esync.stores.index import LOCAL_DIGITS, CardRow, digits_of, fold
from e2esync.wire import Value

if TYPE_CHECKING:
    from e2esync.client.book import Book

SHARED_MOST: Final = 50
"""A number that more contacts share tells nobody apart."""
_WORDS: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Contacts that may be one person, the one that says most first, and what they have in common."""

    rows: list[CardRow]
    shared: list[str]


@dataclass(frozen=True, slots=True)
class MergePlan:
    """What merging contacts into one would do."""

    target: bytes
    others: list[bytes]
    values: dict[str, Value]
    """What the target gets."""
    left: list[str] = field(default_factory=list)
    """Paths of which only one value can stand: the others' are in the trash with them."""


def find_duplicates(book: Book) -> list[Duplicates]:
    """The groups of contacts that may be one person, in the order of the list."""
    rows = book.list()
    group = {row.contact: {row.contact} for row in rows}
    shared: dict[bytes, set[str]] = {}
    for one, other, what in _pairs(rows, rows, Numbers(book)):
        if names_fit(one, other):
            both = group[one.contact] | group[other.contact]
            for contact in both:
                group[contact] = both
            shared.setdefault(one.contact, set()).add(what)
    found, seen = [], set[bytes]()
    by_id = {row.contact: row for row in rows}
    for row in rows:
        members = group[row.contact]
        if len(members) > 1 and row.contact not in seen:
            seen |= members
            ordered = sorted(members, key=lambda contact: (-len(book.registers(contact)), contact))
            found.append(Duplicates([by_id[contact] for contact in ordered],
                                    sorted({what for contact in members for what in shared.get(contact, ())})))
    return found


def match_new(book: Book, new: Iterable[CardRow]) -> dict[bytes, CardRow]:
    """For each contact that is not in the book yet: the one in it that may be the same person, if there is one."""
    rows = book.list()
    found: dict[bytes, CardRow] = {}
    for one, other, _what in _pairs(list(new), rows, Numbers(book)) if rows else ():
        if one.contact != other.contact and one.contact not in found and names_fit(one, other):
            found[one.contact] = other
    return found


def plan_merge(book: Book, target: bytes, others: Iterable[bytes]) -> MergePlan:
    """What merging `others` into `target` would do: entries united, conflicts named, photos and labels carried."""
    mine = dict(book.registers(target))
    make = IdMaker(book.set_id, str(mine.get("uid", ""))).make
    plan = MergePlan(target, [contact for contact in dict.fromkeys(others) if contact != target], {})
    for other in plan.others:
        values, left = merge_registers(mine, book.registers(other), make)
        mine |= values
        plan.values.update(values)
        plan.left.extend(left)
    return plan


def merge(book: Book, plans: Iterable[MergePlan], name: str) -> int:
    """Carry merges out as one step; returns how many contacts went to the trash."""
    gone = 0
    with book.step(Step(name, book.now())):
        pointers = _pointers(book)
        for plan in plans:
            if plan.values:
                book.write(plan.target, plan.values)
            uid = book.registers(plan.target).get("uid")
            for other in plan.others:
                for contact, path in pointers.get(member_key(book.registers(other).get("uid")), ()):
                    # A group, or a relation, that named the other one names this one now.
                    prop = path.partition("/")[0]
                    if contact not in (plan.target, other):
                        book.write(contact, {path: None, f"{prop}/{uid}": book.registers(contact).get(path, True)})
            gone += book.remove(plan.others)
    return gone


def names_fit(one: CardRow, other: CardRow) -> bool:
    """Whether two names may be one person's: the words of one are among the other's, in any order, initials too."""
    mine, theirs = _name_words(one), _name_words(other)
    if not mine or not theirs:
        return True
    if len(mine) > len(theirs):
        mine, theirs = theirs, mine
    left = list(theirs)
    for word in sorted(mine, key=len, reverse=True):
        fit = next((have for have in left if have == word or (
            min(len(have), len(word)) == 1 and have[0] == word[0])), None)
        if fit is None:
            # Where a script has no spaces between words, one spelling may have one all the same.
            return "".join(_name_words(one)) == "".join(_name_words(other))
        left.remove(fit)
    return any(len(word) > 1 for word in mine)


class Numbers:
    """Phone numbers as they are compared."""

    def __init__(self, book: Book) -> None:
        self._region = settings.get_text(book.profile.store, settings.REGION) or None
        self._library = _phonenumbers()

    def key(self, phone: str) -> tuple[str, bool] | None:
        """(digits, whether they begin with the country); None for what is too short to tell anybody apart."""
        normal = normalize_phone(phone)
        if self._library is not None:
            try:
                number = self._library.parse(normal, self._region)
            except self._library.NumberParseException:
                pass
            else:
                return f"{number.country_code}{number.national_number}", True
        digits = digits_of(phone)
        return (digits, normal.startswith("+")) if len(digits) >= LOCAL_DIGITS else None


def _pairs(ones: Sequence[CardRow], others: Sequence[CardRow], numbers: Numbers,
           ) -> Iterable[tuple[CardRow, CardRow, str]]:
    """(one, other, what they share): every pair with an address or a number in common."""
    same = ones is others
    buckets: dict[str, list[tuple[CardRow, Any, str, bool]]] = {}
    for is_new, rows in ((False, others),) if same else ((True, ones), (False, others)):
        for row in rows:
            for email in set(map(normalize_email, row.emails)) - {""}:
                buckets.setdefault("@" + email, []).append((row, None, email, is_new))
            for key, phone in {numbers.key(phone): phone for phone in row.phones}.items():
                if key is not None:
                    buckets.setdefault(key[0][-LOCAL_DIGITS:], []).append((row, key, phone, is_new))
    for bucket in buckets.values():
        if len(bucket) > SHARED_MOST:
            continue
        for (one, key, what, is_new), (other, their_key, _phone, other_new) in combinations(bucket, 2):
            if one.contact != other.contact and (same or is_new != other_new) and _same_number(key, their_key):
                yield (one, other, what) if same or is_new else (other, one, what)


def _same_number(one: tuple[str, bool] | None, other: tuple[str, bool] | None) -> bool:
    """Whether two keys are one number; a national one is the end of an international one."""
    if one is None or other is None or one[0] == other[0]:
        return True
    (short, short_whole), (long, long_whole) = sorted((one, other), key=lambda key: len(key[0]))
    return long_whole and not short_whole and long.endswith(short)


def _name_words(row: CardRow) -> list[str]:
    """The words of a name; none where the name is only a number or an address."""
    if row.name in row.phones or row.name in row.emails:
        return []
    return _WORDS.findall(fold(row.name))


def _pointers(book: Book) -> dict[str, list[tuple[bytes, str]]]:
    """Who is named by members and relations: uid → (contact, path)."""
    found: dict[str, list[tuple[bytes, str]]] = {}
    for row in book.list():
        for path in book.registers(row.contact):
            prop, slash, uid = path.partition("/")
            if slash and prop in ("members", "relatedTo"):
                found.setdefault(member_key(uid), []).append((row.contact, path))
    return found


def _phonenumbers() -> Any:
    """The optional package, or None."""
    try:
        return import_module("phonenumbers")
    except ImportError:
        return None
