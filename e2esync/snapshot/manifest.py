"""Manifests (SPEC 11.2): what an epoch's snapshot consists of, and what it must come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from e2esync.crypto import Secret
from e2esync.epoch import shape
from e2esync.errors import NonCanonical, SnapshotInvalid
from e2esync.limits import BLOB_MAX, HASH, KEY, RUNS_MAX
from e2esync.wire import Value, decode, encode


class LastEntry(NamedTuple):
    """An author's last entry in a snapshot: its counter, and its id, by which a second entry of one number shows."""

    counter: int
    entry_id: bytes


@dataclass(frozen=True, slots=True)
class RunRef:
    """A run: the blob of its index, that blob's key, and how many contacts it holds."""

    index_id: bytes
    # A blob's name decides: it opens under one key only, and keys are not compared.
    index_key: Secret = field(repr=False, compare=False)
    count: int


class UnknownOp(NamedTuple):
    """An operation of a kind that this version does not know, carried on verbatim."""

    member: int
    counter: int
    op: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """A snapshot: version vector with entry ids, state digest, deletion horizon, runs (oldest first), unknowns."""

    vector: dict[int, LastEntry]
    digest: bytes
    horizon: int
    runs: tuple[RunRef, ...]
    unknown: tuple[UnknownOp, ...] = ()

    @property
    def counters(self) -> dict[int, int]:
        """The version vector alone."""
        return {member: last.counter for member, last in self.vector.items()}


def encode_manifest(manifest: Manifest) -> bytes:
    """The content of the manifest's blob."""
    return encode([
        [[member, *manifest.vector[member]] for member in sorted(manifest.vector)],
        manifest.digest,
        manifest.horizon,
        [[run.index_id, run.index_key.reveal(), run.count] for run in manifest.runs],
        [list(unknown) for unknown in manifest.unknown],
    ])


def parse_manifest(content: bytes) -> Manifest:
    """The manifest that `content` spells. Raises NonCanonical or LimitExceeded."""
    fields = shape.array(decode(content, limit=BLOB_MAX), 5, "a manifest")
    return Manifest(
        vector=_parse_vector(fields[0]),
        digest=shape.octets(fields[1], HASH, "a manifest's digest"),
        horizon=shape.integer(fields[2], "a manifest's horizon"),
        runs=tuple(parse_run_ref(value) for value in shape.items(fields[3], RUNS_MAX, "a manifest's runs")),
        unknown=_parse_unknown(fields[4]),
    )


def parse_run_ref(value: Value) -> RunRef:
    """One run of a manifest, from its array. A batch operation names a run in the same way (SPEC 8.2)."""
    index_id, index_key, count = shape.array(value, 3, "a run")
    return RunRef(
        shape.octets(index_id, HASH, "a run's index id"),
        Secret(shape.octets(index_key, KEY, "a run's index key")),
        shape.integer(count, "a run's count"),
    )


def check_manifest(manifest: Manifest, epoch: int, previous_horizon: int) -> None:
    """SPEC 11.2: the horizon never falls, *so that nothing forgotten comes back*, and names no epoch to come.

    Raises SnapshotInvalid.
    """
    if not previous_horizon <= manifest.horizon <= epoch:
        raise SnapshotInvalid(
            f"the manifest of epoch {epoch} has horizon {manifest.horizon}, not {previous_horizon}..{epoch}",
        )


def _parse_vector(value: Value) -> dict[int, LastEntry]:
    vector: dict[int, LastEntry] = {}
    last = -1
    for line in shape.items(value, BLOB_MAX, "a manifest's vector"):
        member, counter, entry_id = shape.array(line, 3, "a line of a manifest's vector")
        if shape.index(member, "a member in a manifest") <= last:
            raise NonCanonical("a manifest's vector is not ascending by member")
        vector[member] = LastEntry(
            shape.integer(counter, "a counter in a manifest", 1), shape.octets(entry_id, HASH, "an entry id"),
        )
        last = member
    return vector


def _parse_unknown(value: Value) -> tuple[UnknownOp, ...]:
    unknown: list[UnknownOp] = []
    last = (0, 0)
    for line in shape.items(value, BLOB_MAX, "a manifest's unknown operations"):
        member, counter, op = shape.array(line, 3, "an unknown operation")
        dot = (shape.index(member, "an unknown operation's author"), shape.integer(counter, "its counter", 1))
        # One entry may hold several, in their order; entries are ascending by dot.
        if dot < last:
            raise NonCanonical("a manifest's unknown operations are not ascending by author and counter")
        unknown.append(UnknownOp(*dot, shape.any_octets(op, "an unknown operation")))
        last = dot
    return tuple(unknown)
