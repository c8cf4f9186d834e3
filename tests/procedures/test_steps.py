"""The frame of every procedure: requests in order, answers judged, blobs checked, uploads resumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from e2esync.crypto import Secret
from e2esync.errors import Refused, RemoteProtocolError, SnapshotInvalid, WithheldDetected
from e2esync.limits import BLOB_MAX, BLOB_PART
from e2esync.log.head import Head
from e2esync.procedures.steps import PIPELINE, Link, Procedure, accepted, ask, fetch_blobs, upload_blobs
from e2esync.session import messages as m
from e2esync.session.messages import Answer, Request
from e2esync.snapshot.blob import BlobType, blob_id, seal_blob
from tests.helpers.entropy import FastEntropy

Relay = Callable[[Request], Answer | Refused]


def play(procedure: Procedure[object], relay: Relay) -> tuple[object, list[Sequence[Request]]]:
    """Run a procedure against a function; its result, and what it asked in each go."""
    asked = []
    try:
        requests = next(procedure)
        while True:
            asked.append(requests)
            requests = procedure.send([relay(request) for request in requests])
    except StopIteration as stop:
        return stop.value, asked


def link(progress: Callable[[str, int, int], None] = lambda *_: None) -> Link:
    head = Head(3, 0, bytes(32), bytes(32), 0, 0, b"", bytes(64), b"")
    return Link(head, FastEntropy("steps"), lambda: 5, progress)


def blobs(count: int, size: int = 100) -> dict[bytes, bytes]:
    made = (seal_blob(BlobType.MEDIA, Secret(bytes(32)), bytes([n, *bytes(23)]), bytes(32), bytes(size))
            for n in range(count))
    return {blob_id(blob): blob for blob in made}


def serving(store: dict[bytes, bytes]) -> Relay:
    def relay(request: Request) -> Answer | Refused:
        assert isinstance(request, m.GetBlob)
        blob = store.get(request.blob)
        if blob is None:
            return Refused("NotFound", "no")
        return m.BlobPart(len(blob), blob[request.offset : request.offset + BLOB_PART])

    return relay


def test_a_link_knows_the_epoch_of_its_head() -> None:
    assert link().epoch == 3


def test_an_answer_of_the_right_type() -> None:
    assert play(ask(m.Ping(), m.Pong), lambda _request: m.Pong()) == (m.Pong(), [[m.Ping()]])
    assert accepted(m.Pong(), m.Pong) == m.Pong()
    with pytest.raises(RemoteProtocolError):
        accepted(m.SlotStored(), m.Pong)
    with pytest.raises(Refused, match="no"):
        accepted(Refused("Busy", "no"), m.Pong)


def test_blobs_come_whole_some_at_a_time_and_each_once() -> None:
    store = blobs(PIPELINE + 3)
    names = list(store)
    got, asked = play(fetch_blobs([*names, names[0]]), serving(store))
    assert got == store
    assert [len(group) for group in asked] == [PIPELINE, 3]


def test_a_large_blob_comes_in_parts() -> None:
    store = blobs(1, BLOB_PART + 5000)
    got, asked = play(fetch_blobs(list(store)), serving(store))
    assert got == store
    assert [request.offset for group in asked for request in group] == [0, BLOB_PART]  # type: ignore[attr-defined]


def test_a_blob_that_is_not_served() -> None:
    with pytest.raises(WithheldDetected):
        play(fetch_blobs([b"b" * 32]), serving({}))
    with pytest.raises(Refused):
        play(fetch_blobs([b"b" * 32]), lambda _request: Refused("Busy", "no"))


@pytest.mark.parametrize(("answer", "error"), [
    (m.BlobPart(5, b"other"), SnapshotInvalid), (m.BlobPart(0, b""), SnapshotInvalid),
    (m.BlobPart(BLOB_MAX + 1, b"x"), RemoteProtocolError), (m.Pong(), RemoteProtocolError),
    (m.BlobPart(BLOB_MAX, b"x" * BLOB_PART), SnapshotInvalid),
], ids=["other", "empty", "endless", "type", "too much"])
def test_a_blob_that_is_another(answer: Answer, error: type[Exception]) -> None:
    with pytest.raises(error):
        play(fetch_blobs([b"b" * 32]), lambda _request: answer)


def test_an_upload_goes_on_where_it_broke_off() -> None:
    store = blobs(3, BLOB_PART + 1000)
    whole, half, none = store
    have = {whole: len(store[whole]), half: BLOB_PART, none: 0}
    told: list[tuple[str, int, int]] = []

    def relay(request: Request) -> Answer:
        if isinstance(request, m.Have):
            return m.HaveAnswer(tuple(have[name] for name in request.blobs))
        assert isinstance(request, m.PutBlob)
        assert request.offset == have[request.blob]
        assert store[request.blob][request.offset :].startswith(request.part)
        have[request.blob] += len(request.part)
        return m.BlobStored(have[request.blob])

    play(upload_blobs(link(lambda *each: told.append(each)), list(store.items())), relay)
    assert have == {name: len(blob) for name, blob in store.items()}
    assert told[-1] == ("upload", 3, 3)


def test_nothing_to_upload_asks_nothing() -> None:
    assert play(upload_blobs(link(), []), lambda _request: m.Pong()) == (None, [])


@pytest.mark.parametrize("received", [(), (0, 0, 0)])
def test_an_answer_about_other_blobs(received: tuple[int, ...]) -> None:
    with pytest.raises(RemoteProtocolError):
        play(upload_blobs(link(), list(blobs(2).items())), lambda _request: m.HaveAnswer(received))
