"""What strangers cost a relay and a client (SPEC 13): nothing is unpacked, and nobody waits for them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import trio
import trio.testing
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.server import ServerProtocol

from e2esync.client.connection import Connection
from e2esync.errors import Refused, RemoteProtocolError, Unreachable
from e2esync.limits import FRAME_MAX, HANDSHAKE_FRAME_MAX, HANDSHAKE_TIMEOUT, MAILBOX_TTL, RECORD_MAX, VISIT_FREE
from e2esync.relay.visits import Visits
from e2esync.session import messages as m
from e2esync.session.client import ClientSession
from e2esync.session.codec import decode_message
from e2esync.session.messages import Side
from e2esync.stores import relay_slots
from e2esync.testing import Network, mutate
from e2esync.transports.streams import READ_SIZE, WireStream
from e2esync.transports.websocket import WebSocketTransport, accept_websocket
from tests.attacks.packing import packed, unpacking
from tests.attacks.scene import MOMENTS, ROTATION, Weak, attack, defences, heals, refused, two
from tests.transports.test_websocket import UPGRADE, masked, upgraded

MUCH = 8 << 20


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("session.codec:decode_message", unpacking))
async def test_a44_what_unpacks_to_much(net: Network, moment: str) -> None:
    """16 MiB in every packing, to the relay and to a client: there is no codec, so it is noise of its own size."""
    phone, laptop = await two(net, moment)
    laptop.add("Bob")
    bodies = packed().values()
    tracemalloc.start()
    try:
        for body in bodies:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            line = await net.dial("Stranger", net.url)
            with defences():
                await line.send(body)
                assert isinstance(decode_message(await line.receive(), Side.RELAY), m.RefusalAnswer)
            await line.aclose()
            phone.note("Ada", str(len(body)))
            await phone.sync()
            await refused(laptop, RemoteProtocolError, mutate(m.LogPart, lambda _part, own=body: own),
                          entered=moment == ROTATION)
            assert tracemalloc.get_traced_memory()[1] - before < MUCH
    finally:
        tracemalloc.stop()
    await heals(net)


def negotiating(**options: Any) -> ServerProtocol:
    """A server that takes the compression it is offered."""
    return ServerProtocol(extensions=[ServerPerMessageDeflateFactory()], **options)


@attack(Weak("transports.websocket:ServerProtocol", negotiating, alone=True))
async def test_a44_nothing_is_negotiated() -> None:
    """An upgrade that offers compression gets none, a frame marked as packed ends it, and so does a length alone."""
    offered = b"Sec-WebSocket-Extensions: permessage-deflate\r\nAccept-Encoding: br\r\n\r\n"
    offer = UPGRADE.replace(b"\r\n\r\n", b"\r\n" + offered)
    near, far = trio.testing.memory_stream_pair()
    await near.send_all(offer)
    with defences():
        await accept_websocket(WireStream(far))
    answer = bytes(await near.receive_some(4096)).lower()
    assert answer.startswith(b"http/1.1 101 ")
    assert b"extensions" not in answer
    assert b"encoding" not in answer
    for frame in (masked(0xC2, packed()["deflate"]), b"\x82\xff" + (2**40).to_bytes(8, "big") + b"\0\0\0\0"):
        async with upgraded() as (raw, transport), trio.open_nursery() as nursery:
            nursery.start_soon(raw.send_all, frame)
            with pytest.raises(RemoteProtocolError):
                await transport.receive()
            await transport.aclose()
            nursery.cancel_scope.cancel()


@dataclass(slots=True)
class Socket:
    """A stranger's end of a connection, with as much in it as the relay has room for, and the relay's end."""

    raw: trio.abc.Stream
    relay: WebSocketTransport
    open: bool = True

    @property
    def held(self) -> int:
        """The bytes that the relay's end holds and has not handed on."""
        return len(self.relay._protocol.reader.buffer) + sum(map(len, self.relay._fragments)) if self.open else 0


async def socket(net: Network, nursery: trio.Nursery, *frames: Callable[[ClientSession], bytes]) -> Socket:
    """A stranger who is upgraded and sends these frames of a visitor's session, each when the last is answered."""
    raw, far = trio.testing.memory_stream_pair()
    await raw.send_all(UPGRADE)
    line = Socket(raw, await accept_websocket(WireStream(far)))

    async def serve() -> None:
        await net.relay.main.relay.handle(line.relay)
        line.open = False

    nursery.start_soon(serve)
    await raw.receive_some(READ_SIZE)
    session = ClientSession(None, 0, None, net.relay.key.verify_key, b"n" * 32)
    for frame in frames:
        await raw.send_all(masked(0x82, frame(session)))
        # The relay's frames of the handshake are short: two bytes of WebSocket, without a mask.
        session.receive(bytes(await raw.receive_some(READ_SIZE))[2:])
    return line


