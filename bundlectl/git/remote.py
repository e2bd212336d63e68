"""A git remote: ask it for refs, fetch from it, push to it, with a bare repository of ours as the near end.

Called by remote_chain and probe. The user's own repository takes no part, so none of its settings do. One process for
each exchange; what the other side refuses becomes an error that says what is missing.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bundlectl.base.process import Completed
from bundlectl.git.command import Git, GitTimeout
from bundlectl.git.objects import FULL_ID
from bundlectl.git.pack import DURABLE
from bundlectl.git.remote_errors import failed, not_accepted, protected, redacted
from bundlectl.git.repository import Repository
from bundlectl.git.urls import Admitted, origin_of
from bundlectl.model.errors import BundlectlError, RepositoryError

# Beside what git always gets: how to reach hosts, and what the invoker's credential helpers need.
_NETWORK = (
    "ALL_PROXY", "HTTPS_PROXY", "NO_PROXY", "all_proxy", "http_proxy", "https_proxy", "no_proxy",
    "CURL_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE",
    "SSH_AGENT_PID", "SSH_AUTH_SOCK", "GIT_ASKPASS", "GIT_SSH_COMMAND",
    "DBUS_SESSION_BUS_ADDRESS", "GH_TOKEN", "GITHUB_TOKEN", "XDG_RUNTIME_DIR",
)  # fmt: skip
TOKEN = "BUNDLECTL_GIT_TOKEN"  # noqa: S105  # the name of a variable

# A redirect could carry a credential to another host.
_HTTP = ("-c", "http.followRedirects=false")
_CHECKED = ("-c", "transfer.fsckObjects=true", "-c", "fetch.fsckObjects=true")
MAX_FETCHED = 200 << 20
_EXCHANGE_S = 300.0
_MAX_LISTED = 16 << 20

_REPORT = re.compile(r"^([ +\-*!=])\t([^\t]*)\t(.*)$", re.MULTILINE)


class Pushed(NamedTuple):
    """What a push came to: done, conflict, busy (a lock of the other side), unknown, or refused with an error."""

    outcome: str
    refusal: BundlectlError | None = None
    name_refused: bool = False  # the other side takes no ref of this name, whoever asks
    said: str = ""


class Remote:
    """One remote. `cache` is the bare repository that objects come to and go from."""

    def __init__(
        self,
        address: Admitted,
        cache: Repository,
        environment: Mapping[str, str],
        *,
        push_address: Admitted | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.address = address
        self.cache = cache
        self._push_address = push_address or address
        self._environment = _network(environment, address, self._push_address, headers or {})
        protocols = sorted({"https", "ssh", address.protocol, self._push_address.protocol})
        self._prefix = tuple(word for name in protocols for word in ("-c", f"protocol.{name}.allow=always")) + _HTTP
        self._environment["GIT_ALLOW_PROTOCOL"] = ":".join(protocols)

    def tips(self, refs: Sequence[str]) -> dict[str, str]:
        """Ids of those of `refs` (full names) that are there: one exchange. Raises RepositoryError BND611, BND614,
        NotAuthenticated, NotPermitted BND612.
        """
        done = self._exchange(["ls-remote", "--quiet", "--end-of-options", self.address.url, *refs], _MAX_LISTED)
        if done.code != 0:
            raise failed(self.address, done)
        found: dict[str, str] = {}
        for line in done.stdout.decode("ascii", "replace").splitlines():
            name, _, ref = line.partition("\t")
            if ref in refs:
                if not FULL_ID.fullmatch(name):
                    raise RepositoryError(f'remote "{self.address.shown}" gave an id that is none', code="BND611")
                found[ref] = name
        return found

    def fetch(self, ref: str, *, depth: Sequence[str] = (), max_bytes: int = MAX_FETCHED) -> None:
        """Brings a ref into the cache, under its own name. `depth`: `--depth=1`, `--deepen=N`, `--unshallow`.

        Raises what `tips` does, and RepositoryError BND602 for objects that git finds fault with or that are too large.
        """
        options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules"]
        done = self._exchange(
            [*_CHECKED, *DURABLE, "fetch", *options, *depth, "--end-of-options", self.address.url, f"+{ref}:{ref}"],
            _MAX_LISTED,
            max_file=max_bytes,
        )
        if done.code != 0:
            raise failed(self.address, done)

    def push(
        self, ref: str, new: str | None, expected: str | None, *, borrowed: Mapping[str, str] | None = None
    ) -> Pushed:
        """Sets `ref` to `new` (None: deletes it) if it is `expected` (None: not there). Never raises for a refusal.

        `borrowed`: from `borrowing`, for objects that the cache need not hold itself.
        """
        try:
            done = self._exchange(
                [
                    "-c", "push.gpgSign=false", "-c", "push.followTags=false", "-c", "push.recurseSubmodules=no",
                    "push", "--porcelain", "--no-verify", f"--force-with-lease={ref}:{expected or ''}",
                    "--end-of-options", self._push_address.url, f"{new or ''}:{ref}",
                ],
                _MAX_LISTED,
                borrowed,
            )  # fmt: skip
        except GitTimeout:
            return Pushed("unknown")
        return _pushed(self._push_address, ref, done)

    def _exchange(
        self, args: Sequence[str], max_output: int, extra: Mapping[str, str] | None = None, max_file: int | None = None
    ) -> Completed:
        git: Git = self.cache.git
        return git.attempt(
            [*self._prefix, *args],
            extra_env={**self._environment, **(extra or {})},
            timeout_s=_EXCHANGE_S,
            max_output=max_output,
            max_file=max_file,
        )


def bearing(token: str) -> str:
    """The header that carries a token; hosts take any user name with it."""
    return "Authorization: Basic " + b64encode(f"x-access-token:{token}".encode()).decode("ascii")


def _network(
    environment: Mapping[str, str], address: Admitted, push_address: Admitted, headers: Mapping[str, str]
) -> dict[str, str]:
    """Variables for calls that open a connection. A header goes to the host of its address and to no other."""
    kept = {name: value for name, value in environment.items() if name in _NETWORK or name.startswith("GCM_")}
    origins = ((one, origin_of(one)) for one in (address, push_address))
    settings = {f"http.{origin}.extraHeader": headers[one.url] for one, origin in origins if one.url in headers}
    kept["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (name, value) in enumerate(settings.items()):
        kept[f"GIT_CONFIG_KEY_{number}"], kept[f"GIT_CONFIG_VALUE_{number}"] = name, value
    return kept


def borrowing(repository: Repository) -> dict[str, str]:
    """Variables with which git in the cache also sees the objects of another repository of this machine."""
    folder = str(repository.git_dir / "objects")
    escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
    # A colon separates folders in this list, except between quotes.
    return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{escaped}"' if ":" in folder or '"' in folder else folder}


# What a host says when it will have no ref of this name from anybody.
_NAME_REFUSED = ("hidden ref", "funny refname", "invalid ref", "refusing to create", "only allowed to push to",
                 "outside of refs/heads", "not allowed to create ref")  # fmt: skip
# A hook may be about the name or about anything else: a probe, which has nothing else to refuse, tells.
_MAYBE_NAME = ("pre-receive hook declined",)
_MOVED = ("stale info", "fetch first", "non-fast-forward", "needs force", "but expected", "incorrect old value",
          "reference already exists", "StaleOldObjectId")  # fmt: skip
_LOCKED = ("File exists", "failed to update ref", "cannot lock ref", "unable to lock", "failed to lock")


def _pushed(address: Admitted, ref: str, done: Completed) -> Pushed:
    """The report of `push --porcelain` on one ref."""
    whole = redacted(address, done.stderr.decode("utf-8", "backslashreplace"))
    rows = _REPORT.findall(done.stdout.decode("utf-8", "backslashreplace"))
    report = next((row for row in rows if row[1].rpartition(":")[2] == ref), None)
    if report is None:
        if done.code < 0:
            return Pushed("unknown")
        refusal = failed(address, done, pushing=True)
        # Only what is refused at the door is certain not to have landed.
        return Pushed("unknown" if refusal.code in ("BND611", "BND602") else "refused", refusal, said=whole)
    flag, _, summary = report
    if flag in " +*=-":
        return Pushed("done")
    said = f"{redacted(address, summary)}\n{whole}"
    if "remote failure" in summary or "failed to report status" in said:
        return Pushed("unknown", said=said)
    if any(sign in said for sign in _MOVED):
        return Pushed("conflict", said=said)
    if "remote rejected" in summary and any(sign in said for sign in _LOCKED):
        return Pushed("busy", said=said)
    name_refused = any(sign in said for sign in (*_NAME_REFUSED, *_MAYBE_NAME))
    return Pushed("refused", _refusal(address, ref, summary, said), name_refused, said)


def _refusal(address: Admitted, ref: str, summary: str, said: str) -> BundlectlError:
    reason = summary.partition("(")[2].rstrip(")") or summary
    told = next((line.removeprefix("remote:").strip() for line in said.splitlines() if line.startswith("remote:")), "")
    why = f"{reason}: {told}" if told else reason
    if ref.startswith("refs/bundlectl/") and any(sign in said for sign in _NAME_REFUSED):
        return not_accepted(address, why)
    return protected(ref, why)
