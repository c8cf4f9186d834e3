"""The suite of SPEC 5 and nothing else: hash, signatures, committing AEAD, sealed box, passphrase, padding.

The only importer of nacl and cryptography. Every primitive is libsodium's (through PyNaCl), BLAKE2b is the standard
library's, ML-KEM-768 is pyca/cryptography's; what is ours is the composition that SPEC 5 writes down. Randomness is
a parameter (`Entropy`); secrets are `Secret`, which never shows itself.
"""

from e2esync.crypto.aead import AEAD_OVERHEAD, open_sealed, seal
from e2esync.crypto.entropy import Entropy
from e2esync.crypto.hashing import Label, blake2b, equal
from e2esync.crypto.padding import pad, padded_size, unpad
from e2esync.crypto.secret import Secret
from e2esync.crypto.signing import SigningKey, check_verify_key, verify

__all__ = [
    "AEAD_OVERHEAD", "Entropy", "Label", "Secret", "SigningKey", "blake2b", "check_verify_key", "equal",
    "open_sealed", "pad", "padded_size", "seal", "unpad", "verify",
]
