"""State, runs and code of a target on a git remote: which remote that is, and the stores over it.

Called by cli.wiring, and only for targets whose state is not in the repository itself.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bundlectl.base.clock import Clock
from bundlectl.base.digest import sha256_hex
from bundlectl.git.chain import Seen, encode_name
from bundlectl.git.remote import MAX_FETCHED, TOKEN, Remote, bearing, borrowing
from bundlectl.git.remote_cache import open_cache
from bundlectl.git.remote_chain import RemoteChain
from bundlectl.git.remote_form import CODE, RUNS, STATE, Naming
from bundlectl.git.repository import Repository
from bundlectl.git.signing import Signer
from bundlectl.git.snapshot import keep_code
from bundlectl.git.urls import Admitted, admit, is_remote_name, origin_of
from bundlectl.model.bundle import Bundle
from bundlectl.model.errors import RepositoryError
from bundlectl.state.git_store import GitStateStore
from bundlectl.state.run_spool import SPOOL, SpooledRuns
from bundlectl.state.run_store import RunStore

HERE = "."  # bundlectl.state.remote: the repository itself
DEFAULT = "origin"
_MAX_CODE = 2 << 30


class FoundRemote(NamedTuple):
    """Where a remote is read and where it is pushed to, and whether the invoker's own configuration says so."""

    address: Admitted
    push_address: Admitted
    by_invoker: bool


class RemoteCode:
    """Deployed code on the remote. Trees come from the user's repository, and from the cache once they are there."""

    def __init__(self, home: Repository, cache: Repository, chain: RemoteChain, clock: Clock) -> None:
        self._home = home
        self._cache = cache
        self._chain = chain
        self._clock = clock

    def keep(self, tree: str, digest: str) -> None:
        """Appends a tree of the user's repository to the code chain. Raises RepositoryError."""
        keep_code(self._chain, tree, digest, self._clock)

    def holder(self, tree: str) -> Repository:
        """The user's repository when it has the tree, else the cache, after it was fetched."""
        if self._home.has_object(tree):
            return self._home
        if self._cache.has_object(tree) or any(link.tree == tree for link in self._chain.walk()):
            return self._cache
        raise RepositoryError(
            f"the deployed code {tree} is neither in this clone nor on {self._chain.ref}",
            hint="fetch the whole history, or restore the ref from another clone",
        )


class TargetOnRemote:
    """Everything that a remote keeps of one target."""

    def __init__(
        self,
        home: Repository,
        bundle: Bundle,
        remote: Remote,
        memory: Path,
        environment: Mapping[str, str],
        clock: Clock,
        notify: Callable[[str], None],
    ) -> None:
        self._home = home
        self._environment = environment
        self._require_signed = bundle.target.require_signed
        self._names = bundle.name, bundle.target.name
        self._remote = remote
        self._clock = clock
        self._notify = notify
        far = sha256_hex(remote.address.url.encode("utf-8"))
        self._seen, self._spool = memory / "seen" / far, memory / SPOOL / far
        self.naming = Naming(remote, *self._names, bundle.target.state_form, clock, notify)

    def store(self) -> GitStateStore:
        """The state."""
        near = self._remote.cache
        code = RemoteCode(
            self._home, near, self._chain(CODE, borrowing(self._home), max_fetched=_MAX_CODE), self._clock
        )
        place = self._remote.address.shown
        signer = cache(self._signer)
        return GitStateStore(
            *(near, *self._names),
            place=place,
            chain=self._chain(STATE, signer=signer),
            code=code,
            clock=self._clock,
            signer=signer,
            require_signed=self._require_signed,
        )

    def runs(self) -> SpooledRuns:
        """The run manifests."""
        records = RunStore(self._remote.cache, *self._names, chain=self._chain(RUNS), clock=self._clock)
        return SpooledRuns(records, self._spool.joinpath(*map(encode_name, self._names)), self._clock, self._notify)

    def _signer(self) -> Signer:
        return Signer(self._remote.cache.git, self._environment, required=self._require_signed, notify=self._notify)

    def _chain(
        self,
        kind: str,
        borrowed: Mapping[str, str] | None = None,
        *,
        signer: Callable[[], Signer] | None = None,
        max_fetched: int = MAX_FETCHED,
    ) -> RemoteChain:
        name = "/".join((kind, *map(encode_name, self._names)))
        return RemoteChain(
            self._remote,
            lambda: self.naming.ref(kind),
            Seen(self._seen / encode_name(name)),
            tips=lambda: self.naming.tips(kind),
            before_first=self.naming.settle,
            borrowed=borrowed,
            clock=self._clock,
            notify=self._notify,
            max_fetched=max_fetched,
            signer=signer,
        )


