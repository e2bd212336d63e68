"""What is pure stays pure: planning, schedules, task order and values reach nothing outside their arguments."""

import sys

import pytest

from tests.architecture.source import Import, Module, imports, modules, within

PURE = (
    "planning",
    "base.fire_times",
    "base.quartz",
    "base.dag",
    "base.suggest",
    "engine.dag",
    "engine.values",
    "engine.tasks.control",
    "state.intents",
)

OUTSIDE = frozenset(
    {
        "asyncio", "fcntl", "glob", "http", "io", "logging", "multiprocessing", "os", "pathlib", "platform", "random",
        "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys",
        "tempfile", "threading", "time", "urllib",
    }
)  # fmt: skip

_PURE_MODULES = [module for module in modules() if within(module.name, PURE) and module.text]


def test_the_pure_core_exists() -> None:
    assert {"planning.planner", "planning.diff", "engine.dag", "engine.values", "state.intents"} <= {
        module.name for module in _PURE_MODULES
    }


@pytest.mark.parametrize("module", _PURE_MODULES, ids=lambda module: module.name)
def test_pure_modules_name_nothing_that_reaches_outside(module: Module) -> None:
    assert [f"{item.line}: {item.module}" for item in imports(module) if _reaches_outside(item)] == []


def test_the_nouns_import_the_standard_library_and_base_only() -> None:
    faults = []
    for module in modules():
        if not within(module.name, ("model",)):
            continue
        for item in imports(module):
            ours = within(item.module, ("bundlectl.model", "bundlectl.base")) or item.module == "bundlectl"
            if not ours and item.module.partition(".")[0] not in sys.stdlib_module_names:
                faults.append(f"{module.name}:{item.line} imports {item.module}")
    assert faults == []


def test_the_nouns_touch_nothing_outside() -> None:
    faults = [
        f"{module.name}:{item.line} imports {item.module}"
        for module in modules()
        if within(module.name, ("model",))
        for item in imports(module)
        if _reaches_outside(item)
    ]
    assert faults == []


def _reaches_outside(item: Import) -> bool:
    if item.module == "pathlib" and item.names and all(name.startswith("Pure") for name in item.names):
        return False  # paths as text only
    return item.module.partition(".")[0] in OUTSIDE
