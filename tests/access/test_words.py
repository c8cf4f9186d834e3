"""words.py: against the `mnemonic` package; a wrong word is named by its place and by nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mnemonic import Mnemonic

from e2esync.access.words import (
    entropy_to_words,
    is_word,
    parse_words,
    similar_words,
    word_list,
    words_of,
    words_to_entropy,
)
from e2esync.errors import BadCode

BIP39 = Mnemonic("english")
WORDS = BIP39.to_mnemonic(bytes(range(32))).split()


@settings(max_examples=60, derandomize=True)
@given(st.binary(min_size=32, max_size=32))
def test_24_words_are_bip_39s(entropy: bytes) -> None:
    words = entropy_to_words(entropy)
    assert words == BIP39.to_mnemonic(entropy).split()
    assert words_to_entropy(" ".join(words)) == entropy


@settings(max_examples=60, derandomize=True)
@given(st.binary(min_size=9, max_size=32), st.integers(0, 6))
def test_words_are_eleven_bits_from_the_front(bits: bytes, count: int) -> None:
    binary = "".join(f"{byte:08b}" for byte in bits)
    expected = [word_list()[int(binary[11 * n : 11 * n + 11], 2)] for n in range(count)]
    assert words_of(bits, count) == expected


def test_words_need_their_bits() -> None:
    assert words_of(b"\xff\xe0", 1) == ["zoo"]
    for bits, count in ((b"\xff", 1), (b"", 1), (bytes(4), 3), (b"", -1)):
        with pytest.raises(ValueError):
            words_of(bits, count)
    with pytest.raises(ValueError):
        entropy_to_words(bytes(16))


@pytest.mark.parametrize("text", [
    " ".join(WORDS).upper(), "\n".join(WORDS), "  ".join(WORDS) + "\r\n", "\t" + " ".join(WORDS).title(),
])
def test_case_and_spacing_do_not_matter(text: str) -> None:
    assert words_to_entropy(text) == bytes(range(32))


@pytest.mark.parametrize("position", range(1, 25))
def test_a_wrong_word_is_named_by_its_position(position: int) -> None:
    words = [*WORDS[: position - 1], "mistyped", *WORDS[position:]]
    with pytest.raises(BadCode, match=f"word {position} of 24") as caught:
        words_to_entropy(" ".join(words))
    assert "mistyped" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("position", range(24))
def test_a_replaced_word_breaks_the_checksum_or_gives_another_kit(position: int) -> None:
    refused = 0
    for word in word_list()[::64]:
        words = [*WORDS[:position], word, *WORDS[position + 1 :]]
        # One word in 256 fits the checksum by chance, and spells another kit.
        if BIP39.check(" ".join(words)):
            assert (words_to_entropy(" ".join(words)) == bytes(range(32))) == (words == WORDS)
            continue
        with pytest.raises(BadCode, match="checksum"):
            words_to_entropy(" ".join(words))
        refused += 1
    assert refused >= 28


@pytest.mark.parametrize("count", [0, 1, 12, 23, 25, 48])
def test_another_count_is_refused(count: int) -> None:
    with pytest.raises(BadCode, match=f"{count} words where there must be 24"):
        words_to_entropy(" ".join((WORDS * 2)[:count]))


def test_parse_words() -> None:
    assert parse_words(" ZOO  abandon\nzoo ", 3) == ["zoo", "abandon", "zoo"]
    with pytest.raises(BadCode, match="word 2 of 3"):
        parse_words("zoo abandoned zoo", 3)


@settings(max_examples=60, derandomize=True)
@given(st.text(max_size=60) | st.lists(st.sampled_from(["zoo", "abandon", "ı", "zoo."]), max_size=25).map(" ".join))
def test_any_text_gives_our_error(text: str) -> None:
    with pytest.raises(BadCode):
        words_to_entropy(text)


def test_the_list_is_read_on_first_use_only() -> None:
    program = "import sys, e2esync.access.kit, e2esync.access.pairing; sys.exit('mnemonic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_similar_words() -> None:
    assert similar_words("abandom")[0] == "abandon"
    assert "elephant" in similar_words("elefant")
    assert "absorb" in similar_words("abso")
    assert similar_words("qqqqq") == []
    assert is_word("zoo")
    assert not is_word("Zoo")
