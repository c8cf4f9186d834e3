"""The frame that every procedure is built from: one step is some requests and their answers (SPEC 13.3)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from e2esync.crypto import Entropy
from e2esync.errors import Detection, Refused, RemoteProtocolError, WithheldDetected
from e2esync.limits import BLOB_MAX, BLOB_PART
from e2esync.log.head import Head
from e2esync.session.messages import (
    Answer,
    BlobPart,
    BlobStored,
    Create,
    GetBlob,
    Have,
    HaveAnswer,
    PutBlob,
    Request,
    Seed,
)
from e2esync.snapshot.blob import check_blob_id

Result = TypeVar("Result")
Asked = TypeVar("Asked")
Procedure = Generator[list[Request], Sequence["Answer | Refused"], Result]

PIPELINE = 16
"""Requests that a procedure sends in one go where they are large: enough to hide the round trip, few to hold."""


def _quiet(_stage: str, _done: int, _total: int) -> None:
    """Nobody watches the progress."""


@dataclass(slots=True)
class Link:
    """One connection as procedures see it, and what they need from above the I/O line."""

    head: Head
    """The head that the relay signed in the handshake."""
    entropy: Entropy
    now: Callable[[], int]
    progress: Callable[[str, int, int], None] = _quiet
    """(stage, done, total), for people who wait."""
    epoch: int = 0
    """The newest epoch that the relay has told of."""
    rotate_every: int = 0
    """Milliseconds after which this device replaces its keys by itself; 0 for never."""
    rotate_after: int = 0
    """Entries that it signs with one key at most; 0 for any number."""
    stay: int = 0
    """For how long this device means to stay connected, in ms: what its heartbeats promise (SPEC 10.7)."""
    notices: list[Detection] = field(default_factory=list)
    """What was detected and did not end the procedure."""

    def __post_init__(self) -> None:
        self.epoch = max(self.epoch, self.head.epoch)


def ask(request: Request, answer_type: type[Asked]) -> Procedure[Asked]:
    """One request and its answer. Raises what the relay refused with."""
    answers = yield [request]
    return accepted(answers[0], answer_type)


def ask_to_be_taken(request: Create | Seed, answer_type: type[Asked]) -> Procedure[Asked]:
    """`ask` for a set that the relay may not have: a refusal says what a person can do about it (SPEC 13.13 step 1)."""
    try:
        return (yield from ask(request, answer_type))
    except Refused as error:
        if error.reason != "NotAllowed":
            raise
        hint = "the invitation may be used up or have expired; ask who runs the relay for another one" if (
            request.invitation) else (
                "ask who runs the relay if it takes new books, and for an invitation to give with --invitation CODE")
        raise Refused(error.reason, error.message, hint) from error


def accepted(answer: Answer | Refused, answer_type: type[Asked]) -> Asked:
    """An answer of the expected type; raises a refusal."""
    if isinstance(answer, Refused):
        raise answer
    if not isinstance(answer, answer_type):
        raise RemoteProtocolError(f"the relay answered with {type(answer).__name__}")
    return answer


def fetch_blob(blob_id: bytes) -> Procedure[bytes]:
    """A whole blob, checked against its id (SPEC 11.1)."""
    blobs = yield from fetch_blobs([blob_id])
    return blobs[blob_id]


def fetch_blobs(blob_ids: Sequence[bytes]) -> Procedure[dict[bytes, bytes]]:
    """Whole blobs by id, each checked against it. Raises WithheldDetected if the relay does not serve one."""
    parts: dict[bytes, bytes] = {}
    wanted = [(blob_id, 0) for blob_id in dict.fromkeys(blob_ids)]
    while wanted:
        group, wanted = wanted[:PIPELINE], wanted[PIPELINE:]
        answers = yield [GetBlob(blob_id, offset) for blob_id, offset in group]
        for (blob_id, offset), answer in zip(group, answers, strict=True):
            if isinstance(answer, Refused) and answer.reason == "NotFound":
                # A relay accepts no envelope or record that names a blob which it lacks (SPEC 13.4, 13.5).
                raise WithheldDetected("the relay does not serve a blob that it has accepted")
            part = accepted(answer, BlobPart)
            if part.size > BLOB_MAX:
                raise RemoteProtocolError(f"the relay serves a blob of {part.size} bytes")
            parts[blob_id] = parts.get(blob_id, b"") + part.part
            if len(parts[blob_id]) < part.size and part.part:
                wanted.append((blob_id, offset + len(part.part)))
    for blob_id, blob in parts.items():
        check_blob_id(blob_id, blob)
    return parts


def blob_parts(blobs: Sequence[tuple[bytes, bytes]], received: Sequence[int]) -> list[PutBlob]:
    """What is left to send of (id, blob) pairs, of each of which the relay has received so many bytes."""
    return [
        PutBlob(blob_id, len(blob), offset, blob[offset : offset + BLOB_PART])
        for (blob_id, blob), have in zip(blobs, received, strict=True) for offset in range(have, len(blob), BLOB_PART)
    ]


def upload_blobs(link: Link, blobs: Sequence[tuple[bytes, bytes]]) -> Procedure[None]:
    """Upload (id, blob) pairs that the relay has not got; goes on where an earlier upload broke off."""
    if not blobs:
        return
    received: list[int] = []
    for start in range(0, len(blobs), 1024):
        asked = tuple(blob_id for blob_id, _blob in blobs[start : start + 1024])
        told = yield from ask(Have(asked), HaveAnswer)
        if len(told.received) != len(asked):
            raise RemoteProtocolError(f"the relay was asked for {len(asked)} blobs and spoke of {len(told.received)}")
        received += told.received
    puts = blob_parts(blobs, received)
    for start in range(0, len(puts), PIPELINE):
        link.progress("upload", start, len(puts))
        answers = yield list(puts[start : start + PIPELINE])
        for answer in answers:
            accepted(answer, BlobStored)
    link.progress("upload", len(puts), len(puts))
