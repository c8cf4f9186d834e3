"""A relay that forgets nothing, and a thief who has it and some devices: what can they read together?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from e2esync.crypto import Secret, open_sealed
from e2esync.crypto.sealing import SealingKey, open_box
from e2esync.epoch import shape
from e2esync.epoch.boxes import epoch_key, parse_box_list
from e2esync.epoch.record import Record, parse_record
from e2esync.errors import E2esyncError
from e2esync.log.envelope import envelope_blobs
from e2esync.replica.core import EPOCH, SEALING
from e2esync.replica.snapshots import fetcher, run_items, run_ref
from e2esync.session import messages as m
from e2esync.session.commands import Change
from e2esync.snapshot.blob import open_manifest
from e2esync.snapshot.manifest import RunRef, parse_manifest
from e2esync.stores.book import BookStore
from e2esync.stores.profile import ProfileStore
from tests.helpers.network import Network


class Archive:
    """Every byte that was ever sent to a relay, whatever the relay drops."""

    def __init__(self) -> None:
        self.openings: list[tuple[Record, bytes, Sequence[bytes]]] = []
        self.envelopes: list[tuple[int, bytes]] = []
        self.blobs: dict[bytes, bytes] = {}
        self.sent = 0

    @classmethod
    def of(cls, requests: Iterable[Any]) -> Archive:
        """What these requests brought."""
        archive = cls()
        for request in requests:
            archive._keep(request)
        return archive

    @classmethod
    def recording(cls, net: Network, monkeypatch: Any) -> Archive:
        """What comes from now on."""
        archive = cls()
        execute = net.relay.execute

        def recording(commands: Sequence[Any], now: int) -> Any:
            for command in commands:
                if isinstance(command, Change):
                    archive._keep(command.request)
            return execute(commands, now)

        monkeypatch.setattr(net.relay, "execute", recording)
        return archive

    def _keep(self, request: Any) -> None:
        if isinstance(request, m.Open | m.Create):
            self.openings.append((parse_record(request.record), request.box_list, request.boxes))
            self.sent += len(request.record) + len(request.box_list) + sum(map(len, request.boxes))
        elif isinstance(request, m.Append):
            self.envelopes.append((request.epoch, request.envelope))
        elif isinstance(request, m.PutBlob):
            self.blobs[request.blob] = self.blobs.get(request.blob, b"")[: request.offset] + request.part
            self.sent += len(request.part)


class Thief:
    """Takes keys where they lie, and opens with them what the archive holds."""

    def __init__(self, archive: Archive, set_id: bytes) -> None:
        self.archive = archive
        self.set_id = set_id
        self.keys: list[SealingKey] = []
        self.epochs: dict[int, Secret] = {}
        self.runs: list[RunRef] = []

    def take(self, store: BookStore) -> None:
        """Every key that a device holds at this moment."""
        for number in store.secret_numbers(SEALING):
            secret = store.secret(SEALING, number)
            assert secret is not None
            self.keys.append(SealingKey.from_secret(secret.reveal()))
        for epoch in store.secret_numbers(EPOCH):
            self.epochs[epoch] = store.secret(EPOCH, epoch)  # type: ignore[assignment]
        self.runs += [run_ref(run) for run in store.runs()]

    def open_boxes(self) -> set[int]:
        """Try every key on every box; the epochs whose secret is known then."""
        for record, box_list, boxes in self.archive.openings:
            for (member, number, _hash), box in zip(parse_box_list(box_list), boxes, strict=True):
                context = self.set_id + shape.u64(record.epoch) + shape.u32(member) + shape.u64(number)
                for key in self.keys:
                    try:
                        self.epochs[record.epoch] = open_box(key, context, box)
                    except E2esyncError:
                        continue
        return set(self.epochs)

    def plaintext(self) -> bytes:
        """Everything that opens: envelopes, manifests and the chunks that they lead to."""
        self.open_boxes()
        return b"\0".join([*self._envelopes(), *self._snapshots()])

    def _envelopes(self) -> Iterable[bytes]:
        for epoch, envelope in self.archive.envelopes:
            if epoch in self.epochs:
                header = envelope[: 12 + 32 * len(envelope_blobs(envelope))]
                key = epoch_key(self.set_id, epoch, self.epochs[epoch])
                yield open_sealed(key, self.set_id + header, envelope[len(header):])

    def _snapshots(self) -> Iterable[bytes]:
        runs = list(self.runs)
        for record, _list, _boxes in self.archive.openings:
            if record.epoch in self.epochs and record.manifest in self.archive.blobs:
                key = epoch_key(self.set_id, record.epoch, self.epochs[record.epoch])
                content = open_manifest(key, self.set_id, record.epoch, self.archive.blobs[record.manifest])
                runs += parse_manifest(content).runs
        for run in runs:
            for _contact, state in run_items(self.set_id, run, fetcher(self.archive.blobs.get)):
                yield state


def on_disk(profile: ProfileStore) -> bytes:
    """All that a device's database holds, index, history and trash included, once it has settled."""
    profile.settle()
    database = profile._db
    tables = [str(name) for (name,) in database.all("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return b"\0".join(
        value if isinstance(value, bytes) else str(value).encode()
        for table in tables for row in database.all(f"SELECT * FROM {table}") for value in row
    )
