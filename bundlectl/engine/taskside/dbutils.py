"""Runs inside the task process: `dbutils` with widgets, task values, notebook exit, secrets and a small fs.

Made once per process by engine.taskside.namespace. Talks to the engine through the files that the environment names
(jobs.md 5.5), so it works in any process that a task starts.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from bundlectl.engine.taskside.child import run_notebook
from bundlectl.engine.taskside.filesystem import FileSystem

VALUE_LIMIT = 48 * 1024  # bytes of JSON
_OUTSIDE = "Must pass debugValue when calling get outside of a job context. debugValue cannot be None."


class NotebookExit(SystemExit):
    """Ends the task with success; the launcher stores the value."""

    def __init__(self, value: str) -> None:
        super().__init__(0)
        self.value = value


class Widgets:
    """Parameters of a notebook: those of the task, then the defaults that the notebook declares."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}
        self._defaults: dict[str, str] = {}

    def given(self, parameters: Mapping[str, str]) -> None:
        """Values from outside; they win over declared defaults."""
        self._given.update(parameters)

    def get(self, name: str) -> str:
        """The value of a widget. Raises ValueError when there is none."""
        found = self._given.get(name, self._defaults.get(name))
        if found is None:
            raise ValueError(f'No widget "{name}": it is no parameter of this task, and the notebook declares none')
        return found

    def getArgument(self, name: str, default: str | None = None) -> str:  # noqa: N802
        """As `get`, with a default."""
        return self.get(name) if default is None else self._given.get(name, self._defaults.get(name, default))

    def getAll(self) -> dict[str, str]:  # noqa: N802
        """Every widget with its value."""
        return {**self._defaults, **self._given}

    def text(self, name: str, defaultValue: str = "", label: str | None = None) -> None:  # noqa: N803
        """Declares a widget with a default."""
        self._defaults[name] = str(defaultValue)

    def dropdown(
        self,
        name: str,
        defaultValue: str,  # noqa: N803
        choices: Any = (),
        label: str | None = None,
    ) -> None:
        """Declares a widget with a default; a value from outside need not be one of the choices."""
        self._defaults[name] = str(defaultValue)

    combobox = dropdown
    multiselect = dropdown

    def remove(self, name: str) -> None:
        """Takes a widget away."""
        self._given.pop(name, None)
        self._defaults.pop(name, None)

    def removeAll(self) -> None:  # noqa: N802
        """Takes all widgets away."""
        self._given.clear()
        self._defaults.clear()


class TaskValues:
    """Values that tasks of a run leave for later tasks."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._out = environment.get("BUNDLECTL_TASK_VALUES_OUT")
        self._in = environment.get("BUNDLECTL_TASK_VALUES_IN")
        self._own = environment.get("BUNDLECTL_TASK_KEY")

    def set(self, key: str, value: Any) -> None:
        """Leaves a JSON value of at most 48 KiB; a second one under the same key replaces it. Nothing outside a job."""
        if not key:
            raise ValueError("The key of a task value is empty")
        try:
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise TypeError(f'The task value "{key}" cannot be written as JSON: {error}') from None
        size = len(text.encode("utf-8"))
        if size > VALUE_LIMIT:
            raise ValueError(f'The task value "{key}" has {size} bytes as JSON; at most {VALUE_LIMIT} are kept')
        if self._out is None:
            return
        line = f'{{"key":{json.dumps(key)},"value":{text}}}\n'.encode("utf-8", "surrogatepass")
        # One write to a file opened for appending: lines of several processes do not mix.
        descriptor = os.open(self._out, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def get(
        self,
        taskKey: str,  # noqa: N803
        key: str,
        default: Any = None,
        debugValue: Any = None,  # noqa: N803
    ) -> Any:
        """The value that a finished task upstream, or this one, left; else `default`, which cannot be None.

        Raises ValueError when there is neither, TypeError outside a job without `debugValue`.
        """
        if self._in is None:
            if debugValue is None:
                raise TypeError(_OUTSIDE)
            return debugValue
        values = self._written() if taskKey == self._own else self._upstream(taskKey)
        if key in values:
            return values[key]
        if default is None:
            raise ValueError(f'The task "{taskKey}" has left no value "{key}", and no default was given')
        return default

    def _upstream(self, task_key: str) -> dict[str, Any]:
        assert self._in is not None
        with open(self._in, encoding="utf-8") as file:
            values: dict[str, Any] = json.load(file).get(task_key, {})
        return values

    def _written(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if self._out is not None and os.path.exists(self._out):
            with open(self._out, encoding="utf-8") as file:
                for line in file:
                    if line.strip():
                        entry = json.loads(line)
                        values[entry["key"]] = entry["value"]
        return values


class Jobs:
    """`dbutils.jobs`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.taskValues = TaskValues(environment)


class NotebookUtils:
    """`dbutils.notebook`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._scratch = environment.get("BUNDLECTL_RUN_DIR")

    def exit(self, value: Any = "") -> None:
        """Ends the notebook with success and this result."""
        raise NotebookExit(str(value))

    def run(self, path: str, timeout_seconds: int = 0, arguments: Mapping[str, Any] | None = None) -> str:
        """Runs another notebook in a process of its own; its result, "" when it leaves none.

        `path` is relative to the working directory. Raises RuntimeError when it fails, TimeoutError after
        `timeout_seconds` (0: never).
        """
        if self._scratch is None:
            raise RuntimeError("dbutils.notebook.run needs a job: $BUNDLECTL_RUN_DIR is not set")
        return run_notebook(path, timeout_seconds, dict(arguments or {}), self._scratch)


class Secrets:
    """`dbutils.secrets`: this engine has no secret store, and says so."""

    def get(self, scope: str, key: str) -> str:
        """Raises RuntimeError."""
        raise RuntimeError(f'No secret "{scope}/{key}": the embedded engine has no secret store')

    def getBytes(self, scope: str, key: str) -> bytes:  # noqa: N802
        """Raises RuntimeError."""
        return self.get(scope, key).encode()

    def listScopes(self) -> list[Any]:  # noqa: N802
        """None."""
        return []

    def list(self, scope: str) -> NoReturn:
        """Raises RuntimeError."""
        raise RuntimeError(f'No secret scope "{scope}": the embedded engine has no secret store')


class Library:
    """`dbutils.library`."""

    def restartPython(self) -> None:  # noqa: N802
        """Does nothing: libraries of `%pip` are importable at once."""
        sys.stdout.flush()


class DbUtils:
    """`dbutils`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.widgets = Widgets()
        self.jobs = Jobs(environment)
        self.notebook = NotebookUtils(environment)
        self.secrets = Secrets()
        self.fs = FileSystem()
        self.library = Library()
