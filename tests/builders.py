"""Git repositories and environments for tests: built with real git, away from the developer's own configuration."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

# Words that a shell, a CI or a developer may have set and that would change what bundlectl does.
_FOREIGN = ("BUNDLECTL_", "BUNDLE_VAR_", "DATABRICKS_", "GIT_", "GITHUB_", "XDG_")
_FOREIGN_NAMES = frozenset(
    {
        "BITBUCKET_BUILD_NUMBER", "BUILDKITE", "CI", "CIRCLECI", "CLICOLOR_FORCE", "COLUMNS", "EMAIL", "FORCE_COLOR",
        "GITLAB_CI", "JENKINS_URL", "LINES", "NO_COLOR", "PAGER", "PYTHONPATH", "TEAMCITY_VERSION", "TF_BUILD",
    }
)  # fmt: skip

WHO = "Ann Example"
MAIL = "ann@example.com"
WHEN = "2026-11-20T10:00:00+00:00"


def isolated_environment(folder: Path, base: Mapping[str, str]) -> dict[str, str]:
    """`base` without foreign settings; home, git configuration and every folder of bundlectl below `folder`."""
    kept = {name: value for name, value in base.items() if name not in _FOREIGN_NAMES and not name.startswith(_FOREIGN)}
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {
        **kept,
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": WHO,
        "GIT_AUTHOR_EMAIL": MAIL,
        "GIT_AUTHOR_DATE": WHEN,
        "GIT_COMMITTER_NAME": WHO,
        "GIT_COMMITTER_EMAIL": MAIL,
        "GIT_COMMITTER_DATE": WHEN,
        "BUNDLECTL_ENGINE_DIR": str(folder / "engine"),
        "BUNDLECTL_CACHE_DIR": str(folder / "cache"),
        "BUNDLECTL_STATE_DIR": str(folder / "state"),
        "BUNDLECTL_CONFIG_DIR": str(folder / "config"),
        "BUNDLECTL_USER": MAIL,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


class RepositoryBuilder:
    """A git repository that a test fills step by step."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.environment = dict(os.environ if environment is None else environment)
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, stdin: str | None = None) -> str:
        """What git answers, without the last newline. Raises CalledProcessError."""
        answer = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
        )
        return answer.stdout.rstrip("\n")

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Writes files by path below the repository; parents are made."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, message: str = "change", files: Mapping[str, str | bytes] | None = None) -> str:
        """Writes `files`, commits everything and returns the commit id."""
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")
