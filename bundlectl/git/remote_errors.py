"""What git says when a remote cannot be used, as errors that name the cause and what to do.

Called by remote. The words are git's own in the C locale; what is not recognised is passed on as it was said.
"""

from bundlectl.base.process import Completed
from bundlectl.git.command import complaint
from bundlectl.git.urls import Admitted
from bundlectl.model.errors import BundlectlError, NotAuthenticated, NotPermitted, Refused, RepositoryError

UNREACHABLE, CREDENTIALS, PUSH_REFUSED, URL = "BND611", "BND612", "BND613", "BND614"

_DENIED = (
    "error: 403", "write access to repository not granted", "permission denied to", "not allowed to push",
    "you are not allowed", "insufficient permission", "read-only",
)  # fmt: skip
_UNKNOWN_USER = (
    "authentication failed", "could not read username", "could not read password", "terminal prompts disabled",
    "permission denied (", "access denied", "error: 401", "invalid username or token",
)  # fmt: skip
_NOT_ALLOWED = ("not allowed",)
_FAULTY = ("fsck error", "bad object", "index-pack", "unpack-objects", "unpack failed", "did not send all necessary",
           "inflate", "corrupt")  # fmt: skip


def failed(address: Admitted, done: Completed, *, pushing: bool = False) -> BundlectlError:
    """The error for an exchange that came to nothing."""
    said = redacted(address, done.stderr.decode("utf-8", "backslashreplace"))
    low, last = said.lower(), _cause(said) or redacted(address, complaint(done))
    if "dubious ownership" in low:
        return RepositoryError(
            f'the repository at "{address.shown}" belongs to another user',
            code="BND610",
            detail=last,
            hint="if you trust it: git config --global --add safe.directory PATH",
        )
    if any(sign in low for sign in _DENIED):
        what = "push to" if pushing else "read"
        return NotPermitted(
            f'no permission to {what} remote "{address.shown}"',
            code=CREDENTIALS,
            detail=last,
            hint="the token needs the right to write repository contents (contents: write)"
            if pushing
            else "the token needs the right to read repository contents",
        )
    if any(sign in low for sign in _UNKNOWN_USER):
        return NotAuthenticated(
            f'remote "{address.shown}" refused the credentials',
            code=CREDENTIALS,
            detail=last,
            hint="give a token in BUNDLECTL_GIT_TOKEN, or set up git's credential helper or ssh key for this host",
        )
    if "transport" in low and any(sign in low for sign in _NOT_ALLOWED):
        return RepositoryError(f'remote URL "{address.shown}" is not allowed: {last}', code=URL)
    if any(sign in low for sign in _FAULTY):
        return RepositoryError(
            f'what remote "{address.shown}" sent was not taken: {last}',
            detail="Objects are checked, and at most 200 MiB are taken at once.",
            hint="look for damage there: git fsck",
        )
    return RepositoryError(
        f'cannot reach remote "{address.shown}": {last}',
        code=UNREACHABLE,
        hint="check the address, and that this machine and these credentials may see the repository",
    )


def _cause(said: str) -> str | None:
    """The first thing that git calls fatal: what follows is that nothing could be read then."""
    lines = (line.strip() for line in said.splitlines())
    fatal = (line.removeprefix("fatal: ") for line in lines if line.startswith("fatal: "))
    return next(fatal, None)


def not_accepted(address: Admitted, why: str) -> RepositoryError:
    """The other side takes refs of people only."""
    return RepositoryError(
        f'remote "{address.shown}" does not accept refs/bundlectl/*: {why}',
        code=PUSH_REFUSED,
        hint="keep the state on a branch: bundlectl.state.form: branch",
    )


def protected(ref: str, why: str) -> Refused:
    """The other side lets nobody, or not us, move this ref."""
    return Refused(
        f"remote refuses {ref}: {why}",
        code=PUSH_REFUSED,
        hint="let this identity push to it, or keep the state elsewhere (bundlectl.state.form, bundlectl.state.remote)",
    )


def redacted(address: Admitted, text: str) -> str:
    """Text of git without the user and password of the address."""
    return text.replace(address.url, address.shown) if address.url != address.shown else text
