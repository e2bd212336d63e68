"""State on a git remote as one client sees it: its clone, its own cache and memory. For tests of remote state."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from bundlectl.base.clock import Clock, SystemClock
from bundlectl.git.repository import Repository, discover
from bundlectl.model.bundle import Bundle, Target
from bundlectl.state.git_store import GitStateStore
from bundlectl.state.remotes import Remotes, TargetOnRemote
from tests.builders import RepositoryBuilder


class Client:
    """A clone whose `origin` is a remote, and the folders of its user."""

    def __init__(
        self,
        folder: Path,
        url: str,
        environment: Mapping[str, str],
        *,
        bundle: str = "sales",
        target: str = "prod",
        form: str = "auto",
        clock: Clock | None = None,
    ) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.names = bundle, target
        self.form = form
        self.clock = clock or SystemClock()
        self.told: list[str] = []
        self.remote: str | None = None
        self.require_signed = False
        if (folder / "clone" / ".git").is_dir():
            self.clone = folder / "clone"
        else:
            builder = RepositoryBuilder(folder / "clone", self.environment)
            builder.commit("first", {"x": "x"})
            builder.git("remote", "add", "origin", url)
            self.clone = builder.folder

    def open(self, *, cache: str = "cache", memory: str = "memory") -> TargetOnRemote:
        """What the next process would open."""
        remotes = Remotes(
            cache=self.folder / cache,
            memory=self.folder / memory,
            environment=self.environment,
            clock=self.clock,
            notify=self.told.append,
        )
        found = remotes.of(self.repository, self.bundle)
        assert found is not None
        return found

    def store(self, **folders: str) -> GitStateStore:
        """The state."""
        return self.open(**folders).store()

    @property
    def repository(self) -> Repository:
        return discover(self.clone, self.environment)

    @property
    def bundle(self) -> Bundle:
        name, target = self.names
        made = Target(
            name=target,
            backend="server",
            state_form=self.form,
            state_remote=self.remote,
            require_signed=self.require_signed,
        )
        return replace(EMPTY, name=name, target=made)


EMPTY = Bundle(
    name="",
    root="",
    target=Target(name=""),
    jobs={},
    variables=(),
    config_digest="sha256:" + "0" * 64,
    root_path="",
    file_path="",
    sync_root="",
    user="",
    files=(),
    targets=(),
)

Opener = Callable[[], GitStateStore]
