"""Deployments with their commits, and what is deployed now. Reads only."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bundlectl.base.clock import rfc3339_ms
from bundlectl.model.bundle import Bundle
from bundlectl.model.deployment import Deployed
from bundlectl.model.location import address, key_of
from bundlectl.model.run import Run
from bundlectl.operations.context import OperationContext
from bundlectl.operations.world import World, open_world

_RUNS_LOOKED_AT = 200


class History(NamedTuple):
    """Deployment manifests of one target, newest first."""

    bundle: str
    target: str
    deployments: tuple[Mapping[str, Any], ...]


class JobSummary(NamedTuple):
    """One deployed job."""

    key: str
    id: str
    name: str
    schedule: str | None
    last_run: Run | None

    def document(self) -> dict[str, Any]:
        """As `summary -o json` shows it."""
        run = self.last_run
        return {
            "address": address(self.key),
            "id": self.id,
            "name": self.name,
            "schedule": self.schedule,
            "last_run": None
            if run is None
            else {
                "run_id": run.run_id,
                "life_cycle_state": run.state.value,
                "result_state": run.result.value if run.result else None,
                "started": rfc3339_ms(run.start_ms) if run.start_ms else None,
            },
        }


class Summary(NamedTuple):
    """What is deployed to a target, and where it is kept. `deployed` is None before the first deploy."""

    bundle: str
    target: str
    backend: str
    serial: int
    deployed: Deployed | None
    manifest: Mapping[str, Any] | None
    jobs: tuple[JobSummary, ...]
    places: Mapping[str, str]
    debt: tuple[str, ...] = ()  # keys left out of the last deployment

    @property
    def at(self) -> str | None:
        return str(self.manifest["ended"]) if self.manifest is not None else None

    @property
    def by(self) -> str | None:
        return str(self.manifest["actor"]["name"]) if self.manifest is not None else None


def history(context: OperationContext, *, limit: int, job: str | None) -> History:
    """The last deployments; with `job`, those that changed it."""
    world = open_world(context)
    wanted = address(key_of(job)) if job is not None else None
    found: list[Mapping[str, Any]] = []
    for entry in world.store.history():
        if entry.manifest is None or (wanted is not None and not _touches(entry.manifest, wanted)):
            continue
        found.append(entry.manifest)
        if len(found) == limit:
            break
    return History(world.bundle.name, world.bundle.target.name, tuple(found))


def summary(context: OperationContext, folders: Callable[[Bundle], Mapping[str, str]]) -> Summary:
    """What is deployed now. `folders`: places of this machine that are not in the repository, by name."""
    world = open_world(context)
    deployment = world.recorded.deployment
    head = deployment.deployed if deployment is not None else None
    manifest = next((entry.manifest for entry in world.store.history() if entry.manifest is not None), None)
    identity = world.backend.identity()
    return Summary(
        bundle=world.bundle.name,
        target=world.bundle.target.name,
        backend="  ".join(part for part in (identity.kind, identity.host, identity.workspace_id) if part),
        serial=deployment.serial if deployment is not None else 0,
        deployed=head,
        manifest=manifest,
        jobs=_jobs(world) if head is not None else (),
        places={
            "repository": str(world.repository.top),
            "state": _place(world),
            "runs": world.runs.ref,
            **folders(world.bundle),
        },
        debt=deployment.debt if deployment is not None else (),
    )


def _place(world: World) -> str:
    where = world.store.place
    return world.store.ref if where == "." else f"{world.store.ref} on {where}"


def _touches(manifest: Mapping[str, Any], wanted: str) -> bool:
    return any(job.get("address") == wanted for job in manifest.get("jobs", ()))


def _jobs(world: World) -> tuple[JobSummary, ...]:
    assert world.recorded.version is not None
    deployed = {key: job for key, job in world.deployed.jobs.items() if job.tombstone is None}
    documents = world.store.documents(world.recorded.version, list(deployed))
    last: dict[str, Run] = {}
    if world.backend.capabilities.deploys:
        for run in world.backend.runs(None, _RUNS_LOOKED_AT):
            if run.job_id is not None:
                last.setdefault(run.job_id, run)
    return tuple(
        JobSummary(
            key,
            job.id,
            str(documents[key].get("name", key)),
            _schedule(documents[key]),
            last.get(job.id),
        )
        for key, job in sorted(deployed.items())
    )


def _schedule(document: Mapping[str, Any]) -> str | None:
    schedule = document.get("schedule")
    if not isinstance(schedule, Mapping):
        return next((f"{kind}" for kind in ("trigger", "continuous", "triggers") if document.get(kind)), None)
    paused = " (paused)" if schedule.get("pause_status") == "PAUSED" else ""
    return f"{schedule.get('quartz_cron_expression')} {schedule.get('timezone_id')}{paused}"
