"""`e2esync demo`: the main job from beginning to end, on one machine, with every claim checked.

Invariants: nothing but the temporary folder (or the one to keep) is written; when it ends, by Ctrl-C or SIGTERM too,
the relay process is gone and so is the temporary folder. Exit code 0 means that every claim printed is so.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

import trio

from e2esync.cli.context import PROXY, Context
from e2esync.cli.exits import FAILURE, OK, FileProblem
from e2esync.cli.files import read_input
from e2esync.client.protection import KeyFile, Plain
from e2esync.demo.acts import Act, fill_up, play, unsent
from e2esync.demo.devices import Clock, Device, Progress
from e2esync.demo.exhibit import relay_exhibit
from e2esync.demo.processes import RelayProcess, Tap, relay_process
from e2esync.demo.proof import book_texts, disk_search, equality, relay_holdings, side_by_side
from e2esync.demo.report import Report, duration, plural, size
from e2esync.demo.search import read_folder

SAMPLE: Final = "sample.vcf"


def run(context: Context) -> int:
    """Run the demo as the command line asks for it; 0 if all that it claims is so."""
    args = context.args
    name = args.file or SAMPLE
    content = read_input(args.file) if args.file else files("e2esync.demo").joinpath(SAMPLE).read_bytes()
    # Its relay is on this very machine, where no proxy leads.
    os.environ.pop(PROXY, None)
    bar = context.progress()
    report = Report(context.out)
    with _folder(args.keep) as folder:
        demo = Demo(Path(name).name, content, folder, report, bar.update, kept=args.keep is not None)
        trio.run(demo.play)
    report.end()
    return OK if report.holds else FAILURE


class Demo:
    """One run, in an empty folder."""

    def __init__(self, name: str, content: bytes, folder: Path, report: Report, progress: Progress, *,
                 kept: bool) -> None:
        self._name = name
        self._content = content
        self._folder = folder
        self._report = report
        self._progress = progress
        self._kept = kept
        self._clock = Clock()
        self._photos: dict[str, bytes] = {}

    async def play(self) -> None:
        """The whole of it."""
        begun = time.perf_counter()
        report = self._report
        report.title("e2esync demo: one address book, two devices, a relay that cannot read it",
                     "Everything happens in a temporary folder. Nothing of yours is touched.")
        async with _interruptible(), relay_process(self._folder / "relay") as relay:
            empty = read_folder(relay.folder)
            async with self._devices(relay) as (phone, laptop):
                await self._beginning(relay, phone)
                await self._second_device(phone, laptop)
                acts = self._offline(phone, laptop)
                await self._converge(phone, laptop, acts)
                await self._look(relay, phone, laptop, acts)
                report.part("Is any of the book on the relay's disk?")
                wanted = book_texts(phone, acts, self._photos)
                disk_search(report, wanted, relay.folder, empty, [phone, laptop])
                phone.settle_at(relay.url)
                laptop.settle_at(relay.url)
        self._account(time.perf_counter() - begun)
        if self._kept:
            self._how_to_look_around(relay)

    @asynccontextmanager
    async def _devices(self, relay: RelayProcess) -> AsyncIterator[tuple[Device, Device]]:
        """A phone and a laptop, each with a wire to the relay that counts bytes."""
        taps = Tap(), Tap()
        async with trio.open_nursery() as nursery:
            for tap in taps:
                await nursery.start(tap.run, relay)
            phone = Device("Phone", self._folder / "phone", Plain(), taps[0], self._progress)
            laptop = Device("Laptop", self._folder / "laptop", KeyFile(self._folder / "laptop.key"), taps[1],
                            self._progress)
            try:
                yield phone, laptop
            finally:
                phone.close()
                laptop.close()
                nursery.cancel_scope.cancel()

    async def _beginning(self, relay: RelayProcess, phone: Device) -> None:
        report, clock = self._report, self._clock
        report.part("A relay, and a phone full of contacts")
        report.say(f"The relay is a process of its own (pid {relay.pid}) at {relay.url}, with one SQLite file.")
        async with clock.online("make the book and its recovery kit", phone) as step:
            kit = await phone.found()
        report.say(f"The phone made the book, and a recovery kit of {len(kit.words())} words that stays on paper.")
        with clock.step(f"import {self._name}"):
            result, self._photos, refused = phone.take_in(self._content)
        report.say(f"{self._name}: {plural(result.new, 'contact')} and {plural(result.photos, 'photo')} imported"
                   + (f", {plural(len(refused), 'card')} set aside as unreadable." if refused else "."))
        report.claim(f"the phone shows {plural(result.new, 'contact')}", len(phone.book.list()) == result.new)
        if invented := fill_up(phone):
            report.say(f"The file is small, so {plural(invented, 'invented contact')} joined it.")
        async with clock.online("phone: upload everything", phone) as step:
            await phone.sync()
        report.say(f"All of it is encrypted and at the relay: {size(step.sent)} in {duration(step.seconds)}.")
        report.facts["imported"] = {"contacts": result.new, "photos": result.photos, "unreadable": len(refused)}

    async def _second_device(self, phone: Device, laptop: Device) -> None:
        report, clock = self._report, self._clock
        report.part("A laptop joins")
        async with clock.online("laptop: pair and download", phone, laptop) as step:
            code = await phone.let_in(laptop)
        report.say(f"The phone shows a code, as text and QR:  {code.partition('#')[2]}")
        report.say("A person now types three words from the laptop's screen into the phone. There is no person here, "
                   "so the demo skips that.")
        async with clock.online("laptop: sync, photos", phone, laptop):
            await laptop.sync()
        count = len(laptop.book.list())
        report.claim(f"the laptop shows {plural(count, 'contact')}, {duration(step.seconds)} after the code",
                     count == len(phone.book.list()))

    def _offline(self, phone: Device, laptop: Device) -> list[Act]:
        report = self._report
        report.part("Both go offline, and both edit")
        with self._clock.step("edit on both, offline"):
            acts = play(phone, laptop)
        report.columns("ON THE PHONE", "ON THE LAPTOP")
        for act in acts:
            report.columns(act.name, act.name if "Newbridge" not in act.on_laptop else "")
            report.columns("  " + act.on_phone, "  " + act.on_laptop)
        waiting = [unsent(device) for device in (phone, laptop)]
        report.claim(f"unsent: {waiting[0]} on the phone, {waiting[1]} on the laptop", all(waiting))
        return acts

    async def _converge(self, phone: Device, laptop: Device, acts: list[Act]) -> None:
        report, clock = self._report, self._clock
        report.part("Online again")
        for device in (phone, laptop, phone):
            async with clock.online(f"{device.name.lower()}: sync", device):
                await device.sync()
        for act in acts:
            report.claim(f"{act.name}: {act.outcome}", act.holds())
        equality(report, phone, laptop, self._photos)
        async with clock.online("phone: sync, nothing new", phone):
            await phone.sync()

    async def _look(self, relay: RelayProcess, phone: Device, laptop: Device, acts: list[Act]) -> None:
        report = self._report
        report.part("Side by side")
        said = await phone.inspect()
        exhibit = relay_exhibit(relay.folder)
        side_by_side(report, phone, laptop, acts, exhibit)
        report.part("What the relay holds")
        relay_holdings(report, said, exhibit, relay.folder)

    def _account(self, seconds: float) -> None:
        report, steps = self._report, self._clock.steps
        report.part("How long, and how many bytes")
        rows = [(step.name, duration(step.seconds), size(step.sent) if step.sent else "-",
                 size(step.received) if step.received else "-") for step in steps]
        report.table([("", "TIME", "UP", "DOWN"), *rows, ("the whole demo", duration(seconds), "", "")])
        report.facts["seconds"] = round(seconds, 3)
        report.facts["steps"] = [{"step": step.name, "seconds": round(step.seconds, 4), "sent": step.sent,
                                  "received": step.received} for step in steps]

    def _how_to_look_around(self, relay: RelayProcess) -> None:
        report, folder = self._report, self._folder
        report.facts["kept"] = str(folder)
        report.part("Look around")
        report.say("The relay has stopped; the folder is yours:")
        for command in (
            f"e2esync relay serve --db {folder}/relay/relay.sqlite3 --listen {relay.host}:{relay.port}",
            f"e2esync --home {folder}/phone list",
            f"e2esync --home {folder}/laptop conflicts",
        ):
            report.verbatim(command)


@asynccontextmanager
async def _interruptible() -> AsyncIterator[None]:
    """End by SIGTERM or SIGHUP as by Ctrl-C: everything is cleaned up on the way out."""
    async with trio.open_nursery() as nursery:

        async def listen(task_status: trio.TaskStatus[None]) -> None:
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP) as signals:
                task_status.started()
                async for _ in signals:
                    raise KeyboardInterrupt

        await nursery.start(listen)
        yield
        nursery.cancel_scope.cancel()


@contextmanager
def _folder(keep: str | None) -> Iterator[Path]:
    """The folder that it all happens in: temporary, or new or empty and kept."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="e2esync-demo-") as name:
            yield Path(name)
        return
    folder = Path(keep).absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = not any(folder.iterdir())
    except OSError as error:
        raise FileProblem(f"cannot use {keep}: {error.strerror}") from None
    if not free:
        raise FileProblem(f"{keep} is not empty", "name a new folder with --keep")
    yield folder
