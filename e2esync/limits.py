"""Every number of SPEC 16, once.

Sizes are bytes, times are milliseconds, unless a name says otherwise. A test holds this table equal to SPEC's.
"""

from __future__ import annotations

from typing import Final

SPEC_VERSION: Final = 1
SUITE: Final = 1

# Encoding (SPEC 6).
FRAME_MAX: Final = 1 << 20
DEPTH_MAX: Final = 6
VALUE_DEPTH_MAX: Final = 32
INT_MAX: Final = 2**53 - 1

# Sizes of the suite (SPEC 5).
HASH: Final = 32
KEY: Final = 32
NONCE: Final = 24
TAG: Final = 16
COMMITMENT: Final = 32
SIGNATURE: Final = 64
VERIFY_KEY: Final = 32
KEM_PUBLIC: Final = 1184
KEM_SECRET_SEED: Final = 64
KEM_CIPHERTEXT: Final = 1088
SEAL_PUBLIC: Final = 32 + KEM_PUBLIC
SEALED_BOX: Final = KEM_CIPHERTEXT + COMMITMENT + (KEY + 48) + TAG
SALT: Final = 16
CONTACT_ID: Final = 16
PERSON: Final = 16
ARGON2_PASSES: Final = 3
ARGON2_MEMORY: Final = 64 << 20

# Padding (SPEC 5.6): a ladder of 512 * 2^k up to 64 KiB, Padmé above.
LADDER_MIN: Final = 512
LADDER_MAX: Final = 1 << 16

# Objects (SPEC 7 to 11).
CONTACT_MAX: Final = 256 << 10
STATE_MAX: Final = 512 << 10
LIFE_MAX: Final = 2**31 - 1
ENVELOPE_MAX: Final = 256 << 10
ENTRY_BODY_MAX: Final = 240 << 10
CHUNK_TARGET: Final = 128 << 10
MEDIA_MAX: Final = 16 << 20
BLOB_MAX: Final = 1 << 20
BLOB_PART: Final = 512 << 10
PARKED_MAX: Final = 1 << 20
MEMBERS_MAX: Final = 64
CHANGES_MAX: Final = 16
REQUESTS_MAX: Final = 16
RUNS_MAX: Final = 8
RUN_CHUNKS_MAX: Final = 8192
RUN_RATIO: Final = 2
RECORD_MAX: Final = 64 << 10
SLOT_MAX: Final = 16 << 10
DIGEST_BUCKETS: Final = 256

# Policy of openers (SPEC 14.3).
COMPACT_ENTRIES: Final = 512
COMPACT_BYTES: Final = 1 << 20
COMPACT_INTERVAL: Final = 3_600_000
HORIZON_AGE: Final = 30 * 86_400_000
CUT_AFTER_TRIES: Final = 3

# Relay (SPEC 13).
READ_BATCH: Final = 512 << 10
HOLD: Final = 5_000
HOLD_INTERVAL: Final = 60_000
HOLD_ROOT: Final = 60_000
HOLD_KIT_INTERVAL: Final = 3_600_000
OPENINGS_BURST: Final = 5
OPENINGS_INTERVAL: Final = 600_000
BLOB_DEAD_RETENTION: Final = 30 * 86_400_000
BLOB_UNNAMED_RETENTION: Final = 86_400_000
PIPELINE_MAX: Final = 64
FOUND_MAX: Final = 64
HANDSHAKE_TIMEOUT: Final = 10_000
HANDSHAKE_FRAME_MAX: Final = 4096
VISIT_FREE: Final = 16_384
VISITS_MAX: Final = 32 << 20
SET_BYTES_MAX: Final = 4 << 30

# Heartbeats (SPEC 10.7).
HEARTBEAT_INTERVAL: Final = 15 * 60_000

# What a client finds out, and what it does then (SPEC 10.8, 14.6 to 14.9).
EVIDENCE_MAX: Final = 4 << 20
EVIDENCE_FILES: Final = 64
WRITE_BACK_DELAY: Final = 600_000
GUARD_CONTACTS: Final = 10
GUARD_SHARE: Final = 5
GUARD_PERIOD: Final = 86_400_000

# Registration (SPEC 13.13).
RELAY_INVITATION: Final = 16

# Deletion (SPEC 10.9, 13.14).
DELETION_MAX: Final = 256
DELETION_DELAY: Final = 30 * 86_400_000
DELETION_CLOCK: Final = 86_400_000
TOMBSTONE_RETENTION: Final = 730 * 86_400_000

# Pairing (SPEC 12).
MAILBOX_ID: Final = 8
MAILBOX_TTL: Final = 300_000
MAILBOX_MESSAGES_MAX: Final = 8
MAILBOX_MESSAGE_MAX: Final = 8 << 10
PAIRING_SECRET: Final = 16
PAIRING_CODE_MAX: Final = 120
PAIRING_NONCE: Final = 32
SAS_WORDS: Final = 3
DEVICE_NAME_MAX: Final = 64
KIT_SEED: Final = 32
KIT_WORDS: Final = 24
KIT_HALVES: Final = 16
FINGERPRINT_WORDS: Final = 4
STATE_PHRASE_WORDS: Final = 6
WORD_BITS: Final = 11

# Rescue files (SPEC 14.13).
RESCUE_RETENTION: Final = 30 * 24 * 3_600_000
RESCUE_HEADER_MAX: Final = 1024
RESCUE_KEYS_MAX: Final = 64
