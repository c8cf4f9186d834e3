"""What stands on a kit's page and on a share's: words, QR code, and where the book is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .context import Context
from .kitinput import has_profile
from .sheet import Sheet, kit_code

if TYPE_CHECKING:
    from e2esync.access.kit import KitFile


def kit_sheet(context: Context, kit: KitFile) -> Sheet:
    """The page of a kit; relay and key come from its file, or from the profile here if it is the kit of its book."""
    words = kit.kit.words()
    relay, key, book = _where(context, kit)
    return Sheet("e2esync recovery kit", "24 words, in order, that bring your address book back.", words,
                 kit_code(words, relay, key, book), relay, key, book, _today(context))


def share_sheet(context: Context, kit: KitFile, words: Sequence[str], number: int, scheme: tuple[int, int]) -> Sheet:
    """The page of one share: without `words` of others it says nothing of the kit."""
    needed, count = scheme
    relay, key, book = _where(context, kit)
    return Sheet(f"e2esync recovery kit, share {number} of {count}",
                 f"Any {needed} of the {count} shares together give the kit back: e2esync kit join (SLIP-39).",
                 words, kit_code(words, relay, key, book), relay, key, book, _today(context))


def _where(context: Context, kit: KitFile) -> tuple[str, str, str]:
    """(relay's address, its key in hex, the book's short id), as far as they are known."""
    from e2esync.access.kit import key_number, short_set_id
    from e2esync.epoch.record import set_id_of

    relay = kit.relay_url or ""
    key = kit.relay_key.hex() if kit.relay_key else ""
    book = kit.set_short or short_set_id(set_id_of(kit.kit.signing_key(0).verify_key))
    if not (relay and key) and has_profile(context) and context.book().exists():
        here = context.book()
        if key_number(kit.kit, here.replica.chain.root.verify_key) is not None:
            relay, key, book = relay or here.relay_url, here.replica.chain.relay_key.hex(), short_set_id(here.set_id)
    return relay, key, book


def _today(context: Context) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(context.now() // 1000))
