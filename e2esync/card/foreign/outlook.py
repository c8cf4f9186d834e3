"""CSV of Outlook, in English, German or French, and of Thunderbird, whose columns mean the same.

Invariants: columns are compared without case and spaces around them; one that is not known is kept under its own name.
"""

from __future__ import annotations

from typing import Final

from ...errors import BadCard
from ..vcard import VCardFile
from .csvtext import delimiter_of, parse_csv, unguard
from .record import Record, Records, file_text, read_date

_NAMES: Final = ("last name", "first name", "middle name", "title", "suffix")
_PHONES: Final = {
    "primary phone": "* ", "home phone": "home", "home phone 2": "home", "business phone": "work",
    "business phone 2": "work", "mobile phone": "mobile", "pager": "pager", "home fax": "home fax",
    "business fax": "work fax", "company main phone": "Main", "assistant's phone": "Assistant", "car phone": "Car",
    "other phone": "Other", "other fax": "Other fax", "callback": "Callback", "isdn": "ISDN", "radio phone": "Radio",
    "telex": "Telex", "tty/tdd phone": "TTY",
}
_MAILS: Final = ("e-mail address", "e-mail 2 address", "e-mail 3 address")
_ADDRESSES: Final = {"home": "home", "business": "work", "other": "Other"}
_STREETS: Final = ("street", "street 2", "street 3")
_RELATIONS: Final = {"spouse": "Spouse", "children": "Child", "manager's name": "Manager",
                     "assistant's name": "Assistant"}
_IGNORED: Final = frozenset(("priority", "sensitivity", "private", "mileage"))
"""Columns that Outlook fills for everybody."""
_DEFAULTS: Final = frozenset(("", "normal", "false", "unspecified", "0"))

_ALIASES: Final = {
    # Thunderbird
    "display name": "full name", "primary email": "e-mail address", "secondary email": "e-mail 2 address",
    "work phone": "business phone", "fax number": "business fax", "pager number": "pager",
    "mobile number": "mobile phone", "home address": "home street", "home address 2": "home street 2",
    "home zipcode": "home postal code", "work address": "business street", "work address 2": "business street 2",
    "work city": "business city", "work state": "business state", "work zipcode": "business postal code",
    "work country": "business country", "organization": "company", "web page 1": "web page",
    "email address": "e-mail address", "email": "e-mail address", "e-mail": "e-mail address", "name": "full name",
    "phone": "primary phone", "home country/region": "home country", "business country/region": "business country",
    "other country/region": "other country", "web page 2": "personal web page",
    # German
    "vorname": "first name", "nachname": "last name", "weitere vornamen": "middle name", "anrede": "title",
    "firma": "company", "abteilung": "department", "position": "job title", "notizen": "notes",
    "geburtstag": "birthday", "jahrestag": "anniversary", "kategorien": "categories", "webseite": "web page",
    "e-mail-adresse": "e-mail address", "e-mail 2: adresse": "e-mail 2 address",
    "e-mail 3: adresse": "e-mail 3 address",
    "telefon (privat)": "home phone", "telefon (privat 2)": "home phone 2", "telefon geschäftlich": "business phone",
    "telefon geschäftlich 2": "business phone 2", "mobiltelefon": "mobile phone", "fax geschäftlich": "business fax",
    "fax privat": "home fax", "haupttelefon": "primary phone", "weiteres telefon": "other phone",
    "straße geschäftlich": "business street", "ort geschäftlich": "business city",
    "region geschäftlich": "business state", "postleitzahl geschäftlich": "business postal code",
    "land/region geschäftlich": "business country", "straße privat": "home street", "ort privat": "home city",
    "bundesland/kanton privat": "home state", "postleitzahl privat": "home postal code",
    "land/region privat": "home country", "partner": "spouse", "kinder": "children", "spitzname": "nickname",
    # French
    "prénom": "first name", "nom": "last name", "deuxième prénom": "middle name", "suffixe": "suffix",
    "société": "company", "service": "department", "anniversaire": "birthday", "catégories": "categories",
    "page web": "web page", "adresse de messagerie": "e-mail address", "adresse de messagerie 2": "e-mail 2 address",
    "adresse de messagerie 3": "e-mail 3 address", "téléphone (bureau)": "business phone",
    "téléphone (domicile)": "home phone", "tél. mobile": "mobile phone", "télécopie (bureau)": "business fax",
    "rue (bureau)": "business street", "ville (bureau)": "business city", "code postal (bureau)":
    "business postal code", "pays/région (bureau)": "business country", "rue (domicile)": "home street",
    "ville (domicile)": "home city", "code postal (domicile)": "home postal code",
    "pays/région (domicile)": "home country", "conjoint(e)": "spouse", "enfants": "children", "surnom": "nickname",
}
KNOWN: Final = frozenset((
    *_NAMES, *_PHONES, *_MAILS, *_RELATIONS, *_ALIASES, "company", "department", "job title", "notes", "birthday",
    "anniversary", "categories", "web page", "full name", "nickname", "home street", "business street",
))
"""Columns by which a CSV is known to be one of contacts."""


