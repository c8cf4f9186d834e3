"""What a person can set, in one table: `e2esync config` shows it, the rest of the client reads it.

Invariants: a setting is the profile's, stays on this device and is never sent; what is stored was checked against the
table; times are milliseconds; a setting that is not set has its default, which is stored nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from e2esync.errors import BadCard, NotFound, Unreachable
from e2esync.limits import HORIZON_AGE
from e2esync.stores.history import RETENTION
from e2esync.wire import decode, encode

if TYPE_CHECKING:
    from e2esync.stores.profile import ProfileStore

Kind = Literal["text", "number", "days", "choice"]
DAY: Final = 86_400_000
_MOST: Final = 100_000


class Setting(NamedTuple):
    """One setting. `default` is what is read where nothing is set; 0 and an empty text mean "not at all"."""

    name: str
    kind: Kind
    default: str | int
    about: str
    choices: tuple[str, ...] = ()
    least: int = 0


BOOK, SORT, DATES, REGION, NAME = "book", "sort", "date-format", "region", "name"
PROXY = "proxy"
ROTATE_EVERY, ROTATE_AFTER = "rotate-every", "rotate-after"
BACKUP_EVERY, BACKUP_DIR, BACKUP_KEEP = "backup-every", "backup-dir", "backup-keep"

SETTINGS: Final = (
    Setting(BOOK, "text", "", "the book that commands mean without --book: its number or name; empty is your own"),
    Setting(NAME, "text", "", "what you are called in books that you share; asked for when it is needed"),
    Setting(PROXY, "text", "", "the SOCKS5 proxy, as Tor, through which relays are reached: socks5://HOST:PORT"),
    Setting(SORT, "choice", "surname", "how `list` sorts: by surname, or by the name as it is shown",
            ("surname", "name")),
    Setting(DATES, "text", "%Y-%m-%d", "how dates are printed, as strftime takes it"),
    Setting(REGION, "text", "", "the country (DE, US, …) of phone numbers without one, for finding duplicates; "
                                "needs the optional package phonenumbers"),
    Setting(RETENTION, "days", HORIZON_AGE, "days for which history and trash are kept", least=1),
    Setting(ROTATE_EVERY, "days", 0, "days after which this device renews its keys by itself; 0 for never"),
    Setting(ROTATE_AFTER, "number", 0, "entries after which this device renews its keys by itself; 0 for never"),
    Setting(BACKUP_EVERY, "days", 0, "days between automatic backups, made by `sync`; 0 for none"),
    Setting(BACKUP_DIR, "text", "", "the folder of automatic backups; empty is `backups` in the profile's folder"),
    Setting(BACKUP_KEEP, "number", 5, "how many automatic backups are kept", least=1),
)
BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


def find(name: str) -> Setting:
    """The setting of this name. Raises NotFound."""
    if name not in BY_NAME:
        raise NotFound(f"there is no setting {name}", "`e2esync config list` shows all")
    return BY_NAME[name]


def get_text(store: ProfileStore, name: str) -> str:
    """The value of a setting that is a text or a choice."""
    value = _stored(store, name)
    return value if isinstance(value, str) else str(BY_NAME[name].default)


def get_number(store: ProfileStore, name: str) -> int:
    """The value of a setting that is a number, or a time in ms."""
    value = _stored(store, name)
    return value if type(value) is int else int(BY_NAME[name].default)


def is_set(store: ProfileStore, name: str) -> bool:
    """Whether somebody has set it."""
    return store.setting(name) is not None


def put(store: ProfileStore, name: str, text: str) -> None:
    """Set what a person typed. Raises NotFound, or BadCard for a value that the setting does not take."""
    store.put_setting(name, encode(parse(find(name), text)))


def unset(store: ProfileStore, name: str) -> None:
    """Go back to the default. Raises NotFound."""
    store.drop_setting(find(name).name)


def parse(setting: Setting, text: str) -> str | int:
    """What a typed value is stored as. Raises BadCard."""
    text = text.strip()
    if setting.kind in ("number", "days"):
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else -1
        if not setting.least <= number <= _MOST:
            raise BadCard(f"{setting.name} is a number from {setting.least} to {_MOST:,}", setting.about)
        return number * DAY if setting.kind == "days" else number
    if setting.name == PROXY and text:
        from e2esync.transports.socks import parse_proxy

        try:
            parse_proxy(text)
        except Unreachable as error:
            raise BadCard(error.message, error.hint) from None
    if setting.choices and text not in setting.choices:
        raise BadCard(f"{setting.name} is one of {', '.join(setting.choices)}", setting.about)
    return text


def shown(store: ProfileStore, setting: Setting) -> str:
    """The value as a person would type it."""
    if setting.kind in ("text", "choice"):
        return get_text(store, setting.name)
    number = get_number(store, setting.name)
    return str(number // DAY if setting.kind == "days" else number)


def _stored(store: ProfileStore, name: str) -> object:
    raw = store.setting(name)
    return None if raw is None else decode(raw)
