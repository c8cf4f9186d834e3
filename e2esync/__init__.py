"""One address book on all of a person's devices, through a relay that cannot read it.

The public API, by what it is for:

    Profile, Plain, Passphrase, KeyFile, Keyring     the local folder and how it is protected
    Book, ImportPlan, Status, Device, Event          contacts in and out, offline; what changed
    Candidate                                        one of the values of a field that devices disagree about
    create_set, sync, watch, inspect, pair, join     the relay (trio); sync gives a SyncResult
    create_book, share, accept, unshare, leave       further books, and other people in them (trio)
    sync_all, watch_all                              all books of a profile (trio)
    open_kit, revoke, rotate                         a lost device, a lost phone, a copied one (trio)
    RecoveryKit, SystemEntropy                       the kit, and where randomness comes from
    read_vcards, write_vcards, assemble, flatten     cards: vCard and JSContact
    E2esyncError (and e2esync.errors)                everything that can go wrong

What is not named here may change without notice. To implement a relay, a transport or another client, see SPEC.md and
the packages `session`, `procedures` and `transports`. Names are imported when they are first used, so that
`import e2esync` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from e2esync.access.kit import RecoveryKit
    from e2esync.card import assemble, flatten, read_vcards, write_vcards
    from e2esync.client.book import Book, Device, Status
    from e2esync.client.books import accept, create_book, leave, share, unshare
    from e2esync.client.entropy import SystemEntropy
    from e2esync.client.events import Event
    from e2esync.client.importing import ImportPlan
    from e2esync.client.members import revoke, rotate
    from e2esync.client.pairing import join, pair
    from e2esync.client.profile import Profile
    from e2esync.client.protection import KeyFile, Keyring, Passphrase, Plain
    from e2esync.client.recovery import open_kit
    from e2esync.client.sync import SyncResult, create_set, inspect, sync
    from e2esync.client.together import sync_all, watch_all
    from e2esync.client.watching import watch
    from e2esync.contactset import Candidate
    from e2esync.errors import E2esyncError

__version__: Final = "0.1.0"

__all__ = [
    "Book", "Candidate", "Device", "E2esyncError", "Event", "ImportPlan", "KeyFile", "Keyring", "Passphrase", "Plain",
    "Profile", "RecoveryKit", "Status", "SyncResult", "SystemEntropy", "__version__", "accept", "assemble",
    "create_book", "create_set", "flatten", "inspect", "join", "leave", "open_kit", "pair", "read_vcards", "revoke",
    "rotate", "share", "sync", "sync_all", "unshare", "watch", "watch_all", "write_vcards",
]

_HOMES: Final = {
    "access.kit": ("RecoveryKit",),
    "card": ("assemble", "flatten", "read_vcards", "write_vcards"),
    "client.book": ("Book", "Device", "Status"),
    "client.books": ("accept", "create_book", "leave", "share", "unshare"),
    "client.entropy": ("SystemEntropy",),
    "client.events": ("Event",),
    "client.importing": ("ImportPlan",),
    "client.members": ("revoke", "rotate"),
    "client.pairing": ("join", "pair"),
    "client.profile": ("Profile",),
    "client.protection": ("KeyFile", "Keyring", "Passphrase", "Plain"),
    "client.recovery": ("open_kit",),
    "client.sync": ("SyncResult", "create_set", "inspect", "sync"),
    "client.together": ("sync_all", "watch_all"),
    "client.watching": ("watch",),
    "contactset": ("Candidate",),
    "errors": ("E2esyncError",),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
