"""Files and functions stay small enough to be read at once. The tables of exceptions may only shrink."""

import ast
from collections.abc import Iterator

from tests.architecture.source import ROOT, modules

FILE_LINES = 400
FUNCTION_LINES = 60

# path -> lines it may have, below what it had before. Remove a row when its file is small enough.
LARGE_FILES: dict[str, int] = {}
# "module:function" -> lines it may have.
LONG_FUNCTIONS: dict[str, int] = {}


def test_no_file_is_longer_than_its_limit() -> None:
    long = {
        str(module.path.relative_to(ROOT)): len(module.text.splitlines())
        for module in modules()
        if len(module.text.splitlines()) > FILE_LINES
    }
    assert {path: lines for path, lines in long.items() if lines > LARGE_FILES.get(path, FILE_LINES)} == {}


def test_no_function_is_longer_than_its_limit() -> None:
    long = {name: lines for name, lines in _functions() if lines > LONG_FUNCTIONS.get(name, FUNCTION_LINES)}
    assert long == {}


def test_exceptions_are_still_needed() -> None:
    lines = {str(module.path.relative_to(ROOT)): len(module.text.splitlines()) for module in modules()}
    functions = dict(_functions())
    stale = [path for path in LARGE_FILES if lines.get(path, 0) <= FILE_LINES]
    stale += [name for name in LONG_FUNCTIONS if functions.get(name, 0) <= FUNCTION_LINES]
    assert stale == []


def _functions() -> Iterator[tuple[str, int]]:
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                yield f"{module.name}:{node.name}", node.end_lineno - node.lineno + 1
