"""The repository a command works in: where it is, what HEAD is, which commit a ref means, how commits are related.

Made by `discover` with one process. GitPython answers the cold questions; it is imported only inside the methods
that ask it, and every process it wants is started by git.command, with the scrubbed environment.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bundlectl.base.process import Completed
from bundlectl.base.suggest import nearest
from bundlectl.git.command import Git, complaint
from bundlectl.git.config_file import NotPlain, origin_in, without_credentials
from bundlectl.git.refs import check_ref
from bundlectl.model.errors import RepositoryError

_NOT_A_REPOSITORY, _DAMAGED, _UNKNOWN, _AMBIGUOUS, _NOT_A_COMMIT, _OWNERSHIP = (
    "BND601", "BND602", "BND604", "BND605", "BND607", "BND610",
)  # fmt: skip

_QUESTIONS = (
    "--is-bare-repository",
    "--is-inside-work-tree",
    "--show-object-format",
    "--absolute-git-dir",
    "--git-common-dir",
    "--show-prefix",
    "--show-cdup",  # prints nothing outside a working tree
    "HEAD",
    "HEAD^{tree}",
    "--symbolic-full-name",
    "HEAD",
    "--",
)
_FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT_ID = re.compile(r"[0-9a-f]{4,64}")

# File or folder in the git folder -> what is going on.
_OPERATIONS = {
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisect",
}


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository as one command sees it; HEAD is what it was when the command began."""

    top: Path  # of the working tree; the repository itself when it is bare
    git_dir: Path  # shared by all working trees: objects and refs
    private_dir: Path  # of this working tree: HEAD and index
    git: Git
    algorithm: str  # of object ids: sha1 or sha256
    head_commit: str | None  # None before the first commit
    head_tree: str | None
    head_ref: str | None  # refs/heads/main; None when detached
    bare: bool
    prefix: str  # where the command started, below top: "a/b", "" at top
    _settings: dict[str, bool] = field(default_factory=dict, repr=False, compare=False)

    def resolve(self, ref: str) -> str:
        """The id of the one commit that `ref` names.

        Raises RepositoryError: BND604 unknown, BND605 ambiguous, BND606 not the form of a commit, BND607 not a commit.
        """
        check_ref(ref)
        if ref in ("HEAD", "@"):
            if self.head_commit is None:
                raise no_commit()
            return self.head_commit
        done = self.git.attempt(["rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}"])
        if done.code == 0:
            commit = done.stdout.decode("ascii").strip()
            if b"ambiguous" in done.stderr:
                self._refuse_two_meanings(ref)
            return commit
        raise self._why_not(ref, done)

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether commit `older` is `newer` or one of its ancestors. Raises RepositoryError when either is missing."""
        if older == newer:
            return True
        arguments = ["merge-base", "--is-ancestor", older, newer]
        done = self.git.attempt(arguments)
        if done.code not in (0, 1):
            raise RepositoryError(f"cannot compare {older[:12]} with {newer[:12]}: {complaint(done)}", code="BND608")
        return done.code == 0

    def merge_base(self, one: str, other: str) -> str:
        """The commit from which two commits went apart. Raises RepositoryError BND608 when none is here."""
        done = self.git.attempt(["merge-base", one, other])
        if done.code == 0:
            return done.stdout.decode("ascii").split("\n")[0]
        if done.code != 1:
            raise RepositoryError(f"cannot compare {one[:12]} with {other[:12]}: {complaint(done)}", code="BND608")
        missing = f"{one[:7]} and {other[:7]} have no common ancestor"
        try:
            ends = (self.git_dir / "shallow").read_text(encoding="ascii", errors="replace").split()
        except OSError:
            raise RepositoryError(missing, code="BND608", hint="compare the two themselves: A..B") from None
        raise RepositoryError(
            f"history ends at {ends[0][:12] if ends else 'a shallow commit'}",
            code="BND608",
            detail=f"{missing} in this clone",
            hint="fetch the whole history: git fetch --unshallow; in CI fetch-depth: 0",
        )

    def has_commit(self, commit: str) -> bool:
        """Whether the repository holds this commit; a shallow clone may not."""
        return self.git.attempt(["cat-file", "-e", f"{commit}^{{commit}}"]).code == 0

    def commits_between(self, older: str, newer: str) -> int | None:
        """How many commits `newer` has that `older` has not; None when one of them is not here. Loads GitPython."""
        if older == newer:
            return 0
        if not (self.has_commit(older) and self.has_commit(newer)):
            return None
        return int(self._python().rev_list(f"{older}..{newer}", count=True))

    def subject(self, commit: str) -> str:
        """First line of a commit's message. Raises RepositoryError when it is not here. Loads GitPython."""
        if not self.has_commit(commit):
            raise RepositoryError(f"commit {commit} is missing from the repository", hint="git fetch --unshallow")
        return str(self._python().rev_list(commit, no_commit_header=True, max_count=1, format="%s"))

    def default_branch(self, remote: str) -> str | None:
        """The branch that a remote offers first, as this clone knows it (`refs/remotes/origin/main`); else None."""
        prefix = f"refs/remotes/{remote}"
        head = self.git.attempt(["symbolic-ref", "--quiet", f"{prefix}/HEAD"])
        if head.code == 0:
            return head.stdout.decode("utf-8", "replace").strip()
        # A clone of one branch, as CI makes it, has no HEAD of the remote.
        listed = self._lines(["for-each-ref", "--format=%(refname)", f"{prefix}/main", f"{prefix}/master"])
        return listed[0] if listed else None

    def origin_url(self) -> str | None:
        """Address of the remote `origin` without user, password and query; None when there is none."""
        try:
            text = (self.git_dir / "config").read_text(encoding="utf-8", errors="replace")
            url = origin_in(text)
        except OSError:
            return None
        except NotPlain:
            answer = self.git.attempt(["config", "--get", "remote.origin.url"]).stdout
            url = answer.decode("utf-8", "replace").rstrip("\n") or None
        return without_credentials(url) if url else None

    def remote_urls(self, name: str) -> tuple[str | None, str | None]:
        """Where a configured remote is read, and where it is pushed to when that is another place. As configured.

        `name` has the form of a remote's name.
        """
        done = self.git.attempt(["config", "-z", "--get-regexp", f"^remote\\.{re.escape(name)}\\.(push)?url$"])
        found: dict[str, str] = {}
        for entry in done.stdout.decode("utf-8", "replace").split("\0"):
            key, _, value = entry.partition("\n")
            if value:
                found.setdefault(key.rpartition(".")[2], value)
        return found.get("url"), found.get("pushurl")

    def setting_for_url(self, name: str, url: str) -> str | None:
        """A setting of git that depends on the address, as `http.extraHeader`; None when it is not set."""
        done = self.git.attempt(["config", "--get-urlmatch", name, url])
        return done.stdout.decode("utf-8", "replace").rstrip("\n") or None if done.code == 0 else None

    def has_object(self, name: str) -> bool:
        """Whether the repository holds an object of this id."""
        return self.git.attempt(["cat-file", "-e", name]).code == 0

    def operation_in_progress(self) -> str | None:
        """`rebase`, `merge`, `cherry-pick`, `revert` or `bisect` when one is unfinished in this working tree."""
        return next((what for name, what in _OPERATIONS.items() if (self.private_dir / name).exists()), None)

    def setting(self, name: str, *, default: bool) -> bool:
        """A yes-or-no setting of the user's git. Asked once: a process."""
        if name not in self._settings:
            done = self.git.attempt(["config", "--type=bool", "--get", name])
            self._settings[name] = done.stdout.strip() == b"true" if done.code == 0 else default
        return self._settings[name]

    def _refuse_two_meanings(self, ref: str) -> None:
        """A branch and a tag of one name are fine while they mean the same commit."""
        name = re.sub(r"[~^].*", "", ref)
        names = [f"{kind}/{name}" for kind in ("refs/heads", "refs/tags", "refs/remotes")]
        listed = self._lines(["for-each-ref", "--format=%(refname) %(objectname) %(*objectname)", *names])
        meanings = {words[-1]: words[0] for words in (line.split() for line in listed)}
        if len(meanings) > 1:
            raise RepositoryError(
                f'"{name}" names several commits: ' + ", ".join(f"{full} {id[:12]}" for id, full in meanings.items()),
                code=_AMBIGUOUS,
                hint="write it in full: " + " or ".join(meanings.values()),
            )

    def _why_not(self, ref: str, done: Completed) -> RepositoryError:
        if _SHORT_ID.fullmatch(ref) and not _FULL_ID.fullmatch(ref):
            commits = self._commits_like(ref)
            if len(commits) > 1:
                shown = ", ".join(commit[: len(ref) + 4] for commit in commits)
                return RepositoryError(
                    f'"{ref}" names several commits: {shown}', code=_AMBIGUOUS, hint="write more digits"
                )
        kind = self.git.attempt(["cat-file", "-t", ref]).stdout.decode("ascii", "replace").strip()
        if kind in ("tree", "blob"):
            what = "tree" if kind == "tree" else "file"
            return RepositoryError(f'"{ref}" is a {what}, not a commit', code=_NOT_A_COMMIT)
        names = self._lines(["for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads", "refs/tags", "refs/remotes"])
        near = nearest(ref, names)
        return RepositoryError(
            f'unknown ref "{ref}"' + (f'; did you mean "{near}"?' if near else ""),
            code=_UNKNOWN,
            detail=None if _FULL_ID.fullmatch(ref) is None else complaint(done),
            hint="git branch --all, git tag --list; a shallow clone may lack it: git fetch --unshallow",
        )

    def _commits_like(self, prefix: str) -> list[str]:
        ids = self._lines(["rev-parse", f"--disambiguate={prefix}"])
        checked = self.git.run(["cat-file", "--batch-check"], stdin="".join(f"{one}\n" for one in ids).encode("ascii"))
        return [line.split()[0] for line in checked.decode("ascii").splitlines() if line.split()[1:2] == ["commit"]]

    def _lines(self, arguments: Sequence[str]) -> list[str]:
        return self.git.run(arguments).decode("utf-8", "replace").splitlines()

    def _python(self) -> Any:
        """Git through GitPython's command object; what it would start, git.command starts.

        GitPython adds to the whole environment of this process and cannot take away, and its Repo reads GIT_DIR and
        GIT_OBJECT_DIRECTORY from it: neither may decide which repository is read (security 4).
        """
        import git

        runner = self.git

        class ScrubbedGit(git.Git):
            def execute(self, command: Any, *_: Any, **options: Any) -> Any:
                done = runner.attempt(list(command)[1:])
                if done.code != 0 and options.get("with_exceptions", True):
                    raise git.GitCommandError(list(command), done.code, done.stderr, done.stdout)
                return done.stdout.decode("utf-8", "replace").rstrip("\n")

        return ScrubbedGit(str(self.top))


