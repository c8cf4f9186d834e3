"""The recovery kit (SPEC 12.4): a seed on paper from which a person's recovery keys are derived by number.

Invariants: the same words give the same keys on every machine for ever; keys of different numbers and of different
kinds share nothing; the seed leaves this module only as words, and only when asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from e2esync.access.words import entropy_of, entropy_to_words, word_number, words_to_entropy
from e2esync.crypto import Entropy, Label, Secret, SigningKey, blake2b
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.record import KitHalf, sign_kit_proof
from e2esync.errors import BadCode
from e2esync.limits import KIT_HALVES, KIT_SEED, VERIFY_KEY, WORD_BITS

_FILE_MAX: Final = 64 << 10
_WORDS_PER_LINE: Final = 4
_SET_SHORT: Final = 8
# A word's number as the file prints it, and the ways in which people copy that: "1", "1.", "1)", "1:".
_WORD_NUMBER: Final = re.compile(r"[0-9]{1,2}[.):]?")
_FIELD: Final = re.compile(r"(relay|relay key|set|words)\s*:\s*(.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class RecoveryKit:
    """A seed of 32 bytes. Number 0 is the root of the person's home set; each further set uses up one number."""

    seed: Secret

    def __post_init__(self) -> None:
        """Raises BadCode unless the seed is 32 bytes: a short one would be a weak one (SPEC 12.4)."""
        if len(self.seed) != KIT_SEED:
            raise BadCode("a recovery kit has 32 bytes")

    @classmethod
    def generate(cls, entropy: Entropy) -> RecoveryKit:
        """A fresh kit from the draw `kit seed`."""
        return cls(Secret(entropy.draw("kit seed", KIT_SEED)))

    @classmethod
    def from_words(cls, text: str) -> RecoveryKit:
        """The kit of 24 words in any case and spacing. Raises BadCode that says which word is wrong."""
        return cls(Secret(words_to_entropy(text)))

    def words(self) -> list[str]:
        """The 24 words: the secret itself, to be shown to its owner only."""
        return entropy_to_words(self.seed.reveal())

    def signing_key(self, number: int) -> SigningKey:
        """Recovery signing key `number`, 0..2^32−1 (SPEC 12.4)."""
        return SigningKey(blake2b(Label.KIT_SIGNING, _u32(number), key=self.seed.reveal()))

    def sealing_key(self, number: int) -> SealingKey:
        """Recovery sealing key `number`, 0..2^32−1 (SPEC 12.4); static, unlike a device's."""
        seed = self.seed.reveal()
        first = blake2b(Label.KIT_SEALING, _u32(number), b"\0", key=seed, size=64)
        return SealingKey.from_secret(first + blake2b(Label.KIT_SEALING, _u32(number), b"\1", key=seed))

    def half(self, number: int) -> KitHalf:
        """The public halves of recovery key `number`, with the proof that this kit made them (SPEC 12.4)."""
        signing, seal_key = self.signing_key(number), self.sealing_key(number).public
        return KitHalf(signing.verify_key, seal_key, sign_kit_proof(signing, seal_key))


def key_number(kit: RecoveryKit, verify_key: bytes) -> int | None:
    """Which of the kit's first sixteen recovery keys this verify key is; None for another kit's."""
    return next((n for n in range(KIT_HALVES) if kit.signing_key(n).verify_key == verify_key), None)


def wrong_words(words: list[str], verify_key: bytes) -> list[int]:
    """The positions (from 1) of the one word, or of the two swapped ones, by which 24 words miss a kit known by a key.

    `verify_key` is that kit's recovery key 0. Empty where more than that is wrong. Of the fifty thousand kits with one
    word replaced the checksum leaves two hundred; it takes a fifth of a second.
    """
    places, number = range(len(words)), word_number(words)
    for place in places:
        shift = WORD_BITS * (len(words) - 1 - place)
        rest = number & ~(0x7FF << shift)
        if any(_is_kit(rest | word << shift, verify_key) for word in range(1 << WORD_BITS)):
            return [place + 1]
    for left in places:
        for right in places[left + 1:]:
            swapped = list(words)
            swapped[left], swapped[right] = words[right], words[left]
            if _is_kit(word_number(swapped), verify_key):
                return [left + 1, right + 1]
    return []


