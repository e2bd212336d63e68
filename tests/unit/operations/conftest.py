"""A deployed world per test: a real repository, a real engine, and contexts as the command line makes them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundlectl.cli.options import Common
from bundlectl.cli.wiring import open_session
from bundlectl.operations.context import OperationContext
from tests.builders import RepositoryBuilder

TARGETS = """\
targets:
  free: {default: true}
  dev: {mode: development}
  prod: {mode: production, workspace: {root_path: /Workspace/Shared/shop}}
"""


def bundle(**commands: str) -> str:
    """A bundle of shell jobs: key -> word that its one task echoes."""
    jobs = "".join(
        f"    {key}:\n      tasks:\n        - task_key: t\n          shell_task: {{command: [echo, {word}]}}\n"
        for key, word in commands.items()
    )
    return f"bundle: {{name: shop}}\nbundlectl: {{backend: local}}\n{TARGETS}resources:\n  jobs:\n{jobs}"


ContextMaker = Callable[..., OperationContext]


@pytest.fixture
def new_context(
    repository: RepositoryBuilder, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> ContextMaker:
    """Makes the context of one command in the test's repository, from the values of its options."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def make(**options: Any) -> OperationContext:
        options.setdefault("chdir", Path(repository.folder))
        return open_session(Common(**options), "text").context

    return make
