"""code.py (SPEC 12.1): one spelling but for case and look-alikes; all else refused before the network is used."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.access.code import PairingCode, parse_code
from e2esync.crypto import Secret
from e2esync.errors import BadCode
from tests.helpers.entropy import FastEntropy

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GOOD = PairingCode(None, bytes(range(8)), Secret(bytes(range(100, 116))))
HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{2,8})?(:[0-9]{1,5})?", fullmatch=True)
PATHS = st.from_regex(r"(/[A-Za-z0-9._~%-]{0,10}){0,2}", fullmatch=True)


def parts(code: PairingCode) -> tuple[str | None, bytes, bytes]:
    return code.relay_url, code.mailbox_id, code.secret.reveal()


def reference_base32(raw: bytes) -> str:
    bits = "".join(f"{byte:08b}" for byte in raw).ljust(210, "0")
    return "".join(ALPHABET[int(bits[place : place + 5], 2)] for place in range(0, 210, 5))


@settings(max_examples=80, derandomize=True)
@given(st.none() | st.tuples(st.sampled_from(["ws", "wss", "tcp", "tls"]), HOSTS, PATHS),
       st.binary(min_size=8, max_size=8), st.binary(min_size=16, max_size=16))
def test_comes_back(url: tuple[str, str, str] | None, mailbox_id: bytes, secret: bytes) -> None:
    text = None if url is None else f"{url[0]}://{url[1]}{url[2]}"
    code = PairingCode(text, mailbox_id, Secret(secret))
    assert parts(parse_code(code.text())) == (text, mailbox_id, secret)
    assert len(code.text()) <= 120


@settings(max_examples=60, derandomize=True)
@given(st.binary(min_size=8, max_size=8), st.binary(min_size=16, max_size=16))
def test_is_crockfords_base_32_in_groups_of_six(mailbox_id: bytes, secret: bytes) -> None:
    import hashlib

    check = hashlib.blake2b(mailbox_id + secret, digest_size=32, person=b"e2e code check".ljust(16, b"\0")).digest()[:2]
    text = PairingCode(None, mailbox_id, Secret(secret)).text()
    assert [len(group) for group in text.split("-")] == [6] * 7
    assert text.replace("-", "") == reference_base32(mailbox_id + secret + check)


class TestUrl:
    @pytest.mark.parametrize(("url", "shown"), [
        ("wss://relay.example", "WSS://RELAY.EXAMPLE"),
        ("WSS://Relay.Example:8443", "WSS://RELAY.EXAMPLE:8443"),
        ("ws://127.0.0.1:8765", "WS://127.0.0.1:8765"),
        ("ws://[2001:db8::1]:8765/", "WS://[2001:DB8::1]:8765/"),
        ("wss://relay.example/BOOKS", "WSS://RELAY.EXAMPLE/BOOKS"),
        ("wss://relay.example/books", "wss://relay.example/books"),
        ("wss://Relay.example/Books?a=B", "wss://relay.example/Books?a=B"),
    ])
    def test_is_in_upper_case_unless_its_path_has_a_case(self, url: str, shown: str) -> None:
        code = PairingCode(url, GOOD.mailbox_id, GOOD.secret)
        assert code.text() == f"{shown}#{GOOD.text()}"
        scheme_and_host, slash, path = url.partition("://")[2].partition("/")
        back = parse_code(code.text()).relay_url
        assert back == f"{url.partition('://')[0].lower()}://{scheme_and_host.lower()}{slash}{path}"

    def test_survives_a_code_that_was_put_into_lower_case(self) -> None:
        code = PairingCode("wss://relay.example:1", GOOD.mailbox_id, GOOD.secret)
        assert parts(parse_code(code.text().lower())) == parts(code)

    def test_has_room_for_71_characters(self) -> None:
        longest = "wss://" + "r" * 65
        assert len(PairingCode(longest, GOOD.mailbox_id, GOOD.secret).text()) == 120
        with pytest.raises(BadCode, match="71") as caught:
            PairingCode(longest + "r", GOOD.mailbox_id, GOOD.secret)
        assert "--relay" in caught.value.hint

    @pytest.mark.parametrize("url", [
        "", "relay.example", "://relay", "wss://", "wss:///path", "wss://?q", "1ws://relay", "wss//relay", "wss:relay",
        "wss://me@relay.example", "wss://me:pass@relay.example", "wss://relay#x", "wss://re lay", "wss://relay\n",
        "wss://relay/\x7f", "wss://relaÿ", "wss://relay/ü", "wss://relay/\x00",
    ])
    def test_refuses_what_is_none(self, url: str) -> None:
        with pytest.raises(BadCode):
            PairingCode(url, GOOD.mailbox_id, GOOD.secret)
        with pytest.raises(BadCode):
            parse_code(f"{url}#{GOOD.text()}")


class TestParse:
    def test_takes_lower_case_and_look_alikes(self) -> None:
        plain = PairingCode(None, bytes(8), Secret(b"\x08\x42" * 8))
        text = plain.text()
        assert "0" in text
        assert "1" in text
        for spelled in (text.lower(), text.replace("0", "O"), text.replace("0", "o"), text.replace("1", "I"),
                        text.replace("1", "l"), text.replace("1", "L"), text.replace("1", "i")):
            assert parts(parse_code(spelled)) == parts(plain)

    def test_any_other_digit_in_any_place_is_found(self) -> None:
        text = GOOD.text()
        for place in (place for place in range(len(text)) if text[place] != "-"):
            for digit in ALPHABET.replace(text[place], ""):
                with pytest.raises(BadCode):
                    parse_code(text[:place] + digit + text[place + 1 :])

    @pytest.mark.parametrize("character", [
        "U", "u", " ", "_", "=", "\u0663", "\u0131", "\uff21", "\u017f", "\u212a", "\u2013", "\0", "\n", "é",
    ])
    def test_other_characters(self, character: str) -> None:
        text = GOOD.text()
        for place in range(len(text)):
            with pytest.raises(BadCode):
                parse_code(text[:place] + character + text[place + 1 :])

    @pytest.mark.parametrize("text", [
        "", "-", "#", "-" * 6, GOOD.text() + "-", "-" + GOOD.text(), GOOD.text() + " ", " " + GOOD.text(),
        GOOD.text() + "\n", GOOD.text().replace("-", ""), GOOD.text().replace("-", " "), GOOD.text().replace("-", "--"),
        GOOD.text()[:5] + "-" + GOOD.text()[5] + GOOD.text()[7:], GOOD.text()[:-1], GOOD.text() + "0",
        GOOD.text()[7:], "#" + GOOD.text(), GOOD.text() + "#",
        GOOD.text() + "#" + GOOD.text(), "wss://a#b#" + GOOD.text(), "x" * 121, "0" * 10_000,
    ])
    def test_other_shapes(self, text: str) -> None:
        with pytest.raises(BadCode):
            parse_code(text)

    def test_a_long_text_is_not_even_looked_at(self) -> None:
        with pytest.raises(BadCode, match="121 characters"):
            parse_code("#" * 121)

    def test_spare_bits_are_zero(self) -> None:
        text = GOOD.text()
        last = ALPHABET.index(text[-1])
        assert last % 4 == 0
        for more in (1, 2, 3):
            with pytest.raises(BadCode, match="last character"):
                parse_code(text[:-1] + ALPHABET[last + more])

    @settings(max_examples=100, derandomize=True)
    @given(st.text(max_size=130) | st.text(ALPHABET + "-#", max_size=60))
    def test_any_text_gives_our_error(self, text: str) -> None:
        with pytest.raises(BadCode):
            parse_code(text)


class TestSecrecy:
    def test_neither_repr_nor_errors_show_the_secret(self) -> None:
        assert GOOD.text() not in repr(GOOD)
        assert GOOD.secret.reveal().hex() not in repr(GOOD)
        wrong = GOOD.text()[:-7] + "-000000"
        with pytest.raises(BadCode) as caught:
            parse_code(wrong)
        assert wrong[7:20] not in str(caught.value) + caught.value.hint

    def test_lengths_are_checked(self) -> None:
        for mailbox_id, secret in ((bytes(7), bytes(16)), (bytes(8), bytes(15)), (b"", b"")):
            with pytest.raises(BadCode):
                PairingCode(None, mailbox_id, Secret(secret))


def test_generates_from_its_two_draws() -> None:
    entropy = FastEntropy("code")
    code = PairingCode.generate("wss://relay.example", entropy)
    assert [(name, len(drawn)) for name, drawn in entropy.draws] == [("mailbox id", 8), ("pairing secret", 16)]
    assert (code.mailbox_id, code.secret.reveal()) == (entropy.draws[0][1], entropy.draws[1][1])
