"""Writes what the backend holds into the bundle, at the place that the value comes from.

Nothing is written unless the edited files load to exactly the wanted values, with every other job as it was. The
backend and the recorded state are only read.
"""

import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff
from pathlib import Path
from typing import Any, NamedTuple

from bundlectl.base.files import write_atomic
from bundlectl.config.cache import load_with_python, specs_of
from bundlectl.config.edit_places import EditPlace, EditPlaces, NoPlace
from bundlectl.config.node import plain
from bundlectl.config.request import Loaded, LoadRequest
from bundlectl.config.trace import trace
from bundlectl.config.writer import set_element, set_member, set_value
from bundlectl.config.writer_tree import MAP, CannotWrite
from bundlectl.model.bundle import Bundle
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.errors import InputError, RepositoryError, UsageError
from bundlectl.model.location import FieldPath, SourceSpan, path_short
from bundlectl.model.plan import ABSENT
from bundlectl.model.source import SourceTree
from bundlectl.operations.accepted_value import Surroundings, spellings
from bundlectl.operations.context import OperationContext
from bundlectl.operations.drift import Found, find_drift
from bundlectl.operations.drift_fields import DriftField, named_fields
from bundlectl.operations.edited_tree import EditedTree
from bundlectl.operations.load import Loading, load_for_validation, refuse_untrusted, same_request
from bundlectl.planning.diff import at, differing_paths, keyed
from bundlectl.planning.diff import plain as as_written
from bundlectl.planning.field_table import FieldTable
from bundlectl.planning.references import with_known_ids
from bundlectl.planning.verdicts import put


class AcceptedField(NamedTuple):
    """One value that was taken over. `span`: where it is written; None when the bundle says so already."""

    field: DriftField
    span: SourceSpan | None


class FilePatch(NamedTuple):
    """A file that was, or would be, written."""

    path: str
    lines: tuple[str, ...]  # of a unified diff, without line ends


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """What `drift accept` did, or would do."""

    target: str
    fields: tuple[AcceptedField, ...]
    patches: tuple[FilePatch, ...]
    elsewhere: tuple[str, ...]  # "dev: jobs.etl": jobs of other targets that change too
    written: bool


def accept(context: OperationContext, names: Sequence[str], *, dry_run: bool) -> Accepted:
    """Takes the named fields over. Raises UsageError, NotFound for what has not drifted, InputError with a finding for
    each field that cannot be written at one place; then no file was touched.
    """
    refuse_untrusted(context)
    if context.source.ref is not None:
        raise UsageError('"--ref" and "drift accept" exclude each other: files on disk are edited', code="BND620")
    found = find_drift(context)
    fields = named_fields(found.drift, names, whole_jobs=True)
    loading = load_for_validation(context)
    if loading.home.bare:
        raise RepositoryError("a bare repository has no working tree", code="BND601")
    edits = _Edits(context, loading, found)
    accepted, refused = [], []
    for item in fields:
        try:
            accepted.append(AcceptedField(item, edits.take(item)))
        except NoPlace as fault:
            refused.append(_finding(item, str(fault), fault.spans))
    if refused:
        raise _refusal(loading, refused)
    patches = tuple(_patch(path, loading.tree.read([path])[path], new) for path, new in sorted(edits.contents.items()))
    elsewhere = tuple(edits.elsewhere())
    if not dry_run:
        _write(loading.home.top, loading.tree, edits.contents)
    return Accepted(
        target=found.drift.target,
        fields=tuple(accepted),
        patches=patches,
        elsewhere=elsewhere,
        written=bool(patches) and not dry_run,
    )


