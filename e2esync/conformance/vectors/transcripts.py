"""Whole conversations of both sides (SPEC 13.2, 13.3), part of `session.json`.

The client's cases name what it sends and what reaches it; the relay's, what reaches it, and which set it holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from e2esync.conformance.vectors.case import Inputs, Json, Layer, Outcome, flipped, hexed, text
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.heads import make_head
from e2esync.conformance.vectors.world import NOW, party, world
from e2esync.crypto import Label, SigningKey
from e2esync.epoch.deletion import Act, sign_deletion
from e2esync.errors import (
    CryptoError,
    E2esyncError,
    HandshakeFailed,
    LocalProtocolError,
    Refused,
    RemoteProtocolError,
)
from e2esync.limits import HANDSHAKE_FRAME_MAX, PIPELINE_MAX
from e2esync.log.head import Head, sign_head, to_short
from e2esync.session import messages as m
from e2esync.session.client import (
    Answered,
    Challenged,
    ClientSession,
    Closing,
    Connected,
    Event,
    Pushed,
    RefusedRequest,
)
from e2esync.session.codec import decode_message, encode_message
from e2esync.session.commands import Admit, Command, Disconnect, Transmit
from e2esync.session.handshake import (
    binding_of,
    check_proof,
    farewell,
    sign_find,
    sign_proof,
    sign_visit,
    tell_deleted,
)
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Side
from e2esync.session.relay import RelaySession
from e2esync.wire import decode, encode

_NONCE: Final = b"\xc0" * 32
_RELAY_NONCE: Final = b"\xd0" * 32


def _client(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    set_id, seed, expected, nonce = (
        bytes.fromhex(inputs[name]) for name in ("set_id", "signing_seed", "expected_relay_key", "nonce"))
    key = SigningKey(seed) if seed else None
    session = ClientSession(set_id or None, inputs["member"], key, expected or None, nonce)
    sent: list[str] = []
    events: list[Json] = []
    for step, *frames in inputs["steps"]:
        match step:
            case "HELLO":
                sent.append(session.hello().hex())
            case "PROOF":
                sent.append(session.proof().hex())
            case "REQUEST":
                request = decode_message(bytes.fromhex(frames[0]), Side.CLIENT)
                sent.append(session.request(request).hex())  # type: ignore[arg-type]
            case _:
                events += [_event(event) for event in session.receive(bytes.fromhex(frames[0]))]
    return Outcome({"sent": sent, "events": events, "unanswered": len(session.unanswered)}, _binding(inputs))


def _binding(inputs: Inputs) -> Inputs:
    """The binding, once a CHALLENGE came."""
    hello = m.Hello(1, bytes.fromhex(inputs["set_id"]), inputs["member"], bytes.fromhex(inputs["nonce"]))
    for step, *frames in inputs["steps"]:
        challenge = decode_message(bytes.fromhex(frames[0]), Side.RELAY) if step == "RECEIVE" else None
        if isinstance(challenge, m.Challenge):
            return {"binding": binding_of(hello, challenge.nonce, challenge.relay_key).hex()}
    return {}


def _event(event: Event) -> Json:
    match event:
        case Challenged(relay_key):
            return ["CHALLENGED", relay_key.hex()]
        case Connected(None, _, None, b""):
            return ["CONNECTED"]
        case Connected(None, _, None, deleted):
            return ["DELETED", deleted.hex()]
        case Connected(None, _, removed):
            return ["REMOVED", removed]
        case Connected(Head() as head):
            return ["CONNECTED", head.epoch, head.seq, head.log_hash.hex()]
        case Answered(_, answer):
            return ["ANSWERED", decode(encode_message(answer))[0]]
        case RefusedRequest(_, error, data):
            return ["REFUSED", text(error.reason), data]
        case Pushed(message):
            return ["PUSHED", decode(encode_message(message))[0]]
        case Closing(milliseconds):
            return ["CLOSING", milliseconds]


def _relay(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    key = SigningKey(bytes.fromhex(inputs["relay_seed"]))
    session = RelaySession(key, bytes.fromhex(inputs["nonce"]))
    commands: list[Command] = []
    bindings = []
    for frame in inputs["frames"]:
        for command in session.receive(bytes.fromhex(frame)):
            if isinstance(command, Admit):
                bindings.append(command.binding.hex())
                commands += session.complete(command, _admitted(inputs["set"], key, command))
            else:
                commands.append(command)
    replies = [_reply(frame) for command in commands if isinstance(command, Transmit) for frame in command.frames]
    closed = any(isinstance(command, Disconnect) for command in commands)
    asked = sum(not isinstance(command, Transmit | Disconnect) for command in commands)
    return Outcome({"replies": replies, "closed": closed, "asked_of_store": asked},
                   {"binding": bindings[0]} if bindings else {})


def _admitted(known: Json, key: SigningKey, admit: Admit) -> m.Message:
    """What a relay that holds one set says to a proof."""
    set_id, members, former, epoch, seq, log_hash, record_hash, time, incarnation, deletion = known
    verify_key = dict(members).get(admit.member) if admit.set_id.hex() == set_id else None
    try:
        if verify_key is None:
            raise CryptoError("no such member")
        check_proof(bytes.fromhex(verify_key), admit.set_id, admit.binding, admit.signature)
    except CryptoError:
        return m.RefusalAnswer(Refusal.NOT_MEMBER, "no such member")
    removed = dict(former).get(admit.member)
    if removed is not None:
        return farewell(key, admit.set_id, admit.binding, removed)
    if deletion:
        return tell_deleted(key, admit.set_id, admit.binding, bytes.fromhex(deletion))
    head = sign_head(key, admit.set_id, epoch=epoch, seq=seq, log_hash=bytes.fromhex(log_hash), time=time,
                     record_hash=bytes.fromhex(record_hash), incarnation=incarnation, binding=admit.binding)
    return m.Welcome(head.body, head.signature)


def _reply(frame: bytes) -> Json:
    """A frame; of a refusal the code alone, as its words are nobody's business."""
    fields = decode(frame)
    return ["REFUSED", text(fields[1])] if fields[0] == 40 else frame.hex()


