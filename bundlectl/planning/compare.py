"""Two sets of jobs -> what differs: pairs by digest first, then fields, the files that jobs name, and causes. Pure.

Called by operations.diff. Fields are compared as a plan compares them (planning.diff), so that an order without meaning
is no difference. What a plan does about a difference is not asked here.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from bundlectl.model.comparison import Cause, FieldDifference, FileDifference, JobDifference, JobStatus
from bundlectl.model.job import JobDigest
from bundlectl.model.location import FieldPath, SourceSpan, address, key_of, path_text
from bundlectl.model.plan import ABSENT, CodeFile, is_sensitive
from bundlectl.planning.code import Named
from bundlectl.planning.diff import (
    KeyedDocument,
    at,
    differing_paths,
    is_empty,
    keyed,
    not_counted,
    plain,
    without_defaults,
)
from bundlectl.planning.field_table import FieldTable
from bundlectl.planning.selection import EVERYTHING, Selection

Rewrite = Callable[[Any], Any]
Paths = Collection[FieldPath]

# A difference of the whole job: what stands below it has the same cause.
WHOLE: tuple[FieldPath, ...] = ((),)


class JobText(NamedTuple):
    """One job on one side. `document` is what is compared, `shown` what is there."""

    document: Mapping[str, Any]
    shown: Mapping[str, Any]


class Place(NamedTuple):
    """Where one job is written on one side."""

    span: SourceSpan | None = None  # of the job's key
    spans: Mapping[str, SourceSpan] = {}  # full field path -> where its value is written


class Pairs(NamedTuple):
    """Keys by what digests tell; tuples are sorted."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: Mapping[str, str] = {}  # key on the right -> key on the left
    unsure: tuple[str, ...] = ()  # on both sides, with another digest
    same: tuple[str, ...] = ()
    not_selected: int = 0

    @property
    def left(self) -> tuple[str, ...]:
        """Keys of the left side whose documents are needed."""
        return (*self.unsure, *self.renamed.values())

    @property
    def right(self) -> tuple[str, ...]:
        """Keys of the right side whose documents are needed."""
        return (*self.unsure, *self.renamed, *self.added)


def pair(left: Mapping[str, JobDigest], right: Mapping[str, JobDigest], selection: Selection = EVERYTHING) -> Pairs:
    """Which jobs belong together. Raises NotFound for a selected job that neither side has."""
    selection.check({*left, *right})
    chosen = {key for key in (*left, *right) if selection.has(key)}
    added = [key for key in right if key not in left]
    removed = [key for key in left if key not in right]
    renamed = _renamed(left, right, added, removed)
    # A rename is one job: either of its names selects or excludes it.
    left_out = {name for pair in renamed.items() if not selection.has(*pair) for name in pair}
    renamed = {new: old for new, old in renamed.items() if new not in left_out}
    both = sorted(key for key in right if key in left and key in chosen)
    taken = {*renamed, *renamed.values()}
    return Pairs(
        added=tuple(sorted(key for key in added if key in chosen and key not in taken and key not in left_out)),
        removed=tuple(sorted(key for key in removed if key in chosen and key not in taken and key not in left_out)),
        renamed=dict(sorted(renamed.items())),
        unsure=tuple(key for key in both if left[key].digest != right[key].digest),
        same=tuple(key for key in both if left[key].digest == right[key].digest),
        not_selected=len(({*left, *right} - chosen | left_out) - taken),
    )


def _renamed(
    left: Mapping[str, JobDigest], right: Mapping[str, JobDigest], added: Iterable[str], removed: Iterable[str]
) -> dict[str, str]:
    """Right key -> left key, as either side says. Of two jobs that name one other, the first by name gets it."""
    free_left, free_right = set(removed), set(added)
    renamed: dict[str, str] = {}

    def join(new: str, old: str | None) -> None:
        if old is not None and new in free_right and old in free_left:
            renamed[new] = old
            free_left.discard(old)
            free_right.discard(new)

    for key in sorted(free_right):
        join(key, right[key].renamed_from)
    for key in sorted(free_left):
        name = left[key].renamed_from
        if name is not None:
            join(name, key)
    return renamed


