"""Which jobs changed since a commit, by what they resolve to: an edit of a shared file counts for exactly its users.

Called by operations.plan for --changed-since. Both bundles are compared as `diff` compares them, so that an order
without meaning, or what a job says about its own commit, is no change.
"""

from bundlectl.git.trees import open_tree
from bundlectl.model.location import key_of
from bundlectl.operations.context import OperationContext
from bundlectl.operations.diff_compare import changed_code, differing_jobs, pairs_of
from bundlectl.operations.diff_open import loaded_side
from bundlectl.operations.diff_points import REF, Asked
from bundlectl.operations.diff_sides import LoadedSide, loaded_point, without_plan_errors
from bundlectl.operations.load import Loading
from bundlectl.planning.selection import EVERYTHING


def keys_changed_since(context: OperationContext, loading: Loading, revision: str) -> tuple[str, ...]:
    """Keys of jobs that differ from the bundle at a commit, old keys of removed and renamed ones too; sorted.

    Code that changed counts for every job that runs from it: what a file touches cannot be decided from outside.
    Raises RepositoryError for a commit that is not there, InputError when its bundle does not load.
    """
    repository = loading.home
    old = loaded_side(context, repository, open_tree(repository, ref=revision, worktree=False), Asked(REF, revision))
    settled = without_plan_errors(loading)
    new = LoadedSide(context=context, loading=settled, point=loaded_point(context, settled, REF, "source"))
    pairs, *forms = pairs_of(old, new, EVERYTHING)
    found: set[str] = set()
    for job in differing_jobs(old, new, pairs, (forms[0], forms[1])):
        found.add(key_of(job.address))
        if job.renamed_from is not None:
            found.add(job.renamed_from)
    if changed_code(old, new, pairs).files:
        found.update(key for side in (old, new) for key, job in side.jobs.items() if job.uses_code)
    return tuple(sorted(found))
