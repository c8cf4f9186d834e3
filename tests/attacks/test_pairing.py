"""The way in: codes, words and kits (SPEC 12). What passes the relay is worth nothing, and one try is one try."""

from __future__ import annotations

from typing import Any

import pytest

from e2esync.access import code as codec
from e2esync.access.code import PairingCode
from e2esync.access.kit import RecoveryKit
from e2esync.access.messages import open_message
from e2esync.client.pairing import join
from e2esync.crypto import sealing
from e2esync.crypto.sealing import SealingKey, open_box
from e2esync.errors import BadCode, E2esyncError, HandshakeFailed, PairingAborted
from e2esync.session import messages as m
from e2esync.session.client import Challenged, ClientSession
from e2esync.testing import Hook, Network, flip, mutate, substitute
from e2esync.testing.entropy import SeededEntropy
from tests.attacks.scene import FORGEABLE, MOMENTS, Weak, attack, defences, heals, sponsor, two


@pytest.mark.parametrize("side", ["Phone", "Tablet"])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(FORGEABLE)
async def test_a15_man_in_the_middle_of_a_pairing(net: Network, moment: str, side: str) -> None:
    """What passes the mailbox is changed on either leg: both sides abort, and nobody is in who was not."""
    phone = await sponsor(net, moment)
    before = phone.standing()
    hook: Hook = mutate(m.MailPush, lambda mail: m.MailPush(mail.n, flip(mail.message)), device=side)
    tablet = net.device("Tablet")
    with net.relay.lying(hook), defences(), pytest.raises(PairingAborted):
        await net.meet(phone, tablet)
    assert all(type(error) is PairingAborted for error in net.raised)
    assert not tablet.book.exists()
    assert phone.standing() == before
    # A new code, an honest relay.
    await net.meet(phone, tablet)
    await heals(net)


@pytest.mark.parametrize("side", ["Phone", "Tablet"])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("access.pairing:_Machine._is_repeat", late=True))
async def test_a15_messages_delivered_twice(net: Network, moment: str, side: str) -> None:
    """Nobody gives up while the other side goes on: there is no member that nobody is, and the newcomer is in."""
    phone = await sponsor(net, moment)
    with net.relay.lying(mutate(m.MailPush, lambda mail: [mail, mail], device=side)), defences():
        tablet = await net.pair(phone, "Tablet")
    assert [device.name for device in phone.book.devices()].count("Tablet") == 1
    assert tablet.replica.member in phone.replica.chain.members
    await heals(net)


def in_any_turn(machine: Any, _n: int, data: bytes) -> bytes:
    """A message counts as the one that is awaited."""
    body = open_message(machine._code, machine.state.value, data)
    machine._bodies.append(body)
    return body


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("access.pairing:_Machine._open", in_any_turn))
async def test_a15_a_message_out_of_turn(net: Network, moment: str) -> None:
    """A message under the number of an earlier one ends the attempt."""
    phone = await sponsor(net, moment)
    before = phone.standing()
    wrong = mutate(m.MailPush, lambda mail: m.MailPush(0, mail.message), device="Phone")
    with net.relay.lying(wrong), defences(), pytest.raises(PairingAborted):
        await net.pair(phone, "Watch")
    assert phone.standing() == before
    watch = net.devices.pop()
    assert not watch.book.exists()
    await net.pair(phone, "Tablet")
    await heals(net)
    watch.profile.close()


def any_code(_text: str) -> PairingCode:
    """A code with something in the place of what is missing."""
    return PairingCode.generate("ws://relay.test", SeededEntropy("a guess"))


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("access.code:parse_code", any_code, late=True))
async def test_a15_a_code_is_good_for_one(net: Network, moment: str) -> None:
    """A second claimant, a replayed code, a code that expired, and one without its secret part."""
    phone = await sponsor(net, moment)
    tablet, thief = net.device("Tablet"), net.device("Thief")
    codes: list[str] = []

    def keep(code: str) -> str:
        codes.append(code)
        return code
    await net.meet(phone, tablet, change_code=keep)
    members = set(phone.replica.chain.members)
    for wait in (0, 400_000):
        net.clock.time += wait
        with net.dialing("Thief"), pytest.raises(PairingAborted):
            await join(thief.profile, codes[0], "Thief", show_words=lambda _words: None, entropy=thief.entropy,
                       now=thief.now)
    assert not thief.book.exists()
    url, _, secret = codes[0].partition("#")
    since = len(net.trace)
    for cut in (url, f"{url}#", f"{url}#{secret[:13]}", secret[:-1], secret[14:]):
        with net.dialing("Thief"), defences(), pytest.raises(BadCode):
            await join(thief.profile, cut, "Thief", show_words=lambda _words: None, relay=net.url,
                       entropy=thief.entropy, now=thief.now)
    assert net.trace[since:] == []
    net.devices.remove(thief)
    await heals(net)
    assert set(phone.replica.chain.members) == members
    thief.profile.close()


