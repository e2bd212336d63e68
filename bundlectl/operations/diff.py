"""What changed between two commits, targets, deployments or the backend, in resolved jobs and in code.

Reads only. Opens both sides (diff_open), compares them (diff_compare), says why targets differ (diff_causes).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bundlectl.git.repository import discover
from bundlectl.model.comparison import Comparison, FileDifference, Finding, JobStatus
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.errors import BundlectlError
from bundlectl.operations.context import OperationContext
from bundlectl.operations.diff_causes import find_causes
from bundlectl.operations.diff_compare import (
    Changed,
    changed_code,
    code_paths_of,
    differing_jobs,
    pairs_of,
    placed,
)
from bundlectl.operations.diff_open import check_flags, open_side, uses_state
from bundlectl.operations.diff_points import AskedPair, parse
from bundlectl.operations.diff_sides import LoadedSide, Side
from bundlectl.planning.code_text import patches
from bundlectl.planning.compare import naming
from bundlectl.planning.selection import EVERYTHING, Selection


@dataclass(frozen=True, kw_only=True)
class DiffRequest:
    """What was asked for. `words`: the points as typed."""

    words: tuple[str, ...] = ()
    selection: Selection = EVERYTHING
    with_code: bool = False  # unified diffs of changed files


class SideFailure(NamedTuple):
    """A side that cannot be compared."""

    name: str  # ref:main
    error: BundlectlError


class SidesFailed(Exception):
    """Findings end the comparison: those of both sides, the failure with the stronger exit code last."""

    def __init__(self, failures: Sequence[SideFailure]) -> None:
        super().__init__("; ".join(f"{failure.error.summary} ({failure.name})" for failure in failures))
        self.failures = tuple(sorted(failures, key=lambda failure: failure.error.exit_code))


class Diffed(NamedTuple):
    """A comparison, and the sides whose lines can be shown under findings."""

    comparison: Comparison
    left: Side
    right: Side


def diff(context: OperationContext, request: DiffRequest) -> Diffed:
    """Compares two points. Raises SidesFailed, UsageError, NotFound, RepositoryError, StateError, BackendError."""
    left, right = _open_both(context, parse(request.words, context.request.target))
    pairs, *forms = pairs_of(left, right, request.selection)
    code = changed_code(left, right, pairs)
    code_paths = code_paths_of(left, right, pairs) if code.files else {}
    found = differing_jobs(left, right, pairs, (forms[0], forms[1]), code.files, code_paths)
    jobs, notes = find_causes(context, left, right, pairs, placed(found, left, right))
    files = naming(code.files, code_paths)
    kept = (*pairs.same, *pairs.unsure, *pairs.renamed)
    listed = sum(job.status not in (JobStatus.ADDED, JobStatus.REMOVED) for job in jobs)
    comparison = Comparison(
        bundle=right.bundle.name,
        left=left.point,
        right=right.point,
        jobs=jobs,
        files=_with_patches(files, code) if request.with_code else files,
        unchanged=len(kept) - listed,
        not_selected=pairs.not_selected,
        code_jobs=sum(right.jobs[key].uses_code for key in kept) if files else 0,
        findings=(*_findings(left, right), *(Finding(note, None) for note in notes)),
    )
    return Diffed(comparison, left, right)


def _open_both(context: OperationContext, asked: AskedPair) -> tuple[Side, Side]:
    """Both sides. What is wrong with the bundle of either is collected before anything is said."""
    check_flags(context, asked)
    repository = discover(context.start, context.environment)
    against_state = any(uses_state(point) for point in asked)
    opened: list[Side] = []
    failures: list[SideFailure] = []
    for point in asked:
        try:
            opened.append(open_side(context, repository, point, against_state=against_state))
        except BundlectlError as error:
            if not error.diagnostics:
                raise
            if not any(_is_said(error, failure.error) for failure in failures):
                failures.append(SideFailure(point.text, error))
    if failures:
        raise SidesFailed(failures)
    return opened[0], opened[1]


def _is_said(error: BundlectlError, before: BundlectlError) -> bool:
    """Whether the other side said the same already, of no file: a target that there is not."""
    return error.diagnostics == before.diagnostics and not any(item.spans for item in error.diagnostics)


def _with_patches(files: tuple[FileDifference, ...], code: Changed) -> tuple[FileDifference, ...]:
    found = patches([item.file for item in files], code.contents, code.modes)
    return tuple(item._replace(patch=found[item.file.path]) for item in files)


def _findings(left: Side, right: Side) -> list[Finding]:
    """Findings of both sides; one that both have is told of the right side only."""
    new = _of(right)
    known = {_told(item.diagnostic) for item in new}
    return [item for item in _of(left) if _told(item.diagnostic) not in known] + new


def _of(side: Side) -> list[Finding]:
    if not isinstance(side, LoadedSide):
        return []
    revision = side.loading.tree.revision
    commit = None if revision.working_tree and revision.dirty else revision.commit
    return [Finding(item, commit) for item in side.loading.loaded.diagnostics]


def _told(finding: Diagnostic) -> tuple[str, str, str | None]:
    return finding.code, finding.summary, finding.path
