"""What monitoring hears of a relay."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from e2esync.errors import DiskFull
from e2esync.relay.health import Health
from e2esync.session import messages as m
from e2esync.transports.http import NO_PAGE, Page, answer_one
from e2esync.transports.streams import WireStream
from tests.relay.driver import running


async def asked(request: bytes, pages: dict[str, Page]) -> bytes:
    """Everything that is answered to a request."""
    near, far = trio.testing.memory_stream_pair()

    async def answer(path: str) -> Page:
        return pages.get(path, NO_PAGE)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_one, WireStream(far), answer)
        await near.send_all(request)
        await near.send_eof()
        with trio.fail_after(5):
            return b"".join([data async for data in near])


@pytest.mark.parametrize(("request_", "status", "body"), [
    (b"GET /a?x=1 HTTP/1.1\r\nHost: h\r\n\r\n", b"200", b"hello"), (b"HEAD /a HTTP/1.0\r\n\r\n", b"200", b""),
    (b"GET /b HTTP/1.1\r\n\r\n", b"404", None), (b"POST /a HTTP/1.1\r\n\r\n", b"405", None),
    (b"\x16\x03\x01\r\n\r\n", b"400", None), (b"GET /a\r\n\r\n", b"400", None), (b"GET", b"400", None),
    (b"GET /" + b"a" * 9000, b"400", None), (b"", b"400", None),
])
async def test_one_request_one_answer(request_: bytes, status: bytes, body: bytes | None) -> None:
    answered = await asked(request_, {"/a": Page("hello")})
    head, _, rest = answered.partition(b"\r\n\r\n")
    assert head.split(b" ", 2)[1] == status
    assert b"Connection: close" in head
    if body is not None:
        assert rest == body
        assert b"Content-Length: 5" in head


async def test_ready_is_a_row_made_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as scene:
        health = Health(scene.relay, "1.2.3")
        assert (await health.answer("/healthz")).status == 200
        assert (await health.answer("/readyz")).status == 200
        stored = scene.store._reader.execute("SELECT count(*) FROM meta WHERE name = 'probe'").get
        assert stored == 1

        def full(_now: int) -> None:
            raise DiskFull("full")

        monkeypatch.setattr(scene.store, "probe", full)
        assert (await health.answer("/readyz")).status == 503
        assert (await health.answer("/healthz")).status == 200
        monkeypatch.undo()
        scene.relay.stopping = True
        assert (await health.answer("/readyz")).status == 503
        assert (await health.answer("/")).status == 404


async def test_metrics_count_and_name_nobody(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        one = await scene.device(1)
        await scene.append(one)
        await one.ask(m.ReadBox(7))
        text = (await Health(scene.relay, "1.2.3").answer("/metrics")).body
        rows = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        assert rows['e2esync_relay_requests_total{kind="Append"}'] == "1"
        assert rows['e2esync_relay_refusals_total{code="NotFound"}'] == "1"
        assert rows["e2esync_relay_connected"] == "1"
        assert rows['e2esync_relay_info{version="1.2.3"}'] == "1"
        described = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
        assert {name.partition("{")[0] for name in rows} <= described
        assert scene.book.set_id.hex() not in text
