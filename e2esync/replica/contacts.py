"""Ids of contacts and places of media (SPEC 8.1, 11.6)."""

from __future__ import annotations

from e2esync.crypto import Entropy, Label, Secret, blake2b
from e2esync.limits import CONTACT_ID, KEY, NONCE
from e2esync.snapshot.blob import BlobType, blob_id, seal_blob
from e2esync.snapshot.runs import split_media
from e2esync.wire import Value, encode


def contact_id(set_id: bytes, uid: str, ordinal: int) -> bytes:
    """The 16-byte id of a contact: the same on every device of the set, and in no other set (SPEC 8.1)."""
    return blake2b(Label.CONTACT_ID, encode([uid, ordinal]), key=set_id, size=CONTACT_ID)


def media_blobs(set_id: bytes, content: bytes, entropy: Entropy) -> tuple[dict[str, Value], list[tuple[bytes, bytes]]]:
    """(value of the `blobs/<digest>` register, (id, blob) of the parts) of a photo (SPEC 11.6).

    Raises LimitExceeded above 16 MiB.
    """
    keys, blobs = [], []
    for part in split_media(content):
        key = entropy.draw("blob key", KEY)
        blob = seal_blob(BlobType.MEDIA, Secret(key), entropy.draw("blob nonce", NONCE), set_id, part)
        keys.append(key)
        blobs.append((blob_id(blob), blob))
    return {"keys": keys, "parts": [name for name, _blob in blobs]}, blobs
