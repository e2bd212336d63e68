"""Python environments of tasks: what is installed where, and one virtual environment per set of libraries, built once.

Called by engine.tasks (the interpreter of a task) and by the routes that describe a job's environment for manifests.
Installs with pip, in the engine's folder only; never touches the interpreter that runs bundlectl.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from bundlectl.base.digest import digest_bytes, digest_document
from bundlectl.base.files import locked, make_private_folder, write_atomic
from bundlectl.base.process import ProcessTimeout, run

_BUILD_TIMEOUT_S: Final = 1800.0
_TAIL_LINES: Final = 15
# Run by the interpreter in question: only the standard library, any Python 3.
_PROBE: Final = """
import json, os, sys
print(json.dumps({
    "python": "%d.%d.%d" % sys.version_info[:3],
    "paths": [p for p in sys.path if p and os.path.isdir(p)],
    "pip": any(os.path.isdir(os.path.join(p, "pip")) for p in sys.path),
}))
"""


class EnvironmentFailed(Exception):
    """An environment cannot be looked at or built. The message is for the person whose task it is."""


class Package(NamedTuple):
    """One installed distribution. `digest` is that of its files, None where no RECORD lists them."""

    name: str
    version: str
    digest: str | None


class Library(NamedTuple):
    """One thing to install: `kind` is wheel, requirement or requirements_file; `text` a path or a requirement."""

    kind: str
    text: str
    repository: str | None = None  # another package index for this requirement


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What an interpreter can import, as far as it was installed."""

    interpreter: str
    python: str  # 3.12.7
    packages: tuple[Package, ...]  # sorted by name
    paths: tuple[str, ...]  # where it searches
    has_pip: bool

    @property
    def lock(self) -> str:
        """Digest of the resolved package set: Python version, and name, version and digest of each package."""
        return digest_document({"python": self.python, "packages": [list(package) for package in self.packages]})

    def document(self, key: str = "default") -> dict[str, Any]:
        """The entry of a run manifest (provenance.md section 3)."""
        packages = [package._asdict() for package in self.packages]
        return {"key": key, "lock": self.lock, "python": self.python, "packages": packages, "image": None}


def inspect(interpreter: str, environment: Mapping[str, str]) -> Environment:
    """Looks at an interpreter: starts it once (about 20 ms) and reads names and RECORDs of what it can import.

    `environment` is the one that tasks get; without PYTHONPATH. Raises EnvironmentFailed.
    """
    try:
        done = run((interpreter, "-c", _PROBE), environment=environment, timeout_s=60.0)
        found = json.loads(done.stdout)
    except (OSError, ProcessTimeout, ValueError) as error:
        raise EnvironmentFailed(f'The interpreter "{interpreter}" cannot be used: {error}') from error
    paths = tuple(found["paths"])
    return Environment(
        interpreter=interpreter, python=found["python"], packages=_packages(paths), paths=paths, has_pip=found["pip"]
    )


def _packages(paths: Sequence[str]) -> tuple[Package, ...]:
    """Distributions below the search path; the first of each name wins, as it does for imports."""
    found: dict[str, Package] = {}
    for folder in paths:
        for name in sorted(os.listdir(folder)):
            stem, ending = os.path.splitext(name)
            if ending not in (".dist-info", ".egg-info") or "-" not in stem:
                continue
            project, _, version = stem.partition("-")
            project = re.sub(r"[-_.]+", "-", project).lower()
            if project not in found:
                found[project] = Package(project, version, _record_digest(os.path.join(folder, name)))
    return tuple(found[name] for name in sorted(found))


def _record_digest(folder: str) -> str | None:
    """Digest of what was installed: the lines of RECORD without the files that an installer makes on the spot."""
    try:
        text = Path(folder, "RECORD").read_bytes()
    except OSError:
        return None
    # Compiled files, scripts and notes of the installer differ between two installations of one wheel.
    kept = sorted(
        line
        for line in text.splitlines()
        if not line.endswith(b",,") and not line.startswith((b"../", b"/")) and b".dist-info/" not in line
    )
    return digest_bytes(b"\n".join(kept)) if kept else None


