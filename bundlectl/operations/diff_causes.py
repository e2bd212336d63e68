"""Why two sides differ: because a target says so, because they are at different commits, or because of drift.

Called by operations.diff after the differences were found. For two targets both are resolved at one commit, that of the
right side: what still differs there is an override, what does not is a matter of the version.
"""

from dataclasses import replace

from bundlectl.git.trees import open_tree
from bundlectl.model.comparison import JobDifference, JobStatus
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.errors import BundlectlError, NotFound, RepositoryError
from bundlectl.model.location import address, key_of
from bundlectl.model.source import SourceTree
from bundlectl.operations.context import OperationContext
from bundlectl.operations.diff_compare import differing_jobs, pairs_of
from bundlectl.operations.diff_open import loaded_side
from bundlectl.operations.diff_points import TARGET, Asked
from bundlectl.operations.diff_sides import LoadedSide, ObservedSide, RecordedSide, Side
from bundlectl.planning.compare import WHOLE, Known, Pairs, Paths, with_causes
from bundlectl.planning.selection import EVERYTHING


def find_causes(
    context: OperationContext, left: Side, right: Side, pairs: Pairs, jobs: tuple[JobDifference, ...]
) -> tuple[tuple[JobDifference, ...], tuple[Diagnostic, ...]]:
    """The differences with their causes, where the sides are of two targets or a backend was asked; and what could
    not be told.
    """
    targets = left.point.target != right.point.target
    observed = isinstance(left, ObservedSide) or isinstance(right, ObservedSide)
    if not jobs or not (targets or observed):
        return jobs, ()
    drift = {**_drift(left, {old: new for new, old in pairs.renamed.items()}), **_drift(right, {})}
    if not targets:
        return with_causes(jobs, Known(drift, other_commit=left.point.commit != right.point.commit)), ()
    try:
        remaining = _remaining(context, left, right, jobs)
    except BundlectlError as error:
        why = Diagnostic(
            code=error.code,
            severity=Severity.NOTE,
            summary=f"overrides cannot be told from other versions: {error.summary}",
            detail=error.detail,
        )
        return with_causes(jobs, Known(drift)), (why,)
    return with_causes(jobs, Known(drift, remaining, other_commit=True)), ()


def _drift(side: Side, renamed: dict[str, str]) -> dict[str, Paths]:
    """Where a backend does not hold what was recorded, by address on the right."""
    if not isinstance(side, ObservedSide):
        return {}
    pairs, *forms = pairs_of(side.recorded, side, EVERYTHING)
    found = differing_jobs(side.recorded, side, pairs, (forms[0], forms[1]))
    return {address(renamed.get(key_of(job.address), key_of(job.address))): _paths(job) for job in found}


def _paths(job: JobDifference) -> Paths:
    only_one = job.status in (JobStatus.ADDED, JobStatus.REMOVED)
    return WHOLE if only_one else [item.path for item in job.fields]


def _remaining(context: OperationContext, left: Side, right: Side, jobs: tuple[JobDifference, ...]) -> dict[str, Paths]:
    """Where the two targets differ at the commit of the right side, by address."""
    loaded = isinstance(left, LoadedSide) and isinstance(right, LoadedSide)
    if loaded and left.point.tree == right.point.tree:
        return {job.address: WHOLE for job in jobs}
    mine, theirs = _at_commit_of(context, right, left.point.target), _at_commit_of(context, right, right.point.target)
    pairs, *forms = pairs_of(mine, theirs, EVERYTHING)
    found = differing_jobs(mine, theirs, pairs, (forms[0], forms[1]))
    return {job.address: _paths(job) for job in found}


def _at_commit_of(context: OperationContext, side: Side, target: str) -> LoadedSide:
    """A target as the tree of a side has it. Raises BundlectlError when that tree is not here or does not load."""
    if isinstance(side, LoadedSide):
        if side.point.target == target:
            return side
        repository, tree = side.loading.home, side.loading.tree
    else:
        recorded = side.recorded if isinstance(side, ObservedSide) else side
        repository, tree = recorded.repository, _recorded_tree(recorded)
    wanted = replace(context, request=replace(context.request, target=target))
    return loaded_side(wanted, repository, tree, Asked(TARGET, target))


def _recorded_tree(side: RecordedSide) -> SourceTree:
    point = side.point
    if point.commit is None:
        raise NotFound(f"{point.name} is of no commit")
    if point.dirty is None:
        raise RepositoryError(f"{point.name} had files that no commit has", code="BND307")
    return open_tree(side.repository, ref=point.commit, worktree=False)
