"""Models of the `bundlectl:` block: at the top of a bundle, in a target, and in a job.

Section 18 of the bundle language. What a bundle may not decide for its reader (running code, hosts that get
credentials, signing keys, tokens) has no key here.
"""

from typing import Literal

from bundlectl.schema.base import Model, optional, required

Code = Literal["git_source", "in_place", "snapshot"]
Pause = Literal["git", "operator"]
Scalar = str | int | float | bool
CODE = "How code reaches the backend: as an immutable snapshot, in place, or checked out by the workspace"
PAUSE = "Who owns pause_status: git, or the operator, whose setting a deploy then keeps"


class Backend(Model):
    what = "bundlectl.backend"
    kind: str = required("local, databricks, server, airflow, or the name of a plug-in")
    path: str | None = optional("local: folder of the embedded engine")
    url: str | None = optional("server: its address; airflow: address of its API")
    dag_bundle: str | None = optional("airflow: the GitDagBundle that tracks the deployment branch")
    dag_remote: str | None = optional("airflow: git remote of the deployment branch")
    dag_branch: str | None = optional("airflow: the deployment branch")
    auth: dict[str, str] | None = optional("airflow: kind of login; never a secret")
    queues: dict[str, str] | None = optional("airflow: queue for each cluster key")


class State(Model):
    what = "bundlectl.state"
    remote: str | None = optional("Git remote that holds the state; . for the local repository")
    form: Literal["auto", "branch", "ref"] | None = optional("Whether the state is a ref of ours or an orphan branch")
    require_signed: bool | None = optional("Whether an unsigned state commit is refused")
    strict_lease: bool | None = optional("Whether a lease runs out only by being watched for its whole length")


class PromotionRuns(Model):
    what = "promotion.runs"
    job: str = required("Key of the job that must have run")
    count: int | None = optional("Successful runs that are needed; 1 if left out", ge=1)
    within: str | None = optional("How old the runs may be, for example 7d", form="duration")


class PromotionApprovals(Model):
    what = "promotion.approvals"
    count: int | None = optional("Approvals that are needed", ge=0)
    by: list[str] | None = optional("Who may approve")


class Promotion(Model):
    what = "bundlectl.promotion"
    from_: list[str] | None = optional("Targets that may be promoted into this one", alias="from")
    runs: list[PromotionRuns] | None = optional("Successful runs of that very code that are needed")
    min_age: str | None = optional("Least age of the deployment in the source target, for example 1h", form="duration")
    approvals: PromotionApprovals | None = optional("Recorded approvals that are needed")
    branch: str | None = optional("Branch that the commit must be on")


class Block(Model):
    what = "bundlectl"
    backend: str | Backend | None = optional("Where jobs live and run: a kind, or a map with kind and its settings")
    code: Code | None = optional(CODE)
    protect: bool | None = optional("Whether the target takes committed files only")
    retention: str | None = optional("How long a deleted job is kept, for example 30d", form="duration")
    pause: Pause | None = optional(PAUSE)
    state: State | None = optional("Where the state is kept")
    policies: list[str] | None = optional("Policy files")
    policy_ref: str | None = optional("Git ref that policies, protection and promotion rules are read from")
    promotion: Promotion | None = optional("What must hold before a deployment is promoted into this target")
    externals: dict[str, Scalar] | None = optional("Values for references to resources that bundlectl does not manage")
    requires: str | None = optional("Versions of bundlectl that may read the bundle, for example >=0.4")
    snapshot_limit: int | None = optional("Largest snapshot, in bytes", ge=1)


class JobBlock(Model):
    what = "the bundlectl settings of a job"
    renamed_from: str | None = optional("Old key of this job, whose id and runs it keeps")
    code: Code | None = optional(CODE)
    pause: Pause | None = optional(PAUSE)
