"""A copied profile (SPEC 14.11, A22): found out, and back under fresh keys with everything in it; looking it over."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import trio

from e2esync.access.code import PairingCode
from e2esync.client.book import Book
from e2esync.client.checking import examine, verify_local, verify_relay
from e2esync.client.pairing import pair
from e2esync.client.profile import Profile
from e2esync.client.rejoining import rejoin
from e2esync.client.sync import now_ms, sync
from e2esync.errors import CloneDetected, ProfileError
from tests.client.world import PATIENCE, card, founded, names, open_relay, paired, state


async def _rejoined(sponsor: Profile, profile: Profile) -> int:
    codes, words = trio.open_memory_channel[str](1), trio.open_memory_channel[str](1)
    sent = []

    async def ask(_name: str) -> str:
        return await words[1].receive()

    async def come_back() -> None:
        sent.append(await rejoin(profile, await codes[1].receive(), "Back",
                                 show_words=lambda said: words[0].send_nowait(" ".join(said))))

    def show(code: PairingCode) -> None:
        codes[0].send_nowait(code.text())

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(come_back)
            await pair(sponsor, show_code=show, ask_words=ask)
    return sent[0]


def test_a_copied_profile_stops_and_comes_back_with_both_branches(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_relay(tmp_path) as url:
            phone = await founded(tmp_path / "phone", url)
            await sync(phone)
            laptop = await paired(phone, tmp_path / "laptop")
            Book(laptop).add(card("Ada"))
            await sync(laptop)
            laptop.close()
            shutil.copytree(tmp_path / "laptop", tmp_path / "copy")
            laptop, copy = Profile.open(tmp_path / "laptop"), Profile.open(tmp_path / "copy")
            with pytest.raises(ProfileError):
                await rejoin(copy, "x", "Back", show_words=lambda _words: None)
            Book(laptop).add(card("Landed"))
            await sync(laptop)
            Book(copy).add(card("Unsent"))
            before = names(copy)
            with pytest.raises(CloneDetected):
                await sync(copy)
            assert names(copy) == before == ["Ada", "Unsent"]
            assert any("rejoin" in notice for notice in Book(copy).status().notices)
            assert await _rejoined(phone, copy) > 0
            await sync(phone)
            await sync(copy)
            assert names(phone) == names(copy) == ["Ada", "Landed", "Unsent"]
            assert state(phone) == state(copy)
            assert not Book(copy).replica.frozen
            # The old index is out, and with it the other machine.
            assert len(Book(phone).devices()) == 2
            assert not any(check.problem for check in verify_local(Book(copy)))
            assert not any(check.problem for check in await verify_relay(copy, deep=True))

    trio.run(main)


def test_what_was_altered_here_is_found(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_relay(tmp_path) as url:
            phone = await founded(tmp_path / "phone", url)
            Book(phone).add(card("Ada"))
            await sync(phone)
            book = Book(phone)
            assert [check.name for check in verify_local(book) if check.problem] == []
            book.store._db.run("UPDATE contacts SET hash = zeroblob(32)")
            book.store._db.run("UPDATE envelopes SET envelope = zeroblob(512)")
            assert [check.name for check in verify_local(Book(phone)) if check.problem] == ["log", "contacts"]
            problems = {check.name for check in examine(phone, now_ms()) if check.problem}
            (tmp_path / "phone" / "profile.sqlite3").chmod(0o644)
            assert {c.name for c in examine(phone, now_ms()) if c.problem} - problems == {"database"}

    trio.run(main)