OPERATIONS: Final = {"client": _client, "relay": _relay}


def _hello(**change: Any) -> m.Hello:
    fields: dict[str, Any] = {"version": 1, "set_id": world().set_id, "member": 3, "nonce": _NONCE} | change
    return m.Hello(**fields)


def _challenge() -> bytes:
    return encode([2, _RELAY_NONCE, world().relay.verify_key])


def _bound(hello: m.Hello | None = None) -> bytes:
    return binding_of(hello or _hello(), _RELAY_NONCE, world().relay.verify_key)


def _welcome(**override: Any) -> bytes:
    head = make_head(**({"binding": _bound()} | override))
    return encode([4, head.body, head.signature])


def _member(*steps: list[Any], **change: Any) -> Inputs:
    at = world()
    return {
        "set_id": at.set_id.hex(), "member": 3, "signing_seed": at.parties[3].seed, "nonce": _NONCE.hex(),
        "expected_relay_key": at.relay.verify_key.hex(), "steps": hexed_steps(steps),
    } | change


def _visitor(*steps: list[Any], **change: Any) -> Inputs:
    return _member(*steps) | {"set_id": "", "member": 0, "signing_seed": ""} | change


def hexed_steps(steps: tuple[list[Any], ...]) -> Json:
    """Steps with their frames in hex."""
    return [[step[0], *hexed(step[1:])] for step in steps]


_HELLO: Final = ["HELLO"]
_PROOF: Final = ["PROOF"]


def _got(frame: bytes | list[Any]) -> list[Any]:
    return ["RECEIVE", frame if isinstance(frame, bytes) else encode(frame)]


def _ask(*fields: Any) -> list[Any]:
    return ["REQUEST", encode(list(fields))]


