"""The finished tree -> Bundle, JobSpecs and the document that `validate -o json` prints (config language 19).

Called by config.loader, once. What a job is called by others (digest, dependencies) is worked out here.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from bundlectl.base.digest import canonical_bytes, digest_bytes, digest_document, without_nulls
from bundlectl.config import job_paths
from bundlectl.config.facts import Facts
from bundlectl.config.interpolation import references
from bundlectl.config.job_paths import DEPENDENCY, LIBRARY, PathUse, map_paths
from bundlectl.config.node import Node, lookup, plain
from bundlectl.config.path_state import name_of
from bundlectl.config.reading import members
from bundlectl.config.tree_view import Pattern, join, relative_to
from bundlectl.config.workspace import code_folder
from bundlectl.model.job import NATURAL_KEYS, TASK_TYPES, JobDigest, JobSpec
from bundlectl.model.location import FieldPath, Keyed, SourceSpan, path_text

SECTIONS = (
    "artifacts",
    "bundle",
    "bundlectl",
    "experimental",
    "include",
    "permissions",
    "presets",
    "python",
    "resources",
    "run_as",
    "scripts",
    "sync",
    "targets",
    "variables",
    "workspace",
)
_NOT_SENT = ("bundlectl", "lifecycle")
# Task types whose program runs in the folder of the code, also when no field names a file.
_RUNS_IN_CODE = ("shell_task", "dbt_task")
_GIT_FACTS = ("commit", "branch", "actual_branch")


class DecodedJob(NamedTuple):
    """A job and what the bundle's document says of it."""

    spec: JobSpec
    text: bytes  # canonical form of the spec's document
    shown: Mapping[str, Any]  # as `validate -o json` prints it
    shown_digest: str
    protected: bool
    refers_to: tuple[tuple[str, str], ...]  # jobs that it refers to: key and field
    names: tuple[str, ...]  # what it names in the tree, as config.path_state reads it
    uses_artifacts: bool  # it uses a wheel or jar of the bundle
    has_run_as: bool


class _Uses(NamedTuple):
    """Names in the tree (see config.path_state), the files among them as seen from the sync root."""

    names: tuple[str, ...]
    code_paths: tuple[str, ...]
    local_library: bool


