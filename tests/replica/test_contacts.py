"""Ids of contacts, and where photos lie."""

from __future__ import annotations

import pytest

from e2esync.crypto import Secret
from e2esync.errors import LimitExceeded
from e2esync.limits import BLOB_PART, MEDIA_MAX
from e2esync.replica.contacts import contact_id, media_blobs
from e2esync.snapshot.blob import BlobType, blob_id, open_blob
from tests.helpers.entropy import FastEntropy

SET, OTHER = b"s" * 32, b"o" * 32


def test_an_id_is_the_same_everywhere_in_a_set_and_nowhere_else() -> None:
    assert contact_id(SET, "u", 0) == contact_id(SET, "u", 0)
    ids = {contact_id(SET, "u", 0), contact_id(SET, "u", 1), contact_id(SET, "v", 0), contact_id(OTHER, "u", 0)}
    assert len(ids) == 4
    assert {len(each) for each in ids} == {16}


@pytest.mark.parametrize("size", [0, 1, BLOB_PART, BLOB_PART + 1, 3 * BLOB_PART])
def test_a_photo_comes_back_from_its_parts(size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    content = content[:size]
    place, blobs = media_blobs(SET, content, FastEntropy("photo"))
    assert place["parts"] == [name for name, _blob in blobs]
    assert len(set(place["keys"])) == len(blobs) == max(1, -(-size // BLOB_PART))  # type: ignore[arg-type]
    parts = [open_blob(BlobType.MEDIA, Secret(key), SET, blob)
             for key, (_name, blob) in zip(place["keys"], blobs, strict=True)]  # type: ignore[arg-type]
    assert b"".join(parts) == content
    assert all(blob_id(blob) == name for name, blob in blobs)


def test_a_photo_above_the_limit() -> None:
    with pytest.raises(LimitExceeded):
        media_blobs(SET, bytes(MEDIA_MAX + 1), FastEntropy("photo"))
