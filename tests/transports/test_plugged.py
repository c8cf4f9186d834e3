"""A transport that somebody else wrote: a distribution of its own, found by its entry point and used for a whole book.

The distribution is a folder, as an installer would leave it: a module, and metadata that names it in the group
`e2esync.transports`. Its frames go over a Unix socket.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import trio

from e2esync.client.book import Book
from e2esync.client.sync import sync
from e2esync.errors import Unreachable
from e2esync.relay.server import Relay
from e2esync.stores.relay import RelayStore
from e2esync.transports import connect
from tests.client.world import card, founded, names

MODULE = '''
from urllib.parse import urlsplit

import trio

from e2esync.errors import Unreachable
from e2esync.transports.streams import WireStream
from e2esync.transports.tcp import TcpTransport


async def connect(url):
    """unix:///path/of/a/socket"""
    try:
        return TcpTransport(WireStream(await trio.open_unix_socket(urlsplit(url).path)))
    except OSError as error:
        raise Unreachable("nobody listens there") from error
'''


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    info = site / "e2esync_unix-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "e2esync_unix.py").write_text(MODULE, "utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: e2esync-unix\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text("[e2esync.transports]\nunix = e2esync_unix:connect\n", "utf-8")
    monkeypatch.syspath_prepend(str(site))


@pytest.mark.usefixtures("distribution")
async def test_a_book_over_somebody_elses_transport(tmp_path: Path) -> None:
    from e2esync.transports.streams import WireStream
    from e2esync.transports.tcp import TcpTransport

    place = str(tmp_path / "socket")
    with RelayStore(tmp_path / "relay.sqlite3") as store:
        relay = Relay(store)
        listening = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
        await listening.bind(place)
        listening.listen()

        async def accept() -> None:
            async with trio.open_nursery() as connections:
                while True:
                    sock, _ = await listening.accept()
                    connections.start_soon(relay.handle, TcpTransport(WireStream(trio.SocketStream(sock))))

        async with trio.open_nursery() as nursery:
            await nursery.start(partial(relay.run, []))
            nursery.start_soon(accept)
            phone = await founded(tmp_path / "phone", f"unix://{place}")
            Book(phone).add(card("Ada"))
            await sync(phone)
            assert names(phone) == ["Ada"]
            nursery.cancel_scope.cancel()
        listening.close()


async def test_without_it_the_address_is_none() -> None:
    with pytest.raises(Unreachable, match="no relay address"):
        await connect("unix:///somewhere")


@pytest.mark.usefixtures("distribution")
async def test_its_failure_is_the_same_error(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="nobody listens"):
        await connect(f"unix://{tmp_path}/none")
