"""Builds artifacts: in a copy of the tree that holds just what the build may read, once for the same inputs (D5).

Called by operations.stage for deploy and `validate --build`, never for a plan. A build runs code of the repository, so
the invoker has to allow it. Which files there are already is operations.artifacts.
"""

import os
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bundlectl.base.digest import sha256_hex
from bundlectl.base.process import Completed, OutputTooLarge, ProcessTimeout, run
from bundlectl.config.tree_view import Pattern
from bundlectl.engine.secrets import installer
from bundlectl.git.export import export
from bundlectl.git.objects import commit_info
from bundlectl.model.artifact import Artifact, ArtifactFile, ArtifactSpec
from bundlectl.model.diagnostic import Diagnostic, Diagnostics, Severity
from bundlectl.model.errors import InputError, Refused
from bundlectl.model.events import StageStarted
from bundlectl.operations.artifact_store import ArtifactStore
from bundlectl.operations.artifacts import artifact_store, best_wheels
from bundlectl.operations.build_inputs import FRONT_END, build_environment, visible_entries, visible_folder
from bundlectl.operations.context import OperationContext
from bundlectl.operations.load import Loading
from bundlectl.operations.wheel import BadWheel, with_dynamic_version

TIMEOUT_S = 1800.0
_MAX_OUTPUT = 64 << 20
_TAIL_LINES = 20
_NOT_BUILT, _NOTHING_MATCHES, _NOT_ALLOWED = "BND292", "BND291", "BND318"
_BEFORE_ZIP = 315_532_800  # 1980-01-01: what archives can carry at the earliest, and the time of a tree without commit
# The umask decides about modes inside archives, so it is the same everywhere.
_SAME_UMASK = ("sh", "-c", 'umask 022; exec "$@"', "sh")


class _Job(NamedTuple):
    """One build: what, where, and with which time stamps."""

    loading: Loading
    spec: ArtifactSpec
    folder: Path  # the copy of the tree
    epoch: int  # seconds since 1970


def build_missing(context: OperationContext, loading: Loading, missing: Sequence[Artifact]) -> None:
    """Builds these artifacts into the cache, unless somebody else has done so in the meantime.

    Raises InputError BND291 or BND292 when a build comes to nothing.
    """
    store = artifact_store(context)
    for artifact in missing:
        assert artifact.inputs is not None
        try:
            with store.building(artifact.inputs.key) as folder:
                if store.find(artifact.inputs.key) is None:
                    context.emit(StageStarted("build", f'building artifact "{artifact.spec.name}"'))
                    _build(context, loading, artifact, folder, store)
        except OSError as error:
            raise InputError(
                f'artifact "{artifact.spec.name}" could not be built: {error}', code="BND623", hint=_folder_hint(store)
            ) from error


def _folder_hint(store: ArtifactStore) -> str:
    return f'builds are made and kept in "{store.folder}"; BUNDLECTL_CACHE_DIR moves it'


def refuse_without_permission(context: OperationContext, names: Sequence[str]) -> None:
    """Raises Refused BND318 unless the invoker allows builds."""
    allowed = context.allowed
    if allowed.build:
        return
    shown = ", ".join(f'"{name}"' for name in names)
    why = (
        "the source is untrusted"
        if allowed.untrusted
        else "DATABRICKS_BUNDLE_RESTRICTED_CODE_EXECUTION is set"
        if allowed.restricted
        else "a build runs code of the repository, and nobody allowed that"
    )
    raise Refused(
        f"artifacts have to be built: {shown}",
        code=_NOT_ALLOWED,
        detail=f"{why}. Nothing was changed.",
        hint=None if allowed.untrusted or allowed.restricted else "for a tree that you trust: --allow build",
    )


def _build(context: OperationContext, loading: Loading, artifact: Artifact, folder: Path, store: ArtifactStore) -> None:
    assert artifact.inputs is not None
    shutil.rmtree(folder, ignore_errors=True)  # left by a builder that was killed
    commit = loading.tree.revision.commit
    time = commit_info(loading.home.git, commit).time if commit is not None else 0
    job = _Job(loading, artifact.spec, folder, max(time, _BEFORE_ZIP))
    try:
        before = _lay_out(job)
        _run(context, job)
        files, contents = _versioned(job, _collected(job, before))
        store.keep(artifact.inputs.key, files, contents)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _lay_out(job: _Job) -> frozenset[str]:
    """Writes the copy, in which nothing tells when or where it was made; the paths in it."""
    spec, loading = job.spec, job.loading
    job.folder.mkdir(mode=0o700)
    export(loading.tree, job.folder, below=visible_folder(spec))
    entries = visible_entries(loading.tree, spec, loading.bundle.files)
    (job.folder / spec.folder).mkdir(mode=0o755, parents=True, exist_ok=True)
    for path in _walk(job.folder):
        entry = entries.get(path)
        if entry is None:
            (job.folder / path).unlink()
    for at, folders, names in os.walk(job.folder, topdown=False):
        for name in (*names, *folders):
            full = os.path.join(at, name)
            executable = name in folders or os.stat(full).st_mode & stat.S_IXUSR
            os.chmod(full, 0o755 if executable else 0o644)
            os.utime(full, (job.epoch, job.epoch))
    return frozenset(entries)