def of_any_relay(session: ClientSession, challenge: m.Challenge) -> Challenged:
    """The handshake with whoever answers."""
    session._expected = None
    return challenged(session, challenge)


challenged = ClientSession._challenged


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("session.client:ClientSession._challenged", of_any_relay, late=True))
async def test_a15_another_relay_than_the_books(net: Network, moment: str) -> None:
    """Whoever answers at the address is shown nothing by the sponsor, who knows the relay's key."""
    phone = await sponsor(net, moment)
    before = phone.standing()
    tablet = net.device("Tablet")
    with net.relay.lying(substitute(bytes(32), device="Phone")), defences(), pytest.raises(HandshakeFailed):
        await net.meet(phone, tablet)
    assert phone.standing() == before
    await net.meet(phone, tablet)
    await heals(net)


@attack(Weak("access.code:_check", lambda *_: bytes(2)), moments="a code is refused before any relay is asked anything")
async def test_a55_text_codes_have_one_spelling(net: Network) -> None:
    """Edits of one character, digits of other scripts, and variants beyond the grammar: refused before the network."""
    phone = await net.begin("Phone")
    with defences():
        await _one_spelling(net)
    words = net.kit.words()
    for wrong in (words[:-1], [*words, words[0]], [*words[:-1], "zoo"], ["abandon"] * 24, words[:12]):
        with pytest.raises(BadCode):
            RecoveryKit.from_words(" ".join(wrong))
    assert phone.replica.chain.epoch == 0


async def _one_spelling(net: Network) -> None:
    text = PairingCode.generate(net.url, net.entropy).text()
    head, _, digits = text.rpartition("#")
    since = len(net.trace)
    refused = 0
    for place, letter in enumerate(digits):
        for other in "0Z9٣Ａ \u200b":
            changed = digits[:place] + other + digits[place + 1:]
            if changed == digits or letter == "-":
                continue
            with pytest.raises(BadCode):
                codec.parse_code(f"{head}#{changed}")
            refused += 1
    assert refused > 200
    for extra in (digits + "0", digits[:-1], digits + "-", "-" + digits, digits.replace("-", "--")):
        with pytest.raises(BadCode):
            codec.parse_code(f"{head}#{extra}")
    assert codec.parse_code(text).secret.reveal() == codec.parse_code(text.lower().replace("ws://relay.test", "ws://RELAY.test")
                                                          ).secret.reveal()
    assert len(net.trace) == since


@attack(Weak("access.words:equal", lambda *_: True, alone=True))
async def test_a16_nothing_at_the_relay_is_protected_by_a_weak_secret(net: Network) -> None:
    """A kit is 256 uniform bits, no relay object is sealed under less, and short or weak kits are no kits."""
    phone, _laptop = await two(net)
    assert len(net.kit.seed.reveal() if hasattr(net.kit.seed, "reveal") else net.kit.seed) == 32
    for words in ([], ["abandon"] * 12, ["abandon"] * 23, ["abandon"] * 24, ["zoo"] * 24, ["password"] * 24):
        with defences(), pytest.raises(BadCode):
            RecoveryKit.from_words(" ".join(words))
    # The kit's member has a sealing key of full length: guessing it is guessing the seed.
    root = phone.replica.chain.root
    assert len(root.seal_key) == 1216
    assert net.kit.signing_key(0).verify_key == root.verify_key


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("epoch.boxes:check_box_hash"))
async def test_a29_one_attempt_and_nothing_to_learn_from_it(net: Network, moment: str,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    """A box of the relay's own, such as opens under many keys: no key of the kit is tried on it, and nothing shows.

    The second try with a code is A15's.
    """
    tried: list[bytes] = []

    def trying(key: SealingKey, context: bytes, box: bytes) -> object:
        tried.append(box)
        return open_box(key, context, box)
    monkeypatch.setattr(sealing, "open_box", trying)
    phone, _laptop = await two(net, moment)
    phone.add("Bob")
    await phone.sync()
    seen = []
    for spoil in (b"x" * 1216, flip(b"y" * 1216), bytes(1216)):
        since = len(net.trace)
        tried.clear()
        with net.relay.lying(mutate(m.BoxAnswer, lambda box, bad=spoil: m.BoxAnswer(box.box_list, bad))), defences():
            with pytest.raises(E2esyncError) as raised:
                await net.recover(f"Rescued {len(seen)}")
            assert raised.value.code in {"CommitMismatch", "AuthFailed", "SnapshotInvalid"}
        assert spoil not in tried
        seen.append([(each.kind, each.size) for each in net.trace[since:] if each.side is m.Side.CLIENT])
    assert seen[0] == seen[1] == seen[2]
    rescued = await net.recover("Rescued")
    assert rescued.names() == ["Ada", "Bob"]

