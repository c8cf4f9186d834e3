"""The public test kit: a network in memory and a hostile relay, to attack an application or another implementation.

    Network, Conditions, Device, Standing      the world: who is in it, how the network is, what a device holds
    Clock, SeededEntropy                       what time it is, and where randomness comes from
    HostileRelay, View, Done                   histories: rollback, restore, fork, withhold, inject
    mutate, drop, starve, refuse, delay, repeat, flood, reorder, replay, swap, truncate, flip, substitute, relabel,
    set_params, Hook, Passed, Later            messages; a hook is `(message, wire) -> what goes on in its place`
    Lies, Wire, Seen                           how many of them were changed, and what went over the wire

The world has a clock of its own, which begins in 2023; a `Book` that your code makes takes the machine's, unless it
gets `now=net.clock`. The code under attack is the real client. See README, *Attack your own app*. Needs the extra
`test`.
"""

from e2esync.testing.clock import Clock
from e2esync.testing.device import Device, Standing
from e2esync.testing.entropy import SeededEntropy
from e2esync.testing.hooks import (
    delay,
    drop,
    flip,
    flood,
    mutate,
    refuse,
    relabel,
    reorder,
    repeat,
    replay,
    set_params,
    starve,
    substitute,
    swap,
    truncate,
)
from e2esync.testing.network import Conditions, Network
from e2esync.testing.relay import Done, HostileRelay, Lies, View
from e2esync.testing.wire import Hook, Later, Passed, Seen, Wire

__all__ = [
    "Clock", "Conditions", "Device", "Done", "Hook", "HostileRelay", "Later", "Lies", "Network", "Passed", "Seen",
    "SeededEntropy", "Standing", "View", "Wire", "delay", "drop", "flip", "flood", "mutate", "refuse", "relabel",
    "reorder", "repeat", "replay", "set_params", "starve", "substitute", "swap", "truncate",
]