def _walk(folder: Path) -> Iterator[str]:
    """Regular files below a folder, as POSIX paths; links are none."""
    for at, _, names in os.walk(folder):
        for name in names:
            full = os.path.join(at, name)
            if stat.S_ISREG(os.lstat(full).st_mode):
                yield os.path.relpath(full, folder).replace(os.sep, "/")


def _run(context: OperationContext, job: _Job) -> None:
    name = job.spec.name
    arguments, hint = _command(job, context.environment)
    try:
        done = run(
            (*_SAME_UMASK, *arguments),
            environment=_environment(context.environment, job),
            folder=str(job.folder / job.spec.folder),
            timeout_s=TIMEOUT_S,
            max_output=_MAX_OUTPUT,
        )
    except ProcessTimeout:
        raise _failure(name, f"it did not end within {TIMEOUT_S:g} s") from None
    except OutputTooLarge:
        raise _failure(name, f"it wrote more than {_MAX_OUTPUT >> 20} MiB to stdout and stderr") from None
    except OSError as error:
        raise _failure(name, f"it cannot be started: {error.strerror or error}") from error
    if done.code != 0:
        raise _failure(name, f"its build ended with exit status {done.code}", detail=_tail(done), hint=hint)


def _failure(name: str, why: str, *, detail: str | None = None, hint: str | None = None) -> InputError:
    return InputError(
        f'artifact "{name}" is not built: {why}',
        code=_NOT_BUILT,
        detail="\n".join(part for part in (detail, "Nothing was changed.") if part),
        hint=hint,
    )


def _tail(done: Completed) -> str:
    """The end of what a build said."""
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    return "\n".join([line.rstrip() for line in text.splitlines() if line.strip()][-_TAIL_LINES:])


def _command(job: _Job, inherited: Mapping[str, str]) -> tuple[tuple[str, ...], str | None]:
    """What is started, and what to do when it fails."""
    spec, loading = job.spec, job.loading
    assert spec.build is not None
    if spec.is_standard:
        where = build_environment(loading.tree, spec, visible_entries(loading.tree, spec, loading.bundle.files))
        if where.front_end is None:
            hint = 'pip install "bundlectl[build]", or say in build how it is made'
            raise _failure(spec.name, f'the package "{FRONT_END}" is not installed', hint=hint)
        words = (sys.executable, "-m", FRONT_END, "--wheel")
        if where.isolated:
            needed = " ".join(f'"{requirement}"' for requirement in where.missing)
            return words, f"without a network, install beside bundlectl what the project is built with: {needed}"
        return (*words, "--no-isolation"), None
    path = inherited.get("PATH", os.defpath)
    shell = spec.executable or ("bash" if shutil.which("bash", path=path) else "sh")
    if shutil.which(shell, path=path) is None:
        raise _failure(spec.name, f'there is no "{shell}" on PATH')
    if shell == "cmd":
        return (shell, "/D", "/E:ON", "/V:OFF", "/S", "/C", spec.build), None
    return (shell, "-e", "-c", spec.build), None


def _environment(inherited: Mapping[str, str], job: _Job) -> dict[str, str]:
    """What a build sees: no credentials but those of a package index, and nothing that differs from day to day."""
    passed = installer(inherited) | {name: value for name, value in inherited.items() if name.startswith("UV_")}
    # `python` in a command is the interpreter that runs this program.
    search = os.pathsep.join((os.path.dirname(sys.executable), passed.get("PATH") or os.defpath))
    ours = {
        "PATH": search,
        "SOURCE_DATE_EPOCH": str(job.epoch),
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "GIT_CEILING_DIRECTORIES": str(job.folder),
    }
    return passed | ours


def _collected(job: _Job, before: frozenset[str]) -> list[str]:
    """The files that the build made, sorted. Raises InputError BND291 with a finding for each pattern without one."""
    there = sorted(_walk(job.folder), key=os.fsencode)
    written = {path for path in there if path not in before or _is_new(job, path)}
    found: list[str] = []
    findings: list[Diagnostic] = []
    for number, pattern in enumerate(job.spec.files):
        matches = Pattern(pattern.source).select(there)
        made = [path for path in matches if path in written] or best_wheels(matches)
        if not made:
            findings.append(
                Diagnostic(
                    code=_NOTHING_MATCHES,
                    severity=Severity.ERROR,
                    summary=f"{pattern.source}: no matching files",
                    detail=f'the build of "{job.spec.name}" ended well, and made none',
                    path=f"artifacts.{job.spec.name}.files[{number}].source",
                    spans=(pattern.span,),
                )
            )
        found += made
    if findings:
        raise job.loading.failure(Diagnostics(findings))
    return list(dict.fromkeys(found))


def _is_new(job: _Job, path: str) -> bool:
    return os.stat(job.folder / path).st_mtime_ns != job.epoch * 1_000_000_000


def _versioned(job: _Job, paths: Iterable[str]) -> tuple[list[ArtifactFile], list[bytes]]:
    files: list[ArtifactFile] = []
    contents: list[bytes] = []
    for path in paths:
        name, content = path.rpartition("/")[2], (job.folder / path).read_bytes()
        if job.spec.dynamic_version:
            try:
                name, content = with_dynamic_version(name, content)
            except BadWheel as fault:
                why = f'"{path}" cannot get a dynamic version: {fault}'
                raise _failure(job.spec.name, why) from None
        files.append(ArtifactFile(path, name, sha256_hex(content)))
        contents.append(content)
    return files, contents
