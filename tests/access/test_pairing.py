"""pairing.py (SPEC 12.2): two machines joined by a fake mailbox; every deviation ends the attempt for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from e2esync import wire
from e2esync.access.code import PairingCode, parse_code
from e2esync.access.messages import claims_of, commitment_of, open_message, possession_for, seal_message
from e2esync.access.pairing import (
    Add,
    AskWords,
    Joined,
    Joiner,
    Offer,
    Outgoing,
    ShowWords,
    Sponsor,
    State,
)
from e2esync.crypto import SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.errors import LocalProtocolError, PairingAborted
from tests.helpers.entropy import FastEntropy

OFFER = Offer(b"s" * 32, b"p" * 16, 2, b"r" * 32, b"h" * 32, 7)
LANDING = (b"R" * 32, 8, 3, b"L" * 32, 5)
SEALING = SealingKey.generate(FastEntropy("joiner"))


class Pair:
    """A sponsor and a joiner with one code; `draws` seeds both sides' randomness."""

    def __init__(self, draws: str = "pair", offer: Offer = OFFER) -> None:
        entropy = FastEntropy(draws)
        self.code = PairingCode.generate("wss://relay.example", entropy)
        self.joiner = Joiner(parse_code(self.code.text()), SigningKey(b"\1" * 32), SEALING, "Laptop", entropy)
        self.sponsor = Sponsor(self.code, offer, entropy)
        self.sponsor.start()

    def until_words(self) -> list[Outgoing]:
        """Run up to the words; returns the messages said."""
        [zero] = self.joiner.start()
        assert isinstance(zero, Outgoing)
        [one] = self.sponsor.receive(zero.n, zero.data)
        assert isinstance(one, Outgoing)
        two, shown = self.joiner.receive(one.n, one.data)
        assert isinstance(two, Outgoing)
        assert shown == ShowWords(self.joiner.words)
        assert self.sponsor.receive(two.n, two.data) == [AskWords("Laptop")]
        return [zero, one, two]

    def body(self, message: Outgoing) -> Any:
        return wire.decode(open_message(self.code, message.n, message.data))

    def forged(self, n: int, body: Any) -> bytes:
        return seal_message(self.code, n, bytes(24), wire.encode(body))


def ends(machine: Joiner | Sponsor, call: Callable[[], object], match: str = ".") -> None:
    """`call` aborts the attempt, and nothing that the machine is asked afterwards is answered."""
    with pytest.raises(PairingAborted, match=match):
        call()
    assert machine.state is State.FAILED
    calls: list[Callable[[], object]] = [machine.start, lambda: machine.receive(0, b""), call]
    if isinstance(machine, Sponsor):
        calls += [machine.skip_verification, lambda: machine.confirm("a b c"), lambda: machine.finish(*LANDING)]
    for later in calls:
        with pytest.raises(PairingAborted, match="one attempt"):
            later()


class TestHonest:
    def test_both_sides_learn_what_they_need(self) -> None:
        pair = Pair()
        pair.until_words()
        assert pair.sponsor.words == pair.joiner.words
        assert len(pair.joiner.words) == 3
        added = pair.sponsor.confirm(" ".join(pair.joiner.words))
        key = SigningKey(b"\1" * 32)
        possession = possession_for(OFFER, key, SEALING.public)
        assert added == Add(OFFER.person, 2, key.verify_key, SEALING.public, possession, "Laptop")
        [three] = pair.sponsor.finish(*LANDING)
        assert isinstance(three, Outgoing)
        [joined] = pair.joiner.receive(three.n, three.data)
        assert joined == Joined(b"s" * 32, b"p" * 16, 2, b"r" * 32, b"h" * 32, 7, *LANDING)
        assert (pair.joiner.state, pair.sponsor.state) == (State.DONE, State.DONE)

    def test_the_numbers_are_in_turn_and_the_sizes_fixed(self) -> None:
        pair = Pair()
        said = pair.until_words()
        pair.sponsor.skip_verification()
        said += [event for event in pair.sponsor.finish(*LANDING) if isinstance(event, Outgoing)]
        assert [message.n for message in said] == [0, 1, 2, 3]
        assert [len(message.data) for message in said] == [512, 512, 2048, 512]

    def test_words_may_be_typed_in_any_case_and_spacing(self) -> None:
        pair = Pair()
        pair.until_words()
        assert pair.sponsor.confirm(" \t" + "  ".join(pair.joiner.words).upper() + "\n")

    def test_words_are_new_each_time(self) -> None:
        seen = set()
        for number in range(5):
            pair = Pair(f"draws {number}")
            pair.until_words()
            seen.add(pair.joiner.words)
        assert len(seen) == 5

    def test_message_0_says_nothing_of_the_keys(self) -> None:
        pair = Pair()
        [zero] = pair.joiner.start()
        assert isinstance(zero, Outgoing)
        version, commitment = pair.body(zero)
        assert (version, len(commitment)) == (1, 32)


