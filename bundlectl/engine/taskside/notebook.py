"""Runs inside the task process: the cells of a notebook in one namespace, in order, up to the first error.

Called by engine.taskside.launcher. There is no kernel: Python cells are compiled with the name and the lines of the
file, so that a traceback points at the notebook.
"""

import ast
import os
import re
import sys
from contextlib import nullcontext
from typing import Any

from bundlectl.engine.taskside.cells import Cell, find_notebook, read_cells
from bundlectl.engine.taskside.child import pip, run_shell
from bundlectl.engine.taskside.executed import Executed
from bundlectl.engine.taskside.namespace import UserNamespaceInitializer, display
from bundlectl.engine.taskside.sql import run_text

_MAGIC = "__bundlectl_magic__"
_COROUTINE = 0x80  # inspect.CO_COROUTINE; the module costs 10 ms
_IGNORED = {"matplotlib", "config", "load_ext", "autoreload", "reload_ext"}
_ARGUMENT = r"""\$(\w+)\s*=\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\S+)"""
_NO_SPARK = "hint: Spark is not installed in this environment; `spark` is None on the embedded engine without pyspark"


class Notebook:
    """One namespace and the notebooks that run in it: `%run` runs another one inline."""

    def __init__(self, database: str | None, ready: UserNamespaceInitializer, executed: str | None = None) -> None:
        """`executed`: where the copy of a Jupyter notebook goes that has the outputs of its cells."""
        self._database = database
        self._target = executed
        self._dbutils = ready.dbutils
        self._running: list[str] = []  # files, the outermost first
        self.namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
        self.namespace.update(ready.get_namespace_globals())
        self.namespace["getArgument"] = ready.dbutils.widgets.getArgument
        self.namespace[_MAGIC] = self._line_magic

    def run(self, path: str) -> None:
        """Runs a notebook from its first cell to its last. Raises what a cell raises."""
        sys.argv = [path]
        sys.path.insert(0, os.path.dirname(path))
        self._as_main(path)
        try:
            self._inline(path)
        except AttributeError as error:
            if "'NoneType' object has no attribute" in str(error) and self.namespace.get("spark", 0) is None:
                print(_NO_SPARK, flush=True)
            raise

    def _as_main(self, path: str) -> None:
        """Classes and functions of the notebook belong to `__main__`, as they do for a script."""
        main = sys.modules["__main__"]
        self.namespace["__file__"] = path
        main.__dict__.clear()
        main.__dict__.update(self.namespace)
        self.namespace = main.__dict__

    def _inline(self, path: str) -> None:
        if path in self._running:
            raise RecursionError("notebooks run each other in a circle: " + " -> ".join([*self._running, path]))
        self._running.append(path)
        cells = read_cells(path)
        copy = self._copy(path)
        for cell in cells:
            with nullcontext() if copy is None else copy.cell(cell.number):
                self._run_cell(cell)
        self._running.pop()

    def _copy(self, path: str) -> Executed | None:
        """The executed copy of the notebook that the task names; none of notebooks that it runs inline."""
        if self._target is None or len(self._running) > 1 or not path.lower().endswith(".ipynb"):
            return None
        return Executed(path, self._target)

    def _run_cell(self, cell: Cell) -> None:
        match cell.language:
            case "md":
                return
            case "python":
                self._run_python(cell)
            case "sql":
                self._run_sql(cell)
            case "sh":
                run_shell(cell.text, stop_on_error=cell.options == "-e")
            case "run":
                self._run_other(" ".join([cell.options, *cell.text.split()]))
            case "pip":
                pip(_words(" ".join([cell.options, *cell.text.split()])))
            case other:
                where = f"{os.path.basename(cell.file)}, line {cell.line}"
                raise RuntimeError(f"%{other} cells do not run on the embedded engine ({where})")

    def _run_python(self, cell: Cell) -> None:
        """Runs the statements; a last expression is displayed, as in a notebook."""
        text = _with_line_magics(cell)
        if ":cell " in cell.file:
            _remember_lines(cell.file, text)
        tree = ast.parse("\n" * (cell.line - 1) + text, cell.file)
        shown = None
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr) and not text.rstrip().endswith(";"):
            tree.body.pop()
            shown = ast.Expression(last.value)
        if tree.body:
            self._evaluate(tree, cell.file, "exec")
        if shown is not None:
            value = self._evaluate(shown, cell.file, "eval")
            if value is not None:
                display(value)

    def _evaluate(self, tree: ast.Module | ast.Expression, file: str, mode: str) -> Any:
        code = compile(tree, file, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        value = eval(code, self.namespace)  # noqa: S307 - the cell of the user's notebook is what this process is for
        if not code.co_flags & _COROUTINE:
            return value
        import asyncio  # 50 ms, and few notebooks wait at the top level

        return asyncio.run(value)

    def _run_sql(self, cell: Cell) -> None:
        if self._database is None:
            raise RuntimeError("%sql needs the engine's database, and this process has none")
        result = run_text(cell.text, self._database, self._dbutils.widgets.getAll(), cell.file, cell.line)
        self.namespace["_sqldf"] = result.rows

    def _run_other(self, line: str) -> None:
        """`%run path $name="value"`: the other notebook, here and now."""
        arguments = {name: value.strip("\"'") for name, value in re.findall(_ARGUMENT, line)}
        names = _words(re.sub(_ARGUMENT, "", line))
        if len(names) != 1:
            raise SyntaxError(f'%run names one notebook, not "{line.strip()}"')
        self._dbutils.widgets.given(arguments)
        self._inline(find_notebook(names[0], os.path.dirname(self._running[-1])))

    def _line_magic(self, line: str) -> None:
        name, _, rest = line.lstrip("%!").partition(" ")
        if line.startswith("!"):
            run_shell(line[1:], stop_on_error=False)
        elif name == "pip":
            pip(_words(rest))
        elif name == "run":
            self._run_other(rest)
        elif name == "sh":
            run_shell(rest, stop_on_error=False)
        elif name not in _IGNORED:
            raise RuntimeError(f"%{name} does not run on the embedded engine")


def _remember_lines(file: str, text: str) -> None:
    """Lets a traceback show the lines of a cell that is in no file of its own."""
    import linecache

    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)


def _words(line: str) -> list[str]:
    import shlex

    return shlex.split(line)


def _with_line_magics(cell: Cell) -> str:
    """Python text in which lines like `%pip install x` or `!ls` are calls; unchanged when it is plain Python."""
    try:
        compile(cell.text, cell.file, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError:
        return "\n".join(
            f"{_MAGIC}({line.strip()!r})" if line.startswith(("%", "!")) else line for line in cell.text.split("\n")
        )
    return cell.text
