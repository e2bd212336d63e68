"""Jobs of the backend as YAML of the bundle, each in a file of its own, with the files that they name.

The backend and the recorded state are only read. What a file cannot express is told: each one is loaded again before
it is written, and compared with the job.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from posixpath import relpath
from typing import Any, NamedTuple

from bundlectl.base.files import write_atomic
from bundlectl.config.cache import load_with_python, specs_of
from bundlectl.config.job_file import job_file
from bundlectl.config.writer_text import Unwritable
from bundlectl.git.snapshot import read_code_tree
from bundlectl.git.trees import read_blobs
from bundlectl.model.bundle import Bundle
from bundlectl.model.errors import BundlectlError, InputError, UsageError
from bundlectl.model.location import path_short
from bundlectl.model.plan import ABSENT, Verdict
from bundlectl.operations.context import OperationContext
from bundlectl.operations.edited_tree import EditedTree
from bundlectl.operations.load import Loading, load_for_validation, refuse_untrusted, same_request
from bundlectl.operations.world import World, open_world
from bundlectl.planning.field_table import FieldTable
from bundlectl.planning.references import with_known_ids
from bundlectl.planning.verdicts import Sides, compare, put

_KEY = re.compile(r"[^A-Za-z0-9_]+")
# What the language writes into every job by itself.
_WRITTEN_BY_US = ("deployment", "edit_mode", "format")
_FILE_PATH = "${workspace.file_path}"


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """What `import` was asked for."""

    ids: Sequence[str]
    key: str | None = None  # of a single job; else made of its name
    folder: str = "resources"  # below the bundle
    force: bool = False  # files that are there are replaced
    write: bool = True  # False: the text is only given


class Imported(NamedTuple):
    """One job. `file` is None when nothing was written."""

    id: str
    key: str | None
    file: str | None
    text: str | None
    files: tuple[str, ...]  # of its code, that were written beside it
    notes: tuple[str, ...]
    error: str | None


def import_jobs(context: OperationContext, request: ImportRequest) -> tuple[Imported, ...]:
    """Every job of the request; one that fails is told and stops no other. Raises InputError, BackendError."""
    refuse_untrusted(context)
    if request.key is not None and len(request.ids) != 1:
        raise UsageError('"--key" is for one job', hint="leave it out: keys are made of the names")
    world = open_world(context)
    loading = load_for_validation(context)
    if loading.tree.revision.commit is not None and context.source.ref is not None:
        raise UsageError('"import" writes into the working tree and takes no "--ref"', code="BND620")
    _ = loading.bundle
    importer = _Importer(context, world, loading, request)
    return tuple(importer.one(id) for id in dict.fromkeys(request.ids))


class _Importer:
    """Takes keys as it goes, so that two jobs of one name get two."""

    def __init__(self, context: OperationContext, world: World, loading: Loading, request: ImportRequest) -> None:
        self._context = context
        self._world = world
        self._loading = loading
        self._request = request
        self._bundle: Bundle = loading.bundle
        self._taken = set(self._bundle.jobs)
        deployment = world.recorded.deployment
        self._ids = {key: job.id for key, job in deployment.jobs.items()} if deployment is not None else {}

    def one(self, id: str) -> Imported:
        try:
            return self._one(id)
        except (BundlectlError, Unwritable, OSError) as error:
            said = error.summary if isinstance(error, BundlectlError) else str(error)
            return Imported(id, None, None, None, (), (), said)

    def _one(self, id: str) -> Imported:
        held = self._world.backend.read([id])[id]
        if held is None:
            raise InputError(f'no job "{id}" on the backend', code="BND703")
        key = self._key(held)
        file = str(PurePosixPath(self._bundle.root) / self._request.folder / f"{key}.yml")
        path = self._loading.home.top / file
        if path.exists() and self._request.write and not self._request.force:
            raise InputError(f'"{file}" is there already', code="BND623", hint="--force replaces it")
        text = job_file(key, self._written(held, file))
        code, missing = self._code(id, held)
        notes = list(self._differences(key, {file: text.encode("utf-8"), **code}, held))
        notes += [f'its file "{name}" is not in this bundle and not to be had here' for name in missing]
        if self._request.write:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, text.encode("utf-8"), mode=0o644)
            for name, content in code.items():
                target = self._loading.home.top / name
                target.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(target, content, mode=0o644)
        self._taken.add(key)
        written = file if self._request.write else None
        return Imported(id, key, written, text, tuple(code), tuple(notes), None)

    def _key(self, held: Mapping[str, Any]) -> str:
        if self._request.key is not None:
            if self._request.key in self._taken:
                raise InputError(f'the bundle has a job "jobs.{self._request.key}" already', code="BND504")
            return self._request.key
        base = _KEY.sub("_", str(held.get("name", "job"))).strip("_").lower() or "job"
        key, number = base, 2
        while key in self._taken:
            key, number = f"{base}_{number}", number + 1
        return key

    def _written(self, held: Mapping[str, Any], file: str) -> dict[str, Any]:
        """The job as a file says it: without what is filled in anyway, with names for ids and paths."""
        table = FieldTable(self._world.backend.capabilities.kind)
        document: Any = dict(held)
        for field in compare(Sides({}, None, held), table, operator_pause=False, spans={}).fields:
            if field.verdict is Verdict.DEFAULT:
                document = put(document, field.path, ABSENT)
        document = {name: value for name, value in document.items() if name not in _WRITTEN_BY_US}
        keys = {id: key for key, id in self._ids.items() if key in self._bundle.jobs}
        folder = str(PurePosixPath(file).parent)
        result = _spelt(document, self._bundle, keys, folder, self._loading.tree.list())
        assert isinstance(result, dict)
        return result

    def _differences(self, key: str, added: Mapping[str, bytes], held: Mapping[str, Any]) -> Iterator[str]:
        """What the bundle would say otherwise than the job, were these files part of it; the job's is the first."""
        tree = EditedTree(self._loading.tree, added)
        with same_request(self._context, self._loading) as request:
            loaded = load_with_python(tree, request)
        bundle = loaded.bundle
        if bundle is None:
            first = next(iter(loaded.diagnostics), None)
            yield "the bundle does not load with it" + (f": {first.summary}" if first is not None else "")
            return
        if key not in bundle.jobs:
            yield f'the bundle does not read "{next(iter(added))}"; add it to include:'
            return
        spec = specs_of(loaded, [key])[key]
        table = FieldTable(self._world.backend.capabilities.kind)
        sides = Sides(with_known_ids(spec.document, self._ids), None, held)
        for field in compare(sides, table, operator_pause=False, spans={}).fields:
            if field.verdict in (Verdict.CHANGE, Verdict.CONFLICT):
                yield f"the bundle says otherwise in {path_short(field.path)}"

    def _code(self, id: str, held: Mapping[str, Any]) -> tuple[dict[str, bytes], list[str]]:
        """Files that the job names and the working tree lacks: their contents, and those that nothing here has."""
        here = self._loading.tree.list()
        prefix = self._bundle.file_path + "/"
        named = sorted({text.removeprefix(prefix) for text in _texts(held) if text.startswith(prefix)})
        root = PurePosixPath(self._bundle.sync_root)
        wanted = {name: str(root / name) for name in named}
        lacking = {name: path for name, path in wanted.items() if not _has(here, path)}
        if not lacking:
            return {}, []
        snapshot = self._world.backend.holding(id).snapshot
        found = self._from_snapshot(snapshot, list(lacking)) if snapshot is not None else {}
        return {lacking[name]: data for name, data in found.items()}, [n for n in lacking if n not in found]

    def _from_snapshot(self, snapshot: str, names: Sequence[str]) -> dict[str, bytes]:
        store = self._world.store
        for entry in store.history():
            head = store.at(entry.version).deployed if entry.manifest is not None else None
            if head is not None and head.snapshot == snapshot and head.code_tree is not None:
                holder = store.code.holder(head.code_tree)
                files = read_code_tree(holder, head.code_tree)
                blobs = {name: files[name].blob for name in names if name in files}
                contents = read_blobs(holder, list(blobs.values()))
                return {name: contents[blob] for name, blob in blobs.items()}
        return {}


def _has(entries: Mapping[str, Any], path: str) -> bool:
    """Whether the tree has the file; a notebook is named without its ending."""
    return path in entries or any(f"{path}{ending}" in entries for ending in (".py", ".sql", ".ipynb", ".r", ".scala"))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _spelt(
    value: Any, bundle: Bundle, keys: Mapping[str, str], folder: str, entries: Mapping[str, Any], name: str = ""
) -> Any:
    """Ids of jobs as references; paths of code relative to the file where they are a file's, else below a variable."""
    if isinstance(value, Mapping):
        return {member: _spelt(item, bundle, keys, folder, entries, member) for member, item in value.items()}
    if isinstance(value, list):
        return [_spelt(item, bundle, keys, folder, entries) for item in value]
    if name == "job_id" and str(value) in keys:
        return f"${{resources.jobs.{keys[str(value)]}.id}}"
    if isinstance(value, str) and value.startswith(bundle.file_path + "/"):
        below = value.removeprefix(bundle.file_path + "/")
        if name == "python_file":
            return relpath(str(PurePosixPath(bundle.sync_root) / below), folder or ".")
        return f"{_FILE_PATH}/{below}"
    return value
