"""Examples of the relay protocol (SPEC 13): every message as a frame, malformed ones, and whole transcripts."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from e2esync.conformance.vectors import transcripts
from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, tagged
from e2esync.conformance.vectors.entries import make_entry
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.heads import make_head
from e2esync.conformance.vectors.world import NOW, replaced, world
from e2esync.errors import E2esyncError, LimitExceeded, NonCanonical
from e2esync.limits import BLOB_MAX, FRAME_MAX, HASH, MAILBOX_MESSAGE_MAX, SIGNATURE
from e2esync.log.envelope import seal_envelope
from e2esync.log.head import to_short
from e2esync.session.codec import decode_message, encode_message
from e2esync.session.messages import Side
from e2esync.wire import decode, encode

_FLAGS: Final = {
    "shape": "a frame whose array is not the one of its type",
    "side": "a message that the other side sends",
    "range": "a number or length beyond what its field may have",
    "out-of-turn": "a well-formed message where it may not come",
    "impostor": "a relay that is not the expected one, or does not prove that it is",
    "stranger": "a client that does not prove to be a member",
    "refused": "the relay says no",
}


def _decode(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    frame = bytes.fromhex(inputs["frame"])
    message = decode_message(frame, Side[inputs["side"]])
    again = encode_message(message)
    assert again == frame
    return Outcome({"message": tagged(decode(again))})


def layer() -> Layer:
    """All cases of `session.json`."""
    cases = Layer("session", "13", {"decode": _decode} | transcripts.OPERATIONS, _FLAGS)
    for name, fields in examples().items():
        side = "CLIENT" if fields[0] < 30 and name not in _FROM_RELAY else "RELAY"
        spec = "13.2" if fields[0] < 10 else "13.3"
        cases.valid("decode", name, spec, _COMMENTS.get(name, "as it is sent"),
                    {"side": side, "frame": encode(fields).hex()})
    _handshakes(cases)
    _requests(cases)
    _bulk(cases)
    _answers(cases)
    _pushes(cases)
    _outsides(cases)
    transcripts.add_cases(cases)
    return cases


_FROM_RELAY: Final = {"challenge", "welcome", "welcome-visitor"}
_COMMENTS: Final = {
    "hello-visitor": "no set, member 0", "proof-visitor": "nothing to prove", "welcome-visitor": "no head",
    "log-part-without-head": "it does not reach the head", "refusal": "a code of 13.8; `data` is the open epoch",
    "put-heartbeat": "what is empty stays as it was",
}


@lru_cache(maxsize=1)
def examples() -> dict[str, list[Any]]:
    """A valid message of each kind, as the array in its frame. Nobody changes them."""
    at = world()
    head = to_short(make_head()).to_value()
    envelope = seal_envelope(at.key, at.set_id, 1, make_entry().raw, bytes(24))
    record, box, announcement = at.record().raw, at.openings[0].boxes[1], at.announce(2).raw
    box_list, blob = at.openings[0].box_list, b"\xb1" * HASH
    slot = [2, announcement, b"", NOW]
    return {
        "hello": [1, 1, at.set_id, 3, b"\xc0" * 32], "hello-visitor": [1, 1, b"", 0, b"\xc0" * 32],
        "challenge": [2, b"\xd0" * 32, at.relay.verify_key],
        "proof": [3, b"\x5f" * SIGNATURE], "proof-visitor": [3, b""],
        "welcome": [4, make_head(binding=b"\xbd" * 32).body, make_head(binding=b"\xbd" * 32).signature],
        "welcome-visitor": [4, b"", b"\x5f" * SIGNATURE],
        "show": [26, at.set_id, b"\x9a" * 100, b"\x5f" * SIGNATURE],
        "seed": [27, at.set_id, 1, [b"\x9b" * 200], b""],
        "append": [10, 1, envelope], "read": [11, 1, 1], "chain": [12, 0], "box": [13, 1],
        "open": [14, record, box_list, [box], announcement, [blob], []],
        "put-blob": [15, blob, 512, 0, bytes(512)], "get-blob": [16, blob, 0],
        "put-slot": [17, announcement, b""], "put-heartbeat": [17, b"", bytes(512)], "slots": [18, 7], "inspect": [19],
        "create": [20, at.openings[0].record.raw, box_list, [box], [announcement], b""],
        "create-invited": [20, at.openings[0].record.raw, box_list, [box], [], b"\x1e" * 16],
        "mailbox": [21, b"\x3b" * 8, 1, b"\x70" * 16], "mail": [22, 0, b"m" * 100], "have": [23, [blob]],
        "ping": [24], "find": [25, at.parties[0].signing.verify_key, b"\x5f" * SIGNATURE],
        "appended": [30, 9, head], "log-part": [31, 1, 9, [envelope], head],
        "log-part-without-head": [31, 1, 8, [envelope], []], "chain-part": [32, [record]],
        "box-answer": [33, box_list, box], "opened": [34, 2, head], "blob-stored": [35, 512],
        "blob-part": [36, 512, bytes(512)], "slot-stored": [37], "slot-list": [38, 9, [slot]],
        "inspected": [39, {"blobs": 2, "epoch": 1, "seq": 9}], "refusal": [40, "EpochClosed", "epoch 2 is open", 2],
        "created": [41, at.set_id], "mailbox-used": [42], "mail-stored": [43], "have-answer": [44, [0, 512]],
        "pong": [45], "found": [46, [[at.set_id, 0], [b"\x5e" * HASH, 4]]], "found-nothing": [46, []],
        "shown": [47, 3, 1], "seeded": [48, 4],
        "delete": [28, b"\x9d" * 171], "deleted": [49, NOW], "deletion-push": [55, b"\x9d" * 171],
        "log-push": [50, 1, 9, [envelope], head], "record-push": [51, record, head],
        "slot-push": [52, 2, announcement, b"", NOW], "mail-push": [53, 1, b"m" * 100], "closing": [54, 5000],
    }


def _refuse(
    cases: Layer, side: str, name: str, comment: str, value: Any, flag: str,
    error: type[E2esyncError] = NonCanonical, spec: str = "13.3",
) -> None:
    frame = value if isinstance(value, bytes) else encode(value)
    cases.invalid("decode", name, spec, comment, {"side": side, "frame": frame.hex()}, error, flags=(flag,))


def _fields(cases: Layer, side: str, spec: str, spoiled: tuple[tuple[str, str, str, int, Any, str], ...]) -> None:
    """Examples with one field replaced: (name, comment, which example, which element, its value, flag)."""
    for name, comment, example, index, value, flag in spoiled:
        _refuse(cases, side, name, comment, replaced(examples()[example], index, value), flag, spec=spec)


def _handshakes(cases: Layer) -> None:
    _fields(cases, "CLIENT", "13.2", (
        ("hello-version-in-text", "text for the version", "hello", 1, "1", "shape"),
        ("hello-short-set", "a set id of 31 bytes", "hello", 2, bytes(31), "range"),
        ("hello-set-in-text", "empty text for no set", "hello-visitor", 2, "", "shape"),
        ("hello-member-2-32", "an index of 2^32", "hello", 3, 2**32, "range"),
        ("hello-short-nonce", "a nonce of 31 bytes", "hello", 4, bytes(31), "range"),
        ("proof-short", "a signature of 63 bytes", "proof", 1, bytes(63), "range"),
    ))
    _fields(cases, "RELAY", "13.2", (
        ("challenge-short-nonce", "a nonce of 31 bytes", "challenge", 1, bytes(31), "range"),
        ("challenge-no-key", "an empty relay key", "challenge", 2, b"", "range"),
        ("welcome-long-head", "a head of 257 bytes", "welcome", 1, bytes(257), "range"),
        ("welcome-no-signature", "an empty signature", "welcome", 2, b"", "range"),
    ))


def _requests(cases: Layer) -> None:
    _fields(cases, "CLIENT", "13.3", (
        ("append-epoch-true", "a boolean is no epoch", "append", 1, True, "shape"),
        ("append-envelope-in-text", "text for the envelope", "append", 2, "envelope", "shape"),
        ("read-from-0", "positions begin with 1", "read", 2, 0, "range"),
        ("chain-below-0", "epoch −1", "chain", 1, -1, "range"),
        ("box-in-bytes", "bytes for the epoch", "box", 1, b"\1", "shape"),
        ("open-no-record", "an empty record", "open", 1, b"", "range"),
        ("open-boxes-in-map", "a map for the boxes", "open", 3, {}, "shape"),
        ("open-65-boxes", "more boxes than members may be", "open", 3, [b""] * 65, "range"),
        ("open-long-box", "a box of 1217 bytes", "open", 3, [bytes(1217)], "range"),
        ("open-short-blob-id", "a blob id of 31 bytes", "open", 5, [bytes(31)], "range"),
        ("open-dead-in-place", "an id where an array of them stands", "open", 6, bytes(32), "shape"),
        ("create-17-announcements", "more announcements than changes", "create", 4, [b""] * 17, "range"),
        ("put-slot-long", "an announcement of more than 16 KiB", "put-slot", 1, bytes(16_385), "range"),
        ("put-slot-in-text", "text for the heartbeat", "put-slot", 2, "", "shape"),
        ("mailbox-short-id", "an id of 7 bytes", "mailbox", 1, bytes(7), "range"),
        ("mailbox-side-2", "a third side", "mailbox", 2, 2, "range"),
        ("mailbox-side-true", "a boolean is no side", "mailbox", 2, True, "shape"),
        ("mailbox-short-token", "a token of 15 bytes", "mailbox", 3, bytes(15), "range"),
        ("mail-number-9", "beyond the number that MailboxFull is told of", "mail", 1, 9, "range"),
        ("mail-long", "a message of more than 8 KiB", "mail", 2, bytes(MAILBOX_MESSAGE_MAX + 1), "range"),
        ("find-short-key", "a verify key of 31 bytes", "find", 1, bytes(31), "range"),
        ("show-without-set", "a set id of 31 bytes", "show", 1, bytes(31), "range"),
        ("show-no-signature", "an empty signature", "show", 3, b"", "range"),
        ("seed-empty-record", "a record without bytes", "seed", 3, [b""], "range"),
        ("seed-before-0", "an epoch below 0", "seed", 2, -1, "range"),
        ("find-no-signature", "an empty signature", "find", 2, b"", "range"),
        ("delete-nothing", "an empty deletion", "delete", 1, b"", "range"),
        ("delete-long", "a deletion of 257 bytes", "delete", 1, bytes(257), "range"),
        ("have-long-id", "a blob id of 33 bytes", "have", 1, [bytes(33)], "range"),
    ))


def _bulk(cases: Layer) -> None:
    _fields(cases, "CLIENT", "13.3", (
        ("put-blob-size-0", "a blob of no bytes", "put-blob", 2, 0, "range"),
        ("put-blob-size-too-large", "a blob of more than 1 MiB", "put-blob", 2, BLOB_MAX + 1, "range"),
        ("put-blob-offset-below-0", "offset −1", "put-blob", 3, -1, "range"),
        ("get-blob-offset-too-large", "an offset beyond 1 MiB", "get-blob", 2, BLOB_MAX + 1, "range"),
        ("get-blob-no-id", "an empty id", "get-blob", 1, b"", "range"),
    ))
    for name, comment, fields in (
        ("slots-without-version", "the field missing", [18]),
        ("inspect-with-more", "a request without fields that has one", [19, 0]),
        ("ping-with-more", "a request without fields that has one", [24, 0]),
        ("read-without-position", "the last field missing", [11, 1]),
        ("append-with-more", "one field more", [*examples()["append"], 0]),
    ):
        _refuse(cases, "CLIENT", name, comment, fields, "shape")


def _answers(cases: Layer) -> None:
    head = examples()["appended"][2]
    _fields(cases, "RELAY", "13.3", (
        ("appended-without-head", "an empty array for the head, which stands here always", "appended", 2, [], "shape"),
        ("appended-head-in-map", "a map for the short head", "appended", 2, {"a": 9, "b": 9, "c": b""}, "shape"),
        ("appended-head-of-two", "a short head without its signature", "appended", 2, head[:2], "shape"),
        ("appended-head-short", "a signature of 63 bytes", "appended", 2, [*head[:2], head[2][:-1]], "range"),
        ("log-part-head-null", "an empty byte string for no head", "log-part", 4, b"", "shape"),
        ("log-part-from-below-0", "position −1", "log-part", 2, -1, "range"),
        ("chain-part-empty-record", "an empty record", "chain-part", 1, [b""], "range"),
        ("box-answer-long-box", "a box of 1217 bytes", "box-answer", 2, bytes(1217), "range"),
        ("opened-epoch-in-text", "text for the epoch", "opened", 1, "2", "shape"),
        ("blob-stored-below-0", "−1 bytes received", "blob-stored", 1, -1, "range"),
        ("blob-part-size-0", "a blob of no bytes", "blob-part", 1, 0, "range"),
        ("slot-list-of-three", "a slot without its time", "slot-list", 1, [[2, b"", b""]], "shape"),
        ("slot-list-of-maps", "a map for a slot", "slot-list", 1, [{"a": 2, "b": b"", "c": b"", "d": 0}], "shape"),
        ("slot-list-65", "more slots than members may be", "slot-list", 1, [[1, b"", b"", 0]] * 65, "range"),
        ("inspected-list", "an array for the map", "inspected", 1, [], "shape"),
        ("inspected-below-0", "a count of −1", "inspected", 1, {"blobs": -1}, "range"),
        ("refusal-unknown", "a code that 13.8 has not", "refusal", 1, "NoReason", "range"),
        ("refusal-of-members", "a code of section 15, which no relay tells", "refusal", 1, "ChainInvalid", "range"),
        ("refusal-long", "a message of 1001 characters", "refusal", 2, "x" * 1001, "range"),
        ("refusal-message-in-array", "an array for the message", "refusal", 2, [], "shape"),
        ("refusal-data-in-text", "text for the data", "refusal", 3, "2", "shape"),
        ("shown-2", "neither waiting nor not", "shown", 2, 2, "range"),
        ("deleted-below-0", "a time before 1970", "deleted", 1, -1, "range"),
        ("seeded-true", "a boolean for an epoch", "seeded", 1, True, "range"),
        ("found-short-set", "a set id of 31 bytes", "found", 1, [[bytes(31), 0]], "range"),
        ("found-without-member", "a set id alone", "found", 1, [[bytes(32)]], "shape"),
        ("found-65", "more sets than one answer has", "found", 1, [[bytes(32), 0]] * 65, "range"),
        ("created-short", "a set id of 31 bytes", "created", 1, bytes(31), "range"),
        ("have-answer-too-large", "more than 1 MiB received", "have-answer", 1, [BLOB_MAX + 1], "range"),
    ))
    for name, number in (("slot-stored", 37), ("mailbox-used", 42), ("mail-stored", 43), ("pong", 45)):
        _refuse(cases, "RELAY", f"{name}-with-more", "an answer without fields that has one", [number, 0], "shape")


def _pushes(cases: Layer) -> None:
    _fields(cases, "RELAY", "13.3", (
        ("log-push-without-head", "a push always reaches the head", "log-push", 4, [], "shape"),
        ("log-push-epoch-below-0", "epoch −1", "log-push", 1, -1, "range"),
        ("record-push-no-record", "an empty record", "record-push", 1, b"", "range"),
        ("slot-push-member-2-32", "an index of 2^32", "slot-push", 1, 2**32, "range"),
        ("slot-push-long", "a heartbeat of more than 16 KiB", "slot-push", 3, bytes(16_385), "range"),
        ("mail-push-in-text", "text for the message", "mail-push", 2, "m", "shape"),
        ("deletion-push-long", "a deletion of 257 bytes", "deletion-push", 1, bytes(257), "range"),
        ("closing-below-0", "−1 milliseconds", "closing", 1, -1, "range"),
    ))


def _outsides(cases: Layer) -> None:
    ping = encode([24])
    for name, comment, value, spec in (
        ("nothing", "no bytes", b"", "6.2 step 2"),
        ("trailing-byte", "a byte after the frame", ping + b"\0", "6.2 step 2"),
        ("two-messages", "two messages in one frame", ping + ping, "6.2 step 2"),
        ("longer-form", "an array in a longer form", b"\xdc\0\1\x18", "6.2 step 4"),
        ("type-in-longer-form", "a type in a longer form", b"\x91\xcc\x18", "6.2 step 4"),
        ("no-type", "an empty array", [], "13.1"),
        ("map", "a map", {"type": 24}, "13.1"),
        ("type-in-text", "text for the type", ["24"], "13.1"),
        ("type-true", "a boolean is no type", [True, 1, b"", 0, bytes(32)], "13.1"),
        ("unknown-type", "a type that there is not", [25], "13.1"),
        ("type-0", "a type that there is not", [0], "13.1"),
    ):
        _refuse(cases, "CLIENT", name, comment, value, "shape", spec=spec)
    large = encode([22, 0, bytes(FRAME_MAX)])
    _refuse(cases, "CLIENT", "too-long", "more than 1 MiB", large, "range", LimitExceeded, "13.1")
    deep = b"\x92\x17" + b"\x91" * 6 + b"\x90"
    _refuse(cases, "CLIENT", "too-deep", "seven arrays, one in the other", deep, "shape", LimitExceeded, "6.2 step 3")
    _refuse(cases, "CLIENT", "answer-from-client", "PONG, which the relay sends", [45], "side")
    _refuse(cases, "CLIENT", "push-from-client", "CLOSING, which the relay sends", [54, 1], "side")
    _refuse(cases, "RELAY", "request-from-relay", "PING, which the client sends", ping, "side")
    _refuse(cases, "RELAY", "hello-from-relay", "HELLO, which the client sends", examples()["hello"], "side",
            spec="13.2")
