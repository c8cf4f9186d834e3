"""The vCard being written: version, style, and how a property becomes a content line (SPEC 7).

Invariants: a value never ends its line: newlines are escaped or quoted-printable, other controls dropped; names and
parameter values hold no character that could end them (attack A51).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ..tables import APPLE_TOKENS, CONTEXT_TYPES, FEATURE_TYPES
from ..text import escape, escape21, fold, plain, quote_printable
from ..types import V21, V40, Entry, Registers, Style, Value

MediaSource = Callable[[str], "bytes | None"]
Params = list[tuple[str, str]]
_UNSAFE_NAME: Final = re.compile(r"[^A-Za-z0-9_/-]")
_UNSAFE_VALUE21: Final = re.compile('[\x00-\x1f\x7f:;,="]')
_NEEDS_QUOTES: Final = re.compile(r"[:;,]")


@dataclass(slots=True)
class Target:
    """Where lines go. ``registers`` is the whole card, for properties that share one line."""

    style: Style
    registers: Registers
    media: MediaSource
    groups_made: int = 0
    families: dict[str, list[str]] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The version being written."""
        return self.style.version

    def family(self, prefix: str, belongs: Callable[[Value], bool]) -> list[str]:
        """The paths that begin with ``prefix`` and share one line, collected once."""
        paths = self.families.get(prefix)
        if paths is None:
            paths = [path for path, value in self.registers.items() if path.startswith(prefix) and belongs(value)]
            self.families[prefix] = paths
        return paths

    def line(self, name: str, params: Params, value: str, group: str = "") -> str:
        """A content line whose value is already in its written form."""
        head = self.head(name, params, group)
        text = f"{head}:{value}"
        if self.style.unfolded or (len(text) <= 75 and text.isascii()):
            return text
        if self.version == V21:
            return text  # 2.1 folds at white space only; nobody needs it folded.
        return fold(text, self.style.eol)

    def head(self, name: str, params: Params, group: str = "") -> str:
        """Group, name and parameters."""
        head = f"{group}.{name}" if group else name
        for key, value in params:
            head += self._param(key, value)
        return head

    def _param(self, key: str, value: str) -> str:
        style = self.style
        if key == "TYPE":
            if style.version == V21:
                return f";{_word(value) if style.value_lower else _word(value).upper()}"
            # Apple writes "type" and, among upper-case values, "pref" in lower case.
            lower = style.value_lower or (style.type_lower and value == "pref")
            if value[:2] != "X-":  # A label of a person's own, as Android writes it.
                value = value.lower() if lower else value.upper()
            key = "type" if style.type_lower else "TYPE"
            return f";{key}={value if style.joined and value.replace(',', '').isalnum() else quoted(value)}"
        if style.version == V21:
            return f";{_word(key)}={_UNSAFE_VALUE21.sub(' ', value)}"
        return f";{_word(key)}={quoted(value)}"

    def text(self, name: str, params: Params, text: str, group: str = "") -> str:
        """A content line with one text."""
        if self.version == V21:
            return self._line21(name, params, escape21(plain(text)), group)
        return self.line(name, params, escape(text), group)

    def parts(self, name: str, params: Params, parts: list[list[str]], group: str = "") -> str:
        """A content line with components between semicolons, each a list of texts."""
        if self.version == V21:
            value = ";".join(escape21(plain(",".join(items))) for items in parts)
            return self._line21(name, params, value, group)
        value = ";".join([",".join([escape(item) for item in items]) for items in parts])
        return self.line(name, params, value, group)

    def raw(self, name: str, params: Params, value: str, group: str = "") -> str:
        """A content line whose value is of no known type: as it is, only kept from ending its line."""
        value = plain(value)
        if self.version == V21:
            return self._line21(name, params, value, group)
        return self.line(name, params, value.replace("\n", "\\n"), group)

    def _line21(self, name: str, params: Params, value: str, group: str) -> str:
        if value.isascii() and "\n" not in value:
            return self.line(name, params, value, group)
        head = self.head(name, params, group) + ("" if value.isascii() else ";CHARSET=UTF-8")
        head += ";ENCODING=QUOTED-PRINTABLE"
        return f"{head}:{quote_printable(value, len(head) + 1, self.style.eol)}"

    def params(self, entry: Entry, *, first: str = "") -> Params:
        """The parameters that any entry's contexts, features, preference and unknown parameters give."""
        style, params = self.style, []
        types = [first] if first else []
        if contexts := entry.get("contexts"):
            types += [CONTEXT_TYPES.get(name, name) for name in CONTEXT_TYPES if name in contexts]
        if features := entry.get("features"):
            types += [FEATURE_TYPES.get(name, name) for name in FEATURE_TYPES if name in features]
        unknown = entry.get("vCardParams")
        if isinstance(unknown, dict):
            types += _texts(unknown.get("type"))
        pref = entry.get("pref")
        if style.version == V40:
            if pref is not None:
                params.append(("PREF", str(pref)))
        elif pref is not None:
            types.insert(0, "pref") if style.pref_first else types.append("pref")
        if style.joined and types and style.version != V21:
            params.append(("TYPE", ",".join(types)))
        else:
            params += [("TYPE", kind) for kind in types]
        if isinstance(unknown, dict):
            params += [
                (key.upper(), value)
                for key, values in sorted(unknown.items())  # A book keeps no order of names (SPEC 6.1).
                if key not in ("type", "group")
                for value in _texts(values)
            ]
        return params

    def labelled(self, entry: Entry, make: Callable[[str], str], label: str | None = None) -> list[str]:
        """The line that ``make`` gives for a group, and the label's own line where there is a label."""
        label = entry.get("label") if label is None else label
        unknown = entry.get("vCardParams")
        group = _word(str(unknown["group"])) if isinstance(unknown, dict) and "group" in unknown else ""
        if not label:
            return [make(group)]
        self.groups_made += 1
        group = group or f"item{self.groups_made}"
        text = APPLE_TOKENS.get(str(label), str(label))
        return [make(group), self.text("X-ABLabel", [], text, group)]


def _word(text: str) -> str:
    """A text as a name: what could end it becomes a hyphen."""
    return text if text.isalnum() and text.isascii() else _UNSAFE_NAME.sub("-", text)


def quoted(value: str) -> str:
    """A parameter value, quoted where it must be; quotes and newlines inside as RFC 6868 says."""
    if value.isalnum():
        return value
    value = plain(value)
    if "^" in value or '"' in value or "\n" in value:
        value = value.replace("^", "^^").replace('"', "^'").replace("\n", "^n")
    if _NEEDS_QUOTES.search(value):
        return f'"{value}"'
    return value


def _texts(value: Value) -> list[str]:
    if value is None:
        return []
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else [str(value)]
