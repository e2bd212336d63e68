"""Run manifests on a ref of their own: one folder per run, appended before it starts and replaced once at its end.

Called by operations. Not on the state ref, so that runs and deploys do not get in each other's way. No two runs touch
one file, so a conflict is put on top of whoever was faster without looking at content.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bundlectl.base.clock import Clock, SystemClock, parse_rfc3339
from bundlectl.git.chain import AnyChain, Chain, Committed, Unknown, encode_name
from bundlectl.git.command import GitOutputTooLarge
from bundlectl.git.objects import GitObject, edit_tree, read_objects
from bundlectl.git.pack import parse_tree
from bundlectl.git.repository import Repository
from bundlectl.model.codec import DocumentError, load_canonical, stored
from bundlectl.model.errors import RepositoryError, StateError

_MAX_MANIFEST = 16 << 20
_MAX_READ = 200 << 20
_APPEND_TRIES = 50
_FIRST_WAIT_S = 0.01
_READ_BATCH = 100
_FORMAT = 1


class RunStore:
    """Run manifests of one target: in `repository` on a ref of their own, or wherever `chain` keeps them."""

    def __init__(
        self,
        repository: Repository,
        bundle: str,
        target: str,
        *,
        chain: AnyChain | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._repository = repository
        self._git = repository.git
        self._clock = clock or SystemClock()
        ref = f"refs/bundlectl/runs/{encode_name(bundle)}/{encode_name(target)}"
        self._chain: AnyChain = chain or Chain(repository, ref, clock=self._clock)

    @property
    def ref(self) -> str:
        """Full name of the ref that holds the manifests."""
        return self._chain.ref

    def append(self, manifests: Mapping[str, Mapping[str, Any]], subject: str, *, at_ms: int | None = None) -> str:
        """Records manifests by run id in one commit, and returns it. One that is there already is replaced.

        A new run goes to the month of `at_ms`, else of the manifest's `queued` or start, else of now. Raises
        RepositoryError when it cannot be written; the run itself is not affected.
        """
        data = {run_id: stored(dict(manifest)) for run_id, manifest in manifests.items()}
        for run_id, content in data.items():
            if len(content) > _MAX_MANIFEST:
                raise StateError(f'the manifest of run "{run_id}" has more than {_MAX_MANIFEST} bytes', code="BND410")
        line = subject.replace("\n", " ")[:200]
        message = f"{line}\n\nBundlectl-Format: {_FORMAT}\n"
        wait = _FIRST_WAIT_S
        for _ in range(_APPEND_TRIES):
            tip = self._chain.tip()
            files: dict[str, bytes | None] = {
                f"{self._folder(tip, run_id, manifests[run_id], at_ms)}/manifest.json": content
                for run_id, content in data.items()
            }
            tree, items = edit_tree(self._git, tip, files, self._repository.algorithm)
            done = self._chain.append(tip, tree, message, items=items)
            if isinstance(done, Unknown):
                done = self._chain.resolve(done)
            if isinstance(done, Committed):
                return done.version
            self._clock.sleep(wait)
            wait = min(wait * 2, 0.5)
        raise RepositoryError(f"{self.ref} could not be advanced: others keep changing it", hint="run it again")

    def read(self, run_id: str) -> dict[str, Any] | None:
        """The manifest of a run; None when it is not recorded here. Raises StateError when it is unreadable."""
        tip = self._chain.tip()
        if tip is None:
            return None
        names = [f"{tip}:{month}/{encode_name(run_id)}/manifest.json" for month in self._months(tip)]
        return next((self._decode(tip, name, blob) for name, blob in self._manifests(tip, names)), None)

    def list(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Manifests, newest month and highest run id first. Raises StateError."""
        tip = self._chain.tip()
        if tip is None:
            return []
        found: list[dict[str, Any]] = []
        for month in self._months(tip):
            runs = sorted(self._names(tip, month), key=_by_run, reverse=True)
            for at in range(0, len(runs), _READ_BATCH):
                names = [f"{tip}:{month}/{run}/manifest.json" for run in runs[at : at + _READ_BATCH]]
                found += [self._decode(tip, name, blob) for name, blob in self._manifests(tip, names)]
                if limit is not None and len(found) >= limit:
                    return found[:limit]
        return found

    def _folder(self, tip: str | None, run_id: str, manifest: Mapping[str, Any], at_ms: int | None) -> str:
        """Where a run is kept: where it is already, else in the month that it belongs to."""
        name = encode_name(run_id)
        month = self._month(manifest, at_ms)
        if tip is not None:
            months = self._months(tip)
            found = read_objects(self._git, [f"{tip}:{one}/{name}" for one in months], max_output=_MAX_READ)
            month = next((one for one, tree in zip(months, found, strict=True) if tree is not None), month)
        return f"{month}/{name}"

    def _month(self, manifest: Mapping[str, Any], at_ms: int | None) -> str:
        outcome = manifest.get("outcome")
        places = [manifest, outcome] if isinstance(outcome, Mapping) else [manifest]
        for place in places:
            for member in ("queued", "started"):
                text = place.get(member)
                if at_ms is None and isinstance(text, str):
                    at_ms = _moment(text)
        moment = datetime.fromtimestamp((self._clock.now_ms() if at_ms is None else at_ms) / 1000, UTC)
        return moment.strftime("%Y/%m")

    def _months(self, tip: str) -> Sequence[str]:
        """`YYYY/MM`, newest first."""
        years = sorted(self._names(tip, ""), reverse=True)
        return [f"{year}/{month}" for year in years for month in sorted(self._names(tip, year), reverse=True)]

    def _names(self, tip: str, folder: str) -> Sequence[str]:
        tree = read_objects(self._git, [f"{tip}:{folder}"], max_output=_MAX_READ)[0]
        if tree is None or tree.kind != "tree":
            return []
        try:
            names = parse_tree(tree.data, self._repository.algorithm)
        except ValueError as error:
            raise _unreadable(tip, f'folder "{folder}": {error}') from None
        return [name.decode("utf-8", "replace") for name, node in names.items() if node.mode == "40000"]

    def _manifests(self, tip: str, names: Sequence[str]) -> Iterator[tuple[str, GitObject]]:
        try:
            found = read_objects(self._git, names, max_output=_MAX_READ)
        except GitOutputTooLarge:
            raise _unreadable(tip, f"more than {_MAX_READ} bytes of manifests") from None
        return ((name, blob) for name, blob in zip(names, found, strict=True) if blob is not None)

    def _decode(self, tip: str, name: str, blob: GitObject) -> dict[str, Any]:
        path = name.partition(":")[2]
        try:
            document = load_canonical(blob.data, max_bytes=_MAX_MANIFEST)
        except DocumentError as error:
            raise _unreadable(tip, f"{path}: {error}") from None
        if not isinstance(document, dict):
            raise _unreadable(tip, f"{path}: expected a map")
        return document


def _by_run(name: str) -> tuple[int, str]:
    """Numbers sort by value: run 10 comes after run 9."""
    return (int(name), "") if name.isdecimal() and len(name) < 30 else (-1, name)


def _moment(text: str) -> int | None:
    try:
        return parse_rfc3339(text)
    except ValueError:
        return None


def _unreadable(version: str, problem: str) -> StateError:
    return StateError(f"runs commit {version} is unreadable: {problem}", code="BND410", hint="git fsck")
