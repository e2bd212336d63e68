"""A bundle, its record and a backend in memory: what planning is given, and what an apply of a plan would leave."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bundlectl.base.digest import digest_document, without_nulls
from bundlectl.model.backend import BackendIdentity, Capabilities, Observed, ObservedJob
from bundlectl.model.bundle import Bundle, Target
from bundlectl.model.deployment import Deployed, DeployedJob, Deployment, ownership_id
from bundlectl.model.job import JobDigest, JobSpec
from bundlectl.model.location import SourceSpan, key_of
from bundlectl.model.plan import Action, Plan, PlanSource
from bundlectl.planning.classify import differing
from bundlectl.planning.planner import PlanInputs, build
from bundlectl.planning.references import referenced, with_known_ids

LINEAGE = "2f5c0000-0000-4000-8000-000000000000"
OLD_CODE = "sha256:" + "91bb02c7" * 8
NEW_CODE = "sha256:" + "5e0f19ab" * 8
LOCAL = Capabilities(kind="local", extensions=frozenset({"shell_task", "on_lost", "idempotent"}), fencing=True)

Document = dict[str, Any]


def job(*task_keys: str, **members: Any) -> Document:
    """A job document with Python tasks."""
    tasks = [{"task_key": key, "spark_python_task": {"python_file": f"/W/files/src/{key}.py"}} for key in task_keys]
    return {"name": "job", "max_concurrent_runs": 1, "tasks": tasks, **members}


def spec(
    key: str,
    document: Document,
    *,
    pause: str = "git",
    renamed_from: str | None = None,
    uses_code: bool = True,
    code_paths: tuple[str, ...] = (),
    spans: Mapping[str, SourceSpan] | None = None,
) -> JobSpec:
    digest = digest_document(document)
    meta = JobDigest(digest, uses_code, tuple(sorted(referenced(document))), renamed_from, pause)
    span = SourceSpan("databricks.yml", 14, 5)
    return JobSpec(
        key=key, document=document, digest=digest, span=span, spans=spans or {}, meta=meta, code_paths=code_paths
    )


@dataclass
class World:
    """Recorded state and a backend; `held` is what the backend holds, as it was sent or as somebody changed it."""

    deployment: Deployment | None = None
    documents: dict[str, Document] = field(default_factory=dict)  # recorded, by key
    held: dict[str, tuple[str, Document]] = field(default_factory=dict)  # id -> ownership id, document
    snapshots: dict[str, str | None] = field(default_factory=dict)  # id -> snapshot
    last_id: int = 100
    fills_in: bool = False  # answers with server defaults

    def sent_digest(self, id: str) -> str:
        return digest_document([self.held[id][1], self.snapshots.get(id)])

    def observed(self, ids: Iterable[str] = (), *, tells_digests: bool = True) -> Observed:
        jobs = tuple(
            ObservedJob(id, own, self.sent_digest(id) if tells_digests else None) for id, (own, _) in self.held.items()
        )
        documents = {id: self.answer(id) for id in ids if id in self.held}
        return Observed(read=True, jobs=jobs, documents=documents)

    def answer(self, id: str) -> Document:
        document = {name: value for name, value in self.held[id][1].items() if name != "hidden"}
        if not self.fills_in:
            return document
        task_defaults = {"run_if": "ALL_SUCCESS", "timeout_seconds": 0, "email_notifications": {}}
        tasks = []
        for task in document.get("tasks", []):
            full = {**task_defaults, **task}
            if "spark_python_task" in full:
                full["spark_python_task"] = {"source": "WORKSPACE", **full["spark_python_task"]}
            full["depends_on"] = sorted(full.get("depends_on", []), key=lambda edge: str(edge["task_key"]))
            tasks.append(full)
        defaults = {
            "name": "Untitled",
            "format": "MULTI_TASK",
            "email_notifications": {},
            "webhook_notifications": {},
            "timeout_seconds": 0,
            "max_concurrent_runs": 1,
            "run_as": {"user_name": "ann@example.com"},
        }
        return {**defaults, **document, "tasks": tasks}

    def edit(self, key: str, **members: Any) -> None:
        """Somebody changes a job on the backend; None removes a member."""
        assert self.deployment is not None
        id = self.deployment.jobs[key].id
        own, document = self.held[id]
        self.held[id] = (own, without_nulls({**document, **members}))

    def inputs(
        self, specs: Iterable[JobSpec], *, snapshot: str | None = NEW_CODE, tells_digests: bool = True, **more: Any
    ) -> PlanInputs:
        """Inputs as operations.plan makes them: only the documents that differing() asked for."""
        all_specs = {item.key: item for item in specs}
        digests = {key: item.meta for key, item in all_specs.items()}
        found = differing(digests, snapshot, self.deployment, self.observed(tells_digests=tells_digests))
        changes: dict[str, Any] = {
            "tool_version": "0.1.0",
            "now_ms": 1_795_000_000_000,
            "bundle": bundle(digests),
            "specs": {key: all_specs[key] for key in found.documents},
            "state_ref": "refs/bundlectl/state/sales/prod",
            "version": "77aa" * 10 if self.deployment else None,
            "deployment": self.deployment,
            "recorded_documents": {key: self.documents[key] for key in found.recorded},
            "observed": self.observed(found.ids, tells_digests=tells_digests),
            "snapshot": snapshot,
            "source": PlanSource(commit="c1cfe67" + "0" * 33, tree="8a41d20" + "0" * 33, ref="refs/heads/main"),
            "backend": BackendIdentity(kind="local", workspace_id="e-1"),
            "capabilities": LOCAL,
            "differing": found,
            **more,
        }
        return PlanInputs(**changes)

    def plan(self, specs: Iterable[JobSpec], **more: Any) -> Plan:
        return build(self.inputs(specs, **more))

    def apply(self, plan: Plan, specs: Iterable[JobSpec]) -> None:
        """What operations.apply does with a plan."""
        by_key = {item.key: item for item in specs}
        before = self.deployment
        jobs = dict(before.jobs) if before is not None else {}
        serial = before.serial + 1 if before is not None else 1
        for change in plan.changes:
            key = key_of(change.address)
            if change.until is not None:
                own, document = self.held[jobs[key].id]
                self.held[jobs[key].id] = (own, {**document, "hidden": True})
                kept = {"since": plan.created, "until": change.until}
                jobs[key] = jobs[key]._replace(sent=self.sent_digest(jobs[key].id), tombstone=kept)
                continue
            if change.action in (Action.DELETE, Action.FORGET):
                self.held.pop(jobs[key].id, None)
                jobs.pop(key)
                self.documents.pop(key, None)
                continue
            item = by_key[key]
            id = change.id if change.action is not Action.CREATE and change.id is not None else self._new_id()
            if change.renamed_from is not None:
                jobs.pop(change.renamed_from)
                self.documents.pop(change.renamed_from)
            planned = change.desired if change.desired is not None else item.document
            document = with_known_ids(planned, {name: entry.id for name, entry in jobs.items()})
            assert not referenced(document), "applied before what it depends on"
            code = plan.snapshot if item.meta.uses_code else None
            self.held[id] = (ownership_id(LINEAGE, "prod", key), document)
            self.snapshots[id] = code
            jobs[key] = DeployedJob(id, item.digest, self.sent_digest(id), code, f"d{serial}")
            self.documents[key] = item.document
        deployed = Deployed(
            deployment=f"d{serial}",
            commit=plan.source.commit,
            tree=plan.source.tree,
            dirty=plan.source.dirty,
            snapshot=plan.snapshot,
            code_tree=None,
            config_digest=plan.config_digest,
        )
        empty = Deployment(lineage=LINEAGE, serial=0, fence=0, bundle="sales", target="prod")
        debt = tuple(map(key_of, plan.left_out))
        self.deployment = replace(before or empty, serial=serial, jobs=jobs, deployed=deployed, debt=debt)

    def _new_id(self) -> str:
        self.last_id += 1
        return str(self.last_id)


def bundle(jobs: Mapping[str, JobDigest], **members: Any) -> Bundle:
    values: dict[str, Any] = {
        "name": "sales",
        "root": "",
        "target": Target(name="prod"),
        "jobs": jobs,
        "variables": (),
        "config_digest": "sha256:" + "c" * 64,
        "root_path": "/W",
        "file_path": "/W/files",
        "sync_root": "",
        "user": "ann@example.com",
        "files": ("databricks.yml",),
        "targets": ("prod",),
        **members,
    }
    return Bundle(**values)


def deployed(*specs: JobSpec, snapshot: str | None = OLD_CODE, fills_in: bool = False) -> World:
    """A world in which these jobs were deployed."""
    world = World(fills_in=fills_in)
    world.apply(world.plan(specs, snapshot=snapshot), specs)
    return world