def add_cases(cases: Layer) -> None:
    """Add the transcripts to the layer `session`."""
    begun = (_HELLO, _got(_challenge()), _PROOF)
    connected = (*begun, _got(_welcome()))
    visit = sign_visit(world().relay, _bound(_hello(set_id=b"", member=0)))
    visiting = (*begun, _got([4, b"", visit]))
    short = to_short(make_head()).to_value()
    push = [50, 1, 9, [], short]
    for name, comment, inputs in (
        ("member", "a member's handshake", _member(*connected)),
        ("first-use", "whatever key the relay shows", _member(*connected, expected_relay_key="")),
        ("visitor", "a visitor's handshake", _visitor(*visiting)),
        ("request-behind-proof", "a request may follow PROOF at once",
         _member(*begun, _ask(24), _got(_welcome()), _got([45]))),
        ("two-requests", "answers come in the order of the requests",
         _member(*connected, _ask(24), _ask(13, 1), _got([45]), _got([33, b"", b""]))),
        ("push-between", "a push comes at any time", _member(*connected, _ask(24), _got(push), _got([45]))),
        ("refused-request", "one request refused, the session goes on",
         _member(*connected, _ask(10, 1, b""), _ask(24), _got([40, "EpochClosed", "", 2]), _got([45]))),
        ("closing", "the relay says that it stops", _member(*connected, _got([54, 5000]))),
        ("mailbox", "a visitor takes a side of a mailbox",
         _visitor(*visiting, _ask(21, bytes(8), 0, bytes(16)), _got([42]), _ask(22, 0, b"m"), _got([43]))),
    ):
        cases.valid("client", name, "13.2", comment, inputs)
    cases.valid("client", "removed-member", "13.2 step 4", "the epoch of its removal instead of a head",
                _member(*begun, _got(encode_message(farewell(world().relay, world().set_id, _bound(), 7)))))
    told = tell_deleted(world().relay, world().set_id, _bound(), _deletion())
    cases.valid("client", "deleted", "13.14 step 4", "the word that deleted the set instead of a head",
                _member(*begun, _got(encode_message(told)), _ask(12, 0), _got([32, []])))
    cases.valid("client", "deletion-push", "13.3", "somebody wants the set deleted",
                _member(*connected, _got([55, _deletion()])))
    _impostors(cases, begun)
    _out_of_turn(cases, begun, connected)
    _relay_cases(cases)


def _refuse(
    cases: Layer, name: str, comment: str, inputs: Inputs, error: type[E2esyncError], flag: str, spec: str = "13.2",
) -> None:
    cases.invalid("client", name, spec, comment, inputs, error, flags=(flag,))


def _impostors(cases: Layer, begun: tuple[list[Any], ...]) -> None:
    at = world()
    other = party("other relay").signing
    replay = _bound(_hello(nonce=bytes(32)))
    good = make_head(binding=_bound())
    swapped = encode([2, _RELAY_NONCE, other.verify_key])
    _refuse(cases, "other-relay-key", "another key than the expected one, before anything is signed",
            _member(_HELLO, _got(swapped)), HandshakeFailed, "impostor", "13.2 step 1")
    _refuse(cases, "visitor-other-relay-key", "another key than the expected one, for a visitor as well",
            _visitor(_HELLO, _got(swapped)), HandshakeFailed, "impostor", "13.2 step 1")
    for name, comment, welcome in (
        ("welcome-by-another", "a head signed by another key", _welcome(signer=other)),
        ("welcome-unbound", "a head without a binding", _welcome(binding=b"")),
        ("welcome-replayed", "the head of another handshake", _welcome(binding=replay)),
        ("welcome-for-another-set", "a head of another set", _welcome(set_id=bytes(32))),
        ("welcome-other-head", "the signature of another head", encode([4, make_head(binding=_bound(), seq=8).body,
                                                                        good.signature])),
        ("welcome-without-head", "a visitor's welcome for a member",
         encode([4, b"", at.relay.sign(Label.SIGN_SESSION, bytes(32), _bound())])),
        ("farewell-by-another", "a removal that another key signed",
         encode_message(farewell(other, at.set_id, _bound(), 7))),
        ("farewell-replayed", "the removal of another handshake",
         encode_message(farewell(at.relay, at.set_id, replay, 7))),
        ("deletion-by-another", "a deletion that another key shows",
         encode_message(tell_deleted(other, at.set_id, _bound(), _deletion()))),
        ("deletion-replayed", "the deletion of another handshake",
         encode_message(tell_deleted(at.relay, at.set_id, replay, _deletion()))),
        ("deletion-unsigned", "a deletion under the signature of a head", encode([4, _deletion(), good.signature])),
        ("farewell-other-epoch", "the signature of another epoch's removal",
         encode([4, bytes(7) + b"\x08", farewell(at.relay, at.set_id, _bound(), 7).signature])),
        ("welcome-malformed-head", "a signed body that is no head",
         encode([4, encode([1]), at.relay.sign(Label.SIGN_HEAD, at.set_id, encode([1]))])),
    ):
        _refuse(cases, name, comment, _member(*begun, _got(welcome)), HandshakeFailed, "impostor", "13.2 step 1")
    bound = _bound(_hello(set_id=b"", member=0))
    for name, comment, signature in (
        ("visit-by-another", "signed by another key", sign_visit(other, bound)),
        ("visit-replayed", "another handshake's signature", sign_visit(at.relay, _bound())),
        ("visit-under-set", "signed for a set, not for visitors", at.relay.sign(Label.SIGN_SESSION, at.set_id, bound)),
    ):
        _refuse(cases, name, comment, _visitor(*begun, _got([4, b"", signature])), HandshakeFailed, "impostor",
                "13.2 step 1")
    _refuse(cases, "visit-with-head", "a member's welcome for a visitor", _visitor(*begun, _got(_welcome())),
            RemoteProtocolError, "impostor")


