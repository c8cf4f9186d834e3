"""The table of states in SPEC 13.11 is the one by which both sides of a session work."""

import pytest

from e2esync.session import client, relay
from e2esync.session import messages as m
from e2esync.session.commands import FORMER_MEMBERS, OF_DELETED_SETS
from tests.test_spec import rows

TABLE = rows("13.11")


def steps(session: str, does: str) -> list[tuple[str, str, str]]:
    """(state, what, then) of one side."""
    return [(state, what, then) for whose, state, act, what, then in TABLE if (whose, act) == (session, does)]


@pytest.mark.parametrize(("does", "table"), [("sends", client._SENDS), ("receives", client._RECEIVES)])
def test_the_client_works_by_the_table(does: str, table: dict[tuple[client.State, str], client.State]) -> None:
    coded = [(state.name, what, then.name) for (state, what), then in table.items()]
    assert steps("client", does) == coded


def test_the_relays_handshake_is_the_tables() -> None:
    coded = {"START": m.Hello, "GREETED": m.Proof}
    assert {state.name: message for state, message in relay._RECEIVES.items()} == coded
    listed = {state: what for state, what, _then in steps("relay", "receives")}
    assert {state: listed[state].title() for state in coded} == {
        state: message.__name__ for state, message in coded.items()
    }


def test_the_relay_has_the_tables_states() -> None:
    listed = {state for whose, state, *_ in TABLE if whose == "relay"}
    assert listed | {"CLOSED"} == {state.name for state in relay.State}
    assert {state for whose, state, *_ in TABLE if whose == "client"} | {"CLOSED"} == {
        state.name for state in client.State
    }


def test_what_a_removed_member_may_ask() -> None:
    assert ("FORMER", "CHAIN, PING") in [(state, what) for state, what, _then in steps("relay", "receives")]
    assert set(FORMER_MEMBERS) == {m.ReadChain, m.Ping}


def test_what_a_member_of_a_deleted_set_may_ask() -> None:
    assert ("DELETED", "CHAIN, INSPECT, PING") in [(state, what) for state, what, _ in steps("relay", "receives")]
    assert set(OF_DELETED_SETS) == {m.ReadChain, m.Inspect, m.Ping}
