"""Appends planned together: what a batch decides in one piece is what it decides one by one (SPEC 13.4)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from e2esync.session import messages as m
from e2esync.session.commands import Change
from e2esync.session.kinds import Refusal
from e2esync.stores import relay as relay_module
from e2esync.stores.relay_plan import grouped, plain_groups
from tests.session.world import NOW, Book
from tests.stores.relays import Place


@pytest.fixture
def place(tmp_path: Path) -> Any:
    made = Place(tmp_path / "relay.sqlite3")
    yield made
    made.store.close()


def batch(place: Place) -> list[Change]:
    """Appends of two sets among each other: good ones, refused ones, and one that was there before."""
    first, other = place.book, Book(place.store.key.verify_key, seed="another set")
    assert place.visit(other.create()) == m.Created(other.set_id)
    before = first.append()
    assert place.do(1, before).seq == 1
    good, good_too = first.append(), other.append()
    cut = replace(first.append(), envelope=b"\1\1short")
    return [
        place.change(1, good), Change(other.set_id, 1, 2, good_too), place.change(2, cut), place.change(1, before),
        Change(other.set_id, 2, 2, other.append()), place.change(7, first.append()), place.change(2, first.append()),
        place.change(1, good),
    ]


def said(results: Any) -> list[Any]:
    return [each.code if isinstance(each, m.RefusalAnswer) else each.seq for each in results]


def test_a_repetition_among_new_envelopes_keeps_its_position(place: Place) -> None:
    result = place.store.execute(batch(place), NOW)
    assert said(outcome.result for outcome in result.outcomes) == [
        2, 1, Refusal.BAD_ENVELOPE, 1, 2, Refusal.NOT_MEMBER, 3, 2,
    ]
    assert place.counts()["envelopes"] == 3
    # What is answered is what is stored, with one head for each set.
    assert len(result.heads) == 2
    assert {head.seq for head in result.heads.values()} == {3, 2}


def test_together_or_one_by_one_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, logs = [], []
    for name in ("together", "apart"):
        place = Place(tmp_path / name)
        commands = batch(place)
        with monkeypatch.context() as patched:
            if name == "apart":
                patched.setattr(relay_module, "plan_appends", lambda *_: None)
            answers.append(said(outcome.result for outcome in place.store.execute(commands, NOW).outcomes))
        logs.append(len(place.ask(1, m.Read(0, 1)).envelopes))
        place.store.close()
    assert answers[0] == answers[1]
    assert logs == [3, 3]


def test_new_envelopes_only_are_never_decided_one_by_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "decide", lambda *_: pytest.fail("an append was decided alone"))
    commands = [place.change(1, place.book.append()) for _ in range(20)]
    outcomes = place.store.execute(commands, NOW).outcomes
    assert said(outcome.result for outcome in outcomes) == list(range(1, 21))


def test_a_full_set_takes_what_fits(tmp_path: Path) -> None:
    place = Place(tmp_path / "relay.sqlite3", quota=1200)
    commands = [place.change(1, place.book.append()) for _ in range(4)]
    results = [outcome.result for outcome in place.store.execute([*commands, commands[0]], NOW).outcomes]
    assert said(results) == [1, 2, Refusal.QUOTA_EXCEEDED, Refusal.QUOTA_EXCEEDED, 1]
    assert place.held() == 1024
    place.store.close()


def test_groups_are_sets_mailboxes_and_new_sets(place: Place) -> None:
    append, slot = place.change(1, place.book.append()), place.change(1, m.PutSlot(b"", b""))
    box = m.UseMailbox(b"m" * 16, 0, b"t" * 16)
    create, mail = Change(b"", 0, 1, place.book.create()), Change(b"", 0, 1, box, box)
    commands = [append, create, mail, append, create, mail]
    groups = grouped(commands)
    assert sorted(groups.values()) == [[0, 3], [1], [2, 5], [4]]
    assert list(plain_groups(commands, groups)) == [place.book.set_id]
    assert not plain_groups([append, slot], grouped([append, slot]))
