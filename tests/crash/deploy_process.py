"""One deploy in a process of its own that kills itself at the n-th step: started by the tests of this folder.

    python -m tests.crash.deploy_process N FOLDER [deploy|destroy|destroy-now|gc|undelete|bind|unbind [WORD...]]

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
from bundlectl.operations.bind import BindRequest, bind, unbind
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.destroy import DestroyRequest, destroy
from bundlectl.operations.gc import GcRequest, collect
from bundlectl.operations.undelete import UndeleteRequest, undelete
from bundlectl.state.store import StateStore

BACKEND_WRITES = frozenset({"publish", "create", "update", "delete", "release"})
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


def _act(context: OperationContext, verb: str, words: list[str]) -> None:
    """What is killed. Everything is approved."""
    if verb == "deploy":
        deploy(context, DeployRequest(auto_approve=True, allow_destructive=True), lambda plan: None)
    elif verb in ("destroy", "destroy-now"):
        now = verb == "destroy-now"
        destroy(context, DestroyRequest(auto_approve=True, allow_destructive=True, now=now), lambda plan: "auto")
    elif verb == "gc":
        collect(context, GcRequest(auto_approve=True), lambda plan: "auto")
    elif verb == "undelete":
        undelete(context, UndeleteRequest(keys=words, auto_approve=True), lambda plan: "auto")
    elif verb == "bind":
        bind(context, BindRequest(key=words[0], id=words[1], auto_approve=True), lambda plan: "auto")
    else:
        unbind(context, BindRequest(key=words[0], auto_approve=True), lambda plan: "auto")


def main(step: int, folder: Path, verb: str = "deploy", *words: str) -> None:
    """Acts on the bundle in `folder` and its default target."""
    bomb = Bomb(step)
    context = open_session(Common(chdir=folder), "text").context

    def open_backend(bundle: Bundle) -> Backend:
        return cast(Backend, Mined(context.open_backend(bundle), BACKEND_WRITES, bomb))

    def open_store(repository: Repository, bundle: Bundle) -> StateStore:
        return cast(StateStore, Mined(context.open_store(repository, bundle), STATE_WRITES, bomb))

    mined = replace(context, open_backend=open_backend, open_store=open_store)
    _act(mined, verb, list(words))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
