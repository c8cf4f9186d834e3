"""As much of HTTP as a relay answers: one GET, one page, and the connection is closed.

For the page that a browser sees at a relay's address, and for what monitoring asks. A request is at most 8 KiB and has
ten seconds; what is wrong with it gets an answer that says no more than that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import trio

from e2esync.errors import SessionError
from e2esync.transports.streams import WireStream

_REQUEST_MAX: Final = 8 << 10
_TIMEOUT: Final = 10.0
_REASONS: Final = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
                   503: "Service Unavailable"}


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered."""

    body: str
    kind: str = "text/plain; charset=utf-8"
    status: int = 200


NO_PAGE: Final = Page("there is nothing here\n", status=404)


def page_bytes(page: Page, *, head_only: bool = False) -> bytes:
    """The bytes of an answer. Nothing in it may run, be framed, or be kept."""
    body = page.body.encode()
    lines = (
        f"HTTP/1.1 {page.status} {_REASONS[page.status]}", f"Content-Type: {page.kind}",
        f"Content-Length: {len(body)}", "Connection: close", "Cache-Control: no-store",
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        "X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer", "", "",
    )
    return "\r\n".join(lines).encode() + (b"" if head_only else body)


async def answer_one(stream: WireStream, answer: Callable[[str], Awaitable[Page]]) -> None:
    """Reads one request, and sends what `answer` gives for its path. Raises nothing that the other side can cause."""
    try:
        with trio.move_on_after(_TIMEOUT):
            method, path = await _request(stream)
            if method in ("GET", "HEAD"):
                page = await answer(path.partition("?")[0])
            else:
                page = Page("not so\n", status=400 if not method else 405)
            await stream.send_all(page_bytes(page, head_only=method == "HEAD"))
    except SessionError:
        pass
    finally:
        await stream.aclose()


async def _request(stream: WireStream) -> tuple[str, str]:
    """Method and path; two empty strings for what is no request."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = await stream.receive_some()
        data += more
        if not more or len(data) > _REQUEST_MAX:
            return "", ""
    words = data.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    return (words[0], words[1]) if len(words) == 3 and words[2].startswith("HTTP/1.") else ("", "")