class Remotes:
    """Opens what targets keep on remotes. `cache` and `memory`: folders of this user, not made here."""

    def __init__(
        self,
        *,
        cache: Path,
        memory: Path,
        environment: Mapping[str, str],
        clock: Clock,
        notify: Callable[[str], None],
    ) -> None:
        self._cache = cache
        self._memory = memory
        self._environment = environment
        self._clock = clock
        self._notify = notify
        self._open: dict[tuple[str, str], TargetOnRemote | None] = {}

    def of(self, repository: Repository, bundle: Bundle) -> TargetOnRemote | None:
        """What the remote of the target keeps; None when its state is in the repository itself.

        Raises RepositoryError BND614 for a remote that is not there or not allowed.
        """
        key = (bundle.name, bundle.target.name)
        if key not in self._open:
            self._open[key] = self._target(repository, bundle)
        return self._open[key]

    def _target(self, repository: Repository, bundle: Bundle) -> TargetOnRemote | None:
        found = find_remote(repository, bundle.target.state_remote)
        if found is None:
            return None
        address, push_address, by_invoker = found
        cache = open_cache(self._cache, address.url, self._environment, repository.algorithm, self._notify)
        remote = Remote(
            address,
            cache,
            self._environment,
            push_address=push_address,
            headers=self._headers(repository, found) if by_invoker or _is_beside_origin(repository, address) else {},
        )
        return TargetOnRemote(repository, bundle, remote, self._memory, self._environment, self._clock, self._notify)

    def _headers(self, repository: Repository, found: FoundRemote) -> Mapping[str, str]:
        """By address, what the invoker adds to requests: a token, or what CI wrote into this repository's settings.

        Only for hosts that the invoker named: a bundle must not be able to have a token sent to a host of its choice.
        """
        token = self._environment.get(TOKEN)
        urls = dict.fromkeys(one.url for one in (found.address, found.push_address) if origin_of(one) is not None)
        if token:
            return dict.fromkeys(urls, bearing(token))
        headers = {url: repository.setting_for_url("http.extraHeader", url) for url in urls}
        return {url: value for url, value in headers.items() if value}


def _is_beside_origin(repository: Repository, address: Admitted) -> bool:
    """Whether an address from a bundle is on the host that the invoker's own origin is on."""
    url, _ = repository.remote_urls(DEFAULT)
    if url is None or origin_of(address) is None:
        return False
    return origin_of(admit(url, by_invoker=True, base=repository.top)) == origin_of(address)


def find_remote(repository: Repository, wanted: str | None) -> FoundRemote | None:
    """The remote that keeps the state; None for the repository itself, which is also the default without origin.

    Raises RepositoryError BND614.
    """
    if wanted == HERE:
        return None
    name = wanted or DEFAULT
    if is_remote_name(name):
        url, push_url = repository.remote_urls(name)
        if url is not None:
            base = repository.top
            address = admit(url, by_invoker=True, base=base)
            push_address = admit(push_url, by_invoker=True, base=base) if push_url else address
            return FoundRemote(address, push_address, by_invoker=True)
        if wanted is None:
            return None
        if re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            raise RepositoryError(
                f'no remote "{name}" is configured in this repository',
                code="BND614",
                detail="bundlectl.state.remote names it as the place of the state.",
                hint=f"git remote add {name} URL",
            )
    address = admit(name, by_invoker=False)
    return FoundRemote(address, address, by_invoker=False)
