"""What this device asks the others for in its announcements (SPEC 10.6): kept until it is done, said again each time.

A device cannot make the secret that shuts it out, and a reader makes none at all: what they want, they ask for.
"""

from __future__ import annotations

from typing import Final

from e2esync.epoch.announcement import AskAdd, AskRemove, Request, parse_request, request_value
from e2esync.epoch.chain import Chain
from e2esync.replica.core import Replica
from e2esync.wire import decode, encode

AT_ONCE: Final = 8
"""Requests in one announcement: as many adds as a slot has room for. The others' turn comes when these are done."""


def requests_of(replica: Replica) -> tuple[Request, ...]:
    """What this device asks for and has not got yet."""
    stored = replica.store.get("requests")
    requests = (parse_request(value) for value in (decode(stored) if stored else []))
    return tuple(request for request in requests if not _is_done(replica.chain, request))[:AT_ONCE]


def ask_for(replica: Replica, *requests: Request) -> None:
    """Have these in every announcement from now on; the next sync sends one. What was asked before stays asked."""
    stored = replica.store.get("requests")
    known = (parse_request(value) for value in (decode(stored) if stored else []))
    wanted = {_what(request): request for request in (*requests, *known) if not _is_done(replica.chain, request)}
    replica.store.put("requests", encode([request_value(request) for request in wanted.values()]))


def is_asking_due(replica: Replica) -> bool:
    """Whether the relay has not got the announcement yet that says all of it."""
    return replica.store.get("requested") != _said(replica)


def mark_asked(replica: Replica) -> None:
    """The relay has taken an announcement with all of it."""
    said = _said(replica)
    if said is None:
        replica.store.drop("requested")
    else:
        replica.store.put("requested", said)


def _said(replica: Replica) -> bytes | None:
    requests = requests_of(replica)
    return encode([request_value(request) for request in requests]) if requests else None


def _what(request: Request) -> bytes:
    """A request without the epoch it was made in: the same wish is asked for once."""
    kind, _epoch, *rest = request_value(request)
    return encode([kind, *rest])


def _is_done(chain: Chain, request: Request) -> bool:
    if isinstance(request, AskRemove):
        return request.member not in chain.members
    return isinstance(request, AskAdd) and request.add.verify_key in chain.used_keys
