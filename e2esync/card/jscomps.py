"""The order of the parts of a name or an address: the parameter JSCOMPS (RFC 9555 3.3.1).

``[separator];part;part…``: a part is a position among the components of the value, and an index where that component
is a list; ``s,text`` is a separator. Invariants: pure, linear; what does not fit the value is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Sequence

from .text import escape, split, unescape
from .types import Entry

Components = list[dict[str, str]]


def ordered(text: str, parts: Sequence[Sequence[str]], kinds: Sequence[str]) -> Entry | None:
    """The members that a JSCOMPS and the value's parts give: components in order; None where they do not fit."""
    first, *rest = split(text, ";")
    members: Entry = {"isOrdered": True}
    if first:
        if not first.startswith("s,"):
            return None
        members["defaultSeparator"] = unescape(first[2:])
    components: Components = []
    for item in rest:
        if item.startswith("s,"):
            components.append({"kind": "separator", "value": unescape(item[2:])})
            continue
        position, _, index = item.partition(",")
        numbers = [int(number) if number.isascii() and number.isdigit() and len(number) < 4 else -1
                   for number in (position, index or "0")]
        if not (0 <= numbers[0] < min(len(parts), len(kinds)) and 0 <= numbers[1] < len(parts[numbers[0]])):
            return None
        components.append({"kind": kinds[numbers[0]], "value": parts[numbers[0]][numbers[1]]})
    said = sorted((part["kind"], part["value"]) for part in components if part["kind"] != "separator")
    if said != sorted((kind, value) for kind, part in zip(kinds, parts, strict=False) for value in part if value):
        return None
    return members | {"components": components}


def jscomps(entry: Entry, places: list[tuple[int, int] | None]) -> str:
    """The JSCOMPS of an ordered entry; ``places`` has position and index of each component, None of a separator."""
    default = entry.get("defaultSeparator")
    items = [f"s,{escape(default)}" if isinstance(default, str) else ""]
    for part, place in zip(entry["components"], places, strict=True):
        if place is None:
            items.append("s," + escape(str(part.get("value", ""))))
        else:
            items.append(f"{place[0]},{place[1]}" if place[1] else str(place[0]))
    return ";".join(items)
