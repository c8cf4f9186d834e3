"""A relay that shows another history than the true one: older, forked, with holes, or none at all (SPEC 14.1, 14.2)."""

from __future__ import annotations

import pytest

from e2esync.errors import RollbackDetected
from e2esync.testing import Network
from tests.attacks.scene import MOMENTS, Weak, attack, heals, refused, scene

WELCOME = Weak("replica.reading:check_welcome", late=True)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(WELCOME)
async def test_a07_snapshot_rollback(net: Network, moment: str) -> None:
    """The relay goes back to before what the laptop has seen."""
    phone, laptop = await scene(net, moment)
    older = net.relay.moment()
    phone.note("Ada", "four")
    await phone.sync()
    await laptop.sync()
    laptop.add("Carl")
    newest = net.relay.main
    net.relay.rollback(older)
    error = await refused(laptop, RollbackDetected)
    assert "has seen" in error.message
    net.relay.show(newest)
    await heals(net)
    assert phone.names() == ["Ada", "Bob", "Carl"]
