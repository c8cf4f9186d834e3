"""Members that deviate, with real keys (SPEC 4): what is refused has no effect; honest devices stay equal and alive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2esync.contactset import BatchOp, DeleteOp, SetOp
from e2esync.crypto import Secret
from e2esync.limits import INT_MAX, LIFE_MAX
from e2esync.procedures.syncing import sync
from e2esync.replica.contacts import contact_id
from e2esync.snapshot.blob import BlobType, blob_id, seal_blob
from e2esync.wire import decode, encode
from tests.helpers.forger import Forger, batch
from tests.helpers.network import Device, Line, Network


class Trio:
    """Two honest devices and one that deviates; the book holds one contact."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.phone = net.begin()
        self.laptop = net.add(self.phone, "laptop")
        self.evil = net.add(self.phone, "evil")
        self.phone.edit("ada", **{"phones/a": "1"})
        net.settle()
        self.forger = Forger(self.evil)
        self.ada = contact_id(self.phone.replica.set_id, "ada", 0)

    def check(self, *, effect: bool = False) -> None:
        """One of the honest reads each envelope as it comes, the other all at once; both go on, and a newcomer too."""
        before = self.phone.digest()
        self.net.settle(self.phone)
        assert (self.phone.digest() != before) is effect
        self.laptop.edit("bob", **{"notes/n": "x"})
        self.net.settle(self.phone, self.laptop)
        assert self.phone.digest() == self.laptop.digest()
        assert self.phone.registers("bob") == {"uid": "bob", "notes/n": "x"}
        self.phone.open()
        self.net.settle(self.phone, self.laptop)
        assert self.phone.digest() == self.laptop.digest()
        assert not self.phone.replica.frozen
        tablet = self.net.add(self.laptop, "tablet")
        self.net.settle(self.phone, self.laptop, tablet)
        assert tablet.digest() == self.phone.digest()
        assert tablet.registers("bob") == {"uid": "bob", "notes/n": "x"}


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Trio]:
    net = Network(tmp_path)
    yield Trio(net)
    net.close()


def _set(trio: Trio, value: object = "evil") -> list[SetOp]:
    return [SetOp(trio.ada, 1, 5, {"notes/e": value})]


@pytest.mark.parametrize("number", [2, 7, INT_MAX])
def test_an_entry_after_a_gap_waits_and_stops_nobody(trio: Trio, number: int) -> None:
    trio.forger.append(trio.forger.entry(_set(trio), counter=number, prev=b"p" * 32))
    trio.check()


def test_an_entry_that_waited_is_folded_when_the_one_before_it_comes(trio: Trio) -> None:
    first = trio.forger.entry(_set(trio, "1"))
    second = trio.forger.entry(_set(trio, "2"))
    trio.forger.append(second)
    trio.phone.sync()
    trio.forger.append(first)
    trio.check(effect=True)
    assert trio.laptop.registers("ada")["notes/e"] == "2"


def test_two_entries_under_one_number(trio: Trio) -> None:
    one = trio.forger.entry(_set(trio, "1"))
    other = Forger(trio.evil).entry(_set(trio, "2"))
    trio.forger.append(one)
    trio.phone.sync()
    trio.forger.append(other)
    trio.check()
    assert trio.phone.registers("ada")["notes/e"] == "1"


def test_an_entry_that_follows_another_history(trio: Trio) -> None:
    trio.forger.append(trio.forger.entry(_set(trio, "1")))
    trio.phone.sync()
    trio.forger.append(trio.forger.entry(_set(trio, "2"), prev=b"x" * 32))
    trio.check()
    assert trio.phone.registers("ada")["notes/e"] == "1"


@pytest.mark.parametrize("vector", [
    {0: INT_MAX, 1: INT_MAX, 2: INT_MAX, 3: INT_MAX, 99: 1}, dict.fromkeys(range(1000), INT_MAX),
], ids=["all", "strangers"])
def test_a_wild_version_vector_counts_only_as_far_as_the_log_shows(trio: Trio, vector: dict[int, int]) -> None:
    # It claims to have seen an edit that stands behind it in the log: that edit must not be replaced.
    trio.forger.append(trio.forger.entry([SetOp(trio.ada, 1, 0, {"phones/a": "evil"})], vector=vector))
    trio.check(effect=True)
    trio.phone.edit("ada", **{"phones/a": "2"})
    trio.net.settle(trio.phone, trio.laptop)
    assert trio.laptop.registers("ada")["phones/a"] == "2"


