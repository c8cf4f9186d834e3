"""BLAKE2b under a label for every purpose (SPEC 5.2): two purposes never hash alike.

A label is the 16-byte personalization of BLAKE2b, zero-padded on the right. SPEC 5.2 lists the same labels.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import Enum

from e2esync.limits import HASH


class Label(Enum):
    """Every purpose of a hash, key derivation or signature (SPEC 5.2)."""

    # Hashes of public or signed bytes.
    SET_ID = b"e2e set id"
    RECORD = b"e2e record"
    BOX = b"e2e box"
    BOX_LIST = b"e2e box list"
    BLOB = b"e2e blob"
    ENVELOPE = b"e2e envelope"
    LOG = b"e2e log"
    OPERATIONS = b"e2e operations"
    ENTRY = b"e2e entry"
    CONTACT_HASH = b"e2e contact"
    DIGEST = b"e2e digest"
    TRANSCRIPT = b"e2e transcript"
    FINGERPRINT = b"e2e fingerprint"
    STATE_PHRASE = b"e2e phrase"
    EVIDENCE = b"e2e evidence"
    # Keyed or salted names inside the encryption.
    CONTACT_ID = b"e2e contact id"
    # Key derivation and commitments.
    AEAD = b"e2e aead"
    SEALED_BOX = b"e2e sealed box"
    EPOCH_KEY = b"e2e epoch key"
    EPOCH_COMMIT = b"e2e epoch commit"
    KIT_SIGNING = b"e2e kit sign"
    KIT_SEALING = b"e2e kit seal"
    PAIRING_KEY = b"e2e pairing key"
    PAIRING_COMMIT = b"e2e pair commit"
    SAS = b"e2e words"
    CODE_CHECK = b"e2e code check"
    PROFILE_KEY = b"e2e profile key"
    # Signatures: the label leads the signed message.
    SIGN_RECORD = b"e2e:record"
    SIGN_POSSESSION = b"e2e:possession"
    SIGN_ANNOUNCEMENT = b"e2e:announce"
    SIGN_HEARTBEAT = b"e2e:heartbeat"
    SIGN_ENTRY = b"e2e:entry"
    SIGN_HEAD = b"e2e:head"
    SIGN_SESSION = b"e2e:session"
    SIGN_FIND = b"e2e:find"
    SIGN_DELETION = b"e2e:delete"

    def __init__(self, value: bytes) -> None:
        self.person = value.ljust(16, b"\0")
        """The label as BLAKE2b takes it: 16 bytes, zero-padded."""


def blake2b(label: Label, *parts: bytes, key: bytes = b"", size: int = HASH) -> bytes:
    """BLAKE2b of the parts, concatenated, under `label`; `key` up to 64 bytes, `size` 1..64 bytes (SPEC 5.2).

    The caller sees to it that concatenation is unambiguous: at most one part of variable length, or encoded ones.
    """
    state = hashlib.blake2b(parts[0] if parts else b"", digest_size=size, key=key, person=label.person)
    for part in parts[1:]:
        state.update(part)
    return state.digest()


def equal(left: bytes, right: bytes) -> bool:
    """Whether two byte strings are equal, in time that depends on their length only."""
    return hmac.compare_digest(left, right)
