"""One vCard to registers (SPEC 7): the table of properties, and the loop that walks it.

Invariants: a pure function of lines, salt and fallback uid; each line is owned by a register or free (VERSION, REV,
what cannot be read); a property that its handler refuses is kept whole in ``vCardProps``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..android import NAME as ANDROID
from ..digests import IdMaker, derive_uid
from ..tables import ANNIVERSARIES, LINKS, MEDIA, PERSONAL, PHONETIC_KINDS, RELATION_PROPERTIES, SERVICES
from ..text import clean, decode, plain, unquote_printable
from ..types import V21, V30, VERSIONS, Line
from . import entries, media, names, single
from .builder import Card
from .localized import own_lines, read_alternative

Handler = Callable[[Card, Line], "str | None"]

HANDLERS: Final[dict[str, Handler]] = {
    "FN": names.read_full,
    "N": names.read_components,
    "SORT-STRING": names.read_sort_string,
    "NICKNAME": names.read_nicknames,
    "ORG": names.read_organization,
    "TITLE": names.read_title,
    "ROLE": names.read_title,
    "TEL": entries.read_phone,
    "EMAIL": entries.read_email,
    "ADR": entries.read_address,
    "IMPP": entries.read_service,
    "SOCIALPROFILE": entries.read_service,
    "X-SOCIALPROFILE": entries.read_service,
    "NOTE": entries.read_note,
    "X-ABDATE": entries.read_apple_date,
    "RELATED": entries.read_related,
    "X-ABRELATEDNAMES": entries.read_related,
    "CATEGORIES": entries.read_categories,
    "MEMBER": entries.read_member,
    "X-ADDRESSBOOKSERVER-MEMBER": entries.read_member,
    "LANG": entries.read_language,
    ANDROID: entries.read_android,
    "KEY": media.read_media,
    "UID": single.read_uid,
    "KIND": single.read_kind,
    "X-ADDRESSBOOKSERVER-KIND": single.read_kind,
    "PRODID": single.read_prodid,
    "LANGUAGE": single.read_card_language,
    "CREATED": single.read_created,
    "GEO": single.read_geo,
    "GRAMGENDER": single.read_gender,
    "PRONOUNS": single.read_gender,
    "JSPROP": single.read_jsprop,
    "X-JSPROP": single.read_jsprop,
    **dict.fromkeys(PHONETIC_KINDS, names.read_phonetic),
    **dict.fromkeys(SERVICES, entries.read_service),
    **dict.fromkeys(LINKS, entries.read_link),
    **dict.fromkeys(ANNIVERSARIES, entries.read_anniversary),
    **dict.fromkeys(RELATION_PROPERTIES, entries.read_related),
    **dict.fromkeys(MEDIA, media.read_media),
    **dict.fromkeys(PERSONAL, entries.read_personal),
}
_FREE: Final = frozenset(("VERSION", "REV", "BEGIN", "END"))
_UNSTABLE: Final = frozenset((*_FREE, "PRODID", "UID", "PHOTO", "LOGO", "SOUND"))
LABEL: Final = "X-ABLABEL"
_ONCE: Final = frozenset(("FN", "N", "BDAY", "ANNIVERSARY", "DEATHDATE"))


def card_version(lines: list[Line | None]) -> str:
    """The version that the card states, or the one that its lines look like."""
    for line in lines:
        if line is not None and line.head.name == "VERSION":
            stated = line.value.strip()
            return stated if stated in VERSIONS else V30 if stated != "4" else VERSIONS[2]
    for line in lines:
        if line is not None and (line.head.encoding == "Q" or "BASE64" in line.head.text.upper()):
            return V21
    return V30


def read_card(lines: list[Line | None], version: str, salt: bytes) -> tuple[Card, list[str | None]]:
    """The card of these lines (None: no content line) and, for each line, the register that owns it, or None."""
    uid, labels, alternatives = "", False, False
    for line in lines:
        if line is not None:
            if line.head.name == "UID":
                uid = uid or _uid(line)
            elif line.head.name == LABEL:
                labels = True
            if line.head.altid:
                alternatives = True
    if not uid:
        uid = derive_uid(salt, [_normal(line) for line in lines if line and line.head.name not in _UNSTABLE])
    card = Card(version, uid, salt, IdMaker(salt, uid))
    if labels:
        _find_labels(card, lines)
    owners: list[str | None] = []
    grouped: dict[str, str] = {}
    own = own_lines(lines) if alternatives else {}
    later: list[int] = []
    for index, line in enumerate(lines):
        if line is None or line.head.name == LABEL:
            owners.append(None)
            continue
        if alternatives and line.head.altid and own[line.head.name, line.head.altid] != index:
            later.append(index)
            owners.append(None)
            continue
        owner = _read_line(card, line)
        owners.append(owner)
        if labels and line.head.group:
            _claim_label(card, line.head.group.lower(), owner, grouped)
    for index in later:
        line = lines[index]
        if line is not None:
            main = owners[own[line.head.name, line.head.altid]]
            owner = read_alternative(card, line, main) or _read_line(card, line, kept=True)
            owners[index] = owner
            if labels and line.head.group:
                _claim_label(card, line.head.group.lower(), owner, grouped)
    if labels:
        _own_labels(card, lines, owners, grouped)
    names.finish_name(card)
    card.registers.setdefault("uid", uid)
    return card, owners


def _read_line(card: Card, line: Line, *, kept: bool = False) -> str | None:
    """The register that owns a line; with ``kept`` a property that the card has already, which is kept whole if it
    can be there only once."""
    if line.head.name in _FREE:
        return None
    handler = None if kept and line.head.name in _ONCE else HANDLERS.get(line.head.name)
    owner = handler(card, line) if handler is not None else None
    if owner is None:
        if line.head.group:
            card.labelled.pop(line.head.group.lower(), None)
        owner = card.keep(line)
    return owner


def _uid(line: Line) -> str:
    """The UID verbatim: it is compared, never read, so not even a backslash is undone."""
    head, value = line.head, line.value
    text = decode(unquote_printable(value), head.charset) if head.encoding == "Q" else clean(value)
    return plain(text).replace("\n", " ").strip()


def _normal(line: Line) -> str:
    return f"{line.head.name}:{clean(line.value).strip()}"


def _find_labels(card: Card, lines: list[Line | None]) -> None:
    for line in lines:
        if line is not None and line.head.group and line.head.name == LABEL:
            text = card.text(line)
            if text:
                card.labels.setdefault(line.head.group.lower(), text)


def _claim_label(card: Card, group: str, owner: str | None, grouped: dict[str, str]) -> None:
    """Note whose label the group's is, if reading the line has just taken it."""
    if owner and card.labelled.get(group) == "":
        card.labelled[group] = grouped[group] = owner


def _own_labels(
    card: Card, lines: list[Line | None], owners: list[str | None], grouped: dict[str, str]
) -> None:
    """Give each label line to the entry that took its text; a label that nobody took is kept as it is."""
    for index, line in enumerate(lines):
        if line is not None and line.head.name == LABEL:
            owner = grouped.pop(line.head.group.lower(), None)
            owners[index] = owner or card.keep(line)