def read_outlook(data: bytes, *, salt: bytes) -> VCardFile:
    """The cards of an Outlook or Thunderbird CSV. ``salt`` is the set id. Raises BadCard for another CSV."""
    text = file_text(data)
    rows = parse_csv(text, delimiter_of(text))
    records = Records(salt)
    names = [name.strip() for name in rows[0].fields] if rows else []
    if rows and not {column_key(name) for name in names} & KNOWN:
        raise BadCard("the first line names no column of an Outlook or Thunderbird CSV",
                      "leave --from away, or say what it is")
    for row in rows[1:]:
        if not row.whole or len([field for field in row.fields if field]) > len(names):
            records.refuse(row.raw, row.line, "this line of the CSV has a quote that is never closed, or more fields "
                                              "than the first line")
            continue
        fields: dict[str, tuple[str, str]] = {}
        for name, value in zip(names, row.fields, strict=False):
            key = column_key(name)
            if value.strip() and key not in fields:
                fields[key] = (name, unguard(value))
        if fields:
            records.take(_record(fields), row.raw, row.line)
    return records.result()


def column_key(name: str) -> str:
    """A column by the word that this module knows it by."""
    key = name.strip().lower()
    return _ALIASES.get(key, key)


def _record(fields: dict[str, tuple[str, str]]) -> Record:
    record = Record()

    def take(key: str) -> str:
        return fields.pop(key, ("", ""))[1]

    record.text("FN", take("full name"))
    record.parts("N", [take(name) for name in _NAMES])
    record.text("NICKNAME", take("nickname"))
    record.organization(take("company"), take("department"))
    record.text("TITLE", take("job title"))
    for name in _MAILS:
        record.text("EMAIL", take(name).strip())
    for name, label in _PHONES.items():
        record.text("TEL", take(name).strip(), label)
    for name, label in _ADDRESSES.items():
        _address(record, fields, name, label)
    record.uri("URL", take("web page"))
    record.uri("URL", take("personal web page"), "home")
    record.text("BDAY", read_date(take("birthday")) or _date_in_columns(fields))
    record.text("X-ANNIVERSARY", read_date(take("anniversary")))
    for name, label in _RELATIONS.items():
        record.text("X-ABRELATEDNAMES", take(name), label)
    record.text("NOTE", take("notes"))
    categories = take("categories")
    parts = categories.split(";" if ";" in categories else ",")
    record.parts("CATEGORIES", [[name.strip() for name in parts if name.strip()]])
    for key, (name, value) in fields.items():
        if key not in _IGNORED and not (key == "gender" and value.strip().lower() in _DEFAULTS):
            record.custom(name, value)
    return record


def _address(record: Record, fields: dict[str, tuple[str, str]], kind: str, label: str) -> None:
    def take(name: str) -> str:
        return fields.pop(f"{kind} {name}", ("", ""))[1]

    streets = [street for name in _STREETS if (street := take(name))]
    parts = [take("address po box"), "", streets, take("city"), take("state"), take("postal code"), take("country")]
    record.parts("ADR", parts, label)


def _date_in_columns(fields: dict[str, tuple[str, str]]) -> str:
    """A birthday in three columns, as Thunderbird has it."""
    year, month, day = (fields.pop(f"birth {name}", ("", ""))[1].strip() for name in ("year", "month", "day"))
    if not (month.isdigit() and day.isdigit()):
        return "-".join(filter(None, (year, month, day)))
    return f"{year.zfill(4) if year.isdigit() else '-'}-{month.zfill(2)}-{day.zfill(2)}"
