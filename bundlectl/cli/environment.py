"""What the invoker's environment says of output and folders: consoles, user folders, switches.

Called by boundary and the commands that need no bundle; wiring builds the rest on it. Light: --help and a mistyped
command load nothing more.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from bundlectl.render.console import Console
from bundlectl.review.environment import detect

# Folders of bundlectl: variable that overrides it, kind of user folder.
_FOLDERS = {"cache": "BUNDLECTL_CACHE_DIR", "state": "BUNDLECTL_STATE_DIR", "config": "BUNDLECTL_CONFIG_DIR"}


class ConsoleOptions(Protocol):
    """The options that a console is made from."""

    @property
    def color(self) -> str: ...
    @property
    def no_color(self) -> bool: ...
    @property
    def quiet(self) -> int: ...
    @property
    def no_input(self) -> bool: ...


def open_console(options: ConsoleOptions, page: Callable[[str], bool] | None = None) -> Console:
    """The console that the options ask for. `page`: shows a text in the user's pager."""
    environment = os.environ
    return Console(
        sys.stdout,
        sys.stderr,
        color="never" if options.no_color else options.color,
        quiet=options.quiet,
        interactive=False if options.no_input or flag(environment, "BUNDLECTL_NO_INPUT") else None,
        in_ci=detect(environment) is not None,
        environment=environment,
        page=page,
    )


def plain_console(words: Sequence[str]) -> Console:
    """A console for an error that came before, or instead of, the options."""
    color = "never" if "--no-color" in words else "auto"
    return Console(sys.stdout, sys.stderr, color=color, in_ci=detect(os.environ) is not None, environment=os.environ)


def crash_folder() -> Path:
    """Where the report of a crash goes."""
    return folder("state")


def folder(kind: str) -> Path:
    """A folder of bundlectl: cache, state or config. Not created here."""
    given = os.environ.get(_FOLDERS[kind])
    return Path(given).expanduser().resolve() if given else user_folder(kind)


def user_folder(kind: str) -> Path:
    from platformdirs import PlatformDirs

    folders = PlatformDirs("bundlectl", appauthor=False)
    paths = {
        "cache": folders.user_cache_path,
        "state": folders.user_state_path,
        "config": folders.user_config_path,
        "data": folders.user_data_path,
    }
    return paths[kind]


def flag(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() not in ("", "0", "false", "no")
