"""Coverage-guided fuzzing of every target: `python -m tests.fuzz --seconds 3600` (extra `fuzz`).

Targets run one after the other, each for its share of the time, in a process of its own whose library is instrumented.
An input that takes more than ten seconds or a gigabyte is a failure, as is every exception outside the tree. What fails
is kept in `tests/fuzz/corpus/TARGET/`, where the default suite tries it ever after.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
TIMEOUT, MEMORY = 10, 1024


def fuzz_one(name: str, seconds: int, seed: int) -> None:
    """Never returns: libFuzzer ends the process, with an exit code other than 0 on a failure."""
    import atheris

    with atheris.instrument_imports(include=["e2esync"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        for number, content in enumerate(target.seeds()):
            Path(folder, f"seed-{number}").write_bytes(content)
        kept = CORPUS / name
        atheris.Setup([
            sys.argv[0], folder, *([str(kept)] if kept.is_dir() else []), f"-max_total_time={seconds}", f"-seed={seed}",
            f"-max_len={target.limit}", f"-timeout={TIMEOUT}", f"-rss_limit_mb={MEMORY}", "-print_final_stats=1",
            f"-artifact_prefix={kept}-", "-verbosity=0",
        ], target)
        atheris.Fuzz()


def names() -> list[str]:
    """Every target; their modules stay out of this process."""
    listed = subprocess.run([sys.executable, "-c", "from tests.fuzz.targets import TARGETS; print(*TARGETS)"],
                            check=True, capture_output=True, text=True)
    return listed.stdout.split()


def run(name: str, seconds: int, seed: int) -> bool:
    """Fuzz one target in a process of its own; say what came of it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--one", name, "--seconds", str(seconds), "--seed", str(seed)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )
    lines = [line.removeprefix("stat::") for line in done.stderr.splitlines() if line.startswith("stat::")]
    told = dict(line.split(":", 1) for line in lines)
    runs = told.get("number_of_executed_units", "?").strip()
    memory = told.get("peak_rss_mb", "?").strip()
    print(f"{name:40} {runs:>9} runs {memory:>5} MiB  {'FAILS' if done.returncode else 'ok'}", flush=True)
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-4000:], sep="\n")
        keep(name)
    return done.returncode == 0


def keep(name: str) -> None:
    """Move what failed to where the default suite tries it again."""
    for artifact in CORPUS.glob(f"{name}-*-*"):
        (CORPUS / name).mkdir(exist_ok=True)
        artifact.rename(CORPUS / name / artifact.name.removeprefix(f"{name}-"))


def main() -> int:
    """The exit code is 1 if a target failed."""
    parser = argparse.ArgumentParser(description="coverage-guided fuzzing of every decoder and both session machines")
    parser.add_argument("--seconds", type=int, default=600, help="in all (default 600)")
    parser.add_argument("--target", action="append", help="only this target; may be repeated")
    parser.add_argument("--seed", type=int, default=1, help="of libFuzzer (default 1)")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        fuzz_one(chosen.one, chosen.seconds, chosen.seed)
    targets = chosen.target or names()
    each = max(1, chosen.seconds // len(targets))
    failed = [name for name in targets if not run(name, each, chosen.seed)]
    print(f"{len(targets)} targets, {each} s each, {len(failed)} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
