"""An append-only chain of commits on one ref, advanced only by compare-and-swap.

The mechanism under state, runs and code: they say what a commit holds, this says how it gets there. Nothing is ever
rewritten; a conflict is reported, never resolved here.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from bundlectl.base.clock import Clock, SystemClock
from bundlectl.base.digest import sha256_hex
from bundlectl.base.files import locked, make_private_folder, write_atomic
from bundlectl.base.process import Completed
from bundlectl.git.command import Git, GitTimeout, complaint
from bundlectl.git.objects import read_objects
from bundlectl.git.pack import DURABLE, Item, item, write_items
from bundlectl.git.repository import Repository
from bundlectl.model.errors import LeaseHeld, RepositoryError

_AUTHOR = "bundlectl <bundlectl@localhost>"
_FILE_SYSTEM = "BND623"

# A lock file of git's that is older than this, and that no process has open, was left by one that was killed.
STALE_LOCK_S = 60

# Another git, such as the child of a writer that was killed a moment ago, is given this long to finish.
_LOCK_WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8)
_LOCK_EXISTS = b".lock': File exists"

_WALK = ("rev-list", "--first-parent", "--no-commit-header", "--format=%H %T %P%n%B%x00")

_MAX_NAME = 200
_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


class Committed(NamedTuple):
    """The ref now holds this commit."""

    version: str


class Conflict(NamedTuple):
    """Somebody else's commit is the tip; nothing was changed. None: the ref is gone."""

    tip: str | None


class Unknown(NamedTuple):
    """No report came back: the commit may be the tip. To be given to `resolve`, never taken for a failure."""

    version: str
    expected: str | None


class Link(NamedTuple):
    """One commit of a chain."""

    version: str
    parents: tuple[str, ...]
    tree: str
    message: str


class NewCommit(NamedTuple):
    """A commit of ours before it is made."""

    parent: str | None
    tree: str
    message: str
    items: tuple[Item, ...]  # objects of the tree that are new


class Signs(Protocol):
    """Who signs commits: git.signing."""

    @property
    def wanted(self) -> bool:
        """Whether commits are to be signed, as far as that can be done."""
        ...

    def commit(self, parent: str | None, tree: str, message: str, *, author: str, now_ms: int) -> str | None:
        """Id of a signed commit over a tree that is here; None: it is written unsigned. Raises Refused."""
        ...

    def refuse_unsigned(self, commit: str, ref: str) -> None:
        """Raises Refused for a commit without a signature, if one is demanded."""
        ...


def encode_name(text: str) -> str:
    """Any text as one component of a ref, or a file name: never an option, a path or a `.lock`.

    `A-Z a-z 0-9 _ -` stay, every other byte of UTF-8 is `%XX`, and so is a leading `-`. Over 200 bytes: the first
    150 and `%` with 40 hex digits of the sha256.
    """
    raw = text.encode("utf-8")
    encoded = "".join(
        chr(byte) if byte in _PLAIN and not (at == 0 and byte == 0x2D) else f"%{byte:02X}"
        for at, byte in enumerate(raw)
    )
    if len(encoded) <= _MAX_NAME:
        return encoded
    return f"{encoded[:150]}%{sha256_hex(raw)[:40]}"


class AnyChain(Protocol):
    """What state, runs and code need of a chain, wherever it is kept."""

    @property
    def ref(self) -> str: ...

    def sync(self) -> str | None:
        """Makes the newest commit readable here; how to name it. None: there is none for certain."""
        ...

    def bring(self, version: str) -> None:
        """Makes an older commit of the chain readable here, as far as it can be had."""
        ...

    def tip(self) -> str | None: ...

    def append(
        self, expected: str | None, tree: str, message: str, *, items: Sequence[Item] = ()
    ) -> Committed | Conflict | Unknown: ...

    def resolve(self, attempt: Unknown) -> Committed | Conflict | Unknown: ...

    def walk(self, limit: int | None = None) -> Iterator[Link]: ...

    def seen(self) -> str | None:
        """The newest tip that this machine has seen before; None when it has no memory of this chain."""
        ...

    def remember(self, tip: str | None) -> None:
        """Replaces that memory, after a write or an acceptance. None forgets."""
        ...

    def noticed(self, tip: str | None) -> None:
        """The same after a mere look."""
        ...

    def descends(self, older: str, newer: str) -> bool:
        """Whether commit `newer` is `older` or grew out of it."""
        ...


