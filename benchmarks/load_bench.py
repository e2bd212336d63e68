"""What reading costs: `validate` with an empty cache, over many files, over one file, and with many variables.

Called by report. Beside it a reference run in turn: PyYAML's C loader over the same files, which knows no places, no
schema and no references. The ratio to it carries over to other machines.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import generate
from benchmarks.measure import Figures, Sample, bundlectl, child_environment, repeat, run_once

RUNS = 5
# Case -> (jobs, wall seconds promised, MiB promised).
BARS = {
    "1000 files": (1_000, 1.5, None),
    "one file": (1_000, 1.5, None),
    "10000 files": (10_000, 12.0, 600.0),
}
# What reading may cost at twice the size, against the size itself: more would not be linear.
LINEAR = 2.4

_REFERENCE = """
import sys, yaml
from pathlib import Path
for path in sorted(Path("resources").glob("*.yml")):
    yaml.load(path.read_bytes(), yaml.CSafeLoader)
"""


def measure(folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Figures by case. `folder` is an empty folder."""
    result = {}
    for name, (jobs, _, _) in BARS.items():
        say(f"reading {jobs} jobs, {name}")
        bundle = folder / name.replace(" ", "-") / "bundle"
        generate.write_bundle(bundle, jobs, one_file=name == "one file")
        result[name] = _case(bundle, RUNS if jobs <= 1_000 else 2)
        shutil.rmtree(bundle)
    say("reading 1000 and 2000 variables")
    small, large = (_variables(folder / f"variables-{count}" / "bundle", count) for count in (1_000, 2_000))
    result["variables"] = {
        "1000": small.document(),
        "2000": large.document(),
        "growth": round(large.median("cpu_s") / small.median("cpu_s"), 2),
    }
    return result


def _case(bundle: Path, runs: int) -> dict[str, Any]:
    """Cold reads and the reference, in turn."""
    cold, bare = [], []
    for number in range(runs + 1):
        samples = (
            _cold(bundle),
            run_once([sys.executable, "-c", _REFERENCE], folder=bundle, environment=_environment(bundle)),
        )
        if number:  # the first round warms up
            cold.append(samples[0])
            bare.append(samples[1])
    figures, reference = Figures(tuple(cold)), Figures(tuple(bare))
    ratio = figures.median("wall_s") / reference.median("wall_s")
    return {**figures.document(), "reference": reference.document(), "times_reference": round(ratio, 2)}


def _variables(bundle: Path, count: int) -> Figures:
    bundle.mkdir(parents=True)
    lines = ["bundle: {name: bench}", "variables:"]
    lines += [f"  v{number}: {{default: value {number}}}" for number in range(count)]
    lines += ["resources:", "  jobs:", "    all:", "      name: all", "      tags:"]
    lines += [f"        t{number}: ${{var.v{number}}}" for number in range(20)]
    lines += ["      parameters:"]
    lines += [f"        - {{name: p{number}, default: 'a ${{var.v{number}}} b'}}" for number in range(count)]
    lines += ["      tasks: [{task_key: a, shell_task: {command: ['true']}}]"]
    (bundle / "databricks.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    generate.git(bundle, "init", "--quiet", "--initial-branch=main")
    generate.commit(bundle, f"{count} variables")
    return repeat(lambda: _cold(bundle), runs=3)


def _cold(bundle: Path) -> Sample:
    environment = _environment(bundle)
    shutil.rmtree(environment["BUNDLECTL_CACHE_DIR"], ignore_errors=True)
    return run_once(bundlectl("validate", "-q"), folder=bundle, environment=environment)


def _environment(bundle: Path) -> dict[str, str]:
    home = bundle.parent / "home"
    home.mkdir(exist_ok=True)
    folders = {f"BUNDLECTL_{name}_DIR": str(home / name.lower()) for name in ("ENGINE", "CACHE", "STATE", "CONFIG")}
    return child_environment(home, BUNDLECTL_USER="bench@example.com", **folders)
