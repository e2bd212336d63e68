"""The package as data: every module with its text and syntax tree, and the imports in it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "bundlectl"


class Module(NamedTuple):
    """One file of the package."""

    name: str  # dotted, below bundlectl: "cli.main"; "" is the package itself
    path: Path
    text: str
    tree: ast.Module


class Import(NamedTuple):
    """One imported module, and how it is imported."""

    module: str  # as written, absolute
    line: int
    late: bool  # inside a function
    typing_only: bool  # under `if TYPE_CHECKING`
    names: tuple[str, ...] = ()  # what is taken from it, with `from`


@cache
def modules() -> tuple[Module, ...]:
    """Every Python file of the package, sorted by name."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        found.append(Module(name, path, text, ast.parse(text)))
    return tuple(found)


def imports(module: Module) -> Iterator[Import]:
    """Imports of one module; `from a import b` gives "a" (and "a.b" when that is a module of ours)."""
    yield from _walk(module.tree, late=False, typing_only=False)


def _walk(node: ast.AST, *, late: bool, typing_only: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, node.lineno, late, typing_only)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        yield Import(base, node.lineno, late, typing_only, tuple(alias.name for alias in node.names))
        if base.partition(".")[0] == "bundlectl":
            for alias in node.names:
                if _is_module(f"{base}.{alias.name}"):
                    yield Import(f"{base}.{alias.name}", node.lineno, late, typing_only)
    inner_late = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    inner_typing = typing_only or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, late=inner_late, typing_only=inner_typing)


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def within(name: str, owners: tuple[str, ...]) -> bool:
    """True when a module is one of `owners` or lies below one."""
    return any(name == owner or name.startswith(f"{owner}.") for owner in owners)