class Spans(Mapping[str, SourceSpan]):
    """Full field path -> where its value was written. Worked out when it is first asked for: few jobs are shown."""

    def __init__(self, job: Node) -> None:
        self._job = job

    @functools.cached_property
    def _all(self) -> dict[str, SourceSpan]:
        return {path_text(path): node.span for path, node in _fields(self._job, (), ()) if path and node.span.line}

    def __getitem__(self, path: str) -> SourceSpan:
        return self._all[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def _fields(node: Node, path: FieldPath, shape: tuple[str, ...]) -> Iterator[tuple[FieldPath, Node]]:
    yield path, node
    value = node.value
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _fields(child, (*path, name), (*shape, name))
    elif isinstance(value, list):
        key = NATURAL_KEYS.get(shape)
        for index, child in enumerate(value):
            name = child.get(key) if key is not None else None
            keyed = key is not None and name is not None and isinstance(name.value, str) and name.value
            step = Keyed(key, name.value) if keyed and key is not None and name is not None else index
            yield from _fields(child, (*path, step), (*shape, "*"))


class Decoder:
    """Decodes the jobs of one tree."""

    def __init__(self, node: Node, facts: Facts) -> None:
        self._jobs = members(node, "resources", "jobs")
        holder = lookup(node, ("resources", "jobs"))
        self._key_spans: Mapping[str, SourceSpan] = (holder.keys or {}) if holder is not None else {}
        self._facts = facts
        self._file_path: str = members(node, "workspace")["file_path"].value
        self._code_folder = code_folder(node)
        self._in_code = f'"{self._file_path}'.encode()
        pause = members(node, "bundlectl").get("pause")
        self._built: dict[str, list[str]] = {}
        self._pause = pause.value if pause is not None and isinstance(pause.value, str) else "git"

    def jobs(self) -> Iterator[DecodedJob]:
        """Every job, by key."""
        for key in sorted(self._jobs):
            if self._jobs[key].is_map:
                yield self.job(key, self._jobs[key])

    def job(self, key: str, node: Node) -> DecodedJob:
        """One job: its document without our own settings and without nulls, and its digest."""
        shown = plain(node)
        if shown.get("permissions") == []:
            del shown["permissions"]
        document = {name: value for name, value in shown.items() if name not in _NOT_SENT}
        same = len(document) == len(shown)
        uses = self._uses(node)
        clusters = document.get("job_clusters")
        if isinstance(clusters, list) and any(_unsized(cluster) for cluster in clusters):
            document["job_clusters"] = [_sized(cluster) for cluster in clusters]
            same = False
        if self._code_folder != self._file_path:
            document = _moved(document, self._code_folder, self._file_path)
            same = False
        text = canonical_bytes(document)
        if b"null" in text:
            document = without_nulls(document)
            text = canonical_bytes(document)
            same = False
        digest = digest_bytes(text)
        own = shown.get("bundlectl") or {}
        refers = tuple(sorted(_job_references(node))) if b"${resources.jobs." in text else ()
        uses_artifacts = uses.local_library or b"${artifacts." in text
        meta = JobDigest(
            digest,
            self._in_code in text or self._runs_in_code(node),
            tuple(name for name, field in refers if field == "id"),
            own.get("renamed_from"),
            own.get("pause") or self._pause,
            uses_artifacts,
        )
        spec = JobSpec(
            key=key,
            document=document,
            digest=digest,
            span=self._key_spans.get(key) or node.span,
            spans=Spans(node),
            meta=meta,
            code_paths=uses.code_paths,
        )
        protected = (shown.get("lifecycle") or {}).get("prevent_destroy") is True
        shown_digest = digest if same else digest_document(shown)
        return DecodedJob(
            spec, text, shown, shown_digest, protected, refers, uses.names, uses_artifacts, _runs_as(node)
        )

    def _uses(self, node: Node) -> _Uses:
        """What a job names in the tree."""
        names: dict[str, None] = {}
        paths: set[str] = set()
        prefix, root = self._code_folder + "/", self._facts.sync_root
        local = False

        def visit(use: PathUse) -> Node:
            nonlocal local
            text = use.node.value
            library = use.kind == LIBRARY and not job_paths.is_remote(text)
            if library or (use.kind == DEPENDENCY and job_paths.is_local_library(text)):
                local = True
                pattern = join(root, text.partition("[")[0])
                names.setdefault(name_of(LIBRARY, pattern))
                paths.update(relative_to(path, root) for path in self._matches(pattern))
            else:
                for word in text.split(" "):
                    if word.startswith(prefix):
                        path = self._in_tree(word[len(prefix) :], use.kind)
                        names.setdefault(name_of(use.kind, join(root, path)))
                        paths.add(path)
            return use.node

        map_paths(node, (), visit)
        return _Uses(tuple(names), tuple(sorted(paths)), local)

    def _runs_in_code(self, node: Node) -> bool:
        source = node.get("git_source")
        if source is not None and source.value is not None:
            return False
        tasks = node.get("tasks")
        return any(_in_code(task) for task in (tasks.value if tasks is not None and tasks.is_list else ()))

    def _matches(self, path: str) -> list[str]:
        code = self._facts.code
        if path not in self._built:
            self._built[path] = Pattern(path).select(code.files) if code is not None else []
        return self._built[path]

    def _in_tree(self, path: str, kind: str) -> str:
        code = self._facts.code
        if kind != job_paths.NOTEBOOK or code is None or join(self._facts.sync_root, path) in code:
            return path
        for extension in (".py", ".ipynb", ".sql", ".scala", ".r", ".R"):
            if join(self._facts.sync_root, path + extension) in code:
                return path + extension
        return path


def _runs_as(node: Node) -> bool:
    run_as = node.get("run_as")
    return run_as is not None and run_as.value is not None


def _in_code(task: Node) -> bool:
    if not task.is_map:
        return False
    inner = lookup(task, ("for_each_task", "task"))
    if inner is not None and _in_code(inner):
        return True
    kind = next((name for name in TASK_TYPES if task.get(name) is not None), None)
    if kind not in _RUNS_IN_CODE:
        return False
    source = lookup(task, (kind, "source"))
    return source is None or source.value != "GIT"


def _sized(cluster: Any) -> Any:
    """A job cluster of unknown size has no workers: printed as it is, sent as 0."""
    return {**cluster, "new_cluster": {**cluster["new_cluster"], "num_workers": 0}} if _unsized(cluster) else cluster


def _moved(value: Any, old: str, new: str) -> Any:
    """A document whose texts name another folder for the code."""
    if isinstance(value, str):
        return value.replace(old, new) if old in value else value
    if isinstance(value, dict):
        return {name: _moved(item, old, new) for name, item in value.items()}
    return [_moved(item, old, new) for item in value] if isinstance(value, list) else value


def _unsized(cluster: Any) -> bool:
    new = cluster.get("new_cluster") if isinstance(cluster, dict) else None
    return isinstance(new, dict) and new.get("autoscale") is None and new.get("num_workers") is None


def _job_references(node: Node) -> set[tuple[str, str]]:
    """Jobs that a job refers to: key and first field."""
    found: set[tuple[str, str]] = set()
    waiting = [node]
    while waiting:
        value = waiting.pop().value
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, str) and "${resources.jobs." in value:
            for reference in references(value):
                steps = reference.steps
                if steps[:2] == ("resources", "jobs") and len(steps) > 2:
                    found.add((str(steps[2]), str(steps[3]) if len(steps) > 3 else "id"))
    return found


