"""Run manifests that could not be recorded, kept on this machine until they can (safety 1.10).

Wrapped around a run store by cli.wiring: a run never fails, and is never forgotten, because its record could not be
pushed. Whoever records or looks at runs next pushes what is waiting.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from bundlectl.base.clock import Clock
from bundlectl.base.digest import sha256_hex
from bundlectl.base.files import locked, make_private_folder, write_atomic
from bundlectl.git.chain import encode_name
from bundlectl.git.repository import Repository
from bundlectl.model.codec import DocumentError, Members, load_canonical, stored
from bundlectl.model.errors import BundlectlError
from bundlectl.state.run_store import RunStore

SPOOL = "spool"  # folder below the user's state folder
_UNREADABLE = "BND410"
_MAX_FILE = 17 << 20
_SHOWN = 5


class _Waiting(NamedTuple):
    """One manifest that waits: its file, its run, when it was put aside, and the manifest."""

    path: Path
    run_id: str
    at_ms: int
    manifest: dict[str, Any]


class SpooledRuns:
    """The runs of one target over `records`, with a folder for what cannot be recorded there yet."""

    def __init__(self, records: RunStore, folder: Path, clock: Clock, notify: Callable[[str], None]) -> None:
        """`folder` is this target's own; it is made when something has to wait."""
        self._records = records
        self._folder = folder
        self._clock = clock
        self._notify = notify

    @property
    def ref(self) -> str:
        """Full name of the ref that holds the manifests."""
        return self._records.ref

    def append(
        self, manifests: Mapping[str, Mapping[str, Any]], subject: str, *, at_ms: int | None = None
    ) -> str | None:
        """Records manifests by run id, and those that wait before them. None: they wait too, which is said.

        Raises what the store raises when they cannot be kept here either, StateError BND410 for what no store takes.
        """
        with self._turn():
            try:
                # Of one run the older manifest goes first, or is replaced: its outcome is never taken back.
                self._push([one for one in self._waiting() if one.run_id not in manifests])
                done = self._records.append(manifests, subject, at_ms=at_ms)
            except BundlectlError as failure:
                if failure.code == _UNREADABLE:
                    raise
                self._keep(manifests, failure)
                return None
            for run_id in manifests:
                self._path(run_id).unlink(missing_ok=True)
            return done

    def flush(self) -> None:
        """Records what waits. A store that still cannot be written is said, and nothing else."""
        with self._turn():
            waiting = self._waiting()
            try:
                self._push(waiting)
            except BundlectlError as failure:
                self._notify(f"{_runs(one.run_id for one in waiting)} still cannot be recorded: {failure.summary}")

    def read(self, run_id: str) -> dict[str, Any] | None:
        """The manifest of a run; one that waits is newer than what is recorded."""
        found = self._load(self._path(run_id))
        return found.manifest if found is not None else self._records.read(run_id)

    def list(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Manifests, newest first; those that wait before all others. Raises StateError."""
        found = self._records.list(limit)
        for one in self._waiting():
            before = self._records.read(one.run_id)
            if before is not None and before in found:
                found[found.index(before)] = one.manifest
            else:
                found.insert(0, one.manifest)
        return found[:limit]

    def _push(self, waiting: Sequence[_Waiting]) -> None:
        """One commit for each month; a file goes once what it holds is recorded."""
        for _, group in groupby(waiting, key=lambda one: _month(one.at_ms)):
            batch = tuple(group)
            names = _runs(one.run_id for one in batch)
            self._records.append(
                {one.run_id: one.manifest for one in batch}, f"{names}, recorded later", at_ms=batch[0].at_ms
            )
            for one in batch:
                one.path.unlink(missing_ok=True)
            self._notify(f"recorded {names} now, which could not be recorded before")

    def _keep(self, manifests: Mapping[str, Mapping[str, Any]], failure: BundlectlError) -> None:
        now = self._clock.now_ms()
        new = [run_id for run_id in manifests if not self._path(run_id).exists()]
        try:
            make_private_folder(self._folder)
            for run_id, manifest in manifests.items():
                document = {"format": 1, "run": run_id, "at": now, "manifest": dict(manifest)}
                write_atomic(self._path(run_id), stored(document))
        except OSError:
            raise failure from None
        if new:  # of a run that waits already it was said when it began
            self._notify(
                f"{_runs(new)} could not be recorded: {failure.summary}; kept in {self._folder} and recorded by the "
                'next "bundlectl run" or "bundlectl runs"'
            )

    def _waiting(self) -> Sequence[_Waiting]:
        """What waits, oldest first."""
        found = (self._load(path) for path in self._folder.glob("*.json"))
        return sorted((one for one in found if one is not None), key=lambda one: (one.at_ms, one.run_id))

    def _load(self, path: Path) -> _Waiting | None:
        """One file. One that is no record of ours is left where it is, for somebody to look at."""
        try:
            with Members(load_canonical(path.read_bytes(), max_bytes=_MAX_FILE)) as members:
                members.integer("format")
                return _Waiting(path, members.text("run"), members.integer("at"), dict(members.map("manifest")))
        except FileNotFoundError:
            return None
        except (OSError, DocumentError) as error:
            self._notify(f'"{path}" holds a run that could not be recorded, and is unreadable: {error}')
            return None

    def _path(self, run_id: str) -> Path:
        return self._folder / f"{encode_name(run_id)}.json"

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Processes that push what waits take turns, so that none puts an older manifest over a newer one."""
        with ExitStack() as stack:
            if self._folder.is_dir():
                with suppress(OSError):  # read-only: nothing can wait there, and nothing be taken away
                    stack.enter_context(locked(self._folder / "lock"))
            yield


def spooled(
    repository: Repository, bundle: str, target: str, memory: Path, clock: Clock, notify: Callable[[str], None]
) -> SpooledRuns:
    """The runs of a target that are recorded in the repository itself. `memory`: the user's state folder."""
    folder = memory / SPOOL / sha256_hex(str(repository.git_dir).encode("utf-8", "surrogateescape"))
    records = RunStore(repository, bundle, target, clock=clock)
    return SpooledRuns(records, folder / encode_name(bundle) / encode_name(target), clock, notify)


def _month(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y/%m")


def _runs(ids: Iterable[str]) -> str:
    names = list(ids)
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    return f"run {shown}" if len(names) == 1 else f"runs {shown}"
