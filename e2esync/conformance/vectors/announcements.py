"""Examples of announcements (SPEC 10.6), part of `epochs.json`."""

from __future__ import annotations

from typing import Any, Final

from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, hexed, unhexed
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.world import ALICE, BOB, party, replaced, signed, world
from e2esync.crypto import Label, SigningKey
from e2esync.epoch.announcement import (
    Announcement,
    AskAdd,
    AskLeave,
    AskRemove,
    AskSeal,
    Request,
    check_announcement,
    parse_announcement,
    requested_changes,
    sign_announcement,
)
from e2esync.epoch.chain import verify_chain
from e2esync.epoch.record import Add, change_value, make_rekey
from e2esync.epoch.roles import Role
from e2esync.errors import AuthFailed, BadKey, E2esyncError, LimitExceeded, NonCanonical, SlotInvalid
from e2esync.limits import SLOT_MAX
from e2esync.wire import decode, encode


def _sign(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    key, set_id = SigningKey(bytes.fromhex(inputs["signing_seed"])), bytes.fromhex(inputs["set_id"])
    announcement = sign_announcement(
        key, set_id, **{name: inputs[name] for name in ("member", "number", "revision", "version")},
        seal_key=bytes.fromhex(inputs["sealing_key"]),
        requests=tuple(_request(unhexed(request)) for request in inputs["requests"]),
    )
    return Outcome({"announcement": announcement.raw.hex()}, {"body": announcement.body.hex()})


def _request(value: list[Any]) -> Request:
    match value:
        case [1, epoch, member]:
            return AskRemove(epoch, member)
        case [2, epoch, person, role, *keys]:
            return AskAdd(epoch, Add(person, Role(role), *keys))
        case [3, epoch]:
            return AskSeal(epoch)
        case [4, epoch]:
            return AskLeave(epoch)
    raise AssertionError("a case names no request")


def _fields(announcement: Announcement) -> Inputs:
    return {
        "member": announcement.member, "number": announcement.number, "revision": announcement.revision,
        "sealing_key": announcement.seal_key.hex(), "version": announcement.version,
        "requests": hexed(decode(announcement.body)[5]),
    }


def _check(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    chain = verify_chain(bytes.fromhex(inputs["set_id"]), [bytes.fromhex(record) for record in inputs["records"]])
    held = bytes.fromhex(inputs["held"])
    previous = parse_announcement(held) if held else None
    announcement = check_announcement(chain, bytes.fromhex(inputs["announcement"]), previous)
    changes = [hexed(change_value(change)) for change in requested_changes(chain, announcement)]
    return Outcome(_fields(announcement) | {"changes": changes})


OPERATIONS: Final = {"sign_announcement": _sign, "check_announcement": _check}


def _inputs(announcement: bytes, held: bytes = b"", *records: bytes) -> Inputs:
    return {
        "set_id": world().set_id.hex(), "records": [{"given": "record-0"}, {"given": "record-1"}, *hexed(records)],
        "announcement": announcement.hex(), "held": held.hex(),
    }


def add_cases(cases: Layer) -> None:
    """Add the cases of 10.6 to the layer `epochs`."""
    at = world()
    phone = at.add(Role.READER, "bob's phone", BOB)
    plain = at.announce(2)
    asking = at.announce(
        5, AskRemove(1, 3), AskAdd(1, phone), AskAdd(1, at.add(Role.OWNER, "bob's phone", BOB)),
        AskAdd(0, at.add(Role.READER, "watch")), AskSeal(1), AskLeave(1),
    )
    for name, comment, announcement, seed in (
        ("plain", "a device's next key", plain, at.parties[2].seed),
        ("requests", "each kind of request", asking, at.parties[5].seed),
    ):
        inputs = _fields(announcement) | {"signing_seed": seed, "set_id": at.set_id.hex()}
        cases.valid("sign_announcement", name, "10.6", comment, inputs)
    held, again = at.announce(2, revision=6, number=1), at.announce(2, revision=6)
    for name, comment, raw, before in (
        ("first", "the slot is empty", plain.raw, b""),
        ("of-the-record", "a device that sleeps stays with the record's number", held.raw, b""),
        ("higher-revision", "after one of a lower number", plain.raw, held.raw),
        ("same-key-again", "the same key under the same number, a higher revision", plain.raw, again.raw),
        ("next-key", "another key under the next number",
         at.announce(2, seal_key=party("stranger").sealing.public).raw, held.raw),
        ("same-bytes", "a retry", plain.raw, plain.raw),
        ("requests", "those for others' devices, for a higher role or for a stranger have no effect", asking.raw, b""),
        ("own-kit", "who leaves takes its kit along", at.announce(5, AskRemove(1, 6), AskLeave(1)).raw, b""),
        ("root", "a request to remove the root has no effect", at.announce(2, AskRemove(1, 0)).raw, b""),
    ):
        cases.valid("check_announcement", name, "10.6", comment, _inputs(raw, before))
    _refusals(cases, held)
    _successors(cases)
    _shapes(cases, plain)
    _requests(cases, plain)


def _refuse(
    cases: Layer, name: str, comment: str, raw: bytes, error: type[E2esyncError], flag: str, held: bytes = b"",
) -> None:
    cases.invalid("check_announcement", name, "10.6", comment, _inputs(raw, held), error, flags=(flag,))


def _refusals(cases: Layer, held: Announcement) -> None:
    at = world()
    good = at.parties[2].sealing.public
    for name, comment, announcement, error in (
        ("by-stranger", "signed by a key that is nobody's", at.announce(signer=party("stranger").signing), AuthFailed),
        ("by-another-member", "signed by member 1", at.announce(signer=at.parties[1].signing), AuthFailed),
        ("for-another-set", "signed for another set", at.announce(set_id=bytes(32)), AuthFailed),
        ("of-kit", "a kit has no slot", at.announce(6, number=1), SlotInvalid),
        ("of-root", "the root has no slot", at.announce(0, number=1), SlotInvalid),
        ("number-two-more", "two more than the record's", at.announce(number=3), SlotInvalid),
        ("request-to-come", "a request of an epoch that is not open yet", at.announce(2, AskSeal(2)), SlotInvalid),
        ("key-of-small-order", "an X25519 half of small order", at.announce(seal_key=bytes(32) + good[32:]), BadKey),
        ("key-second-spelling", "an X25519 half of 2^255−19 or more",
         at.announce(seal_key=b"\xff" * 31 + b"\x7f" + good[32:]), BadKey),
        ("key-kem", "an ML-KEM half with a coefficient of q or more",
         at.announce(seal_key=good[:32] + b"\xff" * 3 + good[35:]), BadKey),
    ):
        _refuse(cases, name, comment, announcement.raw, error, "slot")
    nobody = signed(at.parties[2].signing, Label.SIGN_ANNOUNCEMENT, at.set_id, replaced(decode(held.body), 0, 9))
    _refuse(cases, "of-nobody", "an index that was not given", nobody, SlotInvalid, "slot")
    number_two = at.announce(2, revision=6)
    for name, comment, announcement, before in (
        ("same-revision", "another announcement of the same revision", at.announce(2, revision=6, version=2), held),
        ("lower-revision", "a lower revision", at.announce(2, revision=5), held),
        ("lower-number", "number 1 after 2", at.announce(2, number=1), number_two),
        ("second-key", "another key under the number", at.announce(2, seal_key=party("stranger").sealing.public),
         number_two),
        ("slot-of-another", "member 2 in the slot of member 3", at.announce(2), at.announce(3, revision=6, number=1)),
    ):
        _refuse(cases, name, comment, announcement.raw, SlotInvalid, "slot", before.raw)


def _successors(cases: Layer) -> None:
    at = world()
    new = party("phone, new key")
    rekey = at.record(2, (make_rekey(new.signing, at.set_id, 2, ALICE, Role.OWNER),))
    cases.valid("check_announcement", "after-rekey", "10.6", "signed by the member's new key",
                _inputs(at.announce(2, signer=new.signing).raw, b"", rekey.raw))
    cases.invalid("check_announcement", "by-replaced-key", "10.6", "signed by the key before the rekey",
                  _inputs(at.announce(2).raw, b"", rekey.raw), AuthFailed, flags=("slot",))
    rewound = at.record(numbers=dict(at.chain.numbers) | {2: 2})
    cases.invalid("check_announcement", "number-behind-record", "10.6", "the number before the record's",
                  _inputs(at.announce(2, number=1).raw, b"", rewound.raw), SlotInvalid, flags=("slot",))


def _shapes(cases: Layer, plain: Announcement) -> None:
    at, good = world(), decode(plain.body)
    fields: list[tuple[str, str, Any]] = [
        ("member-below-0", "member −1", replaced(good, 0, -1)),
        ("number-0", "announced numbers begin with 1", replaced(good, 1, 0)),
        ("number-true", "a boolean is no number", replaced(good, 1, True)),
        ("revision-below-0", "revision −1", replaced(good, 2, -1)),
        ("short-key", "a sealing key of 1215 bytes", replaced(good, 3, good[3][:-1])),
        ("version-0", "versions begin with 1", replaced(good, 4, 0)),
        ("requests-in-a-map", "a map for the requests", replaced(good, 5, {})),
        ("five-fields", "the last field missing", good[:-1]),
        ("seven-fields", "one field more", [*good, 0]),
    ]
    for name, comment, value in fields:
        raw = signed(at.parties[2].signing, Label.SIGN_ANNOUNCEMENT, at.set_id, value)
        _refuse(cases, name, comment, raw, NonCanonical, "shape")
    for name, comment, raw, error in (
        ("short-signature", "a signature of 63 bytes", encode([plain.body, plain.signature[:-1]]), NonCanonical),
        ("body-in-place", "the body as an array, not as bytes", encode([good, plain.signature]), NonCanonical),
        ("too-long", "one byte more than 16 KiB", bytes(SLOT_MAX + 1), LimitExceeded),
    ):
        _refuse(cases, name, comment, raw, error, "shape")


def _requests(cases: Layer, plain: Announcement) -> None:
    at, good = world(), decode(plain.body)
    kit = change_value(at.add(Role.RECOVERY, "watch"))[1:]
    for name, comment, request in (
        ("request-0", "a request of no known kind", [0, 1]),
        ("request-5", "a request of no known kind", [5, 1]),
        ("request-true", "a boolean is no kind", [True, 1, 3]),
        ("remove-nobody", "a request to remove without a member", [1, 1]),
        ("seal-with-more", "a request to seal with three elements", [3, 1, 1]),
        ("leave-in-text", "text for the epoch", [4, "1"]),
        ("epoch-below-0", "epoch −1", [3, -1]),
        ("add-without-keys", "a request to add without its keys", [2, 1, ALICE, 1]),
        ("add-kit", "a request to add a kit", [2, 1, *kit]),
    ):
        raw = signed(at.parties[2].signing, Label.SIGN_ANNOUNCEMENT, at.set_id, replaced(good, 5, [request]))
        _refuse(cases, name, comment, raw, NonCanonical, "request")
    raw = signed(at.parties[2].signing, Label.SIGN_ANNOUNCEMENT, at.set_id, replaced(good, 5, [[3, 1]] * 17))
    _refuse(cases, "17-requests", "more than 16 requests", raw, LimitExceeded, "request")
