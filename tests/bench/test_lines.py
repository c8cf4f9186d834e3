"""The load generator's own WebSocket against the library's, and a small load, so that what it counts is so."""

from __future__ import annotations

from pathlib import Path

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, Protocol, State

from e2esync.errors import E2esyncError
from e2esync.session import messages as m
from e2esync.session.codec import decode_message
from tests.bench.crowd import Honest, arrive, devices, resident
from tests.bench.lines import ENVELOPE, Appends, framed, member_line, unframed
from tests.bench.load import found, load, relay_lines
from tests.cluster.world import Relays

SIZES = (0, 1, 125, 126, 65_535, 65_536)


@pytest.mark.parametrize("size", SIZES)
def test_what_it_sends_is_one_masked_binary_frame(size: int) -> None:
    message = bytes(range(256)) * 257
    protocol = Protocol(SERVER, state=State.OPEN)
    protocol.receive_data(framed(message[:size]))
    (frame,) = protocol.events_received()
    assert isinstance(frame, Frame)
    assert (frame.opcode, bytes(frame.data)) == (Opcode.BINARY, message[:size])


def test_what_it_receives_may_be_cut_anywhere() -> None:
    protocol = Protocol(SERVER, state=State.OPEN)
    messages = [bytes([size % 256]) * size for size in SIZES if size < 65_535]
    for message in messages:
        protocol.send_binary(message)
    protocol.send_ping(b"are you there")
    protocol.send_binary(b"last")
    data = b"".join(protocol.data_to_send())
    for cut in range(len(data) + 1):
        first, left = unframed(data[:cut])
        rest, left = unframed(left + data[cut:])
        assert first + rest == [*messages, b"last"]
        assert not left


def test_its_appends_are_appends_and_no_two_are_one() -> None:
    protocol = Protocol(SERVER, state=State.OPEN)
    protocol.receive_data(Appends().frames(3) + Appends().frames(2))
    requests = [
        decode_message(bytes(frame.data), m.Side.CLIENT)
        for frame in protocol.events_received() if isinstance(frame, Frame)
    ]
    envelopes = {request.envelope for request in requests if isinstance(request, m.Append)}
    assert len(envelopes) == 5
    assert {len(envelope) for envelope in envelopes} == {ENVELOPE}


def test_a_small_load_is_counted_as_it_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.load._WARM_UP", 0.05)
    url = str(tmp_path / "relay.sqlite3")
    key, books = found(url, 2)
    relays = Relays(url, tmp_path, 1, "ws")
    try:
        tally = load(relay_lines(relays, key, books), relays.cpu, 4, 0.3)
        assert tally.appended == len(tally.delays) > 0
        assert abs(tally.pushed - tally.appended) <= 2 * 2 * 4
        assert min(tally.delays) > 0
        honest = Honest(relays, key, books, 0.02)
        assert honest.run(0.2).appended > 0
        assert 1 << 20 < honest.peak < 1 << 30
        honest.return_one(1)
        honest.close()
        arrivals = arrive(devices(relays, key, books, 20), 10)
        assert (len(arrivals.lines), len(arrivals.seconds), arrivals.errors.total()) == (20, 20, 0)
        for line in arrivals.lines:
            line.close()
        assert resident(relays) > 1 << 20
        with pytest.raises(E2esyncError):
            member_line(relays.addresses[0], bytes(32), books[0], 1)
    finally:
        relays.close()
