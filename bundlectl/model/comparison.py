"""Two states of a bundle side by side: which jobs and files differ, where each value is written, and why it differs.

Made by operations.diff with planning.compare, shown by render.diff_text and render.diff_document. Pure data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.location import FieldPath, SourceSpan
from bundlectl.model.plan import ABSENT, CodeFile


class JobStatus(StrEnum):
    """What became of one job on the way from the left side to the right one."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    RENAMED = "renamed"
    CODE = "code"  # its fields are the same, a file that it names is not


class Cause(StrEnum):
    """Why two targets differ."""

    OVERRIDE = "override"  # a target says so: the difference is there at one commit, too
    VERSION = "version"  # it goes away when both targets are at the same commit
    DRIFT = "drift"  # the backend does not hold what was deployed


@dataclass(frozen=True, kw_only=True)
class Point:
    """One side of a comparison: what was asked for, and what was found there."""

    kind: str  # ref, worktree, target, recorded, deployment, observed
    name: str  # ref:main, worktree, recorded:prod
    target: str
    commit: str | None = None
    tree: str | None = None
    ref: str | None = None  # refs/heads/main, when it names a branch or tag
    dirty: tuple[str, ...] | None = None  # uncommitted files; None where nobody can tell which
    deployment: int | None = None  # number of the deployment; None before the first, and for what is not recorded
    snapshot: str | None = None  # sha256:<hex>; None when no job uses code


class FieldDifference(NamedTuple):
    """One differing field. A side without a value is ABSENT."""

    path: FieldPath
    left: Any = ABSENT
    right: Any = ABSENT
    left_span: SourceSpan | None = None
    right_span: SourceSpan | None = None
    sensitive: bool = False
    cause: Cause | None = None


@dataclass(frozen=True, kw_only=True)
class JobDifference:
    """One job that differs. `address` is that of the right side, of the left side for a removed job."""

    address: str  # resources.jobs.<key>
    status: JobStatus
    renamed_from: str | None = None  # key on the left side
    fields: tuple[FieldDifference, ...] = ()  # sorted by path
    direct: tuple[str, ...] = ()  # changed files that the job names
    left_span: SourceSpan | None = None
    right_span: SourceSpan | None = None
    document: Mapping[str, Any] | None = None  # of an added job
    cause: Cause | None = None  # of a job that only one side has


class Patch(NamedTuple):
    """How a text file differs, as the lines of a unified diff without line ends."""

    lines: tuple[str, ...] = ()
    left_out: int = 0  # lines beyond the limit
    note: str | None = None  # why there are no lines: "binary", "too large", ...


class FileDifference(NamedTuple):
    """One changed file of the code. `jobs`: addresses of the jobs that name it; `patch`: when it was asked for."""

    file: CodeFile
    jobs: tuple[str, ...] = ()
    patch: Patch | None = None


class Finding(NamedTuple):
    """A finding about one side. `revision`: the commit that was read; None for a working tree."""

    diagnostic: Diagnostic
    revision: str | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that differs between two sides of one bundle; jobs by address, files by path."""

    bundle: str
    left: Point
    right: Point
    jobs: tuple[JobDifference, ...] = ()
    files: tuple[FileDifference, ...] = ()
    unchanged: int = 0  # jobs of the right side that are not listed
    not_selected: int = 0
    code_jobs: int = 0  # jobs of both sides that run from the changed code, listed or not
    findings: tuple[Finding, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the two sides are the same."""
        return not self.jobs and not self.files


def count(comparison: Comparison) -> dict[str, int]:
    """The document's `summary`: how many jobs of each status, and how many files."""
    totals = {status.value: 0 for status in JobStatus}
    for job in comparison.jobs:
        totals[job.status.value] += 1
    return {
        **totals,
        "unchanged": comparison.unchanged,
        "not_selected": comparison.not_selected,
        "code_files": len(comparison.files),
        "code_jobs": comparison.code_jobs,
    }


def causes(comparison: Comparison) -> dict[Cause, int]:
    """How many differences have each cause; without those that have none."""
    found = [job.cause for job in comparison.jobs] + [item.cause for job in comparison.jobs for item in job.fields]
    return {cause: found.count(cause) for cause in Cause if cause in found}
