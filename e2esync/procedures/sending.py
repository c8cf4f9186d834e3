"""Sending (SPEC 13.4, 14.1): the outbox goes out in order; the same bytes again where an answer was lost."""

from __future__ import annotations

from e2esync.errors import Refused, RemoteProtocolError
from e2esync.log.head import ShortHead
from e2esync.procedures.reading import enter, read_on, take
from e2esync.procedures.steps import PIPELINE, Link, Procedure, accepted, upload_blobs
from e2esync.replica.core import Replica
from e2esync.replica.port import OutboxRow
from e2esync.replica.writing import pack, seal_outbox
from e2esync.session.messages import Append, Appended, LogPart


def send(replica: Replica, link: Link) -> Procedure[int]:
    """Send everything that waits; returns how many entries went out. The replica is caught up when it begins."""
    sent = 0
    while True:
        with replica.store.transaction():
            pack(replica, link.entropy)
            waiting = seal_outbox(replica, link.entropy)
        if not waiting:
            return sent
        epoch = replica.position.epoch
        for start in range(0, len(waiting), PIPELINE):
            rows = waiting[start : start + PIPELINE]
            taken = yield from _send_some(replica, link, rows)
            sent += taken
            if taken < len(rows) or replica.position.epoch != epoch:
                break


def _send_some(replica: Replica, link: Link, rows: list[OutboxRow]) -> Procedure[int]:
    """Append some entries in one go; returns how many of them the relay took."""
    epoch = replica.position.epoch
    appends = []
    for row in rows:
        names = replica.store.uploads(row.counter)
        yield from upload_blobs(link, [(name, replica.store.upload(name) or b"") for name in names])
        appends.append(Append(epoch, row.envelope))
    answers = yield list(appends)
    taken: list[tuple[int, bytes, ShortHead]] = []
    refused: Refused | None = None
    for row, answer in zip(rows, answers, strict=True):
        if isinstance(answer, Refused):
            refused = answer
            break
        appended = accepted(answer, Appended)
        taken.append((appended.seq, row.envelope, appended.head))
    yield from _fold_own(replica, link, taken)
    if taken and replica.position.epoch == epoch:
        _check_landed(replica, rows[:len(taken)])
    if refused is not None:
        yield from _refused(replica, link, refused)
    return len(taken)


def _fold_own(replica: Replica, link: Link, taken: list[tuple[int, bytes, ShortHead]]) -> Procedure[None]:
    """Fold own envelopes at the positions that they took; where others' came between, read the log instead."""
    position = replica.position
    following = [seq for seq, _envelope, _head in taken] == [position.seq + 1 + n for n in range(len(taken))]
    if taken and following and taken[-1][2].seq == taken[-1][0]:
        envelopes = tuple(envelope for _seq, envelope, _head in taken)
        yield from take(replica, link, LogPart(position.epoch, position.seq + 1, envelopes, taken[-1][2]))
    elif taken:
        yield from read_on(replica, link)


def _check_landed(replica: Replica, rows: list[OutboxRow]) -> None:
    """What the relay has acknowledged is in the log that it serves; else this would go on for ever."""
    stored = [replica.store.outbox_row(row.counter) for row in rows]
    if any(row is not None and not row.seq for row in stored):
        raise RemoteProtocolError("the relay acknowledged an entry that is not in the log which it serves")


def _refused(replica: Replica, link: Link, refused: Refused) -> Procedure[None]:
    """What a refused append means (SPEC 13.8): another epoch, or something that the caller has to hear of."""
    if refused.reason != "EpochClosed":
        raise refused
    link.epoch = max(link.epoch, replica.position.epoch + 1)
    yield from enter(replica, link)
