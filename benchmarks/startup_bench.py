"""What starting costs: a bare interpreter, `--version`, `--help`, in turn.

Called by report. CPU time is the figure; the ratio to the bare interpreter is what carries over to other machines.
"""

import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import Figures, Sample, bundlectl, child_environment, run_once

RUNS = 15
_COMMANDS = {
    "interpreter": [sys.executable, "-c", "pass"],
    "--version": bundlectl("--version"),
    "--help": bundlectl("--help"),
}
# CPU seconds that the project promises.
BARS = {"--version": 0.060, "--help": 0.200}


def measure(folder: Path, runs: int = RUNS) -> dict[str, Any]:
    """Figures by command. `folder` is an empty folder to run in."""
    environment = child_environment(folder)
    samples: dict[str, list[Sample]] = {name: [] for name in _COMMANDS}
    for number in range(runs + 1):
        for name, command in _COMMANDS.items():
            sample = run_once(command, folder=folder, environment=environment)
            if number:  # the first round warms up
                samples[name].append(sample)
    figures = {name: Figures(tuple(taken)) for name, taken in samples.items()}
    bare = figures["interpreter"].median("cpu_s")
    return {
        name: {**taken.document(), "cpu_ratio_to_interpreter": round(taken.median("cpu_s") / bare, 2)}
        for name, taken in figures.items()
    }