class Environments:
    """Environments below one engine folder. Thread-safe; several processes may build at once."""

    def __init__(self, engine_dir: Path, interpreter: str, environment: Mapping[str, str]) -> None:
        """`environment`: for interpreters and pip; with the invoker's PIP_* settings, without PYTHONPATH."""
        self._folder = engine_dir / "environments"
        self._interpreter = interpreter
        self._environment = environment
        self._inspected: dict[str, Environment] = {}

    def default(self) -> Environment:
        """That of tasks without libraries of their own; looked at once. Raises EnvironmentFailed."""
        known = self._inspected.get(self._interpreter)
        if known is None:
            known = self._inspected[self._interpreter] = inspect(self._interpreter, self._environment)
        return known

    def interpreter(self, libraries: Sequence[Library]) -> str:
        """An interpreter with these libraries on top of the default environment; builds it when it is missing.

        Takes seconds to minutes then; one builder at a time for one set. Raises EnvironmentFailed.
        """
        if not libraries:
            return self._interpreter
        name = self.name(libraries)
        found = self._ready(name)
        if found is None:
            make_private_folder(self._folder)
            with locked(self._folder / f"{name}.lock"):
                found = self._ready(name) or self._build(name, libraries)
        return str(found / "bin" / "python")

    def _ready(self, name: str) -> Path | None:
        """The folder of an environment that was built to its end."""
        try:
            place = self._folder / json.loads((self._folder / f"{name}.json").read_bytes())["folder"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return place if (place / "bin" / "python").exists() else None

    def name(self, libraries: Sequence[Library]) -> str:
        """What identifies the environment: its libraries by content, and what they are installed on."""
        base = self.default()
        content = {"base": base.lock, "interpreter": self._interpreter, "libraries": [_identity(x) for x in libraries]}
        return digest_document(content).removeprefix("sha256:")[:32]

    def document(self, key: str, libraries: Sequence[Library]) -> dict[str, Any]:
        """The entry of a run manifest. One that is not built yet is named by what was asked for, and says so."""
        if not libraries:
            return self.default().document(key)
        place = self._ready(self.name(libraries))
        if place is not None:
            interpreter = str(place / "bin" / "python")
            known = self._inspected.get(interpreter) or inspect(interpreter, self._environment)
            self._inspected[interpreter] = known
            return known.document(key)
        wanted = [_identity(library) for library in libraries]
        base = self.default()
        return {
            "key": key,
            "lock": digest_document({"base": base.lock, "requested": wanted}),
            "python": base.python,
            "packages": [],
            "image": None,
            "unknown": "the environment is built when the task first starts",
        }

    def _build(self, name: str, libraries: Sequence[Library]) -> Path:
        """Builds in a folder of its own: pip of a builder that was killed may still be at work in an earlier one."""
        for left in self._folder.glob(f"{name}.*.d"):
            shutil.rmtree(left, ignore_errors=True)
        target = Path(tempfile.mkdtemp(prefix=f"{name}.", suffix=".d", dir=self._folder))
        base = self.default()
        self._do((self._interpreter, "-m", "venv", "--without-pip", str(target)), "the virtual environment")
        python = str(target / "bin" / "python")
        site = next(iter(sorted(target.glob("lib/python*/site-packages"))), None)
        if site is None:
            raise EnvironmentFailed(f'"{self._interpreter}" made a virtual environment without site-packages')
        # What is installed for every task stays importable, after what this environment adds.
        inherited = [path for path in base.paths if path.endswith(("site-packages", "dist-packages"))]
        (site / "bundlectl-inherited.pth").write_text("\n".join(inherited) + "\n", encoding="utf-8")
        if not base.has_pip:
            self._do((python, "-m", "ensurepip", "--default-pip"), "pip")
        for index, wanted in _by_index(libraries):
            arguments = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
            arguments += ["--index-url", index] if index else []
            self._do((*arguments, *wanted), ", ".join(_shown(library) for library in libraries))
        what = {"folder": target.name, "libraries": [_identity(library) for library in libraries]}
        write_atomic(self._folder / f"{name}.json", json.dumps(what).encode())
        return target

    def _do(self, arguments: Sequence[str], what: str) -> None:
        environment = {**self._environment, "PYTHONNOUSERSITE": "1"}
        try:
            done = run(arguments, environment=environment, timeout_s=_BUILD_TIMEOUT_S)
        except (OSError, ProcessTimeout) as error:
            raise EnvironmentFailed(f"Installing {what} came to nothing: {error}") from error
        if done.code != 0:
            text = (done.stdout + done.stderr).decode("utf-8", "replace")
            tail = "\n".join([line for line in text.splitlines() if line.strip()][-_TAIL_LINES:])
            raise EnvironmentFailed(f"Installing {what} ended with exit status {done.code}:\n{tail}")


def _identity(library: Library) -> dict[str, str | None]:
    """A library by content: the same file under another path is the same library. Raises EnvironmentFailed."""
    if library.kind == "requirement":
        return {"requirement": library.text, "repository": library.repository}
    path, bracket, extras = library.text.partition("[")
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise EnvironmentFailed(f'The library file "{path}" cannot be read: {error.strerror}') from error
    return {library.kind: Path(path).name + bracket + extras, "digest": digest_bytes(content)}


def _by_index(libraries: Sequence[Library]) -> list[tuple[str | None, list[str]]]:
    """Arguments of pip, one call per package index, so that what belongs together is resolved together."""
    groups: dict[str | None, list[str]] = {}
    for library in libraries:
        option = ["-r"] if library.kind == "requirements_file" else []
        groups.setdefault(library.repository, []).extend([*option, library.text])
    return list(groups.items())


def _shown(library: Library) -> str:
    return f'"{library.text if library.kind == "requirement" else Path(library.text).name}"'
