"""Who may import what: third-party packages have one owner, own modules are imported at the top."""

import sys

import pytest

from tests.architecture.source import Import, Module, imports, modules, within

# Third-party package -> modules (or packages) of ours that may import it.
OWNERS: dict[str, tuple[str, ...]] = {
    "deepdiff": ("planning.diff",),
    "duckdb": ("engine.taskside",),
    "git": ("git.repository",),
    "jsonschema": ("planning.policies",),
    "referencing": ("planning.policies",),
    "nbclient": ("engine.taskside",),
    "nbformat": ("engine.taskside",),
    "packaging": ("operations.build_inputs",),
    "pathspec": ("config.ignore",),
    "platformdirs": ("cli.environment",),
    "pydantic": ("schema",),
    "pydantic_core": ("schema",),
    "requests": ("base.http", "backends.jobs_api.http"),
    "rich": ("render",),
    "starlette": ("web",),
    "sqlite3": ("engine", "config.index"),  # who opens a database: OPENS_SQLITE
    "typer": ("cli",),
    "urllib3": ("backends.jobs_api.http",),  # what requests is made of: connections that say when they begin
    "uvicorn": ("web",),
    "yaml": ("config.yaml_reader", "config.writer_tree"),
}

# Parts of the standard library that reach outside the program -> who may use them.
EFFECTS: dict[str, tuple[str, ...]] = {
    "hashlib": ("base.digest", "engine.taskside"),
    "http": ("base.http", "engine.taskside"),
    "multiprocessing": (),
    # The engine's are unix sockets between scheduler and worker, and pairs that wake a loop.
    "socket": (
        "base.host",
        "base.http",
        "engine.channel",
        "engine.executors.local",
        "engine.scheduler",
        "engine.worker",
        "web.server",
    ),
    "socketserver": (),
    "subprocess": ("base.process", "engine.worker", "engine.taskside"),
    "urllib.request": ("base.http", "engine.taskside"),
}

# Modules of the engine get a connection; these make one.
OPENS_SQLITE = ("engine.database", "config.index", "engine.taskside.sql")

# Own modules that may import others inside a function: registries that choose one of many (architecture 1).
REGISTRIES = (
    "__main__",
    "cli.main",
    "cli.results",
    "cli.wiring",
    "config.cache",  # hit or miss: decision 11
    "config.structure",
    "engine.api.jobs",
    "engine.api.requests",
    "engine.api.routes",  # routes of a workspace: decision 31
    "engine.service",
    "backends.registry",
    "engine.tasks.registry",
    "operations.plan",  # --changed-since opens a second bundle
    "operations.stage",  # a bundle with built files or without: decision 16
)


def _all() -> list[tuple[Module, Import]]:
    return [(module, item) for module in modules() for item in imports(module)]


def test_third_party_packages_are_imported_by_their_owner_only() -> None:
    faults = []
    for module, item in _all():
        top = item.module.partition(".")[0]
        known = top == "bundlectl" or (top in sys.stdlib_module_names and top != "sqlite3")
        if not known and not within(module.name, OWNERS.get(top, ())):
            faults.append(f"{module.name}:{item.line} imports {item.module}")
    assert faults == []


def test_effects_are_used_by_their_owner_only() -> None:
    faults = []
    for module, item in _all():
        for name, owners in EFFECTS.items():
            if within(item.module, (name,)) and not within(module.name, owners):
                faults.append(f"{module.name}:{item.line} imports {item.module}")
    assert faults == []


def test_databases_are_opened_by_their_owner_only() -> None:
    assert [m.name for m in modules() if "sqlite3.connect(" in m.text and not within(m.name, OPENS_SQLITE)] == []


def test_own_modules_are_imported_late_only_by_registries() -> None:
    faults = [
        f"{module.name}:{item.line} imports {item.module} inside a function"
        for module, item in _all()
        if item.late and item.module.partition(".")[0] == "bundlectl" and module.name not in REGISTRIES
    ]
    assert faults == []


def test_nothing_is_imported_for_type_checking_only() -> None:
    assert [f"{module.name}:{item.line}" for module, item in _all() if item.typing_only] == []
    assert [module.name for module in modules() if "TYPE_CHECKING" in module.text] == []


@pytest.mark.parametrize("word", ["importlib.import_module", "__import__(", "importlib.util"])
def test_nothing_of_ours_is_imported_by_string(word: str) -> None:
    assert [
        module.name for module in modules() if word in module.text and not within(module.name, ("engine.taskside",))
    ] == []


def test_packages_are_namespaces_only() -> None:
    full = [module.name for module in modules() if module.path.name == "__init__.py" and module.text and module.name]
    assert full == []


def test_modules_say_what_they_hold() -> None:
    silent = [
        module.name
        for module in modules()
        if module.text and (not module.tree.body or not module.text.lstrip().startswith(('"""', "'''")))
    ]
    assert silent == []
