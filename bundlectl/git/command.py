"""Runs git: fixed arguments, scrubbed environment, neutral settings, limits; failures become errors (security 4).

Called by the other modules of this package and by nobody else. What may be an argument is decided by the callers;
nothing here knows refs, objects or trees.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bundlectl.base import process
from bundlectl.base.process import Completed
from bundlectl.model.errors import RepositoryError

# What git may see of the invoker's environment. Every GIT_* is dropped: GIT_DIR, GIT_CONFIG_COUNT and their like
# would make it read another repository or run what they name. Nothing here opens a connection, so neither the
# proxy nor the credential variables are needed.
_KEPT = ("HOME", "PATH", "USER", "LOGNAME", "XDG_CONFIG_HOME", "TMPDIR", "SYSTEMROOT")

_SET = {
    "LC_ALL": "C.UTF-8",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",  # looking never refreshes the user's index
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",  # an id means the object of that id
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_PAGER": "cat",
}

# Given on every call, so that no setting of a repository runs anything. Never written to its configuration.
NEUTRAL = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "core.attributesFile=/dev/null",
    "-c", "core.warnAmbiguousRefs=true",
    "-c", "i18n.logOutputEncoding=UTF-8",
    "-c", "protocol.allow=never",
    "-c", "submodule.recurse=false",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
)  # fmt: skip
_EXPLICIT_BARE = ("-c", "safe.bareRepository=explicit")
_ANY_BARE = ("-c", "safe.bareRepository=all")

TIMEOUT_S = 120.0
MAX_OUTPUT = 1 << 30


class Git:
    """Git in one repository. `top` is the folder it runs in; a bare repository also has its `git_dir` named."""

    def __init__(
        self, top: Path, environment: Mapping[str, str], *, git_dir: Path | None = None, any_bare: bool = False
    ) -> None:
        self.top = top
        self.environment = scrubbed(environment)
        where = (f"--git-dir={git_dir}",) if git_dir else ()
        self._prefix = ("git", "-C", str(top), *where, *(_ANY_BARE if any_bare else _EXPLICIT_BARE), *NEUTRAL)

    def run(
        self,
        args: Sequence[str],
        *,
        stdin: bytes | None = None,
        extra_env: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
        ok: Sequence[int] = (0,),
        max_output: int = MAX_OUTPUT,
    ) -> bytes:
        """What git wrote to stdout. Raises RepositoryError BND602 for an exit code that is not in `ok`."""
        done = self.attempt(args, stdin=stdin, extra_env=extra_env, timeout_s=timeout_s, max_output=max_output)
        if done.code not in ok:
            raise failure(args, done)
        return done.stdout

    def attempt(
        self,
        args: Sequence[str],
        *,
        stdin: bytes | None = None,
        extra_env: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
        max_output: int = MAX_OUTPUT,
        max_file: int | None = None,
    ) -> Completed:
        """How git ended, whatever its exit code. Raises RepositoryError BND602 when it cannot run or end.

        `max_file`: bytes that it may write to one file, where the system can tell it so.
        """
        environment = {**self.environment, **extra_env} if extra_env else self.environment
        try:
            return process.run(
                (*self._prefix, *args),
                environment=environment,
                stdin=stdin,
                timeout_s=timeout_s,
                max_output=max_output,
                max_file=max_file,
            )
        except FileNotFoundError as error:
            raise RepositoryError("git was not found", hint="install git 2.36 or later, and have it on PATH") from error
        except process.ProcessTimeout as error:
            raise GitTimeout(f'"git {_verb(args)}" did not end within {timeout_s:g} s') from error
        except process.OutputTooLarge as error:
            raise GitOutputTooLarge(f'"git {_verb(args)}" gave more than {max_output} bytes') from error


class GitTimeout(RepositoryError):
    """Git was killed because it did not end in time: what it was doing may have taken effect."""


class GitOutputTooLarge(RepositoryError):
    """Git was killed because it wrote more than the caller takes."""


def scrubbed(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment that git gets: a few variables of the invoker, and ours."""
    return {**{name: environment[name] for name in _KEPT if name in environment}, **_SET}


def complaint(done: Completed) -> str:
    """What git said went wrong, in one line, without its own prefix."""
    lines = [line.strip() for line in done.stderr.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal: ", "error: "))]
    text = (fatal or lines or [f"exit code {done.code}"])[-1]
    return text.removeprefix("fatal: ").removeprefix("error: ")


def failure(args: Sequence[str], done: Completed) -> RepositoryError:
    """The error for a call that failed without a better explanation."""
    said = complaint(done)
    whole = done.stderr.decode("utf-8", "replace")
    if any(sign in whole for sign in ("No space left", "Permission denied", "insufficient permission", "Read-only")):
        return RepositoryError(
            f"cannot write to the repository: {said}", code="BND623", hint="make room, or make it writable"
        )
    return RepositoryError(f'"git {_verb(args)}" failed: {said}', hint="git fsck")


def _verb(args: Sequence[str]) -> str:
    return next((arg for arg in args if not arg.startswith("-") and "=" not in arg), "git")