def _out_of_turn(cases: Layer, begun: tuple[list[Any], ...], connected: tuple[list[Any], ...]) -> None:
    challenge, welcome = _got(_challenge()), _got(_welcome())
    refusal = _got([40, "NotMember", "", 0])
    for name, comment, steps, error, flag in (
        ("welcome-first", "WELCOME before CHALLENGE", (_HELLO, welcome), RemoteProtocolError, "out-of-turn"),
        ("challenge-twice", "a second CHALLENGE", (_HELLO, challenge, challenge), RemoteProtocolError, "out-of-turn"),
        ("welcome-twice", "a second WELCOME", (*connected, welcome), RemoteProtocolError, "out-of-turn"),
        ("push-before-welcome", "a push during the handshake", (*begun, _got([54, 1])), RemoteProtocolError,
         "out-of-turn"),
        ("answer-before-welcome", "an answer during the handshake", (*begun, _ask(24), _got([45])),
         RemoteProtocolError, "out-of-turn"),
        ("answer-to-nothing", "an answer, and nothing was asked", (*connected, _got([45])), RemoteProtocolError,
         "out-of-turn"),
        ("other-answer", "PONG to a BOX", (*connected, _ask(13, 1), _got([45])), RemoteProtocolError, "out-of-turn"),
        ("answers-swapped", "the second answer first", (*connected, _ask(24), _ask(13, 1), _got([33, b"", b""])),
         RemoteProtocolError, "out-of-turn"),
        ("malformed", "a frame that is no message", (*connected, _got(b"\x90")), RemoteProtocolError, "shape"),
        ("request-from-relay", "PING from the relay", (*connected, _got([24])), RemoteProtocolError, "side"),
        ("not-member", "a refusal instead of WELCOME", (*begun, refusal), Refused, "refused"),
        ("not-member-behind-request", "a refusal instead of WELCOME is about the session, whatever was asked",
         (*begun, _ask(24), refusal), Refused, "refused"),
        ("bad-version", "a refusal instead of CHALLENGE", (_HELLO, _got([40, "BadVersion", "", 0])), Refused,
         "refused"),
        ("refusal-of-nothing", "a refusal, and nothing was asked", (*connected, refusal), Refused, "refused"),
        ("proof-before-challenge", "a caller that proves too early", (_HELLO, _PROOF), LocalProtocolError,
         "out-of-turn"),
        ("request-before-proof", "a caller that asks too early", (_HELLO, challenge, _ask(24)), LocalProtocolError,
         "out-of-turn"),
        ("65-requests", "a caller that asks more than 64 times", (*connected, *[_ask(24)] * (PIPELINE_MAX + 1)),
         LocalProtocolError, "out-of-turn"),
    ):
        _refuse(cases, name, comment, _member(*steps), error, flag)


