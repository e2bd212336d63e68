"""Resolves a bundle in parts: the frame (what is not a job of its own file), and job files, of which some are known.

Called by config.cache. The steps are those of config.loader, run on trees that hold the frame and a part of the jobs: a
changed file then costs one file, and a very large bundle is never in memory as a whole. What cannot be decided in parts
(an error, keys that clash, circles) is left to a load in one piece: the answer is None.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from bundlectl.base.dag import find_cycle
from bundlectl.base.forked import run_beside, spare_processors
from bundlectl.config.bundle_files import BundleFiles, OnePiece
from bundlectl.config.code_files import CodeFiles
from bundlectl.config.decode import DecodedJob
from bundlectl.config.facts import Others, SourceFile
from bundlectl.config.loader import Resolved, resolve
from bundlectl.config.path_state import blobs_digest, build_digest, listing_digest, states
from bundlectl.config.reading import members
from bundlectl.config.records import Catalog, FileRecord, JobRecord, PartRecord, part_document, read_part, record
from bundlectl.config.request import LoadRequest
from bundlectl.config.tree_view import TreeView
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.location import SourceSpan, parse_path

_PART = 250  # job files that are resolved together
_WORTH_SHARING = 200  # fewer job files are done before a copy of this process has begun
_MOST_COPIES = 3
_DEPLOYED_FIELDS = ("id", "url")
Places = Mapping[str, SourceSpan]


@dataclass(frozen=True, kw_only=True)
class Assembled:
    """A bundle put together from its parts."""

    frame: Resolved  # the frame, with the jobs that it defines itself
    catalog: Catalog
    findings: tuple[Diagnostic, ...]
    texts: Mapping[str, bytes] = field(default_factory=dict)  # documents of jobs that were resolved now, by digest
    spans: Mapping[str, Places] = field(default_factory=dict)  # of their fields, by key, when those jobs are few


class _FrameGrew(Exception):
    """A file that was taken for a job file holds more than jobs."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def resolve_in_parts(
    view: TreeView, request: LoadRequest, known: Catalog | None, *, git_moved: bool = False
) -> Assembled | None:
    """The whole bundle; what `known` says of files that did not change is taken over. None: load in one piece.

    `git_moved`: commit, branch or remote are not those that `known` was made with.
    """
    try:
        bundle = BundleFiles(view, request)
        reusable = bundle.reusable(known, git_moved) if known is not None else {}
        frame_paths = set(bundle.frame_of(known) if known is not None and reusable else bundle.guess_frame())
        while True:
            try:
                return _Assembly(bundle, frame_paths, known if reusable else None, reusable).run()
            except _FrameGrew as grown:
                frame_paths.add(grown.path)
                reusable = {}
    except OnePiece:
        return None


def resolve_jobs(view: TreeView, request: LoadRequest, catalog: Catalog, keys: Iterable[str]) -> dict[str, DecodedJob]:
    """Some jobs again, with the places of their fields; those that no longer resolve are left out."""
    try:
        bundle = BundleFiles(view, request)
        frame = bundle.frame_of(catalog)
        wanted = set(keys)
        files = {catalog.jobs[key].file for key in wanted if key in catalog.jobs}
        sources = [*bundle.read(frame), *bundle.read(sorted(files))]
        kept = frozenset(key for source in sources for key in members(source.node, "resources", "jobs"))
        facts = bundle.facts(sources, Others(only=kept | wanted))
        resolved = resolve(facts, [])
    except OnePiece:
        return {}
    return {key: job for key, job in resolved.jobs.items() if key in wanted}