def document(node: Node, facts: Facts, jobs: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """The tree as `validate -o json` prints it. `jobs`: their printed form, when it is known already."""
    shown: dict[str, Any] = {}
    for name in SECTIONS:
        child = node.get(name)
        if child is None or (name == "include" and not child.value):
            continue
        if name == "resources" and child.is_map and jobs is not None:
            shown[name] = {kind: jobs if kind == "jobs" else plain(item) for kind, item in child.value.items()}
        else:
            shown[name] = plain(child)
    if shown.get("presets") == {}:
        del shown["presets"]
    for artifact in (shown.get("artifacts") or {}).values():
        _absolute(artifact, facts.request.top)
    return shown


def _absolute(artifact: Any, top: str) -> None:
    """Paths of an artifact, which are relative to the top of the tree, as they are on disk."""
    if not isinstance(artifact, dict) or not top:
        return
    if isinstance(artifact.get("path"), str) and not artifact["path"].startswith("/"):
        artifact["path"] = top if artifact["path"] == "." else f"{top}/{artifact['path']}"
    for entry in artifact.get("files") or ():
        if isinstance(entry, dict) and isinstance(entry.get("source"), str) and not entry["source"].startswith("/"):
            entry["source"] = f"{top}/{entry['source']}"


def frame_document(node: Node, facts: Facts) -> dict[str, Any]:
    """What the configuration is beside its jobs, without commit, branch and paths of this machine."""
    resources = node.get("resources")
    others = resources.without("jobs") if resources is not None and resources.is_map else None
    bare = node.with_member("resources", others) if others is not None else node
    shown = document(bare, replace(facts, request=replace(facts.request, top="")))
    if shown.get("resources") == {}:
        del shown["resources"]  # whether jobs are the only resources must not matter
    git = shown.get("bundle", {}).get("git", {})
    for name in _GIT_FACTS:
        git.pop(name, None)
    return shown


def config_digest(frame: Mapping[str, Any], jobs: Mapping[str, str]) -> str:
    """`sha256:<hex>` over the frame and the digest of each job as it is printed."""
    return digest_document({"frame": frame, "jobs": jobs})