class TestWords:
    @pytest.mark.parametrize("spoil", [
        lambda words: [*words[:2], "zoo"], lambda words: words[:2], lambda words: [*words, "zoo"],
        lambda words: words[:0], lambda words: words[::-1], lambda words: ["".join(words)],
        lambda words: [words[0], "\ud800", words[2]], lambda words: [f"{word}s" for word in words],
    ])
    def test_a_wrong_word_ends_the_attempt(self, spoil: Callable[[list[str]], list[str]]) -> None:
        pair = Pair()
        pair.until_words()
        typed = " ".join(spoil(list(pair.joiner.words)))
        ends(pair.sponsor, lambda: pair.sponsor.confirm(typed), "words")

    def test_the_refusal_does_not_show_the_right_ones(self) -> None:
        pair = Pair()
        pair.until_words()
        with pytest.raises(PairingAborted) as caught:
            pair.sponsor.confirm("zoo zoo zoo")
        shown = str(caught.value) + caught.value.hint + repr(pair.sponsor)
        assert not any(f" {word} " in shown for word in pair.joiner.words)

    def test_nothing_is_added_before_they_are_right(self) -> None:
        pair = Pair()
        pair.until_words()
        with pytest.raises(LocalProtocolError):
            pair.sponsor.finish(*LANDING)
        assert pair.sponsor.state is State.CONFIRM

    def test_are_not_there_too_early(self) -> None:
        pair = Pair()
        for machine in (pair.joiner, pair.sponsor):
            with pytest.raises(LocalProtocolError):
                _ = machine.words


