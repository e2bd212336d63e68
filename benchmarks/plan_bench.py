"""What a plan costs, for bundles of 1 to 10,000 jobs: nothing changed, one job changed, nothing cached.

Called by report. Each size gets its own repository, engine, cache and state folder, and is deployed once. Where a
terraform binary is found, `terraform plan` on the same documents runs in turn with ours.
"""

import copy
import json
import shutil
import statistics
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import generate
from benchmarks.measure import BenchmarkFailed, Figures, Sample, bundlectl, child_environment, repeat, run_once

SIZES = (1, 100, 1_000, 10_000)
# Terraform needs minutes and gigabytes beyond this.
TERRAFORM_SIZES = (1, 100, 1_000)
UNCHANGED, CHANGED = (0,), (2,)


class Bench(NamedTuple):
    """One deployed bundle."""

    jobs: int
    folder: Path
    bundle: Path
    cache: Path
    environment: dict[str, str]

    def plan(self, expect: tuple[int, ...]) -> Sample:
        """One plan; its exit code says whether it found changes."""
        command = bundlectl("plan", "--detailed-exitcode")
        return run_once(command, folder=self.bundle, environment=self.environment, expect=expect)


def measure(folder: Path, jobs: int, say: Callable[[str], None], *, terraform: bool = True) -> dict[str, Any]:
    """Figures of one size. `folder` is new, and left behind."""
    say(f"{jobs} jobs: writing and deploying")
    bench, deploy = _deployed(folder, jobs)
    runs = 11 if jobs <= 1_000 else 7
    say(f"{jobs} jobs: plan with nothing changed")
    result: dict[str, Any] = {
        "jobs": jobs,
        "deploy": Figures((deploy,)).document(),
        "unchanged": repeat(lambda: bench.plan(UNCHANGED), runs=runs, warm_up=2).document(),
    }
    say(f"{jobs} jobs: plan with an empty cache")
    result["cold"] = repeat(
        lambda: bench.plan(UNCHANGED), runs=5 if jobs <= 1_000 else 3, warm_up=0, before=lambda: _forget(bench)
    ).document()
    binary = shutil.which("terraform") if terraform and jobs in TERRAFORM_SIZES else None
    if binary is not None:
        say(f"{jobs} jobs: terraform plan on the same documents, in turn")
        result["terraform"] = _beside_terraform(bench, binary)
    say(f"{jobs} jobs: plan with one job changed")
    result["one_changed"] = _one_changed(bench, runs=5)
    return result


def _deployed(folder: Path, jobs: int) -> tuple[Bench, Sample]:
    """A bundle in a repository of its own, deployed from an empty world: the first deploy is a figure too."""
    bundle = folder / "bundle"
    generate.write_bundle(bundle, jobs)
    home = folder / "home"
    home.mkdir()
    folders = {f"BUNDLECTL_{name.upper()}_DIR": str(folder / name) for name in ("engine", "cache", "state", "config")}
    environment = child_environment(home, BUNDLECTL_USER="bench@example.com", BUNDLECTL_ACTOR="bench", **folders)
    bench = Bench(jobs, folder, bundle, folder / "cache", environment)
    command = bundlectl("deploy", "--auto-approve", "--no-progress")
    return bench, run_once(command, folder=bundle, environment=environment)


def _forget(bench: Bench) -> None:
    shutil.rmtree(bench.cache, ignore_errors=True)


def _one_changed(bench: Bench, runs: int) -> dict[str, Any]:
    """Each run plans a commit that no run has seen: the same job, with yet another value."""
    values = iter(range(3, 100))
    return repeat(
        lambda: bench.plan(CHANGED),
        runs=runs,
        before=lambda: generate.change_job(bench.bundle, bench.jobs // 2, next(values)),
    ).document()


def _beside_terraform(bench: Bench, binary: str, pairs: int = 3) -> dict[str, Any]:
    """Ours and theirs in turn, nothing changed in either; the ratio is taken pair by pair."""
    folder = bench.folder / "terraform"
    generate.write_terraform(folder, bench.jobs)
    # No calls home and no plug-in downloads: `terraform_data` is built in.
    environment = {**bench.environment, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}

    def run(*arguments: str, expect: tuple[int, ...] = (0,)) -> Sample:
        return run_once(
            [binary, *arguments, "-input=false", "-no-color"], folder=folder, environment=environment, expect=expect
        )

    run("init")
    _applied(run, folder, bench.jobs)
    theirs, ours = [], []
    for _ in range(pairs):
        ours.append(bench.plan(UNCHANGED))
        theirs.append(run("plan", "-detailed-exitcode", expect=UNCHANGED))
    return {
        "unchanged": Figures(tuple(theirs)).document(),
        "wall_ratio": round(statistics.median(t.wall_s / o.wall_s for t, o in zip(theirs, ours, strict=True)), 1),
        "memory_ratio": round(statistics.median(t.peak_mib / o.peak_mib for t, o in zip(theirs, ours, strict=True)), 1),
    }


def _applied(run: Callable[..., Sample], folder: Path, jobs: int) -> None:
    """Terraform's state as after an apply of every job, made from that of one.

    An apply of 1,000 takes many minutes: the state is written anew for each. That a plan then finds no change proves
    the state right.
    """
    first, _ = generate.job_document(0)
    run("apply", "-auto-approve", f"-target=terraform_data.{first}")
    path = folder / "terraform.tfstate"
    state = json.loads(path.read_text())
    (resource,) = state["resources"]
    (instance,) = resource["instances"]
    resources = []
    for number in range(jobs):
        key, document = generate.job_document(number)
        attributes = copy.deepcopy(instance["attributes"])
        attributes["id"] = str(uuid.UUID(int=number + 1))
        attributes["input"]["value"] = attributes["output"]["value"] = document
        resources.append({**resource, "name": key, "instances": [{**instance, "attributes": attributes}]})
    path.write_text(json.dumps({**state, "serial": state["serial"] + 1, "resources": resources}))


def sizes_of(text: str) -> tuple[int, ...]:
    """`1,100` -> (1, 100). Raises BenchmarkFailed."""
    try:
        sizes = tuple(int(part) for part in text.split(",") if part)
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise BenchmarkFailed(f'"{text}" is not a list of sizes such as 1,100,1000')
    return sizes
