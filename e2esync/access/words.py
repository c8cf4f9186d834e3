"""The BIP-39 English words (SPEC 12.2, 12.4, 12.5): eleven bits each, read from the front.

Invariants: a list of words and the bits they stand for convert both ways without loss; a recovery kit's words carry
the checksum of BIP-39, so that one mistyped word is found before anything is derived from it. Messages name a wrong
word by its position only: the word itself may be a piece of a secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from e2esync.crypto import equal
from e2esync.errors import BadCode
from e2esync.limits import KIT_SEED, KIT_WORDS, WORD_BITS


@lru_cache(maxsize=1)
def word_list() -> tuple[str, ...]:
    """The 2048 words. Read from the `mnemonic` package on first use, because that opens a file."""
    from mnemonic import Mnemonic

    return tuple(Mnemonic("english").wordlist)


@lru_cache(maxsize=1)
def _positions() -> dict[str, int]:
    return {word: position for position, word in enumerate(word_list())}


def is_word(word: str) -> bool:
    """Whether a word, in lower case, is one of the list."""
    return word in _positions()


def similar_words(word: str, count: int = 3) -> list[str]:
    """Up to `count` words of the list that are spelled much like `word`: for the person who typed it, and no log."""
    from difflib import get_close_matches

    # Four letters tell any two words of the list apart, so whoever wrote only those meant that one.
    begins = [known for known in word_list() if len(word) >= 4 and known.startswith(word[:4])]
    close = get_close_matches(word, word_list(), n=count, cutoff=0.6)
    return list(dict.fromkeys((*close, *begins)))[:count]


def words_of(bits: bytes, count: int) -> list[str]:
    """The first `count` words that `bits` spells, eleven bits each; `bits` holds at least 11·count bits."""
    spare = len(bits) * 8 - WORD_BITS * count
    if count < 0 or spare < 0:
        raise ValueError("fewer bits than the words need")
    number = int.from_bytes(bits, "big") >> spare
    words = word_list()
    return [words[number >> WORD_BITS * place & 0x7FF] for place in reversed(range(count))]


def parse_words(text: str, count: int) -> list[str]:
    """The `count` words that a person typed, in any case and spacing. Raises BadCode naming the wrong one."""
    words = text.lower().split()
    if len(words) != count:
        raise BadCode(f"{len(words)} words where there must be {count}", "count the words; none may be left out")
    known = _positions()
    for position, word in enumerate(words, start=1):
        if word not in known:
            raise BadCode(f"word {position} of {count} is not one of the word list", "check how that word is spelled")
    return words


def entropy_to_words(entropy: bytes) -> list[str]:
    """The 24 words of 32 bytes, the last one ending in BIP-39's checksum: the first byte of their SHA-256."""
    if len(entropy) != KIT_SEED:
        raise ValueError("a recovery kit has 32 bytes")
    return words_of(entropy + _checksum(entropy), KIT_WORDS)


def words_to_entropy(text: str) -> bytes:
    """The 32 bytes of 24 words. Raises BadCode: a wrong count, an unknown word (by position), a wrong checksum."""
    entropy = entropy_of(word_number(parse_words(text, KIT_WORDS)))
    if entropy is None:
        raise BadCode(
            "the words are all of the list, but their checksum is wrong",
            "one word was replaced by another, or two were swapped: compare them with the original",
        )
    return entropy


def word_number(words: Sequence[str]) -> int:
    """The bits that words of the list spell, as a number."""
    known = _positions()
    number = 0
    for word in words:
        number = number << WORD_BITS | known[word]
    return number


def entropy_of(number: int) -> bytes | None:
    """The 32 bytes of a kit's 264 bits; None where their checksum is wrong."""
    spelled = number.to_bytes(KIT_SEED + 1, "big")
    entropy = spelled[:KIT_SEED]
    return entropy if equal(spelled[KIT_SEED:], _checksum(entropy)) else None


def _checksum(entropy: bytes) -> bytes:
    return hashlib.sha256(entropy).digest()[:1]
