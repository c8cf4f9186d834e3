"""Duplicates: found by number and address with the name as support, merged as one step, and kept out of imports."""

from __future__ import annotations

import pytest

from e2esync.card import read_vcards
from e2esync.client import duplicates, settings
from e2esync.client.book import Book
from e2esync.client.duplicates import SHARED_MOST, find_duplicates, merge, names_fit, plan_merge
from e2esync.client.importing import ImportPlan, settle_duplicates
from e2esync.stores.index import CardRow
from tests.client.test_book import PHOTO
from tests.client.world import card


def person(name: str, *phones: str, email: str = "", uid: str = "") -> dict[str, object]:
    more = {"emails": {"e": {"address": email}}} if email else {}
    numbers = {f"p{n}": {"number": phone} for n, phone in enumerate(phones)}
    return {**card(name), "uid": uid or f"urn:{name}-{phones}-{email}", "phones": numbers, **more}


def suggested(book: Book) -> list[set[str]]:
    return [{row.name for row in one.rows} for one in find_duplicates(book)]


@pytest.mark.parametrize(("one", "other", "found"), [
    (person("Ada Lovelace", "+49 30 1234567"), person("Lovelace, Ada", "030/1234567"), True),
    (person("Ada Lovelace", "0049 30 1234567"), person("A. Lovelace", "+49 (0)30 123 45 67"), True),
    (person("Ada", email="ada@x.org"), person("Ada Lovelace", email="ADA@X.org"), True),
    (person("ada@x.org", email="ada@x.org"), person("Ada Lovelace", email="ada@x.org"), True),
    (person("Zoë Müller", email="z@x.org"), person("Zoe Muller", email="z@x.org"), True),
    (person("山田太郎", email="t@x.jp"), person("山田 太郎", email="t@x.jp"), True),
    # Never by name alone, and never another name under one number.
    (person("Ada Lovelace", "1111111"), person("Ada Lovelace", "2222222"), False),
    (person("Ada Lovelace", "+49301234567"), person("Byron Lovelace", "+49301234567"), False),
    (person("Ada Lovelace", "+49301234567"), person("Ada Lovelace", "+43301234567"), False),
    (person("Ada Lovelace", "12345"), person("Ada Lovelace", "12345"), False),
    (person("A", email="x@x.org"), person("Ada", email="x@x.org"), False),
])
def test_who_may_be_one_person(book: Book, monkeypatch: pytest.MonkeyPatch, one: dict[str, object],
                               other: dict[str, object], found: bool) -> None:
    monkeypatch.setattr(duplicates, "_phonenumbers", lambda: None)
    book.add(one)
    book.add(other)
    assert bool(suggested(book)) is found


def test_a_number_of_a_whole_office_tells_nobody_apart(book: Book) -> None:
    for number in range(SHARED_MOST + 1):
        book.add(person("Ada Lovelace", "+49301234567", uid=f"u{number}"))
    assert suggested(book) == []


def test_three_of_a_kind_are_one_group_with_the_fullest_first(book: Book) -> None:
    book.add(person("Ada", "+49301234567"))
    book.add(person("Ada L.", "+49301234567", email="ada@x.org"))
    book.add(person("Ada Lovelace", "+491701111111", "1", email="ada@x.org"))
    (group,) = find_duplicates(book)
    assert [row.name for row in group.rows] == ["Ada Lovelace", "Ada L.", "Ada"]
    assert group.shared == ["+49301234567", "ada@x.org"]


def test_numbers_without_a_country_are_of_the_region(book: Book) -> None:
    pytest.importorskip("phonenumbers")
    settings.put(book.profile.store, settings.REGION, "AT")
    book.add(person("Ada Lovelace", "+49 30 1234567"))
    book.add(person("Ada Lovelace", "030 1234567"))
    assert suggested(book) == []
    settings.put(book.profile.store, settings.REGION, "DE")
    assert suggested(book) == [{"Ada Lovelace"}]