@pytest.mark.parametrize("ops", [
    b"", b"\xc1", encode(7), encode([]), encode([[1]]), encode([[1, b"x" * 16, 0, 0, {"a": 1}]]),
    encode([[2, b"x" * 16, 1, -1]]), encode([[3, b"x" * 32, b"y" * 32, 0]]), encode([[0]]), encode([["set"]]),
], ids=range(10))
def test_operations_that_are_none(trio: Trio, ops: bytes) -> None:
    trio.forger.append(trio.forger.entry(ops))
    trio.check()


def test_bytes_that_do_not_open(trio: Trio) -> None:
    entry = trio.forger.entry(_set(trio))
    trio.forger.replica._key = (trio.forger.replica.position.epoch, Secret(b"k" * 32))
    trio.forger.append(entry)
    trio.check()


def test_a_foreign_signature(trio: Trio) -> None:
    trio.forger.append(trio.forger.entry(_set(trio), author=trio.phone.replica.member, counter=2, prev=b"p" * 32))
    trio.check()


def test_extremes_of_life_and_time(trio: Trio) -> None:
    trio.forger.append(trio.forger.entry([
        SetOp(trio.ada, LIFE_MAX, INT_MAX, {"notes/e": "x"}), DeleteOp(trio.ada, LIFE_MAX, INT_MAX),
    ]))
    trio.check(effect=True)
    trio.phone.edit("ada", **{"phones/a": "2"})
    trio.net.settle(trio.phone, trio.laptop)
    assert trio.laptop.registers("ada")["phones/a"] == "2"


def test_operations_of_later_versions_by_two_members_out_of_order(trio: Trio) -> None:
    # The manifest lists them by author, the log has them as they came.
    other = Forger(trio.net.add(trio.phone, "other"))
    trio.evil.sync()
    first = Forger(trio.evil)
    other.append(other.entry(encode([[5, "later"]])))
    first.append(first.entry(encode([[9, "later"], [4]])))
    trio.check()
    assert [tuple(op) for op in decode(trio.laptop.store.get("unknown") or b"")] == [
        (first.replica.member, 1, encode([9, "later"])), (first.replica.member, 1, encode([4])),
        (other.replica.member, 1, encode([5, "later"])),
    ]


# Batches.

Build = Callable[[Trio], tuple[BatchOp, list[bytes]]]


def _good(trio: Trio) -> tuple[BatchOp, list[bytes]]:
    run = trio.forger.run(trio.forger.item(trio.ada, {"notes/e": "1"}), trio.forger.item(b"\xff" * 16, {"uid": "e"}))
    return batch(run), trio.forger.upload(*run.blobs)


def _foreign_dot(trio: Trio) -> tuple[BatchOp, list[bytes]]:
    run = trio.forger.run(trio.forger.item(trio.ada, {"notes/e": "1"}, counter=9))
    return batch(run), trio.forger.upload(*run.blobs)


def _with_null(trio: Trio) -> tuple[BatchOp, list[bytes]]:
    run = trio.forger.run(trio.forger.item(trio.ada, {"phones/a": None}))
    return batch(run), trio.forger.upload(*run.blobs)


def _absent(trio: Trio) -> tuple[BatchOp, list[bytes]]:
    run = trio.forger.run((trio.ada, b""))
    return batch(run), trio.forger.upload(*run.blobs)


def _garbage_state(trio: Trio) -> tuple[BatchOp, list[bytes]]:
    run = trio.forger.run((trio.ada, b"\xc1garbage"))
    return batch(run), trio.forger.upload(*run.blobs)


def _other_count(trio: Trio) -> tuple[BatchOp, list[bytes]]:
    run = trio.forger.run(trio.forger.item(trio.ada, {"notes/e": "1"}))
    return batch(run, 2), trio.forger.upload(*run.blobs)


def _other_key(trio: Trio) -> tuple[BatchOp, list[bytes]]:
    run = trio.forger.run(trio.forger.item(trio.ada, {"notes/e": "1"}))
    return BatchOp(run.ref.index_id, b"k" * 32, 1), trio.forger.upload(*run.blobs)


def _garbage_index(trio: Trio) -> tuple[BatchOp, list[bytes]]:
    key, (name, blob) = trio.forger.blob(BlobType.INDEX, b"\xc1 is no array")
    return BatchOp(name, key, 1), trio.forger.upload((name, blob))


