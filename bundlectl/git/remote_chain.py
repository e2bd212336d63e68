"""The append-only chain of chain.py on a ref of a git remote: ls-remote to look, fetch to read, push to swap.

Called by state for state, runs and code that are kept on a remote. The cache holds the newest commits; older ones are
fetched when somebody walks that far. What a commit holds is the caller's.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from bundlectl.base.clock import Clock, SystemClock
from bundlectl.base.files import locked, make_private_folder
from bundlectl.base.identifiers import random_id
from bundlectl.git.chain import (
    STALE_LOCK_S,
    Committed,
    Conflict,
    Link,
    NewCommit,
    Seen,
    Signs,
    Unknown,
    is_open,
    links,
    write_commit,
)
from bundlectl.git.objects import FULL_ID, read_objects
from bundlectl.git.pack import Item
from bundlectl.git.remote import MAX_FETCHED, Pushed, Remote
from bundlectl.git.remote_cache import tidy
from bundlectl.model.errors import BundlectlError, LeaseHeld, RepositoryError, StateError

_OUTCOME_UNKNOWN = "BND408"

# While another writer holds a lock of the other side, or of this ref: full jitter below a doubling bound, in seconds.
_BUSY_TRIES = 14
_FIRST_BOUND_S, _LARGEST_BOUND_S = 0.05, 2.0

# On a branch: a push of state starts no pipeline.
_NO_PIPELINE = "\n[skip ci]\n"

_DEEPEN = (200, 1000)  # commits more, then everything


class RemoteChain:
    """The commits on one ref of a remote, which need not exist yet."""

    def __init__(
        self,
        remote: Remote,
        ref: Callable[[], str],
        seen: Seen,
        *,
        tips: Callable[[], dict[str, str]] | None = None,
        before_first: Callable[[], None] = lambda: None,
        borrowed: Mapping[str, str] | None = None,
        max_fetched: int = MAX_FETCHED,
        clock: Clock | None = None,
        notify: Callable[[str], None] = lambda text: None,
        signer: Callable[[], Signs] | None = None,
    ) -> None:
        """`ref` gives the name, which the first write may settle (`before_first`). `tips` looks at the remote, and may
        refuse what it finds there; `borrowed` (of git.remote) gives objects that the cache lacks.
        """
        self._remote = remote
        self._name = ref
        self._seen = seen
        self._tips = tips or (lambda: remote.tips([ref()]))
        self._before_first = before_first
        self._borrowed = borrowed
        self._max_fetched = max_fetched
        self._clock = clock or SystemClock()
        self._notify = notify
        self._signer = signer
        self._cache = remote.cache
        self._git = remote.cache.git
        self._known: str | None = None  # newest commit that was read or written here, and is in the cache
        self._jitter = random.Random()  # noqa: S311  # spreads writers out, keeps no secret

    @property
    def ref(self) -> str:
        """Full name of the ref."""
        return self._name()

    def sync(self) -> str | None:
        """Id of the newest commit, which is in the cache then: one exchange, two when it is not there yet."""
        tip = self._tips().get(self.ref)
        if tip is not None and tip != self._cached():
            self._bring()
            tip = self._cached()
            if tip is None:
                raise RepositoryError(f"{self.ref} went away while it was fetched", hint="run it again")
        self._known = tip
        return tip

    def tip(self) -> str | None:
        """The same."""
        return self.sync()

    def bring(self, version: str) -> None:
        """Fetches what is needed to read an older commit of the chain, if it is one."""
        if version == self._known:
            return
        at = self._cached()
        if at is None or not self._cache.has_commit(version) or not self._is_ancestor(version, at):
            at = self.sync()
            if at is not None:
                self.descends(version, at)

    def seen(self) -> str | None:
        """The newest tip that this machine has seen."""
        return self._seen.tip()

    def remember(self, tip: str | None) -> None:
        """Replaces it."""
        self._seen.remember(tip)

    def noticed(self, tip: str | None) -> None:
        """The same: what was only read is remembered too."""
        self._seen.remember(tip)

    def descends(self, older: str, newer: str) -> bool:
        """Whether `newer` grew out of `older`. Fetches the whole history when the cache cannot tell."""
        if self._is_descent(older, newer):
            return True
        if not self._is_shallow():
            return False
        self._fetch("--unshallow")
        return self._is_descent(older, newer)

    def _is_descent(self, older: str, newer: str) -> bool:
        """As far as the cache knows."""
        return all(map(self._cache.has_commit, (older, newer))) and self._is_ancestor(older, newer)

    def append(
        self, expected: str | None, tree: str, message: str, *, items: Sequence[Item] = ()
    ) -> Committed | Conflict | Unknown:
        """Makes a commit of `tree` the tip of the remote's ref if that still is `expected` (None: not there).

        Raises RepositoryError, NotAuthenticated, NotPermitted or Refused for what the remote refuses, LeaseHeld when
        locks of the other side stay in the way.
        """
        if expected is None:
            self._before_first()
        # No two attempts are one commit: a push of what is there already counts as done, whoever put it there.
        message += f"Bundlectl-Write: {random_id()}\n"
        if self.ref.startswith("refs/heads/"):
            message += _NO_PIPELINE
        made = NewCommit(expected, tree, message, tuple(items))
        signer = self._signer() if self._signer is not None else None
        now_ms = self._clock.now_ms()
        return self._swap(Unknown(write_commit(self._cache, made, now_ms, signer, extra_env=self._borrowed), expected))

    def resolve(self, attempt: Unknown) -> Committed | Conflict | Unknown:
        """Finds out what became of an attempt without a report, and makes it again if it did not land.

        Raises StateError BND408 when the remote cannot be asked.
        """
        try:
            tip = self.sync()
        except BundlectlError as error:
            raise StateError(
                f"whether commit {attempt.version} reached {self.ref} is unknown: {error.summary}",
                code=_OUTCOME_UNKNOWN,
                hint="run the command again once the remote answers: it reads what is there before it does anything",
            ) from error
        if tip is not None and (tip == attempt.version or self.descends(attempt.version, tip)):
            return Committed(attempt.version)
        if tip != attempt.expected:
            return Conflict(tip)
        return self._swap(attempt)

    def walk(self, limit: int | None = None) -> Iterator[Link]:
        """The chain from its tip, newest first. Older commits are fetched on the way."""
        start = self._known or self.sync()
        given, deepen = 0, iter((*(f"--deepen={count}" for count in _DEEPEN), "--unshallow"))
        while start is not None and (limit is None or given < limit):
            found = links(self._git, start, None if limit is None else limit - given)
            if found is None:
                raise RepositoryError(f"the history of {self.ref} cannot be read", hint="bundlectl state gc")
            ends = self._shallow()
            cut = found and found[-1].version in ends and (limit is None or given + len(found) < limit)
            yield from found[:-1] if cut else found
            if not cut:
                return
            given += len(found) - 1
            start = found[-1].version
            self._fetch(next(deepen, "--unshallow"))

    def _swap(self, attempt: Unknown) -> Committed | Conflict | Unknown:
        bound = _FIRST_BOUND_S
        pushed = self._push(attempt)
        for _ in range(_BUSY_TRIES):
            if pushed.outcome != "busy":
                break
            if not self._remove_stale_lock(pushed.said):
                self._clock.sleep(self._jitter.uniform(0, bound))
            bound = min(bound * 2, _LARGEST_BOUND_S)
            pushed = self._push(attempt)
        if pushed.outcome == "done":
            self._set_cached(attempt.version)
            return Committed(attempt.version)
        if pushed.outcome == "conflict":
            return self._after_conflict(attempt)
        if pushed.outcome == "unknown":
            return attempt
        if pushed.outcome == "busy":
            raise LeaseHeld(
                f"{self.ref} is locked on the remote: other processes keep changing it, or one was killed",
                detail=pushed.said.strip().splitlines()[-1] if pushed.said.strip() else None,
                hint=f"run the command again; a lock that a killed process left goes by itself after {STALE_LOCK_S} s",
            )
        assert pushed.refusal is not None
        raise pushed.refusal

    def _after_conflict(self, attempt: Unknown) -> Committed | Conflict:
        """Who was faster. It may have been this very attempt: HTTP clients send again what had no answer."""
        tip = self.sync()
        if tip is None or tip == attempt.version:
            return Committed(attempt.version) if tip else Conflict(None)
        # What lies between is here now, unless nothing was known before.
        landed = self._is_ancestor(attempt.version, tip) or (
            attempt.expected is None and self.descends(attempt.version, tip)
        )
        return Committed(attempt.version) if landed else Conflict(tip)

    def _push(self, attempt: Unknown) -> Pushed:
        with self._queue():
            return self._remote.push(self.ref, attempt.version, attempt.expected, borrowed=self._borrowed)

    @contextmanager
    def _queue(self) -> Iterator[None]:
        """Writers to a repository on this machine take turns, which spares them each other's locks."""
        folder = self._far_folder()
        with ExitStack() as stack:
            if folder is not None:
                with suppress(OSError):  # another user's: git's own locks have to do
                    make_private_folder(folder / "bundlectl")
                    stack.enter_context(locked(folder / "bundlectl" / "state.flock"))
            yield

    def _far_folder(self) -> Path | None:
        """The repository of a remote on this machine; None when it is elsewhere, or not there: it is never made."""
        path = self._remote.address.path
        if path is None:
            return None
        folder = path / ".git" if (path / ".git").is_dir() else path
        return folder if (folder / "objects").is_dir() else None

    def _remove_stale_lock(self, said: str) -> bool:
        """Removes the lock file of our ref in a repository on this machine when whoever made it is dead."""
        folder = self._far_folder()
        if folder is None or ".lock" not in said:
            return False
        path = folder / f"{self.ref}.lock"
        try:
            age = self._clock.now_ms() / 1000 - path.stat().st_mtime
        except OSError:
            return False
        if age <= STALE_LOCK_S or is_open(path):
            return False
        path.unlink(missing_ok=True)
        self._notify(f'removed "{path}", which a killed process left {int(age)} s ago')
        return True

    # The cache.

    def _cached(self) -> str | None:
        """What the cache's own ref says: all that it leads to is there."""
        try:
            text = (self._cache.git_dir / self.ref).read_text(encoding="ascii", errors="replace").strip()
            if FULL_ID.fullmatch(text):
                return text
        except OSError:
            pass
        found = read_objects(self._git, [self.ref])[0]
        return found.id if found is not None else None

    def _set_cached(self, version: str) -> None:
        """After a push the cache has what it sent, unless that was borrowed: then the next look fetches it."""
        self._known = None
        if not self._borrowed:
            with self._writing():
                self._git.attempt(["update-ref", "--no-deref", self.ref, version])
            self._known = version

    def _bring(self) -> None:
        """The newest commit alone at first; later whatever lies between, so that descent can be told."""
        self._fetch(*(() if self._cached() is not None or self._seen_is_here() else ("--depth=1",)))

    def _seen_is_here(self) -> bool:
        seen = self._seen.tip()
        return seen is not None and self._cache.has_commit(seen)

    def _fetch(self, *depth: str) -> None:
        with self._writing():
            self._remote.fetch(self.ref, depth=depth, max_bytes=self._max_fetched)
            tidy(self._cache)

    def _writing(self) -> AbstractContextManager[None]:
        """Processes of this machine share the cache; git's own locks would make them fail, not wait."""
        return locked(self._cache.git_dir / "bundlectl.flock")

    def _is_ancestor(self, older: str, newer: str) -> bool:
        return self._cache.is_ancestor(older, newer)

    def _shallow(self) -> frozenset[str]:
        """Commits whose parents were not fetched."""
        try:
            return frozenset((self._cache.git_dir / "shallow").read_text(encoding="ascii", errors="replace").split())
        except OSError:
            return frozenset()

    def _is_shallow(self) -> bool:
        return bool(self._shallow())