class TestTurns:
    @pytest.mark.parametrize("n", [-1, 1, 2, 3, 4, 255, 256, True, None, "0"])
    def test_sponsor_awaits_0(self, n: Any) -> None:
        pair = Pair()
        [zero] = pair.joiner.start()
        assert isinstance(zero, Outgoing)
        ends(pair.sponsor, lambda: pair.sponsor.receive(n, zero.data), "out of turn")

    @pytest.mark.parametrize("n", [0, 2, 3, True, "1", 1.0])
    def test_joiner_awaits_1(self, n: Any) -> None:
        pair = Pair()
        [zero] = pair.joiner.start()
        assert isinstance(zero, Outgoing)
        [one] = pair.sponsor.receive(0, zero.data)
        assert isinstance(one, Outgoing)
        ends(pair.joiner, lambda: pair.joiner.receive(n, one.data), "out of turn")

    def test_a_message_again_is_taken_once(self) -> None:
        for number in (1, 2):
            pair = Pair()
            said = pair.until_words()[number]
            machine = pair.joiner if said.n == 1 else pair.sponsor
            before = machine.state
            assert machine.receive(said.n, said.data) == []
            assert machine.state is before

    def test_a_message_again_but_not_in_a_row_ends_it(self) -> None:
        pair = Pair()
        said = pair.until_words()[0]
        ends(pair.sponsor, lambda: pair.sponsor.receive(said.n, said.data), "out of turn")

    def test_a_message_back_to_its_sender_ends_it(self) -> None:
        pair = Pair()
        [zero] = pair.joiner.start()
        assert isinstance(zero, Outgoing)
        ends(pair.joiner, lambda: pair.joiner.receive(zero.n, zero.data), "out of turn")

    def test_a_message_to_one_that_has_not_started_ends_it(self) -> None:
        pair = Pair()
        ends(pair.joiner, lambda: pair.joiner.receive(1, b""), "out of turn")

    def test_after_the_end_as_well(self) -> None:
        pair = Pair()
        pair.until_words()
        pair.sponsor.skip_verification()
        [three] = pair.sponsor.finish(*LANDING)
        assert isinstance(three, Outgoing)
        pair.joiner.receive(3, three.data)
        assert pair.joiner.receive(3, three.data) == []
        ends(pair.joiner, lambda: pair.joiner.receive(3, three.data + b"\0"), "out of turn")

    def test_a_callers_own_mistake_is_not_the_other_sides(self) -> None:
        pair = Pair()
        mistakes: list[Callable[[], object]] = [
            pair.sponsor.start, pair.sponsor.skip_verification, lambda: pair.sponsor.confirm("a b c"),
            lambda: pair.sponsor.finish(*LANDING),
        ]
        for call in mistakes:
            with pytest.raises(LocalProtocolError):
                call()
        pair.until_words()
        with pytest.raises(LocalProtocolError):
            pair.joiner.start()
        pair.sponsor.skip_verification()
        with pytest.raises(LocalProtocolError):
            pair.sponsor.skip_verification()

    def test_giving_up_is_final(self) -> None:
        pair = Pair()
        pair.until_words()
        pair.sponsor.abort()
        ends(pair.sponsor, lambda: pair.sponsor.confirm(" ".join(pair.joiner.words)), "one attempt")


