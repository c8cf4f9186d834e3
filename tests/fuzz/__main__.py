"""Coverage-guided fuzzing of every target: `python -m tests.fuzz --seconds 3600` (extra `fuzz`).

Targets run one after the other, each for its share of the time, in a fork of this process, whose library is
instrumented. An input that takes more than ten seconds or a gigabyte is a failure, as is every exception outside the
tree; it is kept in `tests/fuzz/corpus/`, where the default suite tries it ever after. With `--keep`, so are the few
inputs that reach most of what nothing else does.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import corpus

TIMEOUT, MEMORY = 10, 1024
SEEDS, FOUND, CONTROL, FAILED, SAID = "seeds", "found", "control", "failed-", "said"


@dataclass
class Fuzzed:
    """A target while it is fuzzed: the function, its name, and a folder for libFuzzer."""

    run: Callable[[bytes], None]
    name: str
    limit: int
    seeds: list[bytes]
    folder: Path

    def fuzz(self, seconds: int, seed: int) -> int:
        """The exit code of libFuzzer: other than 0 on a failure."""
        for place in (FOUND, SEEDS):
            (self.folder / place).mkdir()
        for number, content in enumerate([*self.seeds, *corpus.kept(self.name)]):
            (self.folder / SEEDS / f"{number:06}").write_bytes(content)
        return self._fork([
            str(self.folder / FOUND), str(self.folder / SEEDS), f"-max_total_time={seconds}", f"-seed={seed}",
            f"-max_len={self.limit}", f"-timeout={TIMEOUT}", f"-rss_limit_mb={MEMORY}", "-print_final_stats=1",
            f"-artifact_prefix={self.folder / FAILED}", "-verbosity=0",
        ])

    def failures(self) -> list[bytes]:
        """The inputs that failed."""
        return [path.read_bytes() for path in sorted(self.folder.glob(f"{FAILED}*"))]

    def found(self) -> list[Path]:
        """What libFuzzer found, the smallest first."""
        return sorted((self.folder / FOUND).iterdir(), key=lambda path: (path.stat().st_size, path.name))

    def weigh(self) -> list[tuple[int, bytes]]:
        """What was found or kept, each with the number of features that no seed and nothing before it has."""
        places = sorted((self.folder / SEEDS).iterdir())
        files = [*places, *self.found()]
        control = self.folder / CONTROL
        control.write_text("".join(f"{line}\n" for line in (len(files), 0, *files)))
        self._fork(["-merge_inner=1", f"-merge_control_file={control}", "-verbosity=0"])
        own = set(self.seeds)
        return [each for each in corpus.read_weights(control.read_text(), files) if each[1] not in own]

    def said(self) -> str:
        """What the last fork printed."""
        return (self.folder / SAID).read_text("utf-8", "replace")

    def _fork(self, options: list[str]) -> int:
        import atheris

        child = os.fork()
        if not child:
            # libFuzzer ends the process that it runs in.
            said = os.open(self.folder / SAID, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(said, 1)
            os.dup2(said, 2)
            atheris.Setup([sys.argv[0], *options], self.run)
            atheris.Fuzz()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(fuzzed: Fuzzed, seconds: int, seed: int, *, keep: bool) -> bool:
    """Fuzz one target, and say what came of it."""
    code = fuzzed.fuzz(seconds, seed)
    said = fuzzed.said()
    told = dict(line.removeprefix("stat::").split(":", 1) for line in said.splitlines() if line.startswith("stat::"))
    runs, memory = (told.get(name, "?").strip() for name in ("number_of_executed_units", "peak_rss_mb"))
    found = len(fuzzed.found())
    print(f"{fuzzed.name:40} {runs:>9} runs {found:>5} found {memory:>5} MiB  {'FAILS' if code else 'ok'}", flush=True)
    if code:
        print(said[-8000:])
    for data in fuzzed.failures():
        corpus.keep_failure(fuzzed.name, data)
    if keep:
        corpus.keep_best(fuzzed.name, fuzzed.weigh())
    return code == 0


def main() -> int:
    """The exit code is 1 if a target failed."""
    parser = argparse.ArgumentParser(description="coverage-guided fuzzing of every decoder and both session machines")
    parser.add_argument("--seconds", type=int, default=600, help="in all (default 600)")
    parser.add_argument("--target", action="append", help="only this target; may be repeated")
    parser.add_argument("--seed", type=int, default=1, help="of libFuzzer (default 1)")
    parser.add_argument("--keep", action="store_true", help="keep in the corpus what reaches most")
    chosen = parser.parse_args()
    import atheris

    with redirect_stderr(io.StringIO()), atheris.instrument_imports(include=["e2esync"]):
        from e2esync.conformance.performing import layers
        from tests.fuzz.targets import TARGETS
    # Making the cases takes seconds, which are not those of the first input.
    layers()
    names = chosen.target or list(TARGETS)
    each = max(1, chosen.seconds // len(names))
    failed = 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            target = TARGETS[name]
            fuzzed = Fuzzed(target, name, target.limit, target.seeds(), Path(folder))
            failed += not run(fuzzed, each, chosen.seed, keep=chosen.keep)
    print(f"{len(names)} targets, {each} s each, {failed} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
