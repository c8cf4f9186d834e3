"""A secret that does not show itself (SPEC 5.1): no repr, no comparison by `==`, no pickling."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """Secret bytes. `reveal()` hands them out; nothing else does."""

    __slots__ = ("_bytes",)

    def __init__(self, secret: bytes) -> None:
        # bytes(n) would be n zeros, bytes(list) whatever the list holds: neither is a secret.
        if not isinstance(secret, bytes | bytearray | memoryview):
            raise TypeError("a secret is made of bytes")
        self._bytes = bytes(secret)

    def reveal(self) -> bytes:
        """The bytes themselves, for the primitive that needs them."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._bytes)

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("secrets are compared with crypto.equal, in constant time")

    def __hash__(self) -> NoReturn:
        raise TypeError("secrets are not hashed")

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")
