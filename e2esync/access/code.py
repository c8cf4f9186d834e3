"""The code of a pairing or an invitation (SPEC 12.1): where the mailbox is and the secret of what is said in it.

    [relay URL ‖ "#" ‖] base32(mailbox id (8) ‖ secret (16) ‖ check (2))         seven groups of six, joined by "-"

Invariants: a code has one spelling but for case and Crockford's look-alikes; everything else is refused here, before
the network is used. Scheme and host of a URL mean the same in either case, so a code is written in upper case and can
be read aloud; a URL whose path has lower-case letters is left as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from e2esync.crypto import Entropy, Label, Secret, blake2b, equal
from e2esync.errors import BadCode
from e2esync.limits import MAILBOX_ID, PAIRING_CODE_MAX, PAIRING_SECRET

_CHECK: Final = 2
_BITS: Final = 8 * (MAILBOX_ID + PAIRING_SECRET + _CHECK)
_DIGITS: Final = -(-_BITS // 5)
_SPARE_BITS: Final = 5 * _DIGITS - _BITS
_GROUP: Final = 6
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES: Final = {digit: value for value, digit in enumerate(_ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/?#@]+)([/?][^#]*)?", re.ASCII)


class Purpose(IntEnum):
    """What a code is for: a device of one's own, or another person."""

    PAIRING = 0
    INVITATION = 1


@dataclass(frozen=True, slots=True, eq=False)
class PairingCode:
    """What the joining device needs: the relay's URL (or None), the mailbox (8 bytes), the secret (16 bytes)."""

    relay_url: str | None
    mailbox_id: bytes = field(repr=False)
    secret: Secret
    purpose: Purpose = Purpose.PAIRING

    def __post_init__(self) -> None:
        """Raises BadCode for a URL that no code can carry."""
        if len(self.mailbox_id) != MAILBOX_ID or len(self.secret) != PAIRING_SECRET:
            raise BadCode("a pairing code's mailbox or secret has the wrong length")
        if self.relay_url is not None:
            object.__setattr__(self, "relay_url", _canonical_url(self.relay_url))
            room = PAIRING_CODE_MAX - len(self._digits()) - 1
            if len(self.relay_url) > room:
                raise BadCode(f"the relay's URL is longer than the {room} characters that a pairing code has for it",
                              "pair without the URL in the code and give it on the other device with --relay")

    @classmethod
    def generate(cls, relay_url: str | None, entropy: Entropy, purpose: Purpose = Purpose.PAIRING) -> PairingCode:
        """A fresh code from the draws `mailbox id` and `pairing secret`."""
        mailbox_id = entropy.draw("mailbox id", MAILBOX_ID)
        return cls(relay_url, mailbox_id, Secret(entropy.draw("pairing secret", PAIRING_SECRET)), purpose)

    def text(self) -> str:
        """The code as people see it, at most 120 characters. It holds the secret: show it to the owner only."""
        if self.relay_url is None:
            return self._digits()
        return f"{_shown_url(self.relay_url)}#{self._digits()}"

    def _digits(self) -> str:
        secret = self.secret.reveal()
        digits = _to_base32(self.mailbox_id + secret + _check(self.mailbox_id, secret, self.purpose))
        return "-".join(digits[start : start + _GROUP] for start in range(0, _DIGITS, _GROUP))


def parse_code(text: str) -> PairingCode:
    """The code that `text` spells (SPEC 12.1). Raises BadCode for everything that is not one, without any I/O."""
    if len(text) > PAIRING_CODE_MAX:
        raise BadCode(f"{len(text)} characters are more than the {PAIRING_CODE_MAX} of the longest pairing code")
    url, separator, digits = text.rpartition("#")
    raw = _from_base32(_ungrouped(digits))
    mailbox_id, secret = raw[:MAILBOX_ID], raw[MAILBOX_ID : MAILBOX_ID + PAIRING_SECRET]
    for purpose in Purpose:
        if equal(raw[MAILBOX_ID + PAIRING_SECRET :], _check(mailbox_id, secret, purpose)):
            return PairingCode(url if separator else None, mailbox_id, Secret(secret), purpose)
    raise BadCode("the code was mistyped: its check digits do not fit")


def _check(mailbox_id: bytes, secret: bytes, purpose: Purpose) -> bytes:
    # Other check digits, so that `join` can tell an invitation, and `accept` a pairing, before the network is used.
    mark = b"" if purpose is Purpose.PAIRING else bytes([purpose])
    return blake2b(Label.CODE_CHECK, mailbox_id, secret, mark)[:_CHECK]


def _canonical_url(url: str) -> str:
    """`url` with scheme and host in lower case. Raises BadCode for what is not `scheme://host…` in visible ASCII."""
    parts = _URL.fullmatch(url)
    if parts is None or not all("!" <= character <= "~" for character in url):
        raise BadCode("the part before # is not a relay's URL", "it looks like wss://relay.example")
    return parts[1].lower() + (parts[2] or "")


def _shown_url(url: str) -> str:
    # Only a URL that comes back from upper case unchanged may be shown in it: a path has a case of its own.
    upper = url.upper()
    return upper if _canonical_url(upper) == url else url


def _ungrouped(digits: str) -> str:
    groups = digits.split("-")
    if len(groups) * _GROUP != _DIGITS or any(len(group) != _GROUP for group in groups):
        raise BadCode("a pairing code ends in seven groups of six characters joined by -")
    return "".join(groups)


def _to_base32(raw: bytes) -> str:
    number = int.from_bytes(raw, "big") << _SPARE_BITS
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_DIGITS)))


def _from_base32(digits: str) -> bytes:
    number = 0
    for position, digit in enumerate(digits, start=1):
        # ASCII first: upper() maps other letters, such as a dotless i, onto digits of the alphabet.
        value = _VALUES.get(digit.upper()) if digit.isascii() else None
        if value is None:
            raise BadCode(f"character {position} of the pairing code is none that a code has")
        number = number << 5 | value
    if number & ((1 << _SPARE_BITS) - 1):
        raise BadCode("the last character of the pairing code is none that a code ends in")
    return (number >> _SPARE_BITS).to_bytes(_BITS // 8, "big")
