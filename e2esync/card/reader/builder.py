"""The card under construction while its lines are read (SPEC 7).

Invariants: every line ends up owned by one register, or free; a value that a handler cannot take goes whole into
``vCardProps``; nothing is ever dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..digests import IdMaker
from ..tables import APPLE_LABELS, CONTEXTS, FEATURES, LEGACY_TYPES, TEXT_PROPERTIES
from ..text import clean, decode, has_surrogates, split, split21, unescape, unescape21, unquote_printable
from ..types import V21, V40, Entry, Head, Line, Registers
from ..values import is_id

NUL = "\0"
_HANDLED = frozenset(("TYPE", "PREF", "ENCODING", "CHARSET", "PROP-ID", "JSCOMPS"))


@dataclass(slots=True)
class Card:
    """Registers so far, who owns which line, and what the handlers need to know of the card."""

    version: str
    uid: str
    salt: bytes
    ids: IdMaker
    registers: Registers = field(default_factory=dict)
    media: dict[str, bytes] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    labelled: dict[str, str] = field(default_factory=dict)
    name: Entry = field(default_factory=dict)
    phonetics: dict[str, str] = field(default_factory=dict)
    groups_made: int = 0

    def decoded(self, line: Line) -> str:
        """The value as text, transfer encoding and charset undone, escapes not."""
        head, value = line.head, line.value
        if head.encoding == "Q":
            return decode(unquote_printable(value), head.charset)
        if has_surrogates(value) or (head.charset and head.charset.upper() not in ("UTF-8", "UTF8")):
            return decode(value.encode("utf-8", "surrogateescape"), head.charset)
        return value

    def text(self, line: Line) -> str:
        """The value as one text."""
        value = self.decoded(line)
        return unescape21(value) if self.version == V21 else unescape(value)

    def components(self, line: Line) -> list[str]:
        """The parts between semicolons, each still a comma list in 3.0 and 4.0."""
        value = self.decoded(line)
        return split21(value) if self.version == V21 else split(value, ";")

    def items(self, part: str) -> list[str]:
        """The texts of a comma list; in 2.1 a comma is a comma."""
        if self.version == V21:
            return [part]
        if "," not in part:
            return [unescape(part)]
        return [unescape(item) for item in split(part, ",")]

    def members(self, line: Line, table: dict[str, str] = CONTEXTS) -> Entry:
        """The members that parameters, group and label give to any entry: contexts, features, pref, label, rest."""
        head = line.head
        memo = head.memo.get("members")
        if memo is None:
            memo = head.memo["members"] = _members(head, table, self.version)
        if not memo and not head.group:
            return {}
        entry: Entry = {key: value.copy() if type(value) is dict else value for key, value in memo.items()}
        if head.group:
            self._group(head.group, entry)
        return entry

    def _group(self, group: str, entry: Entry) -> None:
        label = self.labels.get(group.lower())
        if label is not None and group.lower() not in self.labelled:
            if "label" in entry:
                entry.setdefault("vCardParams", {})["type"] = entry["label"]
            entry["label"] = APPLE_LABELS.get(label, label)
            self.labelled[group.lower()] = ""  # The handler's path follows when the entry is added.
            self.groups_made += 1
            if group == f"item{self.groups_made}":
                return
        entry.setdefault("vCardParams", {})["group"] = group

    def add(self, prop: str, normal: str, entry: Entry, line: Line) -> str:
        """Store an entry under an id of its own: PROP-ID where it is one, else derived from the normalised value."""
        path = f"{prop}/{self.ids.make(prop, normal)}"
        wanted = line.head.prop_id
        if wanted and is_id(wanted) and f"{prop}/{wanted}" not in self.registers:
            path = f"{prop}/{wanted}"
        self.registers[path] = entry
        return path

    def keep(self, line: Line) -> str:
        """Store a property that has no place in JSContact as it is (RFC 9555 ``vCardProps``)."""
        head = line.head
        params: Entry = {}
        if head.group:
            params["group"] = head.group
        for key, value in head.params:
            if key == "CHARSET" or (key == "ENCODING" and head.encoding == "Q"):
                continue
            _append(params, (key or "type").lower(), value)
        kind, value = "unknown", clean(self.decoded(line))
        if head.name in TEXT_PROPERTIES:
            kind, value = "text", clean(self.text(line))
        entry = [head.name.lower(), params, kind, value]
        path = f"vCardProps/{self.ids.make('vCardProps', f'{head.name}{NUL}{value}')}"
        self.registers[path] = entry
        return path


def _append(params: Entry, name: str, value: str) -> None:
    """Add a value to a parameter: one is a text, several are a list."""
    old = params.get(name)
    if isinstance(old, list):
        old.append(value)
    else:
        params[name] = value if old is None else [old, value]


def _members(head: Head, table: dict[str, str], version: str) -> Entry:
    entry: Entry = {}
    contexts: Entry = {}
    features: Entry = {}
    left: list[str] = []
    for kind in head.types:
        low = kind.lower()
        if low in table:
            contexts[table[low]] = True
        elif head.name == "TEL" and low in FEATURES:
            features[FEATURES[low]] = True
        elif head.name == "EMAIL" and low == "internet":
            continue
        elif low in LEGACY_TYPES or "label" in entry:
            left.append(clean(low))
        else:
            entry["label"] = clean(kind[2:] if low.startswith("x-") and len(kind) > 2 else kind)
    if contexts:
        entry["contexts"] = contexts
    if features:
        entry["features"] = features
    if head.pref is not None:
        entry["pref"] = head.pref
    params: Entry = {}
    for key, value in head.params:
        if key not in _HANDLED and (key != "VALUE" or (version != V40 and value.upper() == "URI")):
            _append(params, key.lower(), value)
    if left:
        params["type"] = left[0] if len(left) == 1 else left
    if params:
        entry["vCardParams"] = params
    return entry
