"""Who git says the invoker is. Called by cli.wiring, for names and paths when no backend is asked."""

from collections.abc import Mapping
from pathlib import Path

from bundlectl.git.command import Git
from bundlectl.model.errors import RepositoryError


def configured_user(folder: Path, environment: Mapping[str, str]) -> str | None:
    """`user.email` as git resolves it in this folder, inside a repository or not; None when it is not set."""
    try:
        done = Git(folder, environment).attempt(["config", "--get", "user.email"])
    except RepositoryError:
        return None  # no git: commands that need it say so themselves
    return done.stdout.decode("utf-8", "replace").strip() or None if done.code == 0 else None
