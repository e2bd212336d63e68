"""Start-up is a feature: what `--version`, `--help` and an unchanged plan import equals what is written down here.

`pytest tests/architecture/test_hot_path.py --update` rewrites hot_path.txt; its diff is reviewed like code.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.builders import RepositoryBuilder

_LIST = Path(__file__).with_name("hot_path.txt")

# Never on a path that everybody waits for.
HEAVY = frozenset(
    {"pydantic", "pydantic_core", "git", "deepdiff", "jsonschema", "requests", "urllib3", "starlette", "jinja2", "yaml"}
)
# Costly parts of the standard library that nothing here needs at start-up.
COSTLY = frozenset({"asyncio", "importlib.metadata", "http.client", "multiprocessing", "unittest", "xml"})

_PROBE = """
import json, sys
from bundlectl.__main__ import main
sys.argv = ["bundlectl", *json.loads(sys.argv[1])]
try:
    main()
except SystemExit as end:
    code = end.code
with open("modules.json", "w", encoding="utf-8") as file:
    json.dump({"code": code or 0, "modules": sorted(sys.modules)}, file)
"""


def _modules(repository: RepositoryBuilder, *words: str) -> set[str]:
    """Modules that are loaded when a command ends; it must end well."""
    environment = {**repository.environment, "PYTHONPATH": str(ROOT)}
    scratch = repository.folder.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    ran = subprocess.run(
        [sys.executable, "-c", _PROBE, json.dumps(words)], cwd=scratch, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads((scratch / "modules.json").read_text(encoding="utf-8"))
    assert found["code"] == 0, ran.stdout + ran.stderr
    return set(found["modules"])


def _ours(modules: set[str]) -> list[str]:
    return sorted(name for name in modules if name.partition(".")[0] == "bundlectl")


def _tops(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


@pytest.fixture
def deployed(repository: RepositoryBuilder) -> RepositoryBuilder:
    """A repository whose bundle is deployed and planned once, so that the next plan finds nothing changed."""
    source = ROOT / "tests" / "examples" / "small"
    files = {path.relative_to(source).as_posix(): path.read_bytes() for path in source.rglob("*") if path.is_file()}
    repository.commit("first", files)
    _modules(repository, "deploy", "-C", str(repository.folder), "--auto-approve")
    _modules(repository, "plan", "-C", str(repository.folder))
    return repository


def test_version_imports_almost_nothing(repository: RepositoryBuilder) -> None:
    modules = _modules(repository, "--version")
    assert _ours(modules) == ["bundlectl", "bundlectl.__main__"]
    assert _tops(modules) <= {*sys.stdlib_module_names, "bundlectl", "sitecustomize", "usercustomize"} | _environment()


def test_help_imports_no_command(repository: RepositoryBuilder) -> None:
    modules = _modules(repository, "--help")
    assert [name for name in _ours(modules) if name.startswith("bundlectl.cli.commands.")] == []
    assert _tops(modules) & (HEAVY | {"typer", "rich"}) == set()


def test_an_unchanged_plan_imports_what_is_written_down(
    deployed: RepositoryBuilder, request: pytest.FixtureRequest
) -> None:
    modules = _modules(deployed, "plan", "-C", str(deployed.folder), "--detailed-exitcode")
    assert _tops(modules) & HEAVY == set()
    assert modules & COSTLY == set()
    if request.config.getoption("--update"):
        _LIST.write_text("\n".join(_ours(modules)) + "\n", encoding="utf-8")
    assert _ours(modules) == _LIST.read_text(encoding="utf-8").split()


def _environment() -> set[str]:
    """What the interpreter of this environment loads before any program."""
    listed = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sorted(sys.modules))"], capture_output=True, text=True, check=True
    )
    return _tops(set(listed.stdout.split()))
