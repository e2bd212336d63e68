"""Names that must not occur in the package: they run or rebuild what came from outside, or switch a protection off."""

import ast
from collections.abc import Iterator

from tests.architecture.source import Module, imports, modules, within

MODULES = frozenset(
    {"pickle", "cPickle", "shelve", "marshal", "dill", "databricks", "sqlalchemy", "click", "imp", "xml.sax"}
)
CALLS = frozenset(
    {
        "eval",
        "exec",
        "compile",
        "yaml.load",
        "yaml.unsafe_load",
        "yaml.full_load",
        "tempfile.mktemp",
        "os.system",
        "os.popen",
    }
)
KEYWORDS = frozenset({("shell", True), ("verify", False)})

# Runs the user's own code inside the user's own process: notebooks have no other way.
RUNS_USER_CODE = ("engine.taskside",)


def test_forbidden_modules() -> None:
    faults = [
        f"{module.name}:{item.line} imports {item.module}"
        for module in modules()
        for item in imports(module)
        if any(within(item.module, (name,)) for name in MODULES) and not within(module.name, RUNS_USER_CODE)
    ]
    assert faults == []


def test_forbidden_calls() -> None:
    faults = [
        f"{module.name}:{line} calls {name}"
        for module in modules()
        for name, line in _calls(module)
        if name in CALLS and not (within(module.name, RUNS_USER_CODE) and name in {"exec", "compile", "eval"})
    ]
    assert faults == []


def test_forbidden_arguments() -> None:
    faults = []
    for module in modules():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call):
                continue
            for keyword in node.keywords:
                value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
                if any(keyword.arg == name and value is bad for name, bad in KEYWORDS):
                    faults.append(f"{module.name}:{node.lineno} passes {keyword.arg}={value!r}")
    assert faults == []


def test_no_bare_except() -> None:
    faults = [
        f"{module.name}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert faults == []


def _calls(module: Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno
