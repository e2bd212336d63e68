"""What is kept of a resolved bundle: one record per job and per file, and everything a plan without changes asks for.

Made by config.parts and config.cache, stored as JSON by config.index. Knows neither SQL nor how a bundle is resolved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bundlectl.config.decode import DecodedJob
from bundlectl.config.path_state import PathState
from bundlectl.config.summary import finding_row, read_finding
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.job import JobDigest
from bundlectl.model.location import SourceSpan

_DIGEST_PREFIX = "sha256:"


class JobRecord(NamedTuple):
    """A job without its document."""

    key: str
    file: str  # the bundle file that defines it
    digest: str
    shown: str  # digest of its part of the printed document
    uses_code: bool
    depends_on: tuple[str, ...]
    renamed_from: str | None
    pause: str
    protected: bool
    refers_to: tuple[tuple[str, str], ...]
    names: tuple[str, ...]
    uses_artifacts: bool
    has_run_as: bool
    span: SourceSpan
    code_paths: tuple[str, ...]

    @property
    def meta(self) -> JobDigest:
        """What a plan asks of every job."""
        return JobDigest(
            self.digest, self.uses_code, self.depends_on, self.renamed_from, self.pause, self.uses_artifacts
        )


def record(job: DecodedJob, file: str) -> JobRecord:
    """The record of a job that a file defines."""
    meta = job.spec.meta
    return JobRecord(
        key=job.spec.key,
        file=file,
        digest=meta.digest,
        shown=job.shown_digest,
        uses_code=meta.uses_code,
        depends_on=meta.depends_on,
        renamed_from=meta.renamed_from,
        pause=meta.pause,
        protected=job.protected,
        refers_to=job.refers_to,
        names=job.names,
        uses_artifacts=job.uses_artifacts,
        has_run_as=job.has_run_as,
        span=job.spec.span or SourceSpan(file, 1, 1),
        code_paths=job.spec.code_paths,
    )


class FileRecord(NamedTuple):
    """A bundle file. `keys`: its jobs, when it holds nothing else; None for a file of the frame."""

    blob: str
    keys: tuple[str, ...] | None
    uses_git: bool


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """Enough to resolve a bundle again after some of its files changed."""

    root: str
    root_file: str
    files: Mapping[str, FileRecord]  # in the order of reading
    jobs: Mapping[str, JobRecord]  # those of files that hold nothing but jobs
    frame_jobs: Mapping[str, JobRecord]  # the others
    findings: Mapping[str, tuple[Diagnostic, ...]]  # about such files and their jobs, by file
    states: Mapping[str, PathState]  # of every name that those jobs use
    listing: str  # digest of the paths and modes of the tree
    ignore_blobs: str  # digest of the .gitignore files
    build_blobs: str  # digest of the files that say how a wheel is built
    code_files: Sequence[str] = field(default=())


def catalog_document(catalog: Catalog) -> dict[str, Any]:
    """As JSON."""
    names = list(catalog.states)
    numbers = {name: number for number, name in enumerate(names)}
    files = list(catalog.files)
    places = {file: number for number, file in enumerate(files)}
    return {
        "root": catalog.root,
        "root_file": catalog.root_file,
        "files": [[file, *one] for file, one in catalog.files.items()],
        "jobs": [_job_row(job, places, numbers) for job in catalog.jobs.values()],
        "frame_jobs": [_job_row(job, places, numbers) for job in catalog.frame_jobs.values()],
        "findings": {file: [finding_row(one) for one in found] for file, found in catalog.findings.items()},
        "states": [[name, *catalog.states[name]] for name in names],
        "listing": catalog.listing,
        "ignore_blobs": catalog.ignore_blobs,
        "build_blobs": catalog.build_blobs,
    }


def read_catalog(document: Mapping[str, Any], code_files: Sequence[str]) -> Catalog:
    """The other way. Raises KeyError, TypeError, ValueError for what is no such document."""
    names = [row[0] for row in document["states"]]
    files = [row[0] for row in document["files"]]
    jobs, frame_jobs = (
        {row[0]: _read_job(row, files, names) for row in document[part]} for part in ("jobs", "frame_jobs")
    )
    return Catalog(
        root=document["root"],
        root_file=document["root_file"],
        files={
            row[0]: FileRecord(row[1], tuple(row[2]) if row[2] is not None else None, row[3])
            for row in document["files"]
        },
        jobs=jobs,
        frame_jobs=frame_jobs,
        findings={file: tuple(map(read_finding, rows)) for file, rows in document["findings"].items()},
        states={row[0]: PathState(row[1], row[2]) for row in document["states"]},
        listing=document["listing"],
        ignore_blobs=document["ignore_blobs"],
        build_blobs=document["build_blobs"],
        code_files=code_files,
    )


class PartRecord(NamedTuple):
    """What was worked out of some job files."""

    files: Mapping[str, FileRecord]
    jobs: Mapping[str, JobRecord]
    findings: Mapping[str, tuple[Diagnostic, ...]]
    texts: Mapping[str, bytes]  # documents by digest


def part_document(part: PartRecord) -> dict[str, Any]:
    """As JSON, to be handed from one process to another of the same version."""
    return {
        "files": {path: list(file) for path, file in part.files.items()},
        "jobs": [list(job) for job in part.jobs.values()],
        "findings": {file: [finding_row(one) for one in found] for file, found in part.findings.items()},
        "texts": {digest: text.decode("utf-8") for digest, text in part.texts.items()},
    }


def read_part(document: Mapping[str, Any]) -> PartRecord:
    """The other way."""
    jobs = [JobRecord(*row) for row in document["jobs"]]
    return PartRecord(
        {path: FileRecord(blob, tuple(keys), uses_git) for path, (blob, keys, uses_git) in document["files"].items()},
        {
            job.key: job._replace(
                depends_on=tuple(job.depends_on),
                refers_to=tuple((target, name) for target, name in job.refers_to),
                names=tuple(job.names),
                span=SourceSpan(*job.span),
                code_paths=tuple(job.code_paths),
            )
            for job in jobs
        },
        {file: tuple(map(read_finding, rows)) for file, rows in document["findings"].items()},
        {digest: text.encode("utf-8") for digest, text in document["texts"].items()},
    )


def _job_row(job: JobRecord, files: Mapping[str, int], names: Mapping[str, int]) -> list[Any]:
    flags = job.uses_code | job.protected << 1 | job.uses_artifacts << 2 | job.has_run_as << 3
    row: list[Any] = [
        job.key,
        files[job.file],
        job.digest,
        flags,
        [job.span.line, job.span.column, job.span.end_line, job.span.end_column],
        [names[name] for name in job.names],
        list(job.code_paths),
    ]
    # Most jobs have none of these, so most rows end here.
    rest = [
        job.shown if job.shown != job.digest else None,
        list(job.depends_on),
        job.renamed_from,
        job.pause,
        [list(pair) for pair in job.refers_to],
        job.span.file if job.span.file != job.file else None,
    ]
    return [*row, *rest] if rest != [None, [], None, "git", [], None] else row


def _read_job(row: list[Any], files: list[str], names: list[str]) -> JobRecord:
    key, file, digest, flags, span, named, code_paths, *rest = row
    shown, depends_on, renamed_from, pause, refers_to, span_file = rest or (None, (), None, "git", (), None)
    path = files[file]
    return JobRecord(
        key,
        path,
        digest,
        shown or digest,
        bool(flags & 1),
        tuple(depends_on),
        renamed_from,
        pause,
        bool(flags & 2),
        tuple((pair[0], pair[1]) for pair in refers_to),
        tuple([names[number] for number in named]),
        bool(flags & 4),
        bool(flags & 8),
        SourceSpan(span_file or path, *span),
        tuple(code_paths),
    )