class TestMalice:
    @pytest.mark.parametrize("number", range(3))
    def test_every_flipped_byte_ends_it(self, number: int) -> None:
        length = len(Pair().until_words()[number].data)
        for place in [*range(0, length, 101), 23, 24, 55, 56, length - 1]:
            pair = Pair()
            [zero] = pair.joiner.start()
            assert isinstance(zero, Outgoing)
            said = [zero]
            if number >= 1:
                said += pair.sponsor.receive(0, zero.data)
            if number == 2:
                said.append(pair.joiner.receive(1, said[1].data)[0])
            changed = bytearray(said[number].data)
            changed[place] ^= 1
            machine = pair.joiner if number == 1 else pair.sponsor
            with pytest.raises(PairingAborted):
                machine.receive(number, bytes(changed))
            assert machine.state is State.FAILED

    @pytest.mark.parametrize("data", [b"", bytes(71), bytes(72), bytes(8193), bytes(1 << 20)])
    def test_any_bytes(self, data: bytes) -> None:
        pair = Pair()
        ends(pair.sponsor, lambda: pair.sponsor.receive(0, data))

    def test_another_code_opens_nothing(self) -> None:
        pair, other = Pair("one"), Pair("two")
        [zero] = other.joiner.start()
        assert isinstance(zero, Outgoing)
        ends(pair.sponsor, lambda: pair.sponsor.receive(0, zero.data))

    def test_keys_that_were_not_committed_to(self) -> None:
        pair = Pair()
        two = pair.until_words()[2]
        honest = pair.body(two)
        nonce, claims, possession = honest
        spoilt = [[bytes(32), claims, possession], *(
            [nonce, [*claims[:place], other, *claims[place + 1:]], possession]
            for place, other in enumerate((bytes(32), SEALING.public[::-1], "Lapdog"))
        )]
        for body in spoilt:
            again = Pair()
            [zero] = again.joiner.start()
            assert isinstance(zero, Outgoing)
            again.sponsor.receive(0, zero.data)
            two = Outgoing(2, again.forged(2, body))
            ends(again.sponsor, lambda again=again, two=two: again.sponsor.receive(2, two.data), "committed")

    def test_somebody_in_the_middle_who_has_the_code_is_told_by_the_words(self) -> None:
        """M speaks to each side with its own keys: both sides finish message 2, under different words."""
        pair = Pair()
        entropy = FastEntropy("in the middle")
        mallory_key, mallory_sealing = SigningKey(b"\7" * 32), SealingKey.generate(entropy)
        nonce = bytes(32)
        pair.joiner.start()
        claims = claims_of(mallory_key.verify_key, mallory_sealing.public, "Laptop", None)
        commitment = commitment_of(nonce, claims)
        [one] = pair.sponsor.receive(0, pair.forged(0, [1, commitment]))
        assert isinstance(one, Outgoing)
        pair.joiner.receive(1, one.data)
        possession = possession_for(OFFER, mallory_key, mallory_sealing.public)
        pair.sponsor.receive(2, pair.forged(2, [nonce, claims, possession]))
        assert pair.sponsor.words != pair.joiner.words
        ends(pair.sponsor, lambda: pair.sponsor.confirm(" ".join(pair.joiner.words)), "words")

    def test_an_offer_of_another_set_is_told_by_the_words(self) -> None:
        pair = Pair()
        [zero] = pair.joiner.start()
        assert isinstance(zero, Outgoing)
        [one] = pair.sponsor.receive(0, zero.data)
        assert isinstance(one, Outgoing)
        body = pair.body(one)
        body[1] = b"S" * 32
        two, _shown = pair.joiner.receive(1, pair.forged(1, body))
        assert isinstance(two, Outgoing)
        # The possession is for the other set, so the sponsor refuses before words are asked for.
        ends(pair.sponsor, lambda: pair.sponsor.receive(2, two.data))

    def test_a_nonce_replaced_on_the_way_is_told_by_the_words(self) -> None:
        pair = Pair()
        [zero] = pair.joiner.start()
        assert isinstance(zero, Outgoing)
        [one] = pair.sponsor.receive(0, zero.data)
        assert isinstance(one, Outgoing)
        body = pair.body(one)
        body[0] = bytes(32)
        two, _shown = pair.joiner.receive(1, pair.forged(1, body))
        assert isinstance(two, Outgoing)
        pair.sponsor.receive(2, two.data)
        assert pair.sponsor.words != pair.joiner.words

    @pytest.mark.parametrize(("place", "value"), [(1, 7), (4, 0), (0, b""), (3, b"short")])
    def test_a_landing_that_cannot_be(self, place: int, value: Any) -> None:
        pair = Pair()
        pair.until_words()
        body = list(LANDING)
        body[place] = value
        ends(pair.joiner, lambda: pair.joiner.receive(3, pair.forged(3, body)))


class TestJoiner:
    @pytest.mark.parametrize("name", ["", "x" * 65, "Zoe\u0308"])
    def test_refuses_its_own_bad_name_before_anything_is_sent(self, name: str) -> None:
        code = PairingCode.generate(None, FastEntropy("x"))
        with pytest.raises(PairingAborted, match="name"):
            Joiner(code, SigningKey(b"\1" * 32), SEALING, name, FastEntropy("x"))


def test_a_failing_source_of_randomness_ends_the_attempt() -> None:
    class Broken(FastEntropy):
        def draw(self, name: str, length: int) -> bytes:
            raise OSError(f"no randomness: {length} bytes for {name}")

    joiner = Joiner(Pair().code, SigningKey(b"\1" * 32), SEALING, "Laptop", Broken("x"))
    with pytest.raises(OSError, match="no randomness"):
        joiner.start()
    assert joiner.state is State.FAILED


def test_events_do_not_show_secrets() -> None:
    pair = Pair()
    said = pair.until_words()
    assert all(len(repr(message)) < 40 for message in said)
    assert pair.joiner.words[0] not in repr(ShowWords(pair.joiner.words))
