"""Appendix C.9 of SPEC.md: each message once, element by element (SPEC 13.2, 13.3).

The messages are those of `vectors/v1/session.json`, where they stand whole: here the middle of long byte strings is
left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from e2esync.conformance.vectors.session import examples
from e2esync.wire import encode

_WHOLE: Final = 8
"""Bytes of a string that are shown all; of a longer one the first and the last four."""


def every_message() -> str:
    """The section, with its heading."""
    width = max(map(len, examples()))
    lines = [f"{name:{width}}  {' '.join(_elements(fields))}" for name, fields in examples().items()]
    return "\n".join([
        "### C.9 Every message (13.2, 13.3)",
        "The frames of `session::decode` in `vectors/`, by their names; long byte strings are cut in the middle.",
        "```", *lines, "```",
    ])


def _elements(value: Any) -> Iterator[str]:
    """The pieces of an encoded value: heads of arrays and maps, then what is in them."""
    if isinstance(value, bytes) and len(value) > _WHOLE:
        head = encode(value)[: -len(value)]
        yield f"{head.hex()}{value[:4].hex()}…{value[-4:].hex()}"
    elif isinstance(value, list):
        yield _head(value, sum(len(encode(item)) for item in value))
        for item in value:
            yield from _elements(item)
    elif isinstance(value, dict):
        yield _head(value, sum(len(encode(name)) + len(encode(item)) for name, item in value.items()))
        for name, item in sorted(value.items()):
            yield encode(name).hex()
            yield from _elements(item)
    else:
        yield encode(value).hex()


def _head(value: Any, content: int) -> str:
    return encode(value)[: len(encode(value)) - content].hex()
