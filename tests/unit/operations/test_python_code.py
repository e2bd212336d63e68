"""Jobs made by Python with the real package: in a copy of the tree that is read, without the invoker's credentials."""

import sys
from pathlib import Path

import pytest

from bundlectl.model.errors import Refused
from bundlectl.model.source import Revision
from bundlectl.operations.load import Loading, load, load_for_validation
from bundlectl.operations.plan import make_plan
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import TARGETS, ContextMaker

VENV = sys.prefix  # the environment of the tests has the package
BUNDLE = f"""\
bundle: {{name: shop}}
bundlectl: {{backend: local}}
variables: {{n: {{default: 3}}}}
python: {{venv_path: {VENV}, resources: ["made:jobs"], mutators: ["made:tag"]}}
{TARGETS}resources:
  jobs:
    own:
      tasks: [{{task_key: t, shell_task: {{command: [echo, hi]}}}}]
"""
MADE = """\
import os
from dataclasses import replace
from pathlib import Path

from databricks.bundles.core import Bundle, Resources, job_mutator
from databricks.bundles.jobs import Job


def jobs(bundle: Bundle) -> Resources:
    resources = Resources()
    note = "NOTE"
    resources.add_resource("made", Job.from_dict({
        "name": f"made {bundle.target} {bundle.variables['n']}",
        "description": note,
        "tasks": [{"task_key": "t", "spark_python_task": {"python_file": "src/a.py"}}],
    }))
    return resources


@job_mutator
def tag(job: Job) -> Job:
    return replace(job, tags={"by": "python"})
"""


def _commit(repository: RepositoryBuilder, note: str = '"plain"', **files: str) -> str:
    return repository.commit(
        "one", {"databricks.yml": BUNDLE, "made.py": MADE.replace('"NOTE"', note), "src/a.py": "print(1)", **files}
    )


def _description(loading: Loading) -> str:
    assert loading.loaded.document is not None, list(loading.loaded.diagnostics)
    return str(loading.loaded.document["resources"]["jobs"]["made"]["description"])


def _codes(loading: Loading) -> list[str]:
    return [finding.code for finding in loading.loaded.diagnostics]


@pytest.fixture(autouse=True)
def _an_environment_with_the_package() -> None:
    assert (Path(VENV) / "pyvenv.cfg").is_file(), "the tests run in a virtual environment"