@attack(Weak("relay.connection:Connection._hold"))
async def test_a46_unended_frames(net: Network) -> None:
    """Before anybody has said who he is he begins a frame of a megabyte: the relay holds the size of a HELLO of it."""
    phone, laptop = await two(net)
    begun = masked(0x82, bytes(FRAME_MAX))[: FRAME_MAX // 2]
    async with trio.open_nursery() as nursery:
        with defences():
            lines = [await socket(net, nursery) for _each in range(16)]
            for line in lines:
                nursery.start_soon(line.raw.send_all, begun)
            await trio.testing.wait_all_tasks_blocked()
            assert max(line.held for line in lines) <= HANDSHAKE_FRAME_MAX + READ_SIZE
            await trio.sleep(2)
            assert not any(line.open for line in lines)
        nursery.cancel_scope.cancel()
    phone.add("Bob")
    await heals(net)
    assert laptop.names() == ["Ada", "Bob"]


@attack(Weak("relay.visits:Visits.hold"))
async def test_a46_a_crowd_of_visitors(net: Network) -> None:
    """Visitors may send a new set, which is large: a crowd that begins and never ends one holds no more than one sum.

    Meanwhile members write, a device is paired, and what somebody sends who is not of the crowd is looked at.
    """
    phone, laptop = await two(net)
    limit = 1 << 20
    net.relay.main.relay.visits = Visits(limit)
    begun = masked(0x82, bytes(FRAME_MAX))[: FRAME_MAX // 2]
    async with trio.open_nursery() as nursery:
        with defences():
            crowd = [await socket(net, nursery, ClientSession.hello, ClientSession.proof) for _each in range(12)]
            for line in crowd:
                await line.raw.send_all(begun)
            await trio.testing.wait_all_tasks_blocked()
            assert 0 < sum(line.held for line in crowd) <= limit + len(crowd) * (VISIT_FREE + READ_SIZE)
            assert crowd[-1].open
            assert not crowd[0].open
            phone.add("Bob")
            await phone.sync()
            await net.pair(phone, "Tablet")
            with net.dialing("Somebody"):
                visit = await Connection.as_visitor(net.url, None, net.entropy)
                with pytest.raises(Refused) as caught:
                    await visit.request(m.Seed(bytes(32), 0, (bytes(RECORD_MAX),) * 8, b""), m.Seeded)
                await visit.aclose()
            # It is looked at, however large it is.
            assert caught.value.reason == "BadRecord"
        nursery.cancel_scope.cancel()
    await heals(net)
    assert laptop.names() == ["Ada", "Bob"]
    assert net.relay.main.relay.visits.held == 0


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("stores.relay_slots:_MAILBOXES_MAX", 10**9, alone=True))
async def test_a46_strangers_who_flood(net: Network, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds who say nothing and more mailboxes than there may be: members go on, and nothing of it stays."""
    monkeypatch.setattr(relay_slots, "_MAILBOXES_MAX", 100)
    phone, laptop = await two(net, moment)
    silent = [await net.dial("Stranger", net.url) for _each in range(300)]
    refusals = set()
    with net.dialing("Stranger"):
        visit = await Connection.as_visitor(net.url, None, net.entropy)
        for number in range(150):
            try:
                with defences():
                    await visit.request(m.UseMailbox(number.to_bytes(8, "big"), 0, b"t" * 16), m.MailboxUsed)
            except Refused as error:
                refusals.add(error.reason)
                # One is the laptop's, which has joined a moment ago.
                assert number >= 99
        await visit.aclose()
    assert refusals == {"Busy"}
    begun = trio.current_time()
    phone.add("Bob")
    await phone.sync()
    await laptop.sync()
    assert laptop.names() == ["Ada", "Bob"]
    assert trio.current_time() - begun < 1
    with trio.fail_after(HANDSHAKE_TIMEOUT / 1000 + 1):
        for line in silent:
            with pytest.raises(Unreachable):
                await line.receive()
    # Five minutes later the relay holds what members wrote, and takes mailboxes again.
    net.clock.time += MAILBOX_TTL + 1
    assert net.relay.main.store.sweep(net.clock()) >= 99
    await net.pair(phone, "Tablet")
    await heals(net)