class _Edits:
    """Files of the bundle with the values that were taken over so far."""

    def __init__(self, context: OperationContext, loading: Loading, found: Found) -> None:
        self._context = context
        self._loading = loading
        self._found = found
        self._ids = {key: entry.id for key, entry in found.drift.deployment.jobs.items()}
        self._table = FieldTable(found.world.backend.capabilities.kind)
        self.contents: dict[str, bytes] = {}
        self._bundle = loading.bundle

    def take(self, item: DriftField) -> SourceSpan | None:
        """Takes one value over; where it is written, or None when there is nothing to write. Raises NoPlace."""
        if item.field.sensitive:
            raise NoPlace("it may be a secret, and secrets are not written into files: use a secret scope")
        with same_request(self._context, self._loading) as request:
            before = load_with_python(self._tree, request)
            wanted = self._wanted(before, item)
            if wanted == self._document(before, item.key):
                return None
            place = self._place(request, item, before)
            why = "it cannot be written there"
            for value in self._spellings(item, place, before):
                try:
                    made = self._made(place, value)
                except CannotWrite as fault:
                    raise NoPlace(str(fault), place.span) from None
                after = load_with_python(
                    EditedTree(self._loading.tree, {**self.contents, place.span.file: made}), request
                )
                problem = self._problem(before, after, item.key, wanted)
                if problem is None:
                    self.contents[place.span.file] = made
                    return place.span
                why = problem
        raise NoPlace(why, place.span)

    @property
    def _tree(self) -> SourceTree:
        return EditedTree(self._loading.tree, self.contents)

    def _place(self, request: LoadRequest, item: DriftField, before: Loaded) -> EditPlace:
        path: FieldPath = ("resources", "jobs", item.key, *item.field.path)
        watched = trace(self._tree, request, only=None, loads=True)
        if watched is None:
            raise NoPlace("the bundle does not load")
        places = EditPlaces(watched)
        if item.field.observed is ABSENT:
            return places.of_removed(path)
        is_new = at(self._document(before, item.key), item.field.path) is ABSENT
        return places.of_new(path) if is_new else places.of_value(path)

    def _spellings(self, item: DriftField, place: EditPlace, before: Loaded) -> Iterator[Any]:
        if item.field.observed is ABSENT:
            yield ABSENT
            return
        resolved = as_written(at(self._document(before, item.key), item.field.path))
        old = plain(place.node) if place.node is not None else None
        around = Surroundings(
            folder=place.span.file.rpartition("/")[0],
            file_path=self._bundle.file_path,
            sync_root=self._bundle.sync_root,
            entries=self._loading.tree.list(),
            keys={id: key for key, id in self._ids.items() if key in self._bundle.jobs},
        )
        yield from spellings(item.field.observed, item.field.path, (old, resolved), around)

    def _made(self, place: EditPlace, value: Any) -> bytes:
        file = place.span.file
        data = self._tree.read([file])[file]
        if place.is_element:
            return set_element(data, file, place.span, place.at, value)
        if place.member is None:
            return set_value(data, file, place.span, place.kind, value)
        if place.kind != MAP:  # nothing is there yet
            return set_value(data, file, place.span, place.kind, {place.member: value})
        return set_member(data, file, place.span, place.member, value)

    def _document(self, loaded: Loaded, key: str) -> dict[Any, Any]:
        spec = specs_of(loaded, [key]).get(key)
        if spec is None:
            raise NoPlace(f"jobs.{key} is not in the bundle any more")
        return keyed(with_known_ids(spec.document, self._ids), self._table)

    def _wanted(self, before: Loaded, item: DriftField) -> dict[Any, Any]:
        spec = specs_of(before, [item.key]).get(item.key)
        if spec is None:
            raise NoPlace(f"jobs.{item.key} is not in the bundle any more")
        document = put(with_known_ids(spec.document, self._ids), item.field.path, item.field.observed)
        return keyed(document, self._table)

    def _problem(self, before: Loaded, after: Loaded, key: str, wanted: dict[Any, Any]) -> str | None:
        """Why the edited bundle is not what is wanted; None when it is."""
        old, new = before.bundle, after.bundle
        if new is None or old is None or after.diagnostics.has_errors:
            first = next((finding for finding in after.diagnostics if finding.severity is Severity.ERROR), None)
            return f"the bundle would not load: {first.summary}" if first is not None else "the bundle would not load"
        others = sorted(
            name for name in {*old.jobs, *new.jobs} if name != key and old.jobs.get(name) != new.jobs.get(name)
        )
        if others:
            shown = ", ".join(f"jobs.{name}" for name in others[:3]) + (", ..." if len(others) > 3 else "")
            return f"what is written there is used elsewhere too: {shown} would change"
        found = self._document(after, key)
        if found != wanted:
            paths = ", ".join(path_short(path) for path in differing_paths(found, wanted)[:3])
            return f"written there, it would not give what the backend has: {paths}"
        return None if _frame(old) == _frame(new) else "what is written there is used by the bundle itself too"

    def elsewhere(self) -> Iterator[str]:
        """Jobs of other targets that the edits change as well."""
        for name in self._bundle.targets if self.contents else ():
            if name == self._bundle.target.name:
                continue
            context = replace(self._context, request=replace(self._context.request, target=name))
            with same_request(context, self._loading) as request:
                old = load_with_python(self._loading.tree, request).bundle
                new = load_with_python(self._tree, request).bundle
            if old is None or new is None:
                continue
            for key in sorted({*old.jobs, *new.jobs}):
                if old.jobs.get(key) != new.jobs.get(key):
                    yield f"{name}: jobs.{key}"


def _frame(bundle: Bundle) -> Bundle:
    """The bundle without its jobs."""
    return replace(bundle, jobs={}, config_digest="")


def _finding(item: DriftField, why: str, spans: tuple[SourceSpan, ...]) -> Diagnostic:
    return Diagnostic(
        code="BND311",
        severity=Severity.ERROR,
        summary=f'"{item.name}" cannot be written back: {why}',
        hint="change it there by hand, or set it back: bundlectl deploy" if spans else None,
        path=item.name,
        spans=spans,
    )


def _refusal(loading: Loading, findings: list[Diagnostic]) -> InputError:
    error = InputError(
        findings[0].summary if len(findings) == 1 else f"{len(findings)} fields cannot be written back",
        code="BND311",
        detail="No file was changed.",
        diagnostics=findings,
    )
    error.read_source = loading.read_source
    return error


def _patch(path: str, old: bytes, new: bytes) -> FilePatch:
    before, after = (data.decode("utf-8", "replace").splitlines() for data in (old, new))
    lines = unified_diff(before, after, f"a/{path}", f"b/{path}", lineterm="")
    return FilePatch(path, tuple(lines))


def _write(top: Path, tree: SourceTree, contents: Mapping[str, bytes]) -> None:
    """Every file, once all of them are known to be as they were read. Raises InputError BND623."""
    modes: dict[str, int] = {}
    for path in contents:
        disk = top / path
        try:
            status = disk.lstat()
            same = stat.S_ISREG(status.st_mode) and disk.read_bytes() == tree.read([path])[path]
        except OSError as error:
            raise InputError(f'cannot read "{path}": {error.strerror or error}', code="BND623") from error
        if not same:
            raise InputError(
                f'"{path}" is a link, or was changed meanwhile', code="BND623", detail="No file was changed."
            )
        modes[path] = stat.S_IMODE(status.st_mode)
    for path, data in contents.items():
        try:
            write_atomic(top / path, data, mode=modes[path])
        except OSError as error:
            raise InputError(f'cannot write "{path}": {error.strerror or error}', code="BND623") from error