def rewriter(words: Mapping[str, str]) -> Rewrite:
    """Replaces words inside every text of a JSON value: a folder by another, a commit id by another."""
    meant = {old: new for old, new in words.items() if len(old) > 1 and old != new}
    if not meant:
        return lambda value: value
    longest_first = sorted(meant, key=len, reverse=True)
    # A folder ends where its name does; an id may stand inside a word.
    parts = [re.escape(word) + (r"(?![\w.-])" if word.startswith("/") else "") for word in longest_first]
    pattern = re.compile("|".join(parts))

    def rewrite(value: Any) -> Any:
        if isinstance(value, str):
            return pattern.sub(lambda found: meant[found[0]], value)
        if isinstance(value, Mapping):
            return {name: rewrite(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [rewrite(item) for item in value]
        return value

    return rewrite


class Comparer:
    """Compares documents of one pair of sides. `observed`: sides that a backend answered, with what it fills in."""

    def __init__(self, table: FieldTable, *, left_observed: bool = False, right_observed: bool = False) -> None:
        self._table = table
        self._left_observed = left_observed
        self._right_observed = right_observed

    def paths(self, left: Mapping[str, Any], right: Mapping[str, Any]) -> list[FieldPath]:
        """Where two documents differ. Sorted by text."""
        one, other = self._keyed(left, right)
        return [path for path in differing_paths(one, other) if not self._is_nothing(path, one, other)]

    def fields(self, left: JobText, right: JobText) -> tuple[FieldDifference, ...]:
        """Every differing field, with the values that are there."""
        paths = self.paths(left.document, right.document)
        if not paths:
            return ()
        sides = [(keyed(side.document, self._table), keyed(side.shown, self._table)) for side in (left, right)]
        return tuple(_field(path, *(_shown(path, *side) for side in sides)) for path in paths)

    def _keyed(self, left: Mapping[str, Any], right: Mapping[str, Any]) -> tuple[KeyedDocument, KeyedDocument]:
        one, other = keyed(left, self._table), keyed(right, self._table)
        if self._left_observed:
            one, _ = without_defaults(one, [other], self._table)
        if self._right_observed:
            other, _ = without_defaults(other, [one], self._table)
        return one, other

    def _is_nothing(self, path: FieldPath, left: KeyedDocument, right: KeyedDocument) -> bool:
        """Empty and absent are the same; so is what a backend does not tell."""
        one, other = at(left, path), at(right, path)
        if is_empty(one) and is_empty(other):
            return True
        if self._left_observed and not_counted(path, other, one, self._table) is not None:
            return True
        return self._right_observed and not_counted(path, one, other, self._table) is not None


def _field(path: FieldPath, left: Any, right: Any) -> FieldDifference:
    old, new = plain(left), plain(right)
    return FieldDifference(path, old, new, sensitive=is_sensitive(path, old) or is_sensitive(path, new))


def _shown(path: FieldPath, compared: KeyedDocument, shown: KeyedDocument) -> Any:
    value = at(compared, path)
    there = at(shown, path)
    # A key of a list may itself be rewritten: then the value is found at the compared place only.
    return value if value is ABSENT or there is ABSENT else there


@dataclass(frozen=True, kw_only=True)
class CompareInputs:
    """Two sides, as values. Texts: of Pairs.left and Pairs.right."""

    pairs: Pairs
    left: Mapping[str, JobText]
    right: Mapping[str, JobText]
    comparer: Comparer
    files: tuple[CodeFile, ...] = ()
    code_paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # right key (removed: left) -> files


def compare(inputs: CompareInputs) -> tuple[JobDifference, ...]:
    """Every job that differs, by address."""
    pairs, named = inputs.pairs, Named.of(inputs.files)
    found = [JobDifference(address=address(key), status=JobStatus.REMOVED) for key in pairs.removed]
    for key in pairs.added:
        document = inputs.right[key].shown
        found.append(JobDifference(address=address(key), status=JobStatus.ADDED, document=document))
    for new, old in [*((key, key) for key in pairs.unsure), *pairs.renamed.items()]:
        job = JobDifference(
            address=address(new),
            status=JobStatus.RENAMED if new != old else JobStatus.CHANGED,
            renamed_from=old if new != old else None,
            fields=inputs.comparer.fields(inputs.left[old], inputs.right[new]),
            direct=named.direct(inputs.code_paths.get(new, ())),
        )
        if job.fields or job.renamed_from is not None:
            found.append(job)
        elif job.direct:
            found.append(replace(job, status=JobStatus.CODE))
    for key in pairs.same:
        direct = named.direct(inputs.code_paths.get(key, ()))
        if direct:
            found.append(JobDifference(address=address(key), status=JobStatus.CODE, direct=direct))
    return tuple(sorted(found, key=lambda job: job.address))


def with_places(
    jobs: Iterable[JobDifference], left: Mapping[str, Place], right: Mapping[str, Place]
) -> tuple[JobDifference, ...]:
    """The same differences, each with where it is written; places by the key that a job has on that side."""
    return tuple(_with_place(job, left, right) for job in jobs)


def _with_place(job: JobDifference, left: Mapping[str, Place], right: Mapping[str, Place]) -> JobDifference:
    key = key_of(job.address)
    old = left.get(job.renamed_from or key, Place()) if job.status is not JobStatus.ADDED else Place()
    new = right.get(key, Place()) if job.status is not JobStatus.REMOVED else Place()
    fields = tuple(
        item._replace(
            left_span=old.spans.get(path_text(item.path)) if item.left is not ABSENT else None,
            right_span=new.spans.get(path_text(item.path)) if item.right is not ABSENT else None,
        )
        for item in job.fields
    )
    return replace(job, fields=fields, left_span=old.span, right_span=new.span)


def naming(files: Iterable[CodeFile], code_paths: Mapping[str, tuple[str, ...]]) -> tuple[FileDifference, ...]:
    """Each changed file with the jobs that name it."""
    listed = list(files)
    named = Named.of(listed)
    jobs: dict[str, list[str]] = {}
    for key in sorted(code_paths):
        for path in named.direct(code_paths[key]):
            jobs.setdefault(path, []).append(address(key))
    return tuple(FileDifference(file, tuple(jobs.get(file.path, ()))) for file in listed)


class Known(NamedTuple):
    """What is known beside the two sides, by address of the job: paths of differences with a certain cause."""

    drift: Mapping[str, Paths] = {}  # where a backend does not hold what was deployed
    remaining: Mapping[str, Paths] | None = None  # where two targets differ at one commit; None: cannot be told
    other_commit: bool = False  # the sides are at different commits, or may be


def with_causes(jobs: Iterable[JobDifference], known: Known) -> tuple[JobDifference, ...]:
    """The same differences, each with its cause as far as it can be told."""
    return tuple(_with_cause(job, known) for job in jobs)


def _with_cause(job: JobDifference, known: Known) -> JobDifference:
    if job.status in (JobStatus.ADDED, JobStatus.REMOVED):
        return replace(job, cause=_cause(job.address, (), known))
    fields = tuple(item._replace(cause=_cause(job.address, item.path, known)) for item in job.fields)
    return replace(job, fields=fields)


def _cause(where: str, path: FieldPath, known: Known) -> Cause | None:
    if _touches(path, known.drift.get(where, ())):
        return Cause.DRIFT
    if known.remaining is not None and _touches(path, known.remaining.get(where, ())):
        return Cause.OVERRIDE
    return Cause.VERSION if known.other_commit else None


def _touches(path: FieldPath, others: Paths) -> bool:
    """Whether one of the paths is this one, above it or below it. A whole job is touched by a whole job alone."""
    if not path:
        return path in others
    return any(path[: len(other)] == other or other[: len(path)] == path for other in others)
