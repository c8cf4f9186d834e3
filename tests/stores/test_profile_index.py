"""stores.index: the index of names."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from e2esync.card.summary import fold_case
from e2esync.errors import ProfileDamaged
from e2esync.replica import port
from e2esync.replica.port import ContactRow
from e2esync.stores import index
from e2esync.stores.book import BookStore
from e2esync.stores.index import RESERVED, CardRow, digits_of, fold
from e2esync.stores.profile import ProfileStore
from e2esync.wire import Value, encode


@pytest.fixture
def book() -> Iterator[BookStore]:
    with ProfileStore.memory() as store:
        yield store.book(0)


def person(name: str, *, uid: str = "", phone: str = "", email: str = "", org: str = "") -> dict[str, Value]:
    registers: dict[str, Value] = {"name": {"full": name}, "uid": uid or f"uid-{name}"}
    for path, member, value in (("phones/p", "number", phone), ("emails/e", "address", email),
                                ("organizations/o", "name", org)):
        if value:
            registers[path] = {member: value}
    return dict(sorted(registers.items()))


def packed(registers: dict[str, Value]) -> bytes:
    return encode([[1, [[1, 1, 0, registers]]]])


DEAD = encode([[1, [[1, 1, 0, {"name": {"full": "Nobody"}}]], 1, [[1, 1]]]])


def add(book: BookStore, number: int, registers: dict[str, Value]) -> bytes:
    contact = number.to_bytes(16, "big")
    with book.transaction():
        book.put_contacts([ContactRow(contact, packed(registers), b"h" * 32, 1, False)])
        book.mark_shown([contact])
    return contact


def names(rows: list[CardRow]) -> list[str]:
    return [row.name for row in rows]


def test_a_row_says_what_a_list_prints(book: BookStore) -> None:
    contact = add(book, 1, person("Ada Byron", uid="u1", phone="+44 20 1", email="ada@example.org", org="Engines"))
    assert book.cards() == [
        CardRow(contact, "u1", "Ada Byron", "ada byron", ("+44 20 1",), ("ada@example.org",), "Engines")
    ]


def test_rows_come_in_the_order_of_their_sort_keys(book: BookStore) -> None:
    for number, name in enumerate(("Zoë", "anna", "Émile", "Bob"), 1):
        add(book, number, person(name))
    assert names(book.cards()) == ["anna", "Bob", "Émile", "Zoë"]


def test_the_overlay_is_what_is_shown(book: BookStore) -> None:
    contact = add(book, 1, person("Shared"))
    book.put_overlay([(contact, packed(person("Own")))])
    book.mark_shown([contact])
    assert names(book.cards()) == ["Own"]
    book.delete_overlay([contact])
    book.mark_shown([contact])
    assert names(book.cards()) == ["Shared"]


def test_who_is_gone_leaves_and_may_come_back(book: BookStore) -> None:
    contact = add(book, 1, person("Ada"))
    for gone in (DEAD, b""):
        book.put_contacts([ContactRow(contact, gone, b"", 1, False)])
        book.mark_shown([contact])
        assert book.cards() == []
        add(book, 1, person("Ada"))
        assert names(book.cards()) == ["Ada"]
    book.put_overlay([(contact, DEAD)])
    book.mark_shown([contact])
    assert book.cards() == []
    book.delete_overlay([contact])
    book.delete_contacts([contact])
    book.mark_shown([contact])
    assert book.cards() == []


def test_the_sets_own_object_is_never_shown(book: BookStore) -> None:
    add(book, 0, person("Home"))
    assert {int.from_bytes(each, "big") for each in RESERVED} == {0, 2**128 - 1}
    assert RESERVED == port.RESERVED
    add(book, 2**128 - 1, person("Kit"))
    assert book.cards() == []


def test_many_are_brought_up_to_date_before_the_next_reading(book: BookStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "AT_ONCE", 3)
    monkeypatch.setattr(index, "_STEP", 4)
    contacts = [add(book, number, person("Old")) for number in range(1, 11)]
    book.put_contacts(ContactRow(each, packed(person("New")), b"h" * 32, 1, False) for each in contacts)
    book.mark_shown(iter(contacts))
    assert book._db.one("SELECT count(*) FROM stale") == (10,)
    assert names(book.cards()) == ["New"] * 10
    assert book._db.one("SELECT count(*) FROM stale") == (0,)


def test_a_profile_that_is_closed_leaves_nothing_to_catch_up_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "AT_ONCE", 0)
    with ProfileStore.create(tmp_path / "db") as store:
        add(store.book(0), 1, person("Ada"))
        add(store.book(2), 1, person("Bob"))
    with ProfileStore.open(tmp_path / "db") as store:
        assert store._db.one("SELECT count(*) FROM stale") == (0,)
        assert names(store.names(2).cards()) == ["Bob"]


def test_what_was_marked_is_undone_with_its_transaction(book: BookStore) -> None:
    with suppress(KeyError), book.transaction():
        add(book, 1, person("Ada"))
        raise KeyError
    assert book.cards() == []


def test_a_lost_index_is_made_anew(book: BookStore) -> None:
    add(book, 1, person("Ada"))
    book._db.run("UPDATE cards SET name = 'wrong'")
    add_only = (2).to_bytes(16, "big")
    book.put_overlay([(add_only, packed(person("Bob")))])
    book._names.rebuild()
    assert names(book.cards()) == ["Ada", "Bob"]
    assert book._names.count() == 2


@pytest.fixture
def people(book: BookStore) -> BookStore:
    add(book, 1, person("Anna Müller", uid="urn:uuid:aaaa1111-0", phone="+49 (0)30 123456-7", email="anna@example.org"))
    add(book, 2, person("Anna", uid="aaaa2222", phone="030 7654321", org="Müller & Söhne"))
    add(book, 3, person("Ben O'Neil", uid="bbbb3333", phone="tel:+1-202-555-0143;ext=5", email="Ben@Example.org"))
    add(book, 4, person("李 小龍", uid="cccc4444", phone="٠٣٠ ٩٩٩ ٨٨٨"))
    return book


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("anna m", ["Anna Müller"]),
        ("Anna", ["Anna"]),
        ("ann", ["Anna", "Anna Müller"]),
        ("MULLER", ["Anna Müller"]),
        ("müller", ["Anna Müller"]),
        ("söhne", ["Anna"]),
        ("李", ["李 小龍"]),
        ("o'neil", ["Ben O'Neil"]),
        ("ben@example.org", ["Ben O'Neil"]),
        ("0049 30 1234567", ["Anna Müller"]),
        ("030/1234567", ["Anna Müller"]),
        ("+49 30 7654321", ["Anna"]),
        ("(202) 555-0143", ["Ben O'Neil"]),
        ("tel:+12025550143", ["Ben O'Neil"]),
        ("030999888", ["李 小龍"]),
        ("97", []),
        ("aaaa", ["Anna", "Anna Müller"]),
        ("aaaa2222", ["Anna"]),
        ("AAAA1", ["Anna Müller"]),
        ("urn:uuid:aaaa1111-0", ["Anna Müller"]),
        ("bbb", []),
        ("", []),
        ("  ", []),
        ("%", []),
        ("'; DROP TABLE cards", []),
        ("\udc80", []),
    ],
)
def test_selectors(people: BookStore, selector: str, found: list[str]) -> None:
    assert sorted(names(people.find(selector))) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("anna", ["Anna", "Anna Müller"]),
        ("muller anna", ["Anna", "Anna Müller"]),
        ("sohne", ["Anna"]),
        ("anna 030123", ["Anna Müller"]),
        ("030 1234567", ["Anna Müller"]),
        ("anna ben", []),
        ("example.org", ["Anna Müller", "Ben O'Neil"]),
        ("", ["Anna", "Anna Müller", "Ben O'Neil", "李 小龍"]),
        ("\udc80", []),
    ],
)
def test_queries(people: BookStore, query: str, found: list[str]) -> None:
    assert sorted(names(people.cards(query))) == found


def test_line_ends_and_other_controls_in_a_card_do_not_break_its_row(book: BookStore) -> None:
    add(book, 1, person("Ada\nByron\0", phone="1\r\n2"))
    [row] = book.find("byron")
    assert row.name == "Ada Byron\0"
    assert row.phones == ("1 2",)


@pytest.mark.parametrize(
    ("phone", "digits"),
    [("+49 (0)30 12", "493012"), ("0049 30 12", "493012"), ("(030) 12", "3012"), ("tel:12;ext=9", "12"), ("٠١٢", "12"),
     ("none", ""), ("", "")],
)
def test_digits_of_a_phone(phone: str, digits: str) -> None:
    assert digits_of(phone) == digits


def test_a_column_of_another_type_is_damage(book: BookStore) -> None:
    add(book, 1, person("Ada"))
    rows = book._db.all(index._CARD, (0,))
    index._check_columns(rows)
    with pytest.raises(ProfileDamaged):
        index._check_columns([*rows, (b"c", "uid", None, "", "", "", "")])


@pytest.mark.parametrize(
    "text", ["Ada", "MÜLLER", "Straße", "İstanbul", "ガギグ", "ｶﾞｷﾞ", "Ångström ﬁn", "Ελλάδα Σ", "李小龍"]
)
def test_folding_what_a_summary_has_folded_adds_nothing_else(text: str) -> None:
    assert fold(fold_case(text)) == fold(text) == fold(fold(text))
    assert fold(text.upper()) == fold(text.lower())


def test_reading_imports_next_to_nothing(tmp_path: Path) -> None:
    with ProfileStore.create(tmp_path / "db") as store:
        add(store.book(0), 1, person("Ada"))
    script = f"""
import sys
from e2esync.stores.profile import ProfileStore
with ProfileStore.open({str(tmp_path / "db")!r}) as store:
    assert [row.name for row in store.names().cards()] == ["Ada"]
    assert [row.name for row in store.names().find("àda")] == ["Ada"]
heavy = ("trio", "asyncio", "websockets", "rich", "keyring", "cryptography", "nacl", "msgpack", "dataclasses",
         "e2esync.card", "e2esync.contactset", "e2esync.replica")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
