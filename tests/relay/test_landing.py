"""What a browser sees at a relay's address."""

from __future__ import annotations

import pytest
import trio.testing

from e2esync.errors import RemoteProtocolError
from e2esync.relay.landing import REGISTRATION, landing_page
from e2esync.session.policy import Registration
from e2esync.transports.streams import WireStream
from e2esync.transports.websocket import accept_websocket


async def test_a_browser_sees_what_this_is() -> None:
    key = bytes(range(32))
    page = landing_page(key, name="The <b>club's</b>", operator="a@b")
    for path, words in ((b"/", b"e2esync relay"), (b"/x", b"there is nothing here")):
        near, far = trio.testing.memory_stream_pair()
        await near.send_all(b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n")
        with pytest.raises(RemoteProtocolError):
            await accept_websocket(WireStream(far), page)
        assert words in await near.receive_some(16_384)
    assert "&lt;b&gt;" in page.body
    assert "<b>" not in page.body
    assert key.hex() in page.body.replace(" ", "")
    assert len(page.body) < 3000


@pytest.mark.parametrize("registration", list(Registration))
def test_it_says_whether_it_takes_new_books(registration: Registration) -> None:
    page = landing_page(bytes(32), registration=registration.value)
    said = [words for words in REGISTRATION.values() if words in page.body]
    assert said == [REGISTRATION[registration.value]]
    assert "Who runs it" not in page.body
