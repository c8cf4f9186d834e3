"""`python -m e2esync.conformance.engine.child URL`: writes until it is killed, and says what was acknowledged to it."""

from __future__ import annotations

import sys
from hashlib import sha256

from e2esync.conformance.engine.stage import Stage
from e2esync.limits import OPENINGS_INTERVAL
from e2esync.session import messages as m


def main(url: str) -> None:
    """A set of its own, with appends in batches, blobs, and an opening now and then."""
    stage = Stage(url)
    print(stage.book.set_id.hex(), flush=True)
    while True:
        for _ in range(3):
            requests = [stage.book.append() for _ in range(5)]
            outcomes = stage.batch([stage.change(1, each) for each in requests]).outcomes
            for request, outcome in zip(requests, outcomes, strict=True):
                if isinstance(outcome.result, m.Appended):
                    print("append", sha256(request.envelope).hexdigest(), flush=True)
                    stage.book.landed(request.envelope)
        stage.now += OPENINGS_INTERVAL
        print("open", stage.open(engine=stage.engine).epoch, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
