"""Signatures of state commits, made and checked by git with the invoker's own keys (safety 1.5).

Called by the chains when they write a commit, and by state.git_store for the tip that it read. Keys, formats and
programs come from the invoker's system and user configuration alone: that of a repository could name a program to run.
"""

from collections.abc import Callable, Mapping

from bundlectl.git.command import Git, complaint
from bundlectl.git.pack import DURABLE
from bundlectl.model.errors import Refused

_UNSIGNED = "BND415"
_NAMES = r"^(commit\.gpgsign|user\.(signingkey|email)|gpg\..*)$"
_TRUSTED_SCOPES = ("system", "global")

# What every call is given, so that no setting of the repository stands: git's own defaults.
_DEFAULTS = {
    "gpg.format": "openpgp",
    "gpg.program": "gpg",
    "gpg.openpgp.program": "gpg",
    "gpg.x509.program": "gpgsm",
    "gpg.ssh.program": "ssh-keygen",
    "gpg.ssh.allowedsignersfile": "/dev/null",
    "gpg.ssh.defaultkeycommand": "false",
}
# Where agents are found; git itself gets the scrubbed environment otherwise.
_AGENTS = ("SSH_AUTH_SOCK", "SSH_AGENT_PID", "GNUPGHOME", "GPG_TTY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")
_TRUE = ("true", "yes", "on", "1", "")


class Signer:
    """Signs commits where the invoker's configuration or the bundle asks for it. `required`: unsigned is refused."""

    def __init__(
        self, git: Git, environment: Mapping[str, str], *, required: bool, notify: Callable[[str], None]
    ) -> None:
        """Runs nothing. `environment` is the invoker's, for agents."""
        self._git = git
        self._agents = {name: environment[name] for name in _AGENTS if name in environment}
        self._required = required
        self._notify = notify
        self._known: dict[str, str] | None = None
        self._said = False

    @property
    def wanted(self) -> bool:
        """Whether commits are to be signed, as far as that can be done."""
        return self._required or self._settings().get("commit.gpgsign", "false").lower() in _TRUE

    def commit(self, parent: str | None, tree: str, message: str, *, author: str, now_ms: int) -> str | None:
        """Id of a signed commit over a tree that is in the repository. None: it could not be signed, which is said.

        Raises Refused BND415 when a signature is demanded and cannot be made.
        """
        key = self._key()
        if key is None:
            self._unsigned("user.signingKey is not set in your git configuration")
            return None
        name, _, address = author.partition(" <")
        moment = f"{now_ms // 1000} +0000"
        who = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", name), ("EMAIL", address.rstrip(">")), ("DATE", moment))
        }
        done = self._git.attempt(
            [*DURABLE, *self._options(), "commit-tree", f"-S{key}", *(["-p", parent] if parent else []), "-F-", tree],
            stdin=message.encode("utf-8", "backslashreplace"),
            extra_env={**self._agents, **who},
        )
        if done.code == 0:
            return done.stdout.decode("ascii", "replace").strip()
        self._unsigned(complaint(done))
        return None

    def _key(self) -> str | None:
        """What git is to sign with: nothing to add, or the address that gpg knows a key by. None: there is no key."""
        settings = self._settings()
        ssh = settings.get("gpg.format") == "ssh"
        if settings.get("user.signingkey") or (ssh and "gpg.ssh.defaultkeycommand" in settings):
            return ""
        return None if ssh else settings.get("user.email")

    def _unsigned(self, why: str) -> None:
        """Says why, once; raises Refused where a signature is demanded."""
        if not self._required:
            if not self._said:
                self._notify(f"state commits are not signed: {why}")
            self._said = True
            return
        raise Refused(
            f"the state commit could not be signed: {why}",
            code=_UNSIGNED,
            detail="bundlectl.state.require_signed demands it. Nothing was recorded.",
            hint="set up a key: git config --global gpg.format ssh; git config --global user.signingKey FILE.pub",
        )

    def refuse_unsigned(self, commit: str, ref: str) -> None:
        """Raises Refused BND415 for a commit without a signature that git verifies, if one is demanded."""
        if not self._required:
            return
        done = self._git.attempt(
            [*self._options(), "verify-commit", "--end-of-options", commit], extra_env=self._agents
        )
        if done.code == 0:
            return
        why = complaint(done) if done.stderr.strip() else "it is not signed"
        unknown = "No principal matched" in done.stderr.decode("utf-8", "replace")
        hint = f"look at it first: git show {commit}; then accept it by name: bundlectl state accept-rewrite {commit}"
        if unknown:
            hint = (
                "list the keys that may deploy in a file: git config --global gpg.ssh.allowedSignersFile FILE; "
                f"or accept this commit by name: bundlectl state accept-rewrite {commit}"
            )
        raise Refused(
            f"state commit {commit[:12]} has no signature that counts: {why}",
            code=_UNSIGNED,
            detail=f"{ref}: bundlectl.state.require_signed demands one. Nothing was changed.",
            hint=hint,
        )

    def _options(self) -> list[str]:
        merged = {**_DEFAULTS, **self._settings()}
        return [word for name, value in sorted(merged.items()) for word in ("-c", f"{name}={value}")]

    def _settings(self) -> dict[str, str]:
        """The invoker's settings by name: one process, once."""
        if self._known is None:
            done = self._git.attempt(["config", "--show-scope", "-z", "--get-regexp", _NAMES])
            parts = done.stdout.decode("utf-8", "surrogateescape").split("\0")
            self._known = {}
            for scope, entry in zip(parts[::2], parts[1::2], strict=False):
                name, _, value = entry.partition("\n")
                if scope in _TRUSTED_SCOPES:
                    self._known[name] = value
        return self._known
