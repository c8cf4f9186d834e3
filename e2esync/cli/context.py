"""What a command's `run` is given: its options, its output, and the profile when it asks for it.

Invariants: nothing is opened before it is asked for; what was opened is closed when the command ends, whatever happens;
local commands import neither trio nor a network library through here.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from e2esync.errors import NotFound

from .exits import UsageError
from .output import Output
from .progress import Progress
from .prompts import SecretSource
from .times import now

if TYPE_CHECKING:
    from e2esync.client.book import Book
    from e2esync.client.profile import Profile
    from e2esync.client.protection import Kind, Way
    from e2esync.stores.index import CardRow

_URN: Final = "urn:uuid:"
PROXY: Final = "E2ESYNC_PROXY"
"""What `transports.address` reads; local commands do not import that."""
INNER: Final = frozenset(("blobs", "origin"))
"""Registers beside the card. `blobs` holds keys: it is in no output."""


class Context:
    """One run of one command."""

    __slots__ = ("_book", "_closers", "_profile", "args", "out")

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.out = Output(json=args.json, quiet=args.quiet, color=not args.no_color)
        self._profile: Profile | None = None
        self._book: Book | None = None
        self._closers: list[Callable[[], Any]] = []

    def __enter__(self) -> Context:
        if self.args.proxy:
            from e2esync.errors import Unreachable
            from e2esync.transports.socks import parse_proxy

            try:
                parse_proxy(self.args.proxy)
            except Unreachable as error:
                raise UsageError(error.message, error.hint) from None
            self._go_through(self.args.proxy)
        return self

    def __exit__(self, *_: object) -> None:
        while self._closers:
            self._closers.pop()()

    @property
    def home(self) -> Path:
        """The profile's folder."""
        if self.args.home:
            return Path(self.args.home)
        from e2esync.client.profile import default_home

        return default_home()

    @property
    def secrets(self) -> SecretSource:
        """Where the profile's passphrase comes from."""
        return SecretSource(self.args.passphrase_file, self.args.passphrase_command)

    def profile(self) -> Profile:
        """The profile, opened with what the options say, or a person if there is a terminal."""
        if self._profile is None:
            from e2esync.client.profile import Profile

            self.adopt(Profile.open(self.home, self._unlock))
            if not os.environ.get(PROXY) and (proxy := self.setting("proxy")):
                self._go_through(proxy)
        assert self._profile is not None
        return self._profile

    def adopt(self, profile: Profile) -> Profile:
        """Take a profile that the command made, so that it is closed with the rest."""
        self._profile = profile
        self._closers.append(profile.close)
        return profile

    def release(self) -> None:
        """Close the profile now."""
        if self._profile is not None:
            self._closers.remove(self._profile.close)
            self._profile.close()
            self._profile = self._book = None

    def _go_through(self, proxy: str) -> None:
        """Have every connection of this run go through a proxy, those of programs that it starts, too."""
        before = os.environ.get(PROXY, "")
        os.environ[PROXY] = proxy
        self._closers.append(lambda: os.environ.__setitem__(PROXY, before))

    def _unlock(self, kind: Kind) -> Way | None:
        from e2esync.client.protection import KeyFile, Passphrase

        if kind == "passphrase":
            return Passphrase(self.secrets.existing())
        if kind == "keyfile" and self.args.key_file:
            return KeyFile(Path(self.args.key_file))
        return None

    def book(self) -> Book:
        """The book that --book names, or the person's own."""
        if self._book is None:
            from e2esync.client.book import Book

            self._book = Book(self.profile(), self.book_number())
        return self._book

    def book_number(self) -> int:
        """The number of the book that --book, or else the setting, names by number or name. Raises NotFound."""
        wanted = self.args.book if self.args.book is not None else self.setting("book")
        if not wanted:
            return 0
        books = self.profile().store.books()
        for info in books:
            if str(info.number) == wanted or info.name.casefold() == wanted.casefold():
                if self.profile().store.book(info.number).get("identity") is None:
                    raise NotFound(f"{info.name or 'that book'} is not on this device yet",
                                   "`e2esync status` says what it waits for")
                return info.number
        known = ", ".join(f"{info.number} {info.name}".strip() for info in books)
        raise NotFound(f"the profile has no book {wanted}", f"it has: {known}" if known else "")

    def setting(self, name: str) -> str:
        """A text setting; what is not set costs no import."""
        store = self.profile().store
        if store.setting(name) is None and name in ("book", "sort", "proxy"):
            return ""
        from e2esync.client.settings import get_text

        return get_text(store, name)

    def cards(self, query: str | None = None) -> list[CardRow]:
        """The contacts that a query fits, from the index of names alone: without what a whole book imports."""
        return self.profile().store.names(self.book_number()).cards(query)

    def card(self, contact: bytes) -> dict[str, Any]:
        """A contact as a JSContact card, without what is not the contact's: where photos lie, and under which keys."""
        card = self.book().card(contact)
        return {prop: value for prop, value in card.items() if prop not in INNER}

    def registers(self, contact: bytes) -> dict[str, Any]:
        """A contact's registers with its origin record, without where photos lie."""
        return {path: value for path, value in self.book().registers(contact).items()
                if not path.startswith("blobs/")}

    def find(self, selector: str) -> CardRow:
        """The one contact that a selector names. Raises NotFound, Ambiguous or UsageError."""
        if not selector.strip():
            raise UsageError("an empty selector names no contact", "see `e2esync help selectors`")
        book = self.book()
        try:
            return book.find(selector)
        except NotFound as error:
            # `list` shows a uid of this kind without what all of them begin with.
            with suppress(NotFound):
                return book.find(_URN + selector)
            raise error

    @staticmethod
    def now() -> int:
        """Milliseconds since 1970, UTC."""
        return now()

    def progress(self) -> Progress:
        """A progress bar as the options ask for it; it removes itself when the command ends."""
        bar = Progress(self.args.progress or "auto", quiet=self.args.quiet)
        self._closers.append(bar.close)
        return bar
