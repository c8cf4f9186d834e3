"""client.shares: a kit split by SLIP-39, put together again, and refused with a reason where it does not fit."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.access.kit import RecoveryKit
from e2esync.client.shares import SHARE_WORDS, combine, join_shares, parse_scheme, split_kit
from e2esync.crypto import Secret
from e2esync.errors import BadCode

KIT = RecoveryKit(Secret(bytes(range(32))))

# From the test vectors of SLIP-0039, those of 256 bits; their passphrase is TREZOR.
VALID = (
    (("theory painting academic academic armed sweater year military elder discuss acne wildlife boring employer fused "
      "large satoshi bundle carbon diagnose anatomy hamster leaves tracks paces beyond phantom capital marvel lips "
      "brave detect luck",),
     "989baf9dcaad5b10ca33dfd8cc75e42477025dce88ae83e75a230086a0e00e92"),
    (("humidity disease academic always aluminum jewelry energy woman receiver strategy amuse duckling lying evidence "
      "network walnut tactics forget hairy rebound impulse brother survive clothes stadium mailman rival ocean reward "
      "venture always armed unwrap",
      "humidity disease academic agency actress jacket gross physics cylinder solution fake mortgage benefit public "
      "busy prepare sharp friar change work slow purchase ruler again tricycle involve viral wireless mixture anatomy "
      "desert cargo upgrade"),
     "c938b319067687e990e05e0da0ecce1278f75ff58d9853f19dcaeed5de104aae"),
    (("wildlife deal decision scared acne fatal snake paces obtain election dryer dominant romp tactics railroad "
      "marvel trust helpful flip peanut theory theater photo luck install entrance taxi step oven network dictate "
      "intimate listen",
      "wildlife deal beard romp alcohol space mild usual clothes union nuclear testify course research heat listen "
      "task location thank hospital slice smell failure fawn helpful priest ambition average recover lecture process "
      "dough stadium",
      "wildlife deal decision smug ancestor genuine move huge cubic strategy smell game costume extend swimming false "
      "desire fake traffic vegan senior twice timber submit leader payroll fraction apart exact forward pulse tidy "
      "install"),
     "5385577c8cfc6c1a8aa0f7f10ecde0a3318493262591e78b8c14c6686167123b"),
)
INVALID = (
    # a checksum; padding; one share of two; one group of two; 128 bits with a wrong length; not of one digest
    (("theory painting academic academic armed sweater year military elder discuss acne wildlife boring employer fused "
      "large satoshi bundle carbon diagnose anatomy hamster leaves tracks paces beyond phantom capital marvel lips "
      "brave detect lunar",), "checksum"),
    (("theory painting academic academic campus sweater year military elder discuss acne wildlife boring employer "
      "fused large satoshi bundle carbon diagnose anatomy hamster leaves tracks paces beyond phantom capital marvel "
      "lips facility obtain sister",), "padding"),
    ((VALID[1][0][0],), "too few"),
    ((VALID[2][0][1],), "too few"),
    (("junk necklace academic academic acne isolate join hesitate lunar roster dough calcium chemical ladybug amount "
      "mobile glasses verify cylinder",), "too few or too many words"),
    (("guilt walnut academic acid deliver remove equip listen vampire tactics nylon rhythm failure husband fatigue "
      "alive blind enemy teaspoon rebound",
      "guilt walnut academic agency brave hamster hobo declare herd taste alpha slim criminal mild arcade formal romp "
      "branch pink ambition"), "do not belong together"),
    (("smear husband academic acid deadline scene venture distance dive overall parking bracelet elevator justice echo "
      "burning oven chest duke nylon",
      "smear isolate academic agency alpha mandate decorate burden recover guard exercise fatal force syndrome fumes "
      "thank guest drift dramatic mule"), "different splittings"),
)


@pytest.mark.parametrize(("shares", "secret"), VALID)
def test_official_vectors(shares: tuple[str, ...], secret: str) -> None:
    assert combine(shares, b"TREZOR").hex() == secret
    assert join_shares(shares).seed.reveal().hex() != secret


@pytest.mark.parametrize(("shares", "reason"), INVALID)
def test_official_vectors_that_must_be_refused(shares: tuple[str, ...], reason: str) -> None:
    with pytest.raises(BadCode, match=reason) as caught:
        combine(shares, b"TREZOR")
    assert not any(word in str(caught.value) for word in shares[0].split()[:4])


def test_a_secret_of_another_size_is_no_kit() -> None:
    half = ("duckling enlarge academic academic agency result length solution fridge kidney coal piece deal husband "
            "erode duke ajar critical decision keyboard")
    with pytest.raises(BadCode, match="hold 16 bytes"):
        combine([half], b"TREZOR")


def test_any_two_of_three_and_all_three() -> None:
    shares = [" ".join(words) for words in split_kit(KIT, 2, 3)]
    assert {len(share.split()) for share in shares} == {SHARE_WORDS}
    for some in (*itertools.permutations(shares, 2), tuple(shares), (shares[0], shares[0], shares[2])):
        assert join_shares(some).words() == KIT.words()
    for one in shares:
        with pytest.raises(BadCode, match="too few"):
            join_shares([one, one])


def test_every_splitting_is_another() -> None:
    first, second = split_kit(KIT, 2, 2), split_kit(KIT, 2, 2)
    with pytest.raises(BadCode, match="different splittings"):
        join_shares([" ".join(first[0]), " ".join(second[1])])


def test_a_share_as_a_person_copied_it() -> None:
    first, second = split_kit(KIT, 2, 2)
    numbered = "\n".join(f"{n}. {word.upper()}" for n, word in enumerate(first, start=1))
    written = "# share 2\nrelay: wss://relay.example\nwords: " + " ".join(second) + "\n"
    assert join_shares([numbered, written]).words() == KIT.words()


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=300))
def test_anything_else_is_bad_code(text: str) -> None:
    with pytest.raises(BadCode):
        join_shares([text])


def test_nothing_is_bad_code() -> None:
    with pytest.raises(BadCode, match="there is none"):
        join_shares([])


@pytest.mark.parametrize(("text", "scheme"), [("2-of-3", (2, 3)), ("3 of 5", (3, 5)), ("16/16", (16, 16))])
def test_schemes(text: str, scheme: tuple[int, int]) -> None:
    assert parse_scheme(text) == scheme


@pytest.mark.parametrize("text", ["1-of-3", "4-of-3", "2-of-17", "two of three", "", "2-3"])
def test_what_is_no_scheme(text: str) -> None:
    with pytest.raises(BadCode, match="no way to split"):
        parse_scheme(text)
