"""A person's further sets by the kit, with trio (SPEC 12.6 step 6): every book, each at its own relay.

Called when the home set is back. What cannot be reached is named and harms nothing: the home set goes on listing it,
so that another device of the person may let this one in, and the kit can be used again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from e2esync.access.kit import RecoveryKit
from e2esync.client.profile import Profile
from e2esync.client.recovery import Past, find_places, open_place
from e2esync.client.sync import SYSTEM_ENTROPY, Progress, no_progress, now_ms, relay_url, sync
from e2esync.client.together import free_number, numbers_of
from e2esync.crypto import Entropy
from e2esync.errors import E2esyncError
from e2esync.limits import KIT_HALVES
from e2esync.procedures.recovering import KitKeys
from e2esync.replica.core import Replica
from e2esync.replica.home import read_home
from e2esync.replica.putting_back import put_back
from e2esync.replica.together import register, waiting_out


@dataclass(frozen=True, slots=True)
class Regained:
    """What became of one further set."""

    set_id: bytes
    name: str
    book: int
    """Its number in the profile; 0 if it is not here."""
    contacts: int = 0
    removed: tuple[str, ...] = ()
    problem: str = ""
    """Why it is not here; empty if it is."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    set_id: bytes
    name: str
    relay: str
    keys: KitKeys | None
    problem: str = ""


async def regain_sets(profile: Profile, kit: RecoveryKit, device_name: str, *, progress: Progress = no_progress,
                      entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> list[Regained]:
    """Bring back every further set of the person: those that the home set lists, and those that the relay finds.

    In each the devices are removed that are out of the home set. Raises nothing that one set alone is about.
    """
    home = Replica(profile.store.book(0))
    here = {info.set_id for info in profile.store.books() if profile.store.book(info.number).get("identity")}
    regained = []
    for wanted in await _wanted(profile, home, kit, entropy):
        if wanted.set_id not in here:
            regained.append(await _regain(profile, home, wanted, device_name, progress, entropy, now))
    return regained


async def put_back_here(profile: Profile, past: Past, *, entropy: Entropy = SYSTEM_ENTROPY,
                        now: Callable[[], int] = now_ms) -> tuple[int, int, int]:
    """Put the home set back as it was, as edits of this device, and send them.

    Returns how many contacts came back, were changed back, and went.
    """
    await sync(profile, entropy=entropy, now=now)
    done = put_back(Replica(profile.store.book(0)), past.store, now())
    await sync(profile, entropy=entropy, now=now)
    return done


async def _wanted(profile: Profile, home: Replica, kit: RecoveryKit, entropy: Entropy) -> list[_Wanted]:
    """The sets to bring back, with the recovery key's place in each as the relay tells it."""
    own = relay_url(profile, 0)
    listed = {each.set_id: each for each in read_home(home).sets.values() if not each.left}
    numbers = {own: set(range(1, KIT_HALVES))}
    for each in listed.values():
        numbers.setdefault(each.relay, set()).add(each.kit)
    found: dict[bytes, tuple[str, KitKeys]] = {}
    problems: dict[str, str] = {}
    for relay, wanted in numbers.items():
        try:
            places = await find_places(kit, relay, sorted(wanted), entropy=entropy)
        except E2esyncError as error:
            problems[relay] = error.message
            continue
        found |= {keys.set_id: (relay, keys) for keys in places if keys.set_id != home.set_id}
    sets = [_Wanted(set_id, listed[set_id].name if set_id in listed else "", relay, keys)
            for set_id, (relay, keys) in found.items()]
    nowhere = "the relay does not know this recovery kit as a member of it"
    return sets + [_Wanted(each.set_id, each.name, each.relay, None, problems.get(each.relay, nowhere))
                   for each in listed.values() if each.set_id not in found]


async def _regain(profile: Profile, home: Replica, wanted: _Wanted, device_name: str, progress: Progress,
                  entropy: Entropy, now: Callable[[], int]) -> Regained:
    if wanted.keys is None:
        return Regained(wanted.set_id, wanted.name, 0, problem=wanted.problem)
    number, asked = free_number(profile), numbers_of(profile).get(wanted.set_id)
    try:
        async with open_place(wanted.keys, wanted.relay, progress=progress, entropy=entropy, now=now) as rescue:
            gone = set(waiting_out(home, read_home(home), rescue.replica).values())
            names = rescue.devices()
            replica = await rescue.restore(profile, device_name, remove=gone, book=number)
            register(home, replica, wanted.relay, now())
            name = rescue.name or wanted.name
    except E2esyncError as error:
        return Regained(wanted.set_id, wanted.name, 0, problem=error.message)
    if asked is not None:
        # This device had asked to be let in, and waited: the book takes the place that was kept for it.
        profile.store.renumber_book(number, asked)
        number = asked
    removed = tuple(names.get(member, f"device {member}") for member in sorted(gone))
    return Regained(wanted.set_id, name, number, len(profile.store.book(number).cards()), removed)

