"""A scheduler process for the kill tests: `python -m tests.crash.engine_process FOLDER STEP SPREAD`.

Advances the engine in FOLDER until it is killed. With STEP > 0 it kills itself at the STEP-th step that matters. With
WORKER_STEP its workers do. Prints "ready" once it is started.
"""

import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from bundlectl.base.clock import SystemClock
from bundlectl.engine.service import Engine

ROOT = Path(__file__).resolve().parent.parent.parent
_WORKER = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); step = int(sys.argv.pop(1)); "
    "from tests.crash.engine_process import kill_at; from bundlectl.engine.worker import main; "
    "main(sys.argv[1], int(sys.argv[2]), kill_at(step))"
)


def kill_at(step: int) -> Callable[[str], None] | None:
    """A hook that kills its process at the given step; 0 never."""
    count = itertools.count(1)

    def hook(name: str) -> None:
        if next(count) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook if step else None


def worker_command(step: int) -> list[str]:
    """Workers that kill themselves at the given step."""
    return [sys.executable, "-I", "-c", _WORKER, str(ROOT), str(step)]


def main() -> None:
    folder, step, worker_step, slots = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    engine = Engine(
        folder,
        SystemClock(),
        workers=slots,
        environment=dict(os.environ),
        grace_s=1.0,
        hook=kill_at(step),
        worker_command=worker_command(worker_step) if worker_step else None,
    )
    engine.start()
    os.write(1, b"ready\n")
    threading.Event().wait()


if __name__ == "__main__":
    main()
