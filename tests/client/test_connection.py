"""One connection to a relay in the same process: answers to who asked, pushes in order, silence that ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from e2esync.client.book import Book
from e2esync.client.connection import PATIENCE, Connection
from e2esync.client.profile import Profile
from e2esync.client.sync import connect_replica, go_online
from e2esync.errors import Refused, RemoteProtocolError, Unreachable
from e2esync.limits import PIPELINE_MAX
from e2esync.procedures.steps import Procedure, ask
from e2esync.session.client import ClientSession
from e2esync.session.codec import encode_message
from e2esync.session.messages import BoxAnswer, ChainPart, ClosingPush, LogPush, Ping, Pong, ReadBox, ReadChain, Request
from e2esync.transports.memory import memory_pair
from tests.client.world import ENTROPY, card, founded, open_relay, paired


@asynccontextmanager
async def online(folder: Path) -> AsyncIterator[tuple[Profile, Connection]]:
    """A founded profile and its connection."""
    async with open_relay(folder) as url:
        with await founded(folder / "a", url) as profile:
            async with go_online(profile) as there:
                yield profile, there.connection


async def test_a_procedure_gets_the_answers_to_what_it_asks(tmp_path: Path) -> None:
    def procedure() -> Procedure[list[object]]:
        first = yield [ReadChain(0), Ping(), ReadChain(7)]
        second = yield [ReadBox(0)]
        return [*first, *second]

    async with online(tmp_path) as (profile, connection):
        chain, pong, nothing, box = await connection.run(procedure())
        assert isinstance(chain, ChainPart)
        assert list(chain.records) == profile.store.book(0).records()
        assert (pong, nothing) == (Pong(), ChainPart(()))
        assert isinstance(box, BoxAnswer)


async def test_a_refusal_takes_the_place_of_its_answer_only(tmp_path: Path) -> None:
    def procedure() -> Procedure[list[object]]:
        return list((yield [Ping(), ReadBox(9), Ping()]))

    async with online(tmp_path) as (_profile, connection):
        before, refused, after = await connection.run(procedure())
        assert (before, after) == (Pong(), Pong())
        assert isinstance(refused, Refused)
        assert refused.reason == "NotFound"
        with pytest.raises(Refused, match="NotFound"):
            await connection.run(ask(ReadBox(9), BoxAnswer))
        with pytest.raises(Refused):
            await connection.request(ReadBox(9), BoxAnswer)
        assert await connection.request(Ping(), Pong) == Pong()


async def test_more_requests_than_may_be_unanswered(tmp_path: Path) -> None:
    def procedure() -> Procedure[int]:
        requests: list[Request] = [Ping()] * (2 * PIPELINE_MAX + 3)
        return len((yield requests))

    async with online(tmp_path) as (_profile, connection):
        assert await connection.run(procedure()) == 2 * PIPELINE_MAX + 3


async def test_what_a_procedure_raises_leaves_the_connection_usable(tmp_path: Path) -> None:
    def procedure() -> Procedure[None]:
        yield [Ping()]
        raise RemoteProtocolError("enough")

    async with online(tmp_path) as (_profile, connection):
        with pytest.raises(RemoteProtocolError, match="enough"):
            await connection.run(procedure())
        assert await connection.request(Ping(), Pong) == Pong()


async def test_pushes_between_answers_are_kept_in_order(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop:
            from e2esync.client.sync import sync

            await sync(laptop)
            async with go_online(laptop) as there:
                for name in ("Ada", "Bob"):
                    Book(phone).add(card(name))
                    await sync(phone)
                    # Answers go on coming while pushes wait.
                    assert await there.connection.request(Ping(), Pong) == Pong()
                logs = []
                with trio.fail_after(5):
                    while len(logs) < 2:
                        with trio.move_on_after(0.001):
                            # Broken off again and again: nothing may get lost by that.
                            push = await there.connection.next_push()
                            logs += [push] if isinstance(push, LogPush) else []
                assert [push.start for push in logs] == sorted({push.start for push in logs})


async def test_silence_is_unreachable(autojump_clock: trio.testing.MockClock) -> None:
    ours, _theirs = memory_pair()
    connection = Connection(ours, ClientSession(None, 0, None, None, bytes(32)))
    begun = autojump_clock.current_time()
    with pytest.raises(Unreachable):
        await connection.shake_hands()
    assert autojump_clock.current_time() - begun == pytest.approx(PATIENCE)


async def test_a_relay_that_hangs_up() -> None:
    ours, theirs = memory_pair()
    connection = Connection(ours, ClientSession(None, 0, None, None, bytes(32)))
    await theirs.aclose()
    with pytest.raises(Unreachable):
        await connection.shake_hands()
    await connection.aclose()


@pytest.mark.parametrize("frame", [b"", b"\xc1", b"\x91\x05", encode_message(Pong()), b"\x00" * 2000])
async def test_bytes_that_are_no_relay(frame: bytes) -> None:
    ours, theirs = memory_pair()
    connection = Connection(ours, ClientSession(None, 0, None, None, bytes(32)))
    await theirs.send(frame)
    with pytest.raises(RemoteProtocolError):
        await connection.shake_hands()


async def test_a_relay_that_is_being_stopped(tmp_path: Path) -> None:
    async with online(tmp_path) as (_profile, connection):
        from e2esync.session.client import Closing

        with pytest.raises(Unreachable):
            connection._keep(Closing(5))
    assert encode_message(ClosingPush(5))


async def test_a_member_that_the_relay_does_not_know(tmp_path: Path) -> None:
    from e2esync.errors import DeviceRemoved

    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as profile:
            replica = Book(profile).replica
            replica.member = 9
            with pytest.raises((DeviceRemoved, KeyError)):
                await connect_replica(replica, url, ENTROPY)
