"""One deploy in a process of its own that kills itself at the n-th step: started by test_deploy_kills.

    python -m tests.crash.deploy_process N FOLDER

A step is one side, before or after the effect, of a write to the state or to the backend. Exits 0 when the deploy ended
before the n-th step came.
"""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from bundlectl.backends.base import Backend
from bundlectl.cli.options import Common
from bundlectl.cli.wiring import open_session
from bundlectl.git.repository import Repository
from bundlectl.model.bundle import Bundle
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.state.store import StateStore

BACKEND_WRITES = frozenset({"publish", "create", "update", "delete"})
STATE_WRITES = frozenset({"cas"})


class Bomb:
    """Counts steps, and kills this process at one of them."""

    def __init__(self, step: int) -> None:
        self._left = step

    def tick(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class Mined:
    """An object some of whose methods tick before and after they have their effect."""

    def __init__(self, inner: object, methods: frozenset[str], bomb: Bomb) -> None:
        self._inner = inner
        self._methods = methods
        self._bomb = bomb

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        return self._mined(value) if name in self._methods else value

    def _mined(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self._bomb.tick()
            result = method(*arguments, **named)
            self._bomb.tick()
            return result

        return call


def main(step: int, folder: Path) -> None:
    """Deploys the bundle in `folder` to its default target."""
    bomb = Bomb(step)
    context = open_session(Common(chdir=folder), "text").context

    def open_backend(bundle: Bundle) -> Backend:
        return cast(Backend, Mined(context.open_backend(bundle), BACKEND_WRITES, bomb))

    def open_store(repository: Repository, bundle: Bundle) -> StateStore:
        return cast(StateStore, Mined(context.open_store(repository, bundle), STATE_WRITES, bomb))

    mined = replace(context, open_backend=open_backend, open_store=open_store)
    deploy(mined, DeployRequest(auto_approve=True, allow_destructive=True), lambda plan: None)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
