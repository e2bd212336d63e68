"""What was deployed against what the backend holds. Reads only: it has no way to write to the backend or the state.

Called by the command, and by drift_accept and drift_snooze for the drift that they are about.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bundlectl.backends.reading import reading
from bundlectl.model.backend import Observed
from bundlectl.model.deployment import Deployment
from bundlectl.model.errors import BackendError
from bundlectl.operations.context import OperationContext
from bundlectl.operations.plan import refuse_other_backend
from bundlectl.operations.world import World, open_world
from bundlectl.planning.changes import told_by
from bundlectl.planning.drift import DriftInputs, JobDrift, drifted_jobs, suspects
from bundlectl.planning.field_table import FieldTable
from bundlectl.planning.selection import EVERYTHING, Selection
from bundlectl.planning.snoozes import Snooze, Snoozes, recorded_snoozes


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Everything on the backend that is not as it was deployed."""

    target: str
    deployment: Deployment
    jobs: tuple[JobDrift, ...]  # by address
    strays: tuple[str, ...]  # ids that carry this target's mark and belong to no recorded job
    looked_at: int  # jobs that were compared
    snoozes: Mapping[str, Snooze]  # those that are recorded, by name

    @property
    def counted(self) -> int:
        """How many differences count: snoozed ones and strays do not."""
        return sum(job.counted for job in self.jobs)

    @property
    def drifted(self) -> int:
        """How many jobs have a difference that counts."""
        return sum(bool(job.counted) for job in self.jobs)


@dataclass(frozen=True, kw_only=True)
class Found:
    """Drift, with what it was found in."""

    drift: Drift
    world: World
    observed: Observed


def find_drift(context: OperationContext, selection: Selection = EVERYTHING) -> Found:
    """Compares every selected job. Raises NotFound before the first deploy, BackendError, StateError, Refused."""
    world = open_world(context)
    deployment = world.deployed
    backend = reading(world.backend)
    refuse_other_backend(deployment, backend.identity(), world.bundle)
    observed = backend.observe(deployment.lineage, deployment.target)
    if not observed.read:
        raise BackendError(
            f'the backend of target "{world.bundle.target.name}" was not read'
            + (f": {observed.why_not}" if observed.why_not else ""),
            code="BND310",
            hint="drift compares with the backend; what the bundle changes is shown by: bundlectl plan",
        )
    found = suspects(deployment, observed, selection)
    held: Mapping[str, Mapping[str, Any] | None] = backend.read(list(found.read.values())) if found.read else {}
    recorded = world.store.documents(world.recorded.version, list(found.read)) if found.read else {}
    jobs = drifted_jobs(
        DriftInputs(
            deployment=deployment,
            suspects=found,
            recorded=recorded,
            held=held,
            observed=observed,
            told=told_by(observed),
            bundle_jobs=world.bundle.jobs,
            table=FieldTable(backend.capabilities.kind),
            snoozes=Snoozes.of_target(deployment, context.clock.now_ms()),
        )
    )
    drift = Drift(
        target=deployment.target,
        deployment=deployment,
        jobs=jobs,
        strays=found.strays,
        looked_at=found.looked_at,
        snoozes={snooze.name: snooze for snooze in recorded_snoozes(deployment)},
    )
    return Found(drift=drift, world=world, observed=observed)