def _chunk_as_index(trio: Trio) -> tuple[BatchOp, list[bytes]]:
    key, (name, blob) = trio.forger.blob(BlobType.CHUNK, encode([]))
    return BatchOp(name, key, 1), trio.forger.upload((name, blob))


def _garbage_chunk(trio: Trio) -> tuple[BatchOp, list[bytes]]:
    chunk_key, chunk = trio.forger.blob(BlobType.CHUNK, b"\xc1 is no array")
    key, index = trio.forger.blob(BlobType.INDEX, encode([[chunk[0], chunk_key, 1]]))
    return BatchOp(index[0], key, 1), trio.forger.upload(chunk, index)


def _chunk_key_wrong(trio: Trio) -> tuple[BatchOp, list[bytes]]:
    _key, chunk = trio.forger.blob(BlobType.CHUNK, encode([]))
    key, index = trio.forger.blob(BlobType.INDEX, encode([[chunk[0], b"k" * 32, 1]]))
    return BatchOp(index[0], key, 1), trio.forger.upload(chunk, index)


def _raw_index(trio: Trio) -> tuple[BatchOp, list[bytes]]:
    blob = b"\x01\x03" + bytes(510)
    return BatchOp(blob_id(blob), b"k" * 32, 1), trio.forger.upload((blob_id(blob), blob))


def _chunk_unnamed(trio: Trio) -> tuple[BatchOp, list[bytes]]:
    run = trio.forger.run(trio.forger.item(trio.ada, {"notes/e": "1"}))
    trio.forger.upload(*run.blobs)
    return batch(run), [run.ref.index_id]


def _index_unnamed(trio: Trio) -> tuple[BatchOp, list[bytes]]:
    run = trio.forger.run(trio.forger.item(trio.ada, {"notes/e": "1"}))
    trio.forger.upload(*run.blobs)
    return batch(run), []


def _chunk_that_does_not_exist(trio: Trio) -> tuple[BatchOp, list[bytes]]:
    key, index = trio.forger.blob(BlobType.INDEX, encode([[b"c" * 32, b"k" * 32, 1]]))
    return BatchOp(index[0], key, 1), trio.forger.upload(index)


def _index_that_does_not_exist(_trio: Trio) -> tuple[BatchOp, list[bytes]]:
    return BatchOp(b"i" * 32, b"k" * 32, 1), []


BAD: list[Build] = [
    _foreign_dot, _with_null, _absent, _garbage_state, _other_count, _other_key, _garbage_index, _chunk_as_index,
    _garbage_chunk, _chunk_key_wrong, _raw_index, _chunk_unnamed, _index_unnamed, _chunk_that_does_not_exist,
    _index_that_does_not_exist,
]


@pytest.mark.parametrize("build", BAD, ids=lambda build: build.__name__.strip("_"))
def test_a_bad_batch_has_no_effect_and_is_no_run_of_the_snapshot(trio: Trio, build: Build) -> None:
    op, names = build(trio)
    before = trio.phone.store.runs()
    trio.forger.append(trio.forger.entry([op]), blobs=names)
    trio.phone.sync()
    assert trio.phone.store.runs() == before
    trio.check()


def test_a_good_batch_has_effect(trio: Trio) -> None:
    op, names = _good(trio)
    trio.forger.append(trio.forger.entry([op]), blobs=names)
    trio.check(effect=True)
    assert trio.laptop.registers("ada")["notes/e"] == "1"


def test_a_good_batch_beside_a_bad_one_has_no_effect_either(trio: Trio) -> None:
    good, names = _good(trio)
    bad, more = _garbage_chunk(trio)
    trio.forger.append(trio.forger.entry([good, bad]), blobs=[*names, *more])
    trio.check()


def test_one_run_named_twice_in_an_entry(trio: Trio) -> None:
    op, names = _good(trio)
    trio.forger.append(trio.forger.entry([op, op]), blobs=names)
    trio.check(effect=True)


def test_a_batch_that_comes_before_its_turn_is_dropped_by_all(trio: Trio) -> None:
    first = trio.forger.entry(_set(trio, "1"))
    op, names = _good(trio)
    second = trio.forger.entry([op])
    trio.forger.append(second, blobs=names)
    trio.phone.sync()
    trio.forger.append(first)
    trio.check(effect=True)
    assert trio.laptop.registers("ada")["notes/e"] == "1"


