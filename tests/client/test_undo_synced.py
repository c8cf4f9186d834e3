"""Undo and restore are changes like any other: they sync, with photos and members of groups, whoever did the harm."""

from __future__ import annotations

from pathlib import Path

from e2esync.card import read_vcards
from e2esync.client.book import Book
from e2esync.client.profile import Profile
from e2esync.client.sync import sync
from tests.client.test_book import vcards
from tests.client.world import card, founded, open_relay, paired


def everything(profile: Profile) -> dict[str, object]:
    book = Book(profile)
    return {row.name: {path: value for path, value in book.registers(row.contact).items() if path[:6] != "blobs/"}
            for row in book.list()}


def photos(profile: Profile) -> list[str]:
    """The photos that are shown and here."""
    book = Book(profile)
    named = {path[6:] for row in book.list() for path in book.registers(row.contact) if path[:6] == "blobs/"}
    return sorted(digest for digest in named if book.media(digest) is not None)


async def test_what_another_device_deleted_comes_back_everywhere(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        phone = await founded(tmp_path / "phone", url)
        book = Book(phone)
        book.apply(book.plan(read_vcards(vcards(3, photo=True), salt=book.set_id)))
        book.add(card("Club", kind="group", members={"u1": True, "elsewhere": True}))
        await sync(phone)
        laptop = await paired(phone, tmp_path / "laptop")
        await sync(laptop)
        before = everything(phone)
        assert everything(laptop) == before
        assert len(photos(laptop)) == 1
        thief = Book(laptop)
        thief.remove([row.contact for row in thief.list()])
        await sync(laptop)
        await sync(phone)
        assert everything(phone) == {}
        # On the phone it is one step of the laptop's; nothing of its own is undone by default.
        step = book.store.history.steps()[0]
        assert (step.name, step.author, step.contacts) == ("", thief.replica.member, 4)
        book.carry_out(book.plan_undo(step.number))
        await sync(phone)
        await sync(laptop)
        assert everything(phone) == everything(laptop) == before
        assert photos(phone) == photos(laptop)
        assert len(photos(laptop)) == 1
        # And the laptop puts it back as it was when it had deleted everything.
        thief.carry_out(thief.plan_undo(thief.store.history.steps()[0].number))
        await sync(laptop)
        await sync(phone)
        assert everything(phone) == everything(laptop) == {}
        for profile in (phone, laptop):
            profile.close()
