"""What a hostile relay does to messages: each function makes a hook for `HostileRelay.lying`.

All take the `kind` of message that they are about (a class of `e2esync.session.messages`, or several), and with
`times` and `device` how often, and to whom. The relay's side of the session is real: what is not touched here is the
truth. Some hooks remember what they saw: make a new one for each attack.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from e2esync.errors import E2esyncError
from e2esync.session import messages as m
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Message
from e2esync.testing.wire import Hook, Later, Passed, Wire
from e2esync.wire import decode, encode

Kinds = type[Message] | tuple[type[Message], ...]
FROM_RELAY: Kinds = (
    m.Challenge, m.Welcome, m.Appended, m.LogPart, m.ChainPart, m.BoxAnswer, m.Opened, m.BlobStored, m.BlobPart,
    m.SlotStored, m.SlotList, m.Inspected, m.Created, m.MailboxUsed, m.MailStored, m.HaveAnswer, m.Pong,
    m.RefusalAnswer, m.LogPush, m.RecordPush, m.SlotPush, m.MailPush, m.ClosingPush,
)
"""Everything that a relay sends."""


def mutate(kind: Kinds, change: Callable[[Any], Passed | Sequence[Passed] | None], *, times: int | None = None,
           device: str | None = None) -> Hook:
    """Put what `change` makes of a message in its place; None drops it."""
    left = times

    def hook(message: Message, wire: Wire) -> Passed | Sequence[Passed] | None:
        nonlocal left
        if not isinstance(message, kind) or left == 0 or device not in (None, wire.device):
            return message
        left = None if left is None else left - 1
        return change(message)
    return hook


def drop(kind: Kinds, **limits: Any) -> Hook:
    """Swallow messages."""
    return mutate(kind, lambda _message: None, **limits)


def starve(**limits: Any) -> Hook:
    """Take everything, answer nothing."""
    return drop(FROM_RELAY, **limits)


def refuse(kind: Kinds, code: Refusal, **limits: Any) -> Hook:
    """Answer with a refusal (SPEC 13.8) instead."""
    return mutate(kind, lambda _message: m.RefusalAnswer(code, "no"), **limits)


def delay(kind: Kinds, seconds: float, **limits: Any) -> Hook:
    """Let messages, and what comes behind them, wait."""
    return mutate(kind, lambda message: Later(seconds, message), **limits)


def repeat(kind: Kinds, count: int = 2, **limits: Any) -> Hook:
    """Send each message so many times."""
    return mutate(kind, lambda message: [message] * count, **limits)


def flood(kind: Kinds, unasked: Passed, count: int = 1000, **limits: Any) -> Hook:
    """Send so many messages that nobody asked for, or any bytes, behind each of this kind."""
    return mutate(kind, lambda message: [message, *[unasked] * count], **limits)


def reorder(kind: Kinds, **limits: Any) -> Hook:
    """Hold every other message back until the next one has gone."""
    held: list[Message] = []

    def change(message: Message) -> list[Message]:
        if not held:
            held.append(message)
            return []
        return [message, held.pop()]
    return mutate(kind, change, **limits)


def replay(kind: Kinds, **limits: Any) -> Hook:
    """Answer with the first message of this kind, again and again."""
    first: list[Message] = []

    def change(message: Message) -> Message:
        first.append(message)
        return first[0]
    return mutate(kind, change, **limits)


def swap(kind: Kinds, field: str, **limits: Any) -> Hook:
    """Give each message the `field` of the one before it."""
    before: list[Any] = []

    def change(message: Any) -> Any:
        before.append(getattr(message, field))
        return replace(message, **{field: before[-2]}) if len(before) > 1 else message
    return mutate(kind, change, **limits)


def truncate(kind: Kinds, field: str, keep: int, **limits: Any) -> Hook:
    """Cut a field of bytes, or a list, to its first `keep`; negative counts from the end."""
    return mutate(kind, lambda message: replace(message, **{field: getattr(message, field)[:keep]}), **limits)


def flip(data: bytes, at: int = -1) -> bytes:
    """The same bytes with one bit turned over."""
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def substitute(verify_key: bytes, **limits: Any) -> Hook:
    """Show another relay key: a stranger between client and relay."""
    return mutate(m.Challenge, lambda challenge: replace(challenge, relay_key=verify_key), **limits)


def relabel(suite: int, **limits: Any) -> Hook:
    """Say that everything was made under another suite: envelopes, blobs and records (SPEC 5, 9.4 step 1)."""
    label = bytes([suite])

    def change(message: Any) -> Any:
        if isinstance(message, m.LogPart | m.LogPush):
            return replace(message, envelopes=tuple(label + each[1:] for each in message.envelopes))
        if isinstance(message, m.BlobPart):
            return replace(message, part=label + message.part[1:])
        return replace(message, records=tuple(_relabelled(raw, suite) for raw in message.records))
    return mutate((m.LogPart, m.LogPush, m.BlobPart, m.ChainPart), change, **limits)


def set_params(counts: dict[str, int], **limits: Any) -> Hook:
    """Name numbers of one's own in INSPECT: no other answer of a relay holds a parameter that could be weak."""
    return mutate(m.Inspected, lambda _message: m.Inspected(counts), **limits)


def _relabelled(record: bytes, suite: int) -> bytes:
    try:
        body, signature = decode(record)
        return encode([encode([suite, *decode(body)[1:]]), signature])
    except (E2esyncError, ValueError, TypeError):
        return record
