"""Single properties to lines: UID, KIND, PRODID, LANGUAGE, CREATED, gender, and unknown properties as they came."""

from __future__ import annotations

from ..types import V40, Value
from .target import Params, Target, _word


def write_uid(target: Target, value: Value) -> list[str]:
    """UID, verbatim."""
    return [target.raw("UID", [], str(value))]


def write_kind(target: Target, value: Value) -> list[str]:
    """KIND, which before 4.0 only Apple has."""
    return [target.text("KIND" if target.version == V40 else "X-ADDRESSBOOKSERVER-KIND", [], str(value))]


def write_prodid(target: Target, value: Value) -> list[str]:
    """PRODID."""
    return [target.text("PRODID", [], str(value))]


def write_language(target: Target, value: Value) -> list[str]:
    """LANGUAGE (RFC 9554)."""
    return [target.text("LANGUAGE", [], str(value))]


def write_created(target: Target, value: Value) -> list[str]:
    """CREATED (RFC 9554)."""
    return [target.text("CREATED", [], str(value).replace("-", "").replace(":", ""))]


def write_speak(target: Target, value: Value) -> list[str] | None:
    """GRAMGENDER and PRONOUNS (RFC 9554)."""
    if not isinstance(value, dict):
        return None
    lines = []
    if "grammaticalGender" in value:
        lines.append(target.text("GRAMGENDER", [], str(value["grammaticalGender"]).upper()))
    for _, entry in sorted((value.get("pronouns") or {}).items()):
        if isinstance(entry, dict):
            lines.append(target.text("PRONOUNS", target.params(entry), str(entry.get("pronouns", ""))))
    return lines


def write_unknown(target: Target, prop: list[Value]) -> list[str] | None:
    """A jCard property of ``vCardProps``."""
    if len(prop) < 4 or not isinstance(prop[0], str) or not isinstance(prop[1], dict):
        return None
    group = ""
    params: Params = []
    for key, values in sorted(prop[1].items()):
        for value in values if isinstance(values, list) else [values]:
            if key == "group":
                group = _word(str(value))
            else:
                params.append((key.upper(), str(value)))
    name = _word(prop[0].upper())
    kind, value = prop[2], ",".join(str(item) for item in prop[3:])
    return [target.text(name, params, value, group) if kind == "text" else target.raw(name, params, value, group)]
