"""`postgres_notifier`: what a notification says, and that a break is told, so that nothing is missed."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest

from e2esync.stores import postgres_notifier as module
from e2esync.stores.postgres_notifier import ListenNotifier, PollingNotifier, heard, item, payloads
from e2esync.stores.postgres_rows import parse_place
from tests.helpers.postgres import Server

KEYS = [bytes([number]) * 32 for number in range(200)]


def test_everything_is_said_in_as_few_as_hold_it() -> None:
    lines = list(payloads("me", [item(key, 3, 7) for key in KEYS]))
    assert len(lines) == 2
    assert all(len(line) < 8000 for line in lines)
    assert [key for line in lines for key in heard("you", line)] == KEYS
    assert list(payloads("me", [])) == []


def test_a_mailbox_has_no_position_and_ones_own_are_not_heard() -> None:
    (line,) = payloads("me", [item(b"mailbox!"), item(KEYS[0], 0, 1)])
    assert heard("you", line) == [b"mailbox!", KEYS[0]]
    assert heard("me", line) == []


@pytest.mark.parametrize("line", ["", "somebody", "somebody not-base64", "other AAAA= x"])
def test_what_is_no_relays_is_nothing(line: str) -> None:
    assert heard("me", line) == []


def _notify(url: str, payload: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_notify(%s, %s)", (module.CHANNEL, payload))


def test_it_hears_others_and_says_when_it_did_not_listen(postgres: Server) -> None:
    url = postgres.database()
    with closing(ListenNotifier(parse_place(url), "me")) as notifier:
        assert notifier.wait(0.01) == frozenset()
        _notify(url, f"me {item(KEYS[0], 0, 1)}")
        assert notifier.wait(1) == frozenset()
        _notify(url, f"you {item(KEYS[0], 0, 1)} {item(KEYS[1], 0, 1)}")
        assert notifier.wait(1) == frozenset(KEYS[:2])
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                               "WHERE datname = current_database() AND pid <> pg_backend_pid()")
        assert notifier.wait(1) == frozenset()
        _notify(url, f"you {item(KEYS[0], 0, 1)}")
        # What was said meanwhile nobody repeats: everything has to be looked at.
        assert notifier.wait(1) is None
        _notify(url, f"you {item(KEYS[2], 0, 1)}")
        assert notifier.wait(1) == frozenset(KEYS[2:3])


def test_who_polls_looks_at_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waited.append)
    with closing(PollingNotifier()) as notifier:
        assert notifier.wait(10) is None
        assert notifier.wait(0.1) is None
    assert waited == [module.POLL_INTERVAL, 0.1]