def _find_cases(visit: bytes, show: Callable[..., None]) -> None:
    """A visitor asks for the sets of a recovery key: with the signature of this session, and with others."""
    root, other = world().parties[0].signing, party("other kit").signing
    bound = _bound(_hello(set_id=b"", member=0))
    opened = [visit, encode([3, b""])]
    show("find", "a visitor that proves a recovery key; the store looks it up",
         [*opened, encode([25, root.verify_key, sign_find(root, bound)])], "13.10")
    for name, comment, signature in (
        ("find-replayed", "another session's signature", sign_find(root, _bound(_hello(set_id=b"", nonce=bytes(32))))),
        ("find-by-another", "signed by another key", sign_find(other, bound)),
        ("find-as-proof", "the signature of a handshake", sign_proof(root, bytes(32), bound)),
        ("find-under-set", "signed for a set, not for visitors",
         root.sign(Label.SIGN_FIND, world().set_id, root.verify_key + bound)),
        ("find-without-key", "the binding alone is signed", root.sign(Label.SIGN_FIND, bytes(32), bound)),
    ):
        show(name, comment, [*opened, encode([25, root.verify_key, signature])], "13.10 step 1", "stranger")
    proof = encode([3, sign_proof(world().parties[3].signing, world().set_id, _bound())])
    show("member-finds", "a member asks for a visitor's request",
         [encode_message(_hello()), proof, encode([25, root.verify_key, sign_find(root, _bound())])], "13.3", "refused")


def _former_cases(show: Callable[..., None]) -> None:
    """A member that was removed: the chain, and nothing else (SPEC 13.2 step 4)."""
    at = world()
    former = [encode_message(_hello(member=5)),
              encode([3, sign_proof(at.parties[5].signing, at.set_id, _bound(_hello(member=5)))])]
    show("former-chain", "a removed member asks for the chain", [*former, encode([12, 1])], "13.2 step 4")
    for name, asked in (("box", [13, 1]), ("log", [11, 1, 1]), ("blob", [16, bytes(32), 0]), ("slots", [18, 0]),
                        ("inspect", [19]), ("have", [23, [bytes(32)]]), ("slot", [17, b"", bytes(512)])):
        show(f"former-{name}", "a removed member asks for more than the chain", [*former, encode(asked)],
             "13.2 step 4", "refused")


def _deletion() -> bytes:
    """The root's word, as a relay shows it."""
    at = world()
    return sign_deletion(
        at.parties[0].signing, at.set_id, Act.DELETE, revision=1, member=0, epoch=1, record_hash=at.chain.head.hash,
        relay=at.relay.verify_key, time=NOW,
    ).raw


def _deleted_cases(show: Callable[..., None]) -> None:
    """A set that was deleted: the word, the chain, what is left, and nothing else (SPEC 13.14 step 4)."""
    at = world()
    good = [encode_message(_hello()), encode([3, sign_proof(at.parties[3].signing, at.set_id, _bound())])]
    show("deleted", "a member of a set that was deleted", good, "13.14 step 4", gone=_deletion())
    show("deleted-chain", "and asks for the chain", [*good, encode([12, 0])], "13.14 step 4", gone=_deletion())
    show("deleted-inspect", "and for what is left", [*good, encode([19])], "13.14 step 4", gone=_deletion())
    former = [encode_message(_hello(member=5)),
              encode([3, sign_proof(at.parties[5].signing, at.set_id, _bound(_hello(member=5)))])]
    show("deleted-former", "who was removed before is told that", former, "13.14 step 4", gone=_deletion())
    for name, asked in (("log", [11, 1, 1]), ("box", [13, 1]), ("blob", [16, bytes(32), 0]), ("slots", [18, 0]),
                        ("append", [10, 1, bytes(512)]), ("delete", [28, _deletion()])):
        show(f"deleted-{name}", "a member asks for what went with the set", [*good, encode(asked)], "13.14 step 4",
             "refused", gone=_deletion())


