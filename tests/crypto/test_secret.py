"""secret.py: a secret shows itself to nobody who did not ask for it by name."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback
from typing import Any

import pytest

from e2esync.crypto import Secret, SigningKey
from e2esync.crypto.sealing import SealingKey
from tests.helpers.entropy import FastEntropy

CANARY = b"canary-canary-canary-canary-3232"


def holders() -> list[Any]:
    return [
        Secret(CANARY), SigningKey(CANARY), SigningKey(Secret(CANARY)), SealingKey.from_secret(CANARY * 3),
        [Secret(CANARY)], {"key": Secret(CANARY)},
    ]


def shows(text: str) -> bool:
    return "canary" in text or CANARY.hex()[:12] in text


@pytest.mark.parametrize("holder", holders(), ids=lambda holder: type(holder).__name__)
class TestHides:
    def test_in_text(self, holder: Any) -> None:
        for shown in (repr(holder), str(holder), f"{holder}", f"{holder!r:>50}", ascii(holder), format(str(holder))):
            assert not shows(shown)

    def test_in_a_traceback_with_locals(self, holder: Any) -> None:
        try:
            raise RuntimeError(holder)
        except RuntimeError as error:
            shown = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        assert not shows("".join(shown))

    def test_in_a_log(self, holder: Any, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            logging.getLogger("test").debug("key %s", holder)
        assert caplog.records
        assert not shows(caplog.text)

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_is_not_pickled(self, holder: Any, protocol: int) -> None:
        with pytest.raises(TypeError):
            pickle.dumps(holder, protocol)

    def test_is_not_copied_deeply(self, holder: Any) -> None:
        with pytest.raises(TypeError):
            copy.deepcopy(holder)


def test_reveals_when_asked() -> None:
    assert Secret(CANARY).reveal() == CANARY
    assert Secret(bytearray(CANARY)).reveal() == CANARY
    assert len(Secret(CANARY)) == 32


def test_keeps_its_own_copy() -> None:
    source = bytearray(CANARY)
    secret = Secret(source)
    source[0] ^= 1
    assert secret.reveal() == CANARY


@pytest.mark.parametrize("wrong", [32, [1, 2], "text", None, Secret(b"x")])
def test_is_made_of_bytes(wrong: Any) -> None:
    with pytest.raises(TypeError) as caught:
        Secret(wrong)
    assert "32" not in str(caught.value)


def test_is_not_compared_or_hashed() -> None:
    secret = Secret(CANARY)
    for other in (Secret(CANARY), CANARY, None):
        with pytest.raises(TypeError):
            _ = secret == other
        with pytest.raises(TypeError):
            _ = secret != other
    with pytest.raises(TypeError):
        hash(secret)
    with pytest.raises(TypeError):
        _ = other in [secret]


def test_has_no_other_attributes() -> None:
    secret = Secret(CANARY)
    assert not hasattr(secret, "__dict__")
    assert [name for name in dir(secret) if not name.startswith("_")] == ["reveal"]


def test_sealing_keys_are_equal_by_their_public_half() -> None:
    entropy = FastEntropy("equal")
    one, other = SealingKey.generate(entropy), SealingKey.generate(entropy)
    assert one == SealingKey.from_secret(one.secret.reveal())
    assert one != other
    assert len({one, other, SealingKey.from_secret(one.secret.reveal())}) == 2
