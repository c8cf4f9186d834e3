"""client.entropy: the operating system's randomness behind the port."""

from __future__ import annotations

import subprocess
import sys

from e2esync.client.entropy import SystemEntropy
from e2esync.crypto import Entropy, Secret
from e2esync.crypto.kem import decapsulate, public_from_seed


def test_draws_have_their_length_and_never_repeat() -> None:
    entropy: Entropy = SystemEntropy()
    drawn = {entropy.draw("epoch secret", 32) for _ in range(100)}
    assert len(drawn) == 100
    assert {len(each) for each in drawn} == {32}
    assert entropy.draw("nothing", 0) == b""


def test_encapsulation_opens_with_the_key() -> None:
    seed = Secret(bytes(range(64)))
    shared, ciphertext = SystemEntropy().encapsulate(public_from_seed(seed))
    assert decapsulate(seed, ciphertext).reveal() == shared


def test_drawing_imports_no_provider() -> None:
    script = "import sys; from e2esync.client.entropy import SystemEntropy; SystemEntropy().draw('x', 1); " \
             "print([name for name in ('cryptography', 'nacl') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
