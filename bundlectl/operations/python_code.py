"""Runs the Python functions of a bundle: in a process of their own, in a copy of the tree, without credentials.

Made by cli.wiring when the invoker allows it, used by operations.load. What the functions are given and what becomes of
their answer is config.python_code's business; here is the process (config language 15.2).
"""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from bundlectl.base.process import Completed, OutputTooLarge, ProcessTimeout, run
from bundlectl.config.request import PythonAnswer, PythonCall
from bundlectl.config.tree_view import join
from bundlectl.git.export import export
from bundlectl.model.source import SourceTree

# What of the invoker's environment the process sees; more only by --python-env.
_PASSED = (
    "HOME",
    "USER",
    "LOGNAME",
    "PATH",
    "TMPDIR",
    "TMP",
    "TEMP",
    "TZ",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SYSTEMROOT",
)
_MAX_OUTPUT = 64 << 20  # of stdout and stderr
_MAX_FILE = 256 << 20  # the loader has its own, smaller limit and says so
_STDERR_TAIL = 64 << 10
_MODULE = "databricks.bundles.build"


class PythonSettings(NamedTuple):
    """What the invoker says about the process."""

    environment: Mapping[str, str]  # of the process, whole
    timeout_s: float


def process_environment(inherited: Mapping[str, str], named: Mapping[str, str]) -> dict[str, str]:
    """The environment of the process: what it needs to start, and what was named for it.

    A profile file of the Databricks tools holds credentials, so it is out of sight unless it was named. Hashes have a
    fixed seed: what a function makes must not differ from one run to the next.
    """
    passed = {name: inherited[name] for name in _PASSED if name in inherited}
    ours = {
        "DATABRICKS_CONFIG_FILE": os.devnull,
        "PYTHONUTF8": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return {**passed, **ours, **named}


class PythonRunner:
    """Runs phases on one tree; a context manager, since the copy of the tree is removed at its end.

    `top` is the folder of the working tree, where a relative `venv_path` is looked for; None in a bare repository.
    """

    def __init__(self, settings: PythonSettings, tree: SourceTree, top: Path | None) -> None:
        self._settings = settings
        self._tree = tree
        self._top = top
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> "PythonRunner":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def __call__(self, call: PythonCall) -> PythonAnswer:
        """Runs one phase to its end. Raises InputError when the tree cannot be copied."""
        program = self._program(call)
        if isinstance(program, PythonAnswer):
            return program
        top = self._copied(call)
        files = Path(tempfile.mkdtemp(prefix=f"{call.phase}-", dir=top.parent))
        (files / "input.json").write_text(json.dumps(call.configuration, allow_nan=False), encoding="utf-8")
        words = [program, "-m", _MODULE, "--phase", call.phase]
        for name in ("input", "output", "diagnostics", "locations"):
            words += [f"--{name}", str(files / f"{name}.json")]
        ended = self._run(words, top / call.root, call.phase)
        if isinstance(ended, PythonAnswer):
            return ended
        return PythonAnswer(
            code=ended.code,
            output=_read(files / "output.json"),
            diagnostics=_read(files / "diagnostics.json"),
            locations=_read(files / "locations.json"),
            stderr=ended.stderr[-_STDERR_TAIL:].decode("utf-8", "replace"),
            folder=str(top),
        )

    def _run(self, words: list[str], folder: Path, phase: str) -> Completed | PythonAnswer:
        timeout_s = self._settings.timeout_s
        try:
            return run(
                words,
                environment=self._settings.environment,
                folder=str(folder),
                timeout_s=timeout_s,
                max_output=_MAX_OUTPUT,
            )
        except ProcessTimeout:
            fault = f"python did not end within {timeout_s:g} s in phase {phase}"
            return _fault(fault, hint="BUNDLECTL_PYTHON_TIMEOUT gives it more seconds")
        except OutputTooLarge:
            return _fault(f"python wrote more than {_MAX_OUTPUT >> 20} MiB to stdout and stderr in phase {phase}")
        except OSError as error:
            return _fault(f'python cannot be started: "{words[0]}": {error.strerror or error}')

    def _program(self, call: PythonCall) -> str | PythonAnswer:
        """The interpreter: that of the virtual environment, else the first one on PATH."""
        windows = os.name == "nt"
        if call.venv_path is None:
            name = "python" if windows else "python3"
            found = shutil.which(name, path=self._settings.environment.get("PATH", os.defpath))
            return os.path.abspath(found) if found else _fault(f'there is no "{name}" on PATH', hint="set venv_path")
        if self._top is None and not os.path.isabs(call.venv_path):
            summary = f'venv_path "{call.venv_path}" is relative to a working tree, and a bare repository has none'
            return _fault(summary, hint="give an absolute path, or work in a clone", no_venv=True)
        venv = Path(self._top or "/", call.root, call.venv_path)
        if not (venv / "pyvenv.cfg").is_file():
            summary = f'"{call.venv_path}" is no virtual environment'
            hint = f"make it in the bundle's folder: python3 -m venv {call.venv_path}"
            return _fault(summary, hint=hint, no_venv=True)
        return str(venv / ("Scripts/python.exe" if windows else "bin/python3"))

    def _copied(self, call: PythonCall) -> Path:
        """The copy of the tree, made when it is first needed."""
        if self._folder is None:
            folder = tempfile.TemporaryDirectory(prefix="bundlectl-python-", ignore_cleanup_errors=True)
            self._folder = folder
            top = self._copy_of_tree
            top.mkdir(mode=0o700)
            relative = call.venv_path is not None and not os.path.isabs(call.venv_path)
            venv = join(call.root, str(call.venv_path)) if relative else None
            export(self._tree, top, below=call.below, without=venv)
            (top / call.root).mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._copy_of_tree

    @property
    def _copy_of_tree(self) -> Path:
        assert self._folder is not None
        return Path(os.path.realpath(self._folder.name), "tree")


def _fault(summary: str, **more: Any) -> PythonAnswer:
    return PythonAnswer(code=-1, fault=summary, **more)


def _read(path: Path) -> bytes | None:
    """A file that the process wrote; None when it wrote none, or something else than a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return None
        return file.read(_MAX_FILE)