def test_a_batch_that_would_make_a_contact_too_large(trio: Trio) -> None:
    # Its item is refused, but its run says otherwise: the next snapshot has to correct it.
    large = {f"notes/{n}": "x" * 60_000 for n in range(4)}
    trio.forger.append(trio.forger.entry([SetOp(trio.ada, 1, 1, large)]))
    run = trio.forger.run(
        trio.forger.item(trio.ada, {f"notes/m{n}": "y" * 60_000 for n in range(5)}),
        trio.forger.item(b"\xff" * 16, {"uid": "e"}),
    )
    trio.forger.append(trio.forger.entry([batch(run)]), blobs=trio.forger.upload(*run.blobs))
    trio.check(effect=True)
    assert "notes/m0" not in trio.phone.registers("ada")


@pytest.mark.parametrize("values", [
    {"name": 5}, {"name": {"full": ["x"]}}, {"phones/a": 3.5, "phones/b": {"number": {}}}, {"emails/e": [None]},
    {"uid": {"a": 1}, "kind": [], "organizations/o": 1, "addresses/a": "x", "titles/t": b"\xff"},
    {"photos": 1, "media/m": {"uri": 5, "digest": []}, "localizations/de": 0, "keywords/k": {}, "members/m": -1},
    {"origin": b"\x00", "origin/x": {}, "name": {"components": [[], None, {"kind": 1, "value": {}}]}},
    {"x" * 1024: "\u0000\ud7ff\U0010ffff", "nicknames/n": {"name": "\u202e\r\n"}},
    {"anniversaries/a": {"date": {"year": INT_MAX}}, "notes/n": {"note": "x" * 100000}},
], ids=range(9))
def test_registers_that_are_no_card(trio: Trio, values: dict[str, object]) -> None:
    trio.forger.append(trio.forger.entry([SetOp(b"\xee" * 16, 1, 1, values), SetOp(trio.ada, 1, 9, values)]))
    trio.check(effect=True)
    rows = trio.laptop.store.cards()
    assert {row.contact for row in rows} == {row.contact for row in trio.phone.store.cards()}
    assert trio.laptop.store.find("nobody has this name") == []


@pytest.mark.parametrize("place", [
    7, {}, {"parts": [1], "keys": [2]}, {"parts": ["x"], "keys": []}, {"parts": [b"short"], "keys": [b"k" * 32]},
    {"parts": [b"b" * 32], "keys": [b"k" * 32]}, {"parts": [b"b" * 32] * 1000, "keys": [b"k" * 32] * 1000},
    {"parts": [b"b" * 32], "keys": ["k" * 32]}, {"parts": 3.5, "keys": None},
], ids=range(9))
def test_a_photo_that_cannot_be_had_stops_nobody(trio: Trio, place: object) -> None:
    trio.forger.append(trio.forger.entry([SetOp(trio.ada, 1, 9, {"blobs/" + "0" * 32: place})]))
    trio.check(effect=True)
    assert trio.phone.store.media("0" * 32) is None


def test_another_photo_under_a_digest_is_not_taken(trio: Trio) -> None:
    key = trio.net.entropy.draw("blob key", 32)
    nonce = trio.net.entropy.draw("blob nonce", 24)
    blob = seal_blob(BlobType.MEDIA, Secret(key), nonce, trio.phone.replica.set_id, b"not what the digest says")
    names = trio.forger.upload((blob_id(blob), blob))
    place = {"parts": names, "keys": [key]}
    trio.forger.append(trio.forger.entry([SetOp(trio.ada, 1, 9, {"blobs/" + "0" * 32: place})]), blobs=names)
    trio.check(effect=True)
    assert trio.phone.store.media("0" * 32) is None


def test_the_sets_own_object_full_of_nonsense(trio: Trio) -> None:
    from e2esync.replica.own_object import book_name, device_names

    values = {"name": 5, "devices/1": "x", "devices/" + "9" * 900: {"name": 7}, "devices/٣": {"name": "three"}}
    trio.forger.append(trio.forger.entry([SetOp(bytes(16), 1, 1, values)]))
    trio.check(effect=True)
    assert book_name(trio.phone.replica) == ""
    assert device_names(trio.phone.replica) == {3: "three"}


# Openings.