def test_merging_carries_everything_and_is_one_step(book: Book) -> None:
    book.apply(book.plan(read_vcards((
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:b\r\nFN:A. Lovelace\r\nTEL:2\r\nCATEGORIES:Kin\r\n"
        f"PHOTO;ENCODING=b;TYPE=JPEG:{PHOTO}\r\nEND:VCARD\r\n").encode(), salt=book.set_id)))
    stays, goes = book.add(person("Ada Lovelace", "1", uid="a")), book.find("A. Lovelace").contact
    club = book.add({**card("Club"), "kind": "group", "members": {"b": True, "elsewhere": True}})
    before = {row.name: book.registers(row.contact) for row in book.list()}
    plan = plan_merge(book, stays, [goes, stays, goes])
    assert merge(book, [plan], "merge") == 1
    result = book.registers(stays)
    assert {entry["number"] for path, entry in result.items() if path.startswith("phones/")} == {"1", "2"}
    assert result["keywords/Kin"] is True
    assert {path.partition("/")[0] for path in result} >= {"media", "blobs", "nicknames"}
    assert set(book.card(club)["members"]) == {"a", "elsewhere"}
    assert [row.name for row in book.list()] == ["Ada Lovelace", "Club"]
    book.carry_out(book.plan_undo())
    after = {row.name: book.registers(row.contact) for row in book.list()}
    for registers in (*before.values(), *after.values()):
        for path in [path for path in registers if path.startswith("blobs/")]:
            del registers[path]
    assert after == before


FILE = (b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:new\r\nFN:Ada Lovelace\r\nTEL:030 1234567\r\n"
        b"EMAIL:new@x.org\r\nEND:VCARD\r\n"
        b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:more\r\nFN:Ada\r\nTEL:030 1234567\r\nNOTE:more\r\nEND:VCARD\r\n"
        b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:else\r\nFN:Bob\r\nTEL:555\r\nEND:VCARD\r\n")


def plan_of(book: Book) -> ImportPlan:
    return book.plan(read_vcards(FILE, salt=book.set_id))


def test_a_plan_names_possible_duplicates(book: Book) -> None:
    assert plan_of(book).duplicates == {}
    ada = book.add(person("Ada Lovelace", "+49 30 1234567"))
    plan = plan_of(book)
    assert (len(plan.new), [row.contact for row in plan.duplicates.values()]) == (3, [ada, ada])


@pytest.mark.parametrize(("choice", "names", "counts"), [
    ("keep", ["Ada", "Bob", "Ada Lovelace", "Ada Lovelace"], (3, 0, 0)),
    ("skip", ["Bob", "Ada Lovelace"], (1, 0, 2)),
    ("merge", ["Bob", "Ada Lovelace"], (1, 1, 0)),
])
def test_what_is_decided_about_them(book: Book, choice: str, names: list[str], counts: tuple[int, int, int]) -> None:
    ada = book.add(person("Ada Lovelace", "+49 30 1234567"))
    plan = settle_duplicates(book, plan_of(book), lambda _item, _row: choice)
    assert (len(plan.new), len(plan.updated), len(plan.skipped)) == counts
    assert plan.duplicates == {}
    book.apply(plan)
    assert sorted(row.name for row in book.list()) == sorted(names)
    if choice == "merge":
        assert {entry["address"] for entry in book.card(ada)["emails"].values()} == {"new@x.org"}
        assert {entry["note"] for entry in book.card(ada)["notes"].values()} == {"more"}
        # The same file again has nothing new to say.
        again = settle_duplicates(book, plan_of(book), lambda _item, _row: "merge")
        assert (len(again.new), len(again.updated), len(again.identical)) == (0, 0, 3)


def test_what_was_merged_away_does_not_come_back_with_its_file(book: Book) -> None:
    ada = book.add(person("Ada Lovelace", "+49 30 1234567"))
    book.apply(plan_of(book))
    merge(book, [plan_merge(book, ada, [book.find("new").contact, book.find("more").contact])], "merge")
    plan = plan_of(book)
    assert (len(plan.new), len(plan.updated), len(plan.identical)) == (0, 0, 3)


def test_a_stale_export_never_undoes_newer_edits(book: Book) -> None:
    book.apply(plan_of(book))
    bob = book.find("Bob").contact
    book.update(bob, {**book.card(bob), "phones": {"x": {"number": "777"}}})
    stale = plan_of(book)
    assert (len(stale.new), len(stale.updated), len(stale.identical)) == (0, 0, 3)
    newer = FILE.replace(b"FN:Bob", b"FN:Bob\r\nNOTE:hello")
    book.apply(book.plan(read_vcards(newer, salt=book.set_id)))
    assert book.card(bob)["phones"] == {"x": {"number": "777"}}
    assert [entry["note"] for entry in book.card(bob)["notes"].values()] == ["hello"]


def test_names() -> None:
    def fit(one: str, other: str) -> bool:
        rows = [CardRow(b"", "", name, "", (), (), "") for name in (one, other)]
        return names_fit(*rows)

    assert fit("", "Ada")
    assert fit("Ada King Lovelace", "Ada Lovelace")
    assert fit("A. K. Lovelace", "Ada Lovelace")
    assert not fit("A. K.", "Ada Lovelace")
    assert not fit("Ada Byron", "Ada Lovelace")