def _stranger_cases(show: Callable[..., None]) -> None:
    """Who does not prove to be a member: one refusal for all of them (SPEC 13.2 step 2)."""
    at = world()
    proof = sign_proof(at.parties[3].signing, at.set_id, _bound())
    for name, comment, member, signature in (
        ("proof-by-another", "member 5's key for member 3", 3, sign_proof(at.parties[5].signing, at.set_id, _bound())),
        ("proof-replayed", "a proof of another handshake", 3,
         sign_proof(at.parties[3].signing, at.set_id, _bound(_hello(nonce=bytes(32))))),
        ("unknown-member", "an index that was not given", 9,
         sign_proof(at.parties[3].signing, at.set_id, _bound(_hello(member=9)))),
    ):
        frames = [encode_message(_hello(member=member)), encode([3, signature])]
        show(name, comment, frames, "13.2 step 2", "stranger")
    other = _hello(set_id=bytes(32))
    signature = sign_proof(at.parties[3].signing, bytes(32), _bound(other))
    show("unknown-set", "a set that is not here: the same refusal", [encode_message(other), encode([3, signature])],
         "13.2 step 2", "stranger")
    show("proof-altered", "a bit of the proof", [encode_message(_hello()), encode([3, flipped(proof, 0)])],
         "13.2 step 2", "stranger")


def _relay_cases(cases: Layer) -> None:
    at = world()
    known = [at.set_id.hex(), [[index, member.verify_key.hex()] for index, member in sorted(at.chain.members.items())],
             [[5, 1]], 1, 9, "19" * 32, at.chain.head.hash.hex(), NOW, 77, ""]
    proof = encode([3, sign_proof(at.parties[3].signing, at.set_id, _bound())])
    hello = encode_message(_hello())
    visit = encode_message(_hello(set_id=b"", member=0))
    good = [hello, proof]

    def show(name: str, comment: str, frames: list[bytes], spec: str = "13.2", flag: str = "", gone: bytes = b"",
             ) -> None:
        cases.valid("relay", name, spec, comment, {
            "relay_seed": at.relay.seed.reveal().hex(), "nonce": _RELAY_NONCE.hex(), "set": [*known[:-1], gone.hex()],
            "frames": hexed(frames)}, flags=(flag,) if flag else ())

    show("member", "a member's handshake", good)
    show("visitor", "a visitor's handshake", [visit, encode([3, b""])])
    show("ping", "and a request", [*good, encode([24])])
    show("read", "a request that only the store can answer", [*good, encode([11, 1, 1])])
    _former_cases(show)
    _deleted_cases(show)
    _stranger_cases(show)
    show("version-2", "another version, whatever else it says", [encode([1, 2, "later"])], "13.8", "refused")
    framing = len(encode([1, 2, bytes(4000)])) - 4000
    for size, comment in ((HANDSHAKE_FRAME_MAX, "as long as a frame of the handshake may be"),
                          (HANDSHAKE_FRAME_MAX + 1, "one byte more")):
        show(f"hello-{size}", comment, [encode([1, 2, bytes(size - framing)])], "13.2 step 5", "refused")
    for name, comment, frames in (
        ("request-first", "a request before HELLO", [encode([24])]),
        ("hello-twice", "HELLO for PROOF", [hello, hello]),
        ("proof-after-the-end", "a second PROOF", [*good, proof]),
        ("empty-proof-of-member", "a member that proves nothing", [hello, encode([3, b""])]),
        ("proof-of-visitor", "a visitor that proves something", [visit, proof]),
        ("visitor-with-index", "a visitor that is somebody's member", [encode_message(_hello(set_id=b""))]),
        ("malformed", "a frame that is no message", [*good, b"\x90"]),
        ("answer-from-client", "PONG from the client", [*good, encode([45])]),
    ):
        show(name, comment, frames, "13.8", "out-of-turn")
    _find_cases(visit, show)
    show("visitor-reads", "a visitor asks for a member's request", [visit, encode([3, b""]), encode([11, 1, 1])],
         "13.3", "refused")
    show("member-mails", "a member asks for a visitor's request", [*good, encode([22, 0, b"m"])], "13.3", "refused")
