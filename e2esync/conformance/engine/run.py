"""Running the suite on an engine: every check, one after the other, each on a set of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from e2esync.conformance.engine import (
    checks_crash,
    checks_deletion,
    checks_epoch,
    checks_holds,
    checks_log,
    checks_rest,
    checks_shared,
)
from e2esync.conformance.engine.stage import Broken, Stage
from e2esync.errors import E2esyncError

Check = Callable[[Stage], None]

CHECKS: Final[tuple[Check, ...]] = (
    *checks_log.CHECKS, *checks_epoch.CHECKS, *checks_rest.CHECKS, *checks_deletion.CHECKS, *checks_holds.CHECKS,
    *checks_shared.CHECKS, *checks_crash.CHECKS,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one check: `fault` is empty if the engine kept the rule."""

    name: str
    rule: str
    fault: str


def check_engine(url: str) -> Iterator[Verdict]:
    """Every check in turn, on a store that holds nothing else: it is left full of test data.

    Raises what keeps the store from being opened: Unreachable, ProfileDamaged, ProfileBusy or DiskFull.
    """
    for check in CHECKS:
        yield run_check(check, url)


def run_check(check: Check, url: str) -> Verdict:
    """One check."""
    rule = (check.__doc__ or "").strip()
    stage = Stage(url)
    try:
        check(stage)
    except Broken as broken:
        return Verdict(check.__name__, rule, str(broken))
    except E2esyncError as error:
        return Verdict(check.__name__, rule, f"{error.code}: {error.message}")
    except (AttributeError, TypeError, LookupError, AssertionError) as error:
        # An answer of another kind than any that fits: the engine's fault all the same.
        return Verdict(check.__name__, rule, f"{type(error).__name__}: {error}")
    finally:
        stage.close()
    return Verdict(check.__name__, rule, "")