class Seen:
    """The newest tip of one chain that this machine has seen, in a file: what a later one must descend from."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def tip(self) -> str | None:
        """What is remembered; None when nothing is, or when the file cannot be read."""
        try:
            text = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return text if _OBJECT_ID.fullmatch(text) else None

    def remember(self, tip: str | None) -> None:
        """Replaces it. A folder that cannot be written leaves this machine without a memory, and nothing else."""
        try:
            if tip is None:
                self._path.unlink(missing_ok=True)
            else:
                make_private_folder(self._path.parent)
                write_atomic(self._path, f"{tip}\n".encode("ascii"))
        except OSError:
            return


class Chain:
    """The commits on `ref` of one repository, which need not exist yet."""

    def __init__(
        self,
        repository: Repository,
        ref: str,
        *,
        clock: Clock | None = None,
        notify: Callable[[str], None] = lambda text: None,
        signer: Callable[[], Signs] | None = None,
    ) -> None:
        self.ref = ref
        self._signer = signer
        self._repository = repository
        self._git = repository.git
        self._clock = clock or SystemClock()
        self._notify = notify
        self._seen = Seen(repository.git_dir / "bundlectl" / "seen" / encode_name(ref))

    def sync(self) -> str | None:
        """The ref itself: whatever it leads to is here."""
        return self.ref

    def bring(self, version: str) -> None:
        """Nothing: everything is here."""

    def seen(self) -> str | None:
        """The tip that was written last from here."""
        return self._seen.tip()

    def remember(self, tip: str | None) -> None:
        """Replaces it."""
        self._seen.remember(tip)

    def noticed(self, tip: str | None) -> None:
        """Nothing: looking at a repository changes nothing in it."""

    def descends(self, older: str, newer: str) -> bool:
        """Whether `newer` grew out of `older`; not, when one of them is gone."""
        return all(map(self._repository.has_commit, (older, newer))) and self._repository.is_ancestor(older, newer)

    def tip(self) -> str | None:
        """Id of the newest commit; None when there is none. Raises RepositoryError."""
        for _ in range(2):  # the first commit may be made between the two questions
            found = read_objects(self._git, [self.ref])[0]
            if found is not None:
                return found.id
            if not self._exists():
                return None
        raise RepositoryError(f"{self.ref} is damaged: it does not lead to a commit", hint="git fsck")

    def append(
        self, expected: str | None, tree: str, message: str, *, items: Sequence[Item] = ()
    ) -> Committed | Conflict | Unknown:
        """Makes a commit of `tree` the tip if the tip still is `expected` (None: no commit yet).

        `items` are the objects of the tree that are new. Raises RepositoryError when nothing could be written,
        LeaseHeld when a lock file of git's is in the way.
        """
        signer = self._signer() if self._signer is not None else None
        made = NewCommit(expected, tree, message, tuple(items))
        return self._swap(Unknown(write_commit(self._repository, made, self._clock.now_ms(), signer), expected))

    def resolve(self, attempt: Unknown) -> Committed | Conflict | Unknown:
        """Finds out what became of an attempt without a report, and makes it again if it did not land."""
        tip = self.tip()
        if tip is not None and (tip == attempt.version or self._repository.is_ancestor(attempt.version, tip)):
            return Committed(attempt.version)
        if tip != attempt.expected:
            return Conflict(tip)
        return self._swap(attempt)

    def walk(self, limit: int | None = None) -> Iterator[Link]:
        """The chain from its tip, newest first."""
        found = links(self._git, self.ref, limit)
        if found is None:
            tip = self.tip()
            if tip is None:
                return
            found = links(self._git, tip, limit)  # the first commit was made meanwhile
            if found is None:
                raise RepositoryError(f"the history of {self.ref} cannot be read", hint="git fsck")
        yield from found

    def _swap(self, attempt: Unknown) -> Committed | Conflict | Unknown:
        try:
            folder = self._repository.git_dir / "bundlectl"
            make_private_folder(folder)
            with locked(folder / "state.flock"):
                return self._swap_locked(attempt)
        except OSError as error:
            raise RepositoryError(
                f'cannot write to the repository "{self._repository.git_dir}": {error.strerror or error}',
                code=_FILE_SYSTEM,
                hint="make room, or make it writable",
            ) from error

    def _swap_locked(self, attempt: Unknown) -> Committed | Conflict | Unknown:
        try:
            done = self._update_ref(attempt)
            for wait in _LOCK_WAITS_S:
                if _LOCK_EXISTS not in done.stderr:
                    break
                if not self._remove_stale_lock():
                    self._clock.sleep(wait)
                done = self._update_ref(attempt)
        except GitTimeout:
            return attempt
        if done.code == 0:
            return Committed(attempt.version)
        if done.code < 0:
            return attempt  # killed: the ref may or may not have moved
        said = done.stderr
        if b"but expected" in said or b"reference already exists" in said or b"unable to resolve reference" in said:
            return Conflict(self.tip())
        if _LOCK_EXISTS in said:
            raise LeaseHeld(
                f'the file "{self._lock_file()}" is in the way: another process is changing {self.ref}, or was killed',
                hint=f"if no git process runs, it goes by itself after {STALE_LOCK_S} s: run the command again then",
            )
        raise RepositoryError(f"cannot move {self.ref}: {complaint(done)}", hint="git fsck")

    def _update_ref(self, attempt: Unknown) -> Completed:
        none = "0" * len(attempt.version)
        return self._git.attempt(
            [*DURABLE, "update-ref", "--no-deref", self.ref, attempt.version, attempt.expected or none]
        )

    def _lock_file(self) -> Path:
        return self._repository.git_dir / f"{self.ref}.lock"

    def _remove_stale_lock(self) -> bool:
        """Removes the lock file of our ref when whoever made it is dead. Our flock is held, so nobody of ours lives."""
        path = self._lock_file()
        try:
            age = self._clock.now_ms() / 1000 - path.stat().st_mtime
        except FileNotFoundError:
            return True  # its owner has finished meanwhile
        if age <= STALE_LOCK_S or is_open(path):
            return False
        path.unlink(missing_ok=True)
        self._notify(f'removed "{path}", which a killed process left {int(age)} s ago')
        return True

    def _exists(self) -> bool:
        """Whether there is a ref, also one that leads nowhere: that is damage, and no fresh start."""
        done = self._git.attempt(["for-each-ref", "--format=%(objectname)", self.ref])
        listed = bool(done.stdout.strip()) or done.code != 0 or b"broken ref" in done.stderr
        return listed or (self._repository.git_dir / self.ref).exists()


def commit_item(parent: str | None, tree: str, message: str, now_ms: int, algorithm: str) -> Item:
    """A commit of ours, on its way into a repository."""
    when = f"{now_ms // 1000} +0000"
    parents = f"parent {parent}\n" if parent else ""
    text = f"tree {tree}\n{parents}author {_AUTHOR} {when}\ncommitter {_AUTHOR} {when}\n\n{message}"
    return item("commit", text.encode("utf-8", "backslashreplace"), algorithm)


def write_commit(
    repository: Repository,
    made: NewCommit,
    now_ms: int,
    signer: Signs | None,
    *,
    extra_env: Mapping[str, str] | None = None,
) -> str:
    """Puts a commit of ours into a repository with what is new in it; its id. Raises RepositoryError, Refused."""
    if signer is not None and signer.wanted:
        write_items(repository.git, made.items, repository.algorithm, extra_env=extra_env)
        signed = signer.commit(made.parent, made.tree, made.message, author=_AUTHOR, now_ms=now_ms)
        if signed is not None:
            return signed
        made = made._replace(items=())
    commit = commit_item(made.parent, made.tree, made.message, now_ms, repository.algorithm)
    write_items(repository.git, [*made.items, commit], repository.algorithm, extra_env=extra_env)
    return commit.id


def links(git: Git, start: str, limit: int | None) -> list[Link] | None:
    """Commits of a chain from `start` on, newest first; None when `start` leads to none."""
    count = [f"--max-count={limit}"] if limit is not None else []
    done = git.attempt([*_WALK, *count, start, "--"])
    if done.code != 0:
        return None
    found = []
    for record in done.stdout.decode("utf-8", "replace").split("\0\n"):
        if record:
            head, _, message = record.partition("\n")
            version, tree, *parents = head.split()
            found.append(Link(version, tuple(parents), tree, message))
    return found


def is_open(path: Path) -> bool:
    """Whether a process has the file open, as far as this system tells."""
    target = os.path.realpath(path)
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            with os.scandir(folder) as descriptors:
                if any(os.readlink(descriptor.path) == target for descriptor in descriptors):
                    return True
        except OSError:
            continue  # ended meanwhile, or of another user
    return False