class _Assembly:
    """One attempt with a given frame."""

    def __init__(
        self, bundle: BundleFiles, frame: set[str], known: Catalog | None, reusable: Mapping[str, FileRecord]
    ) -> None:
        self._bundle = bundle
        self._frame = bundle.read([path for path in bundle.files if path in frame])
        self._frame_paths = frame
        self._known = known
        self._reusable = dict(reusable)
        self._files: dict[str, FileRecord] = {}
        self._jobs: dict[str, JobRecord] = {}
        self._findings: dict[str, tuple[Diagnostic, ...]] = {}
        self._texts: dict[str, bytes] = {}
        self._spans: dict[str, Places] = {}
        self._few = True

    def run(self) -> Assembled:
        """Raises _FrameGrew, OnePiece."""
        bundle = self._bundle
        bare = self._resolve(self._frame, Others(only=frozenset()))
        code = bundle.code = bare.facts.code
        assert code is not None
        if self._known is not None:
            self._keep_unaffected(self._known, code)
        for path, file in self._reusable.items():
            assert self._known is not None
            self._take(
                path, file, [self._known.jobs[key] for key in file.keys or ()], self._known.findings.get(path, ())
            )
        todo = [path for path in bundle.files if path not in self._frame_paths and path not in self._reusable]
        self._few = len(todo) < _WORTH_SHARING
        self._resolve_all(todo)
        others = Others(
            keys=frozenset(self._jobs),
            local_library=any(job.uses_artifacts for job in self._jobs.values()),
            without_run_as=any(not job.has_run_as for job in self._jobs.values()),
        )
        frame = self._resolve(self._frame, others)
        self._check_whole(frame)
        for job in frame.jobs.values():
            self._texts[job.spec.digest] = job.text
        mine = [finding for finding in frame.findings if self._owner(finding, self._files.keys()) is None]
        listed = [finding for path in self._files for finding in self._findings[path]]
        return Assembled(
            frame=frame,
            catalog=self._catalog(frame, code),
            findings=(*bundle.findings, *mine, *listed),
            texts=self._texts,
            spans=self._spans,
        )

    def _resolve_all(self, todo: Sequence[str]) -> None:
        """Job files in parts, shared out over the processors when there is much to do."""
        copies = min(spare_processors(), _MOST_COPIES) if todo else 0
        if len(todo) < _WORTH_SHARING:
            self._share(self._few_files(todo, copies), copies)
            return
        size = min(_PART, -(-len(todo) // (copies + 1)))
        self._share([partial(self._part, todo[at : at + size]) for at in range(0, len(todo), size)], copies)

    def _few_files(self, todo: Sequence[str], copies: int) -> list[Callable[[], None]]:
        """Large files in pieces; the others together, since a copy would not be worth it."""
        cut = {path: self._bundle.pieces(path, 2 * (copies + 1)) for path in todo} if copies else {}
        pieces = [partial(self._piece, path, text) for path, texts in cut.items() if len(texts) > 1 for text in texts]
        rest = [path for path in todo if len(cut.get(path, ())) < 2]
        return [*pieces, partial(self._part, rest)] if rest else list(pieces)

    def _share(self, parts: Sequence[Callable[[], None]], copies: int) -> None:
        """Works all parts out: in turn here and in copies of this process, if they are several."""
        shares = [parts[number :: copies + 1] for number in range(copies + 1)]
        running = [(share, run_beside(partial(self._encoded, share))) for share in shares[1:] if share]
        try:
            for part in shares[0]:
                part()
            while running:
                share, beside = running[0]
                answer = beside.result() if beside is not None else None
                running.pop(0)
                self._join(share, answer)
        finally:
            for _, beside in running:
                if beside is not None:
                    beside.stop()

    def _encoded(self, parts: Sequence[Callable[[], None]]) -> bytes:
        """Some parts, worked out on their own: what a copy of this process answers."""
        self._files, self._jobs, self._findings, self._texts = {}, {}, {}, {}
        for part in parts:
            part()
        found = PartRecord(self._files, self._jobs, self._findings, self._texts)
        return json.dumps(part_document(found), separators=(",", ":")).encode("ascii")

    def _join(self, parts: Sequence[Callable[[], None]], answer: bytes | None) -> None:
        """Takes over what a copy worked out; without an answer the work is done here, and says what is wrong."""
        if answer is None:
            for part in parts:
                part()
            return
        found = read_part(json.loads(answer))
        for path, file in found.files.items():
            self._take(path, file, [found.jobs[key] for key in file.keys or ()], found.findings[path])
        self._texts.update(found.texts)

    def _resolve(self, sources: Sequence[SourceFile], others: Others) -> Resolved:
        resolved = resolve(self._bundle.facts(sources, others), [])
        if not resolved.complete:
            raise OnePiece
        return resolved

    def _keep_unaffected(self, known: Catalog, code: CodeFiles) -> None:
        """Drops from the reusable files those whose jobs depend on something that changed beside them."""
        now = states(known.states, self._bundle.view, code, known.states)
        moved = {name for name, state in known.states.items() if now[name].state != state.state}
        changed = {key for path, file in known.files.items() if path not in self._reusable for key in file.keys or ()}
        for job in known.jobs.values():
            if job.file in self._reusable and (
                (moved and not moved.isdisjoint(job.names)) or any(target in changed for target, _ in job.refers_to)
            ):
                del self._reusable[job.file]

    def _take(self, path: str, file: FileRecord, jobs: Iterable[JobRecord], findings: tuple[Diagnostic, ...]) -> None:
        before = self._files.get(path)  # a large file comes in pieces
        if before is not None:
            keys = (*(before.keys or ()), *(file.keys or ()))
            file = FileRecord(file.blob, keys, before.uses_git or file.uses_git)
            findings = tuple(dict.fromkeys((*self._findings[path], *findings)))
        self._files[path] = file
        self._findings[path] = findings
        for job in jobs:
            if job.key in self._jobs:
                raise OnePiece  # defined twice
            self._jobs[job.key] = job

    def _part(self, paths: Sequence[str]) -> None:
        """Reads and resolves some job files."""
        self._jobs_of(self._bundle.read(paths, keep=False))

    def _piece(self, path: str, text: bytes) -> None:
        """Reads and resolves some jobs of a file."""
        self._jobs_of([self._bundle.read_piece(path, text)])

    def _jobs_of(self, sources: Sequence[SourceFile]) -> None:
        keys: dict[str, str] = {}
        for source in sources:
            if not _only_jobs(source):
                raise _FrameGrew(source.path)
            for key in members(source.node, "resources", "jobs"):
                if key in keys:
                    raise OnePiece
                keys[key] = source.path
        resolved = self._resolve([*self._frame, *sources], Others(only=frozenset(keys)))
        if resolved.jobs.keys() != keys.keys():
            raise OnePiece
        found: dict[str, list[Diagnostic]] = {source.path: [] for source in sources}
        for finding in resolved.findings:
            owner = self._owner(finding, found.keys(), keys)
            if owner is not None:
                found[owner].append(finding)
        for source in sources:
            own = [key for key, path in keys.items() if path == source.path] if len(keys) != len(sources) else None
            own = own if own is not None else list(members(source.node, "resources", "jobs"))
            records = [record(resolved.jobs[key], source.path) for key in own]
            self._take(
                source.path,
                FileRecord(source.blob, tuple(own), source.uses_git),
                records,
                tuple(dict.fromkeys(found[source.path])),
            )
        for job in resolved.jobs.values():
            self._texts[job.spec.digest] = job.text
            if self._few:
                self._spans[job.spec.key] = job.spec.spans

    def _owner(self, finding: Diagnostic, files: Iterable[str], keys: Mapping[str, str] | None = None) -> str | None:
        """The job file that a finding belongs to: that of the job it is about, else the one it points into."""
        key = _job_of(finding.path)
        if key is not None:
            if keys is not None and key in keys:
                return keys[key]
            if keys is None and key in self._jobs:
                return self._jobs[key].file
        if finding.spans and finding.spans[0].file in files:
            return finding.spans[0].file
        return None

    def _check_whole(self, frame: Resolved) -> None:
        """What concerns several jobs. Raises OnePiece for anything that a load in one piece would report."""
        own = {key: (job.refers_to, job.spec.meta.renamed_from) for key, job in frame.jobs.items()}
        if not own.keys().isdisjoint(self._jobs):
            raise OnePiece
        every = {key: (job.refers_to, job.renamed_from) for key, job in self._jobs.items()} | own
        edges: dict[str, set[str]] = {}
        for key, (refers_to, renamed_from) in every.items():
            if renamed_from is not None and renamed_from in every:
                raise OnePiece
            for target, name in refers_to:
                if target not in every or name not in _DEPLOYED_FIELDS:
                    raise OnePiece
                edges.setdefault(key, set()).add(target)
        if edges and find_cycle(edges) is not None:
            raise OnePiece

    def _catalog(self, frame: Resolved, code: CodeFiles) -> Catalog:
        view, bundle = self._bundle.view, self._bundle
        frame_files = {source.path: FileRecord(source.blob, None, source.uses_git) for source in self._frame}
        known = self._known.states if self._known is not None else None
        names = {name: None for job in self._jobs.values() for name in job.names}
        names.update({name: None for job in frame.jobs.values() for name in job.names})
        return Catalog(
            root=bundle.place.root,
            root_file=bundle.place.file,
            files={path: frame_files.get(path) or self._files[path] for path in bundle.files},
            jobs=self._jobs,
            frame_jobs={key: record(job, bundle.place.file) for key, job in frame.jobs.items()},
            findings={path: found for path, found in self._findings.items() if found},
            states=states(names, view, code, known),
            listing=listing_digest(view),
            ignore_blobs=blobs_digest(view, code.ignore_files),
            build_blobs=build_digest(view, bundle.place.root),
            code_files=code.files,
        )


def _only_jobs(source: SourceFile) -> bool:
    """Whether a file defines nothing but jobs."""
    node = source.node
    if node is None or not isinstance(node.value, dict) or list(node.value) != ["resources"]:
        return False
    resources = node.value["resources"]
    return resources.is_map and list(resources.value) == ["jobs"] and resources.value["jobs"].is_map


def _job_of(path: str | None) -> str | None:
    """Key of the job that a path of a finding is in."""
    if path is None or not path.startswith("resources.jobs"):
        return None
    try:
        steps = parse_path(path)
    except ValueError:
        return None
    return steps[2] if len(steps) > 2 and isinstance(steps[2], str) else None
