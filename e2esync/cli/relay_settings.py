"""The settings of a relay: one table, read from a TOML file, the environment and the command line.

Each setting is a field of `Settings` with what it is for; that is the only place where it is named. A flag wins over
the environment, the environment over the file, the file over the default. In the file a name has underscores; on the
command line hyphens; in the environment it is in capitals behind `E2ESYNC_RELAY_`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from e2esync.limits import COMPACT_ENTRIES, MEMBERS_MAX, SET_BYTES_MAX

from .exits import UsageError

PREFIX: Final = "E2ESYNC_RELAY_"
_TRUE: Final = ("1", "true", "yes", "on")
_FALSE: Final = ("0", "false", "no", "off")


def _setting(default: Any, about: str, metavar: str = "", choices: tuple[str, ...] = (), least: int = 0,
             most: int = 1 << 53) -> Any:
    return field(default=default, metadata={"about": about, "metavar": metavar, "choices": choices, "least": least,
                                            "most": most})


@dataclass(frozen=True, slots=True)
class Settings:
    """A relay's settings. The defaults are those of a relay for a household on the machine that it runs on."""

    db: str = _setting("relay.sqlite3", "the database: a file, or postgresql://…", "FILE|URL")
    listen: tuple[str, ...] = _setting(
        ("ws://127.0.0.1:8765",),
        "HOST:PORT, or ws://, wss://, tcp://, tls://HOST:PORT; repeatable; port 0 is any", "ADDRESS")
    tls_cert: str = _setting("", "certificate chain (PEM) for wss:// and tls://; read again on SIGHUP", "FILE")
    tls_key: str = _setting("", "its private key, if that is another file", "FILE")
    health: str = _setting("", "where /healthz, /readyz and /metrics are answered, apart from devices", "HOST:PORT")
    name: str = _setting("", "what the page at / calls this relay", "TEXT")
    operator: str = _setting("", "whom to write to, on the page at /", "TEXT")
    log_format: str = _setting("text", "how problems are logged on stderr", choices=("text", "json"))
    log_addresses: bool = _setting(False, "log where connections come from")
    trust_proxy: bool = _setting(False, "believe X-Forwarded-For: only behind a proxy of your own that sets it")
    connections: int = _setting(20_000, "devices connected at a time; more are told to come back", "N", least=1)
    keepalive: int = _setting(50, "seconds of silence after which a connection is kept alive; 45 to 55", "SECONDS",
                              least=45, most=55)
    registration: str = _setting(
        "open", "which new books are taken; `relay invite` makes invitations", choices=("open", "invitation", "closed"))
    sets_per_hour: int = _setting(20, "new books from one address in an hour; 0 is any number", "N")
    connects_burst: int = _setting(200, "connections at once from one address; 0 is any number", "N")
    connects_per_minute: int = _setting(60, "further connections from one address in a minute", "N", least=1)
    set_bytes: int = _setting(SET_BYTES_MAX, "bytes that one book may hold", "N", least=1)
    set_entries: int = _setting(0, "changes that one book's open log may hold; 0 is any number", "N",
                                least=2 * COMPACT_ENTRIES)
    set_members: int = _setting(MEMBERS_MAX, "devices and recovery kits that one book may have", "N", least=2,
                                most=MEMBERS_MAX)
    retention_days: int = _setting(30, "days that superseded snapshots and closed logs are kept", "N", least=1)


def table() -> tuple[Field[Any], ...]:
    """The settings in order, as dataclass fields with `about`, `metavar` and `choices`."""
    return fields(Settings)


def read_settings(
    flags: Mapping[str, object], environ: Mapping[str, str], file: str | None = None,
) -> Settings:
    """The settings of one start. `flags` are those given on the command line, by field name.

    Raises UsageError, with the place and the setting, for what is no setting or no value of one.
    """
    values: dict[str, Any] = {}
    known = {each.name: each for each in table()}
    for name, value in (_read_file(Path(file)) if file else {}).items():
        if name not in known:
            raise UsageError(f"{file} has the setting {name}, which there is not", _instead(name))
        values[name] = _checked(known[name], value, f"{file}")
    for name, each in known.items():
        text = environ.get(PREFIX + name.upper())
        if text is not None:
            values[name] = _checked(each, _parsed(each, text), PREFIX + name.upper())
    for name, value in flags.items():
        values[name] = _checked(known[name], value, "the command line")
    return Settings(**values)


def strangers(environ: Mapping[str, str]) -> list[str]:
    """What is wrong with each variable that looks like a setting and is none: said, not refused.

    Whoever starts containers puts names of its own beside ours: a service that is called so gets its port that way.
    """
    known = {PREFIX + each.name.upper() for each in table()} | {PREFIX + "CONFIG"}
    return [f"the environment has {name}, which is no setting: {_instead(name.removeprefix(PREFIX).lower())}"
            for name in sorted(environ) if name.startswith(PREFIX) and name not in known]


def as_toml(settings: Settings) -> str:
    """The settings as a file that `--config` reads, each with what it is for."""
    lines = []
    for each in table():
        choices = each.metadata["choices"]
        about = each.metadata["about"] + (f": {', '.join(choices)}" if choices else "")
        lines += [f"# {about}", f"{each.name} = {_toml(getattr(settings, each.name))}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read", "check the name that --config gives") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no TOML: {error}", "`e2esync relay config` prints one to begin with") from error


def _parsed(each: Field[Any], text: str) -> object:
    """What an environment variable says; lists are separated by blanks."""
    if isinstance(each.default, tuple):
        return text.split()
    if isinstance(each.default, bool):
        lowered = text.strip().lower()
        return True if lowered in _TRUE else False if lowered in _FALSE else text
    if isinstance(each.default, int):
        return int(text) if text.strip().isdecimal() else text
    return text


def _checked(each: Field[Any], value: object, where: str) -> object:
    default, choices = each.default, each.metadata["choices"]
    if isinstance(default, tuple):
        items = [value] if isinstance(value, str) else value
        if isinstance(items, list | tuple) and items and all(isinstance(item, str) for item in items):
            return tuple(items)
    elif type(value) is type(default) and (not choices or value in choices) and (
        not isinstance(value, int) or _in_range(each, value)
    ):
        return value
    raise UsageError(f"{where} gives {each.name} a value that is not {_wanted(each)}", _SEE)


_SEE: Final = "see `e2esync relay config`"
_KINDS: Final[dict[type, str]] = {str: "a text", bool: "true or false", tuple: "a list of texts"}


def _in_range(each: Field[Any], value: int) -> bool:
    """A default of 0 stands for no limit, and is a value whatever the least is that limits."""
    return value == each.default or each.metadata["least"] <= value <= each.metadata["most"]


def _wanted(each: Field[Any]) -> str:
    choices, least, most = (each.metadata[name] for name in ("choices", "least", "most"))
    if choices:
        return f"one of {', '.join(choices)}"
    if type(each.default) is int:
        return ("0, or " if not each.default and least else "") + f"a number from {least:,}" + (
            f" to {most:,}" if most < 1 << 53 else " up")
    return _KINDS[type(each.default)]


def _instead(name: str) -> str:
    close = get_close_matches(name, [each.name for each in table()], n=1)
    return f"did you mean {close[0]}?" if close else _SEE


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
