"""Two opened sides -> pairs of jobs, differing jobs and differing files. What differs by itself is made equal first.

Called by operations.diff and operations.diff_causes. Three things differ without anybody having changed them: what a
bundle says about its own commit, the folders of two targets, and the ids that a backend gave.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from bundlectl.model.bundle import Bundle
from bundlectl.model.comparison import JobDifference, JobStatus
from bundlectl.model.job import JobDigest
from bundlectl.model.location import key_of
from bundlectl.model.plan import CodeFile
from bundlectl.model.source import Revision
from bundlectl.operations.diff_sides import (
    Code,
    Documents,
    LoadedSide,
    ObservedSide,
    RecordedSide,
    Side,
    as_of,
    without_plan_errors,
)
from bundlectl.operations.load import load_tree
from bundlectl.planning.code import MAX_COUNTED_BYTES, blobs_to_read, changed_files
from bundlectl.planning.compare import CompareInputs, Comparer, JobText, Pairs, compare, pair, rewriter, with_places
from bundlectl.planning.field_table import FieldTable
from bundlectl.planning.references import with_known_ids
from bundlectl.planning.selection import Selection

# Line counts and diffs are worth reading so much code for; files beyond it are named without.
_READ_BYTES = 64 << 20


class Form(NamedTuple):
    """A side in the form in which it is compared."""

    jobs: Mapping[str, JobDigest]
    documents: Documents


class Changed(NamedTuple):
    """The files that differ, with contents of those that are small enough, by blob id."""

    files: tuple[CodeFile, ...] = ()
    contents: Mapping[str, bytes] = {}
    modes: Mapping[str, tuple[str | None, str | None]] = {}  # path -> before, after


def pairs_of(left: Side, right: Side, selection: Selection) -> tuple[Pairs, Form, Form]:
    """Which jobs belong together, and both sides as they are compared. Raises NotFound for a job that is not there."""
    old, new = _forms(left, right)
    return pair(old.jobs, new.jobs, selection), old, new


def differing_jobs(
    left: Side,
    right: Side,
    pairs: Pairs,
    forms: tuple[Form, Form],
    files: tuple[CodeFile, ...] = (),
    code_paths: Mapping[str, tuple[str, ...]] | None = None,
) -> tuple[JobDifference, ...]:
    """Every job of `pairs` that differs, without places and causes."""
    backend = right.bundle.target.backend
    comparer = Comparer(
        FieldTable(backend),
        left_observed=isinstance(left, ObservedSide),
        right_observed=isinstance(right, ObservedSide),
    )
    return compare(
        CompareInputs(
            pairs=pairs,
            left=_texts(left, forms[0], pairs.left),
            right=_texts(right, forms[1], pairs.right),
            comparer=comparer,
            files=files,
            code_paths=code_paths or {},
        )
    )


def placed(jobs: Iterable[JobDifference], left: Side, right: Side) -> tuple[JobDifference, ...]:
    """The same with where jobs and fields are written."""
    listed = list(jobs)
    old = [job.renamed_from or key_of(job.address) for job in listed if job.status is not JobStatus.ADDED]
    new = [key_of(job.address) for job in listed if job.status is not JobStatus.REMOVED]
    return with_places(listed, left.places(old), right.places(new))


def changed_code(left: Side, right: Side, pairs: Pairs) -> Changed:
    """The files that differ; none when no selected job runs from them, or the snapshots are the same."""
    if left.point.snapshot == right.point.snapshot or not _runs_code(left, right, pairs):
        return Changed()
    old, new = left.code(), right.code()
    wanted = blobs_to_read(old.entries, new.entries)
    before = {entry[1] for entry in old.entries.values()}
    mine = _small(old, [blob for blob in wanted if blob in before])
    theirs = _small(new, [blob for blob in wanted if blob not in before])
    contents = {**old.read(mine), **new.read(theirs)}
    files = changed_files(old.entries, new.entries, contents)
    modes = {file.path: (_mode(old, file.path), _mode(new, file.path)) for file in files}
    return Changed(files, contents, modes)


def code_paths_of(left: Side, right: Side, pairs: Pairs) -> dict[str, tuple[str, ...]]:
    """Files that jobs name on either side, by their key on the right, of removed jobs by that on the left."""
    # Equal jobs name equal files. A bundle knows more about its names than what was recorded of it.
    knows = left if isinstance(left, LoadedSide) and not isinstance(right, LoadedSide) else right
    found = {key: set(paths) for key, paths in knows.code_paths(pairs.same).items()}
    renamed = {old: new for new, old in pairs.renamed.items()}
    for key, paths in right.code_paths(pairs.right).items():
        found.setdefault(key, set()).update(paths)
    for key, paths in left.code_paths([*pairs.left, *pairs.removed]).items():
        found.setdefault(renamed.get(key, key), set()).update(paths)
    return {key: tuple(sorted(paths)) for key, paths in found.items()}


def _mode(code: Code, path: str) -> str | None:
    return code.entries[path][0] if path in code.entries else None


def _runs_code(left: Side, right: Side, pairs: Pairs) -> bool:
    keys = (*pairs.same, *pairs.right)
    gone = (*pairs.left, *pairs.removed)
    return any(right.jobs[key].uses_code for key in keys) or any(left.jobs[key].uses_code for key in gone)


def _small(code: Code, blobs: list[str]) -> list[str]:
    """Those that are worth reading: small ones, while the limit of all lasts."""
    left = _READ_BYTES
    kept = []
    sizes = code.sizes(blobs)
    for blob in blobs:
        size = sizes.get(blob)
        if size is not None and size <= min(MAX_COUNTED_BYTES, left):
            kept.append(blob)
            left -= size
    return kept


def _texts(side: Side, form: Form, keys: Iterable[str]) -> dict[str, JobText]:
    wanted = list(keys)
    shown = side.documents(wanted)
    compared = form.documents(wanted)
    return {key: JobText(compared[key], shown[key]) for key in wanted}


def _forms(left: Side, right: Side) -> tuple[Form, Form]:
    old, new = Form(left.jobs, left.documents), Form(right.jobs, right.documents)
    words: dict[str, str] = {}
    if isinstance(left, LoadedSide) and isinstance(right, LoadedSide):
        left_as_of_right = _as_of(left, right.loading.tree.revision)
        old = Form(left_as_of_right.jobs, left_as_of_right.documents)
    elif left.point.commit is not None and right.point.commit is not None:
        words[left.point.commit] = right.point.commit
    if left.point.target != right.point.target:
        words.update(_folders(left.bundle, right.bundle))
    elif not isinstance(left, LoadedSide) and not isinstance(right, LoadedSide):
        new = new._replace(jobs=_with_renames(left, right))
    if any(before != after for before, after in words.items()):
        old = _mapped(old, rewriter(words))
    left_ids, right_ids = _ids(left, right), _ids(right, left)
    if left_ids is not None and right_ids is not None:
        old = _mapped(old, partial(with_known_ids, ids=left_ids))
        new = _mapped(new, partial(with_known_ids, ids=right_ids))
    return old, new


def _with_renames(left: RecordedSide | ObservedSide, right: RecordedSide | ObservedSide) -> Mapping[str, JobDigest]:
    """Jobs of the right side; one that had another key on the left is known by the id that it kept."""
    before = {id: key for key, id in left.ids.items() if key in left.jobs}
    found = {}
    for key, job in right.jobs.items():
        old = before.get(right.ids[key])
        found[key] = job._replace(renamed_from=old) if old not in (None, key) else job
    return found


def _as_of(side: LoadedSide, revision: Revision) -> LoadedSide:
    """The side as it would be if its commit, branch and remote were those of another revision."""
    mine = side.loading.tree.revision
    if (mine.commit, mine.branch, mine.remote) == (revision.commit, revision.branch, revision.remote):
        return side
    loading = load_tree(side.context, side.loading.home, as_of(side.loading.tree, revision))
    return replace(side, loading=without_plan_errors(loading))


def _folders(left: Bundle, right: Bundle) -> dict[str, str]:
    """Where two targets keep the same: no difference by itself."""
    return {
        left.root_path: right.root_path,
        left.artifact_path: right.artifact_path,
        left.file_path: right.file_path,
    }


def _ids(side: Side, other: Side) -> Mapping[str, str] | None:
    """Ids in the place of references to jobs, when a backend has answered for one of the sides: it knows ids only."""
    for found in (side, other):
        if isinstance(found, ObservedSide):
            return found.ids
    return None


def _mapped(form: Form, change: Callable[[Any], Any]) -> Form:
    def documents(keys: Iterable[str]) -> Mapping[str, Mapping[str, Any]]:
        return {key: change(document) for key, document in form.documents(keys).items()}

    return Form(form.jobs, documents)