def discover(start: Path, environment: Mapping[str, str]) -> Repository:
    """The repository that holds `start`.

    Raises RepositoryError: BND601 not a repository, BND610 it belongs to another user, BND602 damaged.
    """
    if not start.is_dir():
        raise RepositoryError(f'no such folder: "{start}"', code=_NOT_A_REPOSITORY)
    git = Git(start, environment)
    done = git.attempt(["rev-parse", *_QUESTIONS])
    any_bare = done.code != 0 and b"cannot use bare repository" in done.stderr
    if any_bare:
        git = Git(start, environment, any_bare=True)
        done = git.attempt(["rev-parse", *_QUESTIONS])
    lines = done.stdout.decode("utf-8", "surrogateescape").split("\n")
    if len(lines) < 6:
        raise _unusable(start, done)
    bare, inside = lines[0] == "true", lines[1] == "true"
    if not bare and not inside:
        raise RepositoryError(
            f'not in a working tree: "{start}" is inside the folder that git keeps for itself',
            code=_NOT_A_REPOSITORY,
            hint="go to the files of the repository",
        )
    private, common = Path(lines[3]), (start / lines[4]).resolve()
    top = private if bare else (start / lines[6]).resolve()
    head = [line for line in lines[7 if inside else 6 :] if line]
    if len(head) not in (0, 1, 4) or (head and not _FULL_ID.fullmatch(head[0])):
        raise RepositoryError(f'the path of the repository at "{start}" holds a line break', code=_DAMAGED)
    commit, tree, ref = _head(head, private, common, done)
    return Repository(
        top=top,
        git_dir=common,
        private_dir=private,
        git=Git(top, environment, git_dir=common if bare else None, any_bare=any_bare),
        algorithm=lines[2],
        head_commit=commit,
        head_tree=tree,
        head_ref=ref,
        bare=bare,
        prefix=lines[5].rstrip("/"),
    )


