"""Every decoder, on valid material that was changed and on noise: nothing outside the tree of errors, in every run."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.conformance.performing import WrongDraw, layers
from e2esync.errors import E2esyncError
from tests.fuzz import corpus
from tests.fuzz.material import HOSTILE
from tests.fuzz.targets import TARGETS, Target
from tests.vectors.replaying import CASES

KEPT = sorted(path.stem for path in corpus.FOLDER.glob("*.hex"))

OWN = {
    "access::code_text", "access::kit_keys", "cards::size", "contactset::boundary", "contactset::encode_ops",
    "contactset::fold",
    "crypto::seal_to", "crypto::sealing_key", "crypto::sign", "encoding::encode", "envelopes::seal_envelope",
    "scenarios::follow", "snapshots::seal_blob", "snapshots::split_media",
}
"""Operations whose inputs come from the device itself; of `fold` and `follow`, what others wrote and a relay served are
targets of their own, object by object, and `size` only counts what `flatten` has read."""


def _changed(seed: bytes, seed_of_changes: int) -> bytes:
    """A seed with a few bytes changed, left out, repeated or put in."""
    chance = random.Random(seed_of_changes)
    data = bytearray(seed)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(5)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at:at] = chance.randbytes(chance.randint(1, 4))
        elif kind == 2:
            del data[at : at + chance.randint(1, 8)]
        elif kind == 3:
            data[at:at] = data[at : at + 16] * chance.randint(1, 8)
        else:
            data[at : at + 1] = bytes([chance.choice((0x00, 0x7F, 0x80, 0x90, 0xC0, 0xC1, 0xCF, 0xDD, 0xFF))])
    return bytes(data)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_only_errors_of_the_tree(target: Target) -> None:
    seeds = target.seeds()

    @settings(max_examples=60, deadline=None, database=None)
    @given(st.binary(max_size=200) | st.builds(_changed, st.sampled_from(seeds), st.integers(0, 2**32)))
    def law(data: bytes) -> None:
        target(data)

    for seed in seeds:
        target(seed)
    law()


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_seed_is_valid(target: Target) -> None:
    """Fuzzing goes behind the first check of each target: it begins from something that passes all of them."""
    passed = 0
    for seed in target.seeds():
        with suppress(E2esyncError, WrongDraw):
            target.run(seed)
            passed += 1
    assert passed


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept(name: str) -> None:
    """What once failed, and what reaches most."""
    # Making the cases takes seconds, which are not those of the first input.
    layers()
    for data in corpus.kept(name):
        start = time.process_time()
        TARGETS[name](data)
        assert time.process_time() - start < 5


def test_the_corpus_is_small() -> None:
    assert sum(len(data) for name in KEPT for data in corpus.kept(name)) < 200_000


def test_a_corpus_keeps_what_reaches_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "FOLDER", tmp_path / "corpus")
    corpus.keep_failure("x", b"bad")
    large = [(9, bytes([n]) * corpus.LARGEST) for n in range(8)]
    assert corpus.keep_best("x", [*large, (1, b"small"), (0, b"nothing new"), (99, bytes(corpus.LARGEST + 1))]) == 4
    assert corpus.kept("x") == [b"bad", *(data for _, data in large[:4])]
    corpus.keep_best("x", [])
    assert corpus.kept("x") == [b"bad"]


def test_every_refusal_of_the_vectors_is_fuzzed() -> None:
    """An operation with invalid cases has a hostile input, or is what the owner's own device was told to do."""
    refusing = {case["id"].rpartition("::")[0] for case in CASES if case["result"] == "invalid"}
    assert refusing - HOSTILE.keys() == OWN


def test_a_target_sees_what_leaves() -> None:
    def broken(data: bytes) -> None:
        raise IndexError(data)

    with pytest.raises(IndexError):
        Target("broken", broken, list)(b"x")