def _is_kit(number: int, verify_key: bytes) -> bool:
    seed = entropy_of(number)
    return seed is not None and RecoveryKit(Secret(seed)).signing_key(0).verify_key == verify_key


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


@dataclass(frozen=True, slots=True, eq=False)
class KitFile:
    """What a kit file says: the kit, and, where it says so, the relay and which set the kit was made for."""

    kit: RecoveryKit
    relay_url: str | None
    relay_key: bytes | None
    set_short: str | None


def render_kit_file(kit: RecoveryKit, relay_url: str, set_id: bytes, relay_key: bytes | None = None) -> str:
    """The text of a kit file, to be printed or kept off the devices. It holds the secret words."""
    words = kit.words()
    numbered = [f"{number:>2} {word:<9}" for number, word in enumerate(words, start=1)]
    rows = [
        "    " + "  ".join(numbered[start : start + _WORDS_PER_LINE]).rstrip()
        for start in range(0, len(numbered), _WORDS_PER_LINE)
    ]
    relay_key_lines = [] if relay_key is None else [f"relay key: {relay_key.hex()}"]
    return "\n".join([
        "# e2esync recovery kit",
        "#",
        "# These 24 words bring your address book back when every device is lost, and they shut",
        "# out a device that was stolen. Whoever has them can read the book and change who is in.",
        "# Print this page and keep it where you keep your passport. Do not store it on a device",
        "# that it is to replace, in a mail or in an online drive.",
        "# To use it you need the words, in order, and the relay's address below.",
        "",
        f"relay: {relay_url}",
        *relay_key_lines,
        f"set: {short_set_id(set_id)}",
        "",
        "words:",
        *rows,
        "",
    ])


def short_set_id(set_id: bytes) -> str:
    """The first eight bytes of a set's id in hex: enough for a person to tell two kits apart."""
    return set_id[:_SET_SHORT].hex()


def parse_kit_file(text: str) -> KitFile:
    """What `render_kit_file` wrote, or a person copied: lines with `#` are comments, a bare list of words will do.

    Raises BadCode that says what is wrong, a word by its position.
    """
    words, fields = kit_fields(text)
    kit = RecoveryKit.from_words(" ".join(words))
    return KitFile(kit, fields.get("relay") or None, _relay_key(fields.get("relay key")), fields.get("set") or None)


def kit_fields(text: str) -> tuple[list[str], dict[str, str]]:
    """(words in lower case, fields) of a kit file or of a share, as they stand there, right or wrong.

    Raises BadCode for what is too long, or says a thing twice.
    """
    if len(text) > _FILE_MAX:
        raise BadCode("the file is too long for a recovery kit", "give the file that `init` wrote")
    fields: dict[str, str] = {}
    words: list[str] = []
    for line in text.lstrip("\ufeff").splitlines():
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        field = _FIELD.fullmatch(content)
        if field is None:
            words += _words_in(content)
        elif field[1].lower() == "words":
            words += _words_in(field[2])
        elif field[1].lower() in fields:
            raise BadCode(f"the recovery kit file says {field[1].lower()} twice", "keep the one that is right")
        else:
            fields[field[1].lower()] = field[2].strip()
    return [word.lower() for word in words], fields


def _words_in(line: str) -> list[str]:
    return [token for token in line.split() if not _WORD_NUMBER.fullmatch(token)]


def _relay_key(text: str | None) -> bytes | None:
    if not text:
        return None
    try:
        key = bytes.fromhex(text)
    except ValueError as error:
        raise BadCode("the relay key of the recovery kit file is not hexadecimal") from error
    if len(key) != VERIFY_KEY:
        raise BadCode(f"the relay key of the recovery kit file has {len(key)} bytes and not {VERIFY_KEY}")
    return key