def test_nothing_is_run_unless_it_is_allowed(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    _commit(repository, f"Path({str(canary)!r}).write_text('ran')")
    loading = load_for_validation(new_context())
    assert _codes(loading) == ["BND295"]
    assert loading.loaded.bundle is not None and list(loading.loaded.bundle.jobs) == ["own"]
    for read in (load, make_plan):
        with pytest.raises(Refused) as refused:
            read(new_context())
        assert (refused.value.code, refused.value.exit_code) == ("BND318", 6)
        assert str(refused.value.diagnostics[0].spans[0]) == "databricks.yml:4:1"
    assert not canary.exists()
    load_for_validation(new_context(allow=["python"]))
    assert canary.exists()


def test_jobs_are_planned_with_the_place_of_their_function(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    _commit(repository)
    planned = make_plan(new_context(allow=["python"]))
    assert set(planned.bundle.jobs) == {"made", "own"}
    spec = planned.loading.loaded.specs["made"]
    assert spec.document["name"] == "made free 3"
    assert spec.document["tags"] == {"by": "python"}
    assert spec.span is not None and spec.span.file == "made.py"
    assert MADE.splitlines()[spec.span.line - 1].startswith("    resources.add_resource")
    assert planned.bundle.config_digest == make_plan(new_context(allow=["python"])).bundle.config_digest


def test_the_code_that_runs_is_that_of_the_tree_that_is_read(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    _commit(repository, "Path('src/a.py').read_text()")
    repository.write({"src/a.py": "print(2)"})
    assert _description(load(new_context(allow=["python"], ref="HEAD"))) == "print(1)"
    assert _description(load(new_context(allow=["python"], target="dev"))) == "print(2)"
    assert _description(load(new_context(allow=["python"]))) == "print(1)"


def test_it_runs_once_for_the_tree_that_is_taken(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    note = f"open({str(log)!r}, 'a').write('ran\\n') and os.getcwd()"
    _commit(repository, note)
    repository.write({"src/a.py": "print(2)"})
    load(new_context(allow=["python"]))
    assert log.read_text() == "ran\n"


def test_what_it_writes_is_gone_and_never_in_the_working_tree(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    _commit(repository, "str(Path('new.txt').write_text('x')) + os.getcwd()")
    folder = Path(_description(load(new_context(allow=["python"])))[1:])
    assert not folder.exists()
    assert repository.git("status", "--porcelain") == ""


def test_the_process_sees_no_credentials_unless_they_are_named(
    repository: RepositoryBuilder, new_context: ContextMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABRICKS_TOKEN", "AWS_SECRET_ACCESS_KEY", "BUNDLECTL_GIT_TOKEN", "SOME_PASSWORD"):
        monkeypatch.setenv(name, "canary")
    _commit(repository, "' '.join(sorted(k for k, v in os.environ.items() if v == 'canary')) or 'none'")
    assert _description(load(new_context(allow=["python"]))) == "none"
    named = new_context(allow=["python"], python_env=["SOME_PASSWORD"])
    assert _description(load(named)) == "SOME_PASSWORD"


def test_profiles_of_the_databricks_tools_are_out_of_sight(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    _commit(repository, "os.environ['DATABRICKS_CONFIG_FILE']")
    assert _description(load(new_context(allow=["python"]))) == "/dev/null"


def test_a_virtual_environment_is_looked_for_in_the_working_tree(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    _commit(repository, "'ok'", **{"databricks.yml": BUNDLE.replace(VENV, ".venv"), ".gitignore": ".venv\n"})
    (finding,) = load_for_validation(new_context(allow=["python"])).loaded.diagnostics
    assert (finding.code, str(finding.spans[0])) == ("BND294", "databricks.yml:4:21")
    (repository.folder / ".venv").symlink_to(VENV)
    assert _description(load(new_context(allow=["python"], ref="HEAD"))) == "ok"


@pytest.mark.parametrize(
    ("note", "code", "words"),
    [
        ("1 / 0", "BND296", "python: Failed to load resources"),
        ("sys.exit(3)", "BND296", "python: Failed to load resources"),
        ("os._exit(3)", "BND296", "python ended with exit status 3"),
        ("os.kill(os.getpid(), 9)", "BND296", "python ended with exit status -9"),
    ],
)
def test_a_function_that_fails(
    repository: RepositoryBuilder, new_context: ContextMaker, note: str, code: str, words: str
) -> None:
    _commit(repository, note)
    loading = load_for_validation(new_context(allow=["python"]))
    (finding,) = loading.loaded.diagnostics
    assert (finding.code, finding.summary) == (code, words if words.startswith("python:") else finding.summary)
    assert finding.summary.startswith(words)
    assert loading.loaded.bundle is None
    if words.startswith("python:"):
        assert finding.spans[0].file == "made.py" and "note = " in MADE.splitlines()[finding.spans[0].line - 1]


def test_a_function_that_hangs_is_ended(
    repository: RepositoryBuilder, new_context: ContextMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUNDLECTL_PYTHON_TIMEOUT", "1")
    _commit(repository, "__import__('time').sleep(3600)")
    (finding,) = load_for_validation(new_context(allow=["python"])).loaded.diagnostics
    assert (finding.code, finding.summary) == ("BND296", "python did not end within 1 s in phase load_resources")


def test_an_interpreter_without_the_package(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "python3"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    _commit(repository, **{"databricks.yml": BUNDLE.replace(f"venv_path: {VENV}, ", "")})
    (finding,) = load_for_validation(new_context(allow=["python"])).loaded.diagnostics
    assert (finding.code, finding.hint) == (
        "BND296",
        "install databricks-bundles for that interpreter: pip install databricks-bundles",
    )


def test_the_result_is_never_kept(repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    _commit(repository, f"Path({str(outside)!r}).read_text()")
    for text in ("one", "two"):
        outside.write_text(text)
        assert _description(load(new_context(allow=["python"]))) == text
    assert _codes(load_for_validation(new_context())) == ["BND295"]


@pytest.mark.parametrize(
    ("options", "variables", "hint"),
    [
        ({}, {}, "--allow python"),
        ({"untrusted": True}, {}, "--untrusted"),
        ({}, {"BUNDLECTL_UNTRUSTED": "1", "BUNDLECTL_ALLOW": "python"}, "BUNDLECTL_UNTRUSTED"),
        ({"allow": ["python"]}, {"DATABRICKS_BUNDLE_RESTRICTED_CODE_EXECUTION": "1"}, "RESTRICTED_CODE_EXECUTION"),
        ({"allow": ["build,scripts"]}, {}, "--allow python"),
    ],
)
def test_a_refusal_says_what_would_lift_it(
    repository: RepositoryBuilder,
    new_context: ContextMaker,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, object],
    variables: dict[str, str],
    hint: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    _commit(repository)
    with pytest.raises(Refused) as refused:
        load(new_context(**options))
    found = refused.value.diagnostics[0]
    assert found.code == "BND318" and hint in str(found.hint)


def test_outside_git_a_bundle_can_be_validated(tmp_path: Path, new_context: ContextMaker) -> None:
    folder = tmp_path / "plain"
    (folder / "src").mkdir(parents=True)
    (folder / "src/a.py").write_text("")
    (folder / "databricks.yml").write_text(BUNDLE)
    (folder / "made.py").write_text(MADE)
    loading = load_for_validation(new_context(chdir=folder, allow=["python"]))
    assert loading.tree.revision == Revision(commit=None, tree=None, working_tree=True)
    assert loading.loaded.bundle is not None and set(loading.loaded.bundle.jobs) == {"made", "own"}
