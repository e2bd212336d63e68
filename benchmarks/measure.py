"""Runs whole processes and measures them: wall time, CPU of the process and everything it started, peak memory.

Used by every benchmark of processes. A child gets a scrubbed environment, in which bytecode may be written: with
PYTHONDONTWRITEBYTECODE set, each start would compile anew and the figures would be about the compiler.
"""

import compileall
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent

# What a child may see of the invoker's environment.
_PASSED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT")
# ru_maxrss is in kilobytes on Linux and in bytes on macOS.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024

# Starts the command and waits for it. A new process begins with the peak memory of whoever started it, and a benchmark
# that has generated bundles is larger than what it measures.
_LAUNCHER = """\
import os, sys, time
began = time.perf_counter()
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ), 0)
wall = time.perf_counter() - began
with open(sys.argv[1], "w") as file:
    print(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, os.waitstatus_to_exitcode(status), file=file)
"""


class BenchmarkFailed(Exception):
    """A measured command did not do what it is measured for."""


class Sample(NamedTuple):
    """One run of one process."""

    wall_s: float
    cpu_s: float  # user and system, of the process and of all it waited for
    peak_mib: float  # largest resident set among them


class Figures(NamedTuple):
    """Several runs of the same thing."""

    samples: tuple[Sample, ...]

    def median(self, field: str) -> float:
        return float(statistics.median(getattr(sample, field) for sample in self.samples))

    def document(self) -> dict[str, Any]:
        """Median, smallest and largest of each measure."""
        return {"runs": len(self.samples)} | {
            field: {
                "median": round(self.median(field), 4),
                "min": round(min(getattr(sample, field) for sample in self.samples), 4),
                "max": round(max(getattr(sample, field) for sample in self.samples), 4),
            }
            for field in Sample._fields
        }


def child_environment(home: Path, **more: str) -> dict[str, str]:
    """A scrubbed environment with its own home; the package of this checkout can be imported."""
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return {
        **passed,
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "GIT_CONFIG_NOSYSTEM": "1",
        "NO_COLOR": "1",
        **more,
    }


def compile_package() -> None:
    """Writes the bytecode of the package once, so that no measured run does."""
    if not compileall.compile_dir(ROOT / "bundlectl", quiet=1):
        raise BenchmarkFailed("bundlectl does not compile")


def run_once(
    arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], expect: Sequence[int] = (0,)
) -> Sample:
    """One run. Raises BenchmarkFailed with what it wrote when the exit code is not an expected one."""
    output, figures = folder.parent / "measured-output", folder.parent / "measured-figures"
    with output.open("wb") as sink:
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(figures), *arguments],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            check=True,
        )
    wall, cpu, peak, code = figures.read_text().split()
    if int(code) not in expect:
        text = output.read_text(errors="replace")[-2_000:]
        raise BenchmarkFailed(f"{' '.join(arguments)} ended with {code}, expected {list(expect)}:\n{text}")
    return Sample(float(wall), float(cpu), int(peak) * _RSS_UNIT / (1 << 20))


def repeat(
    once: Callable[[], Sample], *, runs: int, warm_up: int = 1, before: Callable[[], None] | None = None
) -> Figures:
    """`runs` measured runs after `warm_up` ones that are thrown away; `before` is done ahead of each, unmeasured."""
    samples = []
    for number in range(warm_up + runs):
        if before is not None:
            before()
        sample = once()
        if number >= warm_up:
            samples.append(sample)
    return Figures(tuple(samples))


def bundlectl(*arguments: str) -> list[str]:
    """The command line of this checkout."""
    return [sys.executable, "-m", "bundlectl", *arguments]
