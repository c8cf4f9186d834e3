"""kit.py (SPEC 12.4): keys by number, words and back, and a file that people can print, copy and comment."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.access.kit import RecoveryKit, parse_kit_file, render_kit_file, short_set_id
from e2esync.crypto import Label, Secret, verify
from e2esync.crypto.sealing import check_seal_public, open_box, seal_to
from e2esync.errors import BadCode
from tests.helpers.entropy import FastEntropy

SEED = bytes(range(32))
KIT = RecoveryKit(Secret(SEED))
SET = bytes(range(50, 82))
FILE = render_kit_file(KIT, "wss://relay.example", SET, b"\x4e" * 32)


def derived(person: bytes, message: bytes, size: int) -> bytes:
    return hashlib.blake2b(message, digest_size=size, key=SEED, person=person.ljust(16, b"\0")).digest()


@pytest.mark.parametrize("number", [0, 1, 15, 256, 2**32 - 1])
def test_keys_are_derived_as_spec_says(number: int) -> None:
    u32 = number.to_bytes(4, "big")
    assert KIT.signing_key(number).seed.reveal() == derived(b"e2e kit sign", u32, 32)
    sealing = derived(b"e2e kit seal", u32 + b"\0", 64) + derived(b"e2e kit seal", u32 + b"\1", 32)
    assert KIT.sealing_key(number).secret.reveal() == sealing


def test_keys_work() -> None:
    signature = KIT.signing_key(3).sign(Label.SIGN_RECORD, SET, b"m")
    restored = RecoveryKit.from_words(" ".join(KIT.words()))
    verify(Label.SIGN_RECORD, SET, b"m", signature, restored.signing_key(3).verify_key)
    key = KIT.sealing_key(3)
    check_seal_public(key.public)
    assert open_box(key, b"", seal_to(key.public, b"", Secret(SEED), FastEntropy("x"))).reveal() == SEED


def test_numbers_share_nothing() -> None:
    seeds = {KIT.signing_key(number).seed.reveal() for number in range(16)}
    whole = [KIT.sealing_key(number).secret.reveal() for number in range(16)]
    secrets = {secret[start : start + 32] for secret in whole for start in (0, 32, 64)}
    assert len(seeds | secrets) == 64


@pytest.mark.parametrize("number", [-1, 2**32])
def test_numbers_have_32_bits(number: int) -> None:
    with pytest.raises(OverflowError):
        KIT.signing_key(number)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_seeds_have_32_bytes(length: int) -> None:
    with pytest.raises(BadCode):
        RecoveryKit(Secret(bytes(length)))


def test_generates_from_its_draw() -> None:
    entropy = FastEntropy("kit")
    kit = RecoveryKit.generate(entropy)
    assert entropy.draws == [("kit seed", kit.seed.reveal())]


def test_repr_hides() -> None:
    assert SEED.hex()[:8] not in repr(KIT)
    assert KIT.words()[1] not in repr(parse_kit_file(FILE))


class TestFile:
    @settings(max_examples=20, derandomize=True)
    @given(st.binary(min_size=32, max_size=32), st.none() | st.binary(min_size=32, max_size=32))
    def test_comes_back(self, seed: bytes, relay_key: bytes | None) -> None:
        url = "ws://a.example:1/b"
        parsed = parse_kit_file(render_kit_file(RecoveryKit(Secret(seed)), url, SET, relay_key))
        assert parsed.kit.seed.reveal() == seed
        assert (parsed.relay_url, parsed.relay_key, parsed.set_short) == (url, relay_key, SET[:8].hex())

    def test_says_what_it_is_and_fits_a_page(self) -> None:
        lines = FILE.splitlines()
        assert lines[0] == "# e2esync recovery kit"
        assert max(map(len, lines)) <= 92
        assert len(lines) < 40
        assert f"set: {short_set_id(SET)}" in lines
        assert [line.split()[0] for line in lines[-6:]] == ["1", "5", "9", "13", "17", "21"]

    @pytest.mark.parametrize("change", [
        str.upper, lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text,
        lambda text: "# mine\n\n" + text + "\n# end\n", lambda text: text.replace("    ", "\t"),
        lambda text: text.replace("words:", "words: "), lambda text: text.replace(": ", " :  "),
        lambda text: "\n".join(f"  {line}" for line in text.splitlines()),
    ])
    def test_survives_editors(self, change: Callable[[str], str]) -> None:
        parsed = parse_kit_file(change(FILE))
        assert parsed.kit.seed.reveal() == SEED
        assert parsed.relay_key == b"\x4e" * 32

    @pytest.mark.parametrize("text", [
        " ".join(KIT.words()), "\n".join(KIT.words()), "words: " + " ".join(KIT.words()),
        "\n".join(f"{number}. {word}" for number, word in enumerate(KIT.words(), start=1)),
        " ".join(f"{number}) {word}" for number, word in enumerate(KIT.words(), start=1)),
    ])
    def test_the_words_alone_will_do(self, text: str) -> None:
        parsed = parse_kit_file(text)
        assert parsed.kit.seed.reveal() == SEED
        assert (parsed.relay_url, parsed.relay_key, parsed.set_short) == (None, None, None)

    @pytest.mark.parametrize(("change", "complaint"), [
        (lambda text: text[:0], "0 words"),
        (lambda text: text.replace(" 24 ", " 24 x"), "word 24"),
        (lambda text: text[: text.index(" 17 ")], "16 words"),
        (lambda text: text.replace("words:", "word:"), "25 words"),
        (lambda text: text + "relay: wss://other", "relay twice"),
        (lambda text: text.replace("relay key: 4e", "relay key: 4"), "hexadecimal"),
        (lambda text: text.replace("relay key: 4e", "relay key: "), "31 bytes"),
        (lambda text: text + "#" * 70_000, "too long"),
    ])
    def test_says_what_is_wrong(self, change: Callable[[str], str], complaint: str) -> None:
        with pytest.raises(BadCode, match=complaint):
            parse_kit_file(change(FILE))

    @settings(max_examples=60, derandomize=True)
    @given(st.text(max_size=200))
    def test_any_text_gives_our_error(self, text: str) -> None:
        with pytest.raises(BadCode):
            parse_kit_file(text)