def no_commit() -> RepositoryError:
    """The error for whatever needs HEAD before there is one."""
    return RepositoryError(
        "no commit yet", code="BND603", hint='commit the bundle first: git add -A && git commit -m "first version"'
    )


def _head(lines: list[str], private: Path, common: Path, done: Completed) -> tuple[str | None, str | None, str | None]:
    """Commit, tree and ref of HEAD; all but the ref are None before the first commit."""
    if done.code == 0:
        return lines[0], lines[1], None if lines[2] == "HEAD" else lines[2]
    if lines:
        raise RepositoryError(f"commit {lines[0]} of HEAD cannot be read", code=_DAMAGED, hint="git fsck")
    try:
        text = (private / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        text = ""
    ref = text.removeprefix("ref: ") if text.startswith("ref: ") else None
    if ref is None or (common / ref).exists():
        raise RepositoryError(f"HEAD cannot be read: {complaint(done)}", code=_DAMAGED, hint="git fsck")
    return None, None, ref


def _unusable(start: Path, done: Completed) -> RepositoryError:
    said = complaint(done)
    if "not a git repository" in said:
        return RepositoryError(
            "not a git repository",
            code=_NOT_A_REPOSITORY,
            detail=f'neither "{start}" nor a folder above it has one',
            hint="git init, or go to the repository",
        )
    whole = done.stderr.decode("utf-8", "backslashreplace")
    if "dubious ownership" in whole:
        command = next((line.strip() for line in whole.splitlines() if "safe.directory" in line), None)
        return RepositoryError(
            "repository belongs to another user",
            code=_OWNERSHIP,
            detail=said,
            hint=f"if you trust it: {command}" if command else "see safe.directory in git help config",
        )
    return RepositoryError(f"the repository cannot be read: {said}", code=_DAMAGED, hint="git fsck")
