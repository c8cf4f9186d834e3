"""A recovery kit split among several papers or people (SPEC 12.4, SLIP-39): any M of N shares give it back.

The shares are one group of SLIP-39 with an empty passphrase, 33 words each, with a checksum of their own. Fewer than M
of them say nothing about the seed. This stands above the I/O line because the library draws its own randomness; it
has no other dependency, and is imported when a kit is split or joined and never else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from e2esync.access.kit import RecoveryKit, kit_fields
from e2esync.crypto import Secret
from e2esync.errors import BadCode
from e2esync.limits import KIT_SEED

SHARES_MAX: Final = 16
"""As many as SLIP-39 can number."""
SHARE_WORDS: Final = 33
_SCHEME: Final = re.compile(r"\s*([0-9]{1,2})\s*-?\s*(?:of|/)\s*-?\s*([0-9]{1,2})\s*", re.IGNORECASE)
_REASONS: Final = (
    ("mnemonic word", "a word is not one of the SLIP-39 list"), ("checksum", "its checksum is wrong"),
    ("mnemonic length", "it has too few or too many words"), ("padding", "its padding is wrong"),
    ("insufficient", "there are too few"), ("wrong number", "there are too few"), ("empty", "there is none"),
    ("digest", "they do not belong together"), ("begin with", "they are of different splittings"),
    ("parameters", "they are of different splittings"),
)


def parse_scheme(text: str) -> tuple[int, int]:
    """(M, N) of `2-of-3`. Raises BadCode for one that is none, or that gives the kit to whoever has one share."""
    match = _SCHEME.fullmatch(text)
    needed, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 2 <= needed <= count <= SHARES_MAX:
        raise BadCode(f"{text.strip()} is no way to split a kit",
                      f"2-of-3 makes three shares of which any two are enough; at least 2, at most {SHARES_MAX}")
    return needed, count


def split_kit(kit: RecoveryKit, needed: int, count: int) -> list[list[str]]:
    """The words of `count` shares, of which any `needed` give the kit back. Every call makes other shares."""
    from shamir_mnemonic import generate_mnemonics

    (shares,) = generate_mnemonics(1, [(needed, count)], kit.seed.reveal(), b"")
    return [share.split() for share in shares]


def join_shares(shares: Sequence[str]) -> RecoveryKit:
    """The kit of enough shares, each as text. Raises BadCode that says which share is wrong, or what is missing."""
    return RecoveryKit(Secret(combine(shares, b"")))


def combine(shares: Sequence[str], passphrase: bytes) -> bytes:
    """The 32 bytes that SLIP-39 shares hold; e2esync's own have no passphrase."""
    from shamir_mnemonic import MnemonicError, Share, combine_mnemonics

    parsed: dict[str, Share] = {}
    for number, share in enumerate(shares, start=1):
        # A share that was given twice is one share.
        words = " ".join(kit_fields(share)[0])
        try:
            parsed[words] = Share.from_mnemonic(words)
        except (MnemonicError, ValueError) as error:
            raise BadCode(f"share {number} is not right: {_reason(error)}") from None
    kept = list(parsed)
    if kept and parsed[kept[0]].group_count == 1:
        # The library takes exactly as many as are needed; a person may have found them all.
        kept = kept[: parsed[kept[0]].member_threshold]
    try:
        secret: bytes = combine_mnemonics(kept, passphrase)
    except (MnemonicError, ValueError) as error:
        raise BadCode(f"the shares do not make a kit: {_reason(error)}",
                      "give as many as the shares say that are needed, all of one splitting") from None
    if len(secret) != KIT_SEED:
        raise BadCode(f"these shares hold {len(secret)} bytes, and a recovery kit has {KIT_SEED}",
                      "they are of something else")
    return secret


def _reason(error: Exception) -> str:
    """Why SLIP-39 refuses, in words that hold no word of a share: the library quotes them."""
    text = str(error).lower()
    for mark, reason in _REASONS:
        if mark in text:
            return reason
    return "it does not follow SLIP-39"