def test_garbage_behind_a_cut_is_dropped_by_those_who_saw_it(trio: Trio) -> None:
    # The laptop has read bytes that nobody can open; the phone has not, and removes whoever sent them.
    trio.forger.append_raw(_sealed_garbage(trio))
    trio.laptop.sync()
    _close_before(trio, trio.phone)
    trio.laptop.sync()
    assert trio.laptop.replica.position.epoch == trio.phone.replica.position.epoch
    trio.net.settle(trio.phone, trio.laptop)
    assert trio.laptop.digest() == trio.phone.digest()


def test_a_repeated_entry_of_somebody_else_behind_a_cut_is_no_loss(trio: Trio) -> None:
    row = next(iter(trio.phone.store.outbox()))
    from e2esync.log.entry import parse_entry

    trio.forger.append(parse_entry(row.entry))
    trio.laptop.sync()
    _close_before(trio, trio.phone)
    trio.net.settle(trio.phone, trio.laptop)
    assert trio.laptop.replica.position.epoch == trio.phone.replica.position.epoch
    assert trio.laptop.registers("ada") == {"uid": "ada", "phones/a": "1"}


def _sealed_garbage(trio: Trio) -> bytes:
    from e2esync.log.envelope import seal_envelope

    replica = trio.forger.replica
    nonce = trio.net.entropy.draw("envelope nonce", 24)
    return seal_envelope(Secret(b"k" * 32), replica.set_id, replica.position.epoch, b"garbage", nonce)


def _close_before(trio: Trio, device: Device) -> None:
    """Open an epoch that removes the deviating device and closes before what it wrote last."""
    device.remove(trio.evil, lost=True)


def test_an_opener_that_leaves_has_its_epoch_followed_by_another(trio: Trio) -> None:
    """SPEC 9.6: whoever made the secret is out, so nobody writes under it."""
    trio.net.clock.time += 10**7
    replica = trio.evil.replica
    line = Line(trio.net, replica)
    link = line.link()
    line.run(sync(replica, link))
    _leave(trio, line, link)
    trio.phone.edit("ada", **{"phones/a": "2"})
    assert trio.phone.sync().opened
    trio.net.settle(trio.phone, trio.laptop)
    assert trio.phone.replica.writable
    assert trio.laptop.registers("ada")["phones/a"] == "2"


def _leave(trio: Trio, line: Line, link: object) -> None:
    from e2esync.crypto import Secret as Key
    from e2esync.epoch.boxes import epoch_commit, epoch_key, list_hash, seal_boxes
    from e2esync.epoch.record import Flag, Remove, sign_record
    from e2esync.procedures.steps import ask, upload_blobs
    from e2esync.replica.opening import _recipients, _snapshot
    from e2esync.session.messages import Open, Opened
    from e2esync.snapshot.blob import seal_manifest
    from e2esync.snapshot.manifest import encode_manifest

    replica, entropy, net = trio.evil.replica, trio.net.entropy, trio.net
    chain, epoch = replica.chain, replica.chain.epoch + 1
    changes = (Remove(replica.member),)
    slots = {row.member: row for row in trio.evil.store.slots()}
    recipients = _recipients(replica, chain.after(replica.member, changes), slots, entropy)
    secret = Key(entropy.draw("epoch secret", 32))
    manifest, built = _snapshot(replica, [], 0, entropy, forget=False)
    sealed = seal_manifest(epoch_key(replica.set_id, epoch, secret), entropy.draw("manifest nonce", 24),
                           replica.set_id, epoch, encode_manifest(manifest))
    box_list, boxes = seal_boxes(replica.set_id, epoch, secret, recipients, entropy)
    position = replica.position
    record = sign_record(
        replica.signing_key, replica.set_id, epoch=epoch, prev=chain.head.hash, closes_seq=position.seq,
        closes_hash=position.log_hash, time=net.clock(), opener=replica.member, changes=changes,
        numbers={member: number for member, number, _key in recipients if number}, flags=Flag(0),
        commit=epoch_commit(replica.set_id, epoch, secret), boxes=list_hash(box_list), manifest=blob_id(sealed),
    )
    blobs = [(blob_id(sealed), sealed), *(built.blobs if built else ())]
    line.run(upload_blobs(link, blobs))
    names = tuple(name for name, _blob in blobs)
    line.run(ask(Open(record.raw, box_list, tuple(boxes), b"", names, ()), Opened))
