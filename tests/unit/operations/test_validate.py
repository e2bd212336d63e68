"""validate for every target: each resolved, findings of all, each with the targets that have it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bundlectl.base.clock import FrozenClock
from bundlectl.operations.load import load_for_validation
from bundlectl.operations.validate import changes, locations, validate_all
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker

BUNDLE = """\
bundle: {name: shop}
variabels: {}
targets:
  dev: {default: true, resources: {jobs: {etl: {name: "${var.nope}"}}}}
  prod: {mode: production, workspace: {root_path: /Workspace/x}}
  test: {variables: {missing: 1}}
resources: {jobs: {etl: {tasks: [{task_key: t, shell_task: {command: x}}]}}}
bundlectl: {backend: local}
"""


def codes(checked: object) -> list[tuple[str, tuple[str, ...]]]:
    return sorted((item.diagnostic.code, item.targets) for item in checked.findings)  # type: ignore[attr-defined]


@pytest.fixture
def written(repository: RepositoryBuilder) -> RepositoryBuilder:
    repository.commit(files={"databricks.yml": BUNDLE})
    return repository


def test_each_finding_names_the_targets_that_have_it(written: RepositoryBuilder, new_context: ContextMaker) -> None:
    checked = validate_all(new_context(), strict=False)
    assert list(checked.loadings) == ["dev", "prod", "test"]
    # The undefined variable of dev is an error in dev, and no warning in the other two.
    assert codes(checked) == [("BND201", ()), ("BND230", ("test",)), ("BND240", ("dev",))]
    assert [name for name, loading in checked.loadings.items() if loading.loaded.bundle is None] == ["dev", "test"]
    said = {item.code: item.summary for item in checked.diagnostics}
    assert said["BND240"].endswith('(target "dev")') and "target" not in said["BND201"]
    assert [item.code for item in checked.of("prod")] == ["BND201"]
    assert checked.diagnostics.has_errors


def test_a_good_bundle_and_strict(written: RepositoryBuilder, new_context: ContextMaker) -> None:
    written.write({"databricks.yml": BUNDLE.replace('"${var.nope}"', "n").replace("missing: 1", "")})
    checked = validate_all(new_context(), strict=False)
    assert codes(checked) == [("BND201", ())] and not checked.diagnostics.has_errors
    assert validate_all(new_context(), strict=True).diagnostics.has_errors


def test_no_default_target_is_no_obstacle(written: RepositoryBuilder, new_context: ContextMaker) -> None:
    written.write({"databricks.yml": "bundle: {name: b}\nbundlectl: {backend: local}\ntargets: {a: {}, b: {}}\n"})
    checked = validate_all(new_context(), strict=False)
    assert list(checked.loadings) == ["a", "b"] and codes(checked) == []


def test_a_file_that_cannot_be_read_is_said_once(written: RepositoryBuilder, new_context: ContextMaker) -> None:
    written.write({"databricks.yml": "bundle: ["})
    checked = validate_all(new_context(), strict=False)
    assert [code for code, targets in codes(checked) if targets] == [] and checked.diagnostics.has_errors


def test_locations_of_each_target(written: RepositoryBuilder, new_context: ContextMaker) -> None:
    context = new_context(target="prod")
    made = locations(context, load_for_validation(context))
    assert made is not None and made["files"] == ["databricks.yml"]
    assert made["locations"]["resources.jobs.etl.tasks[0]"] == [[0, 7, 34]]
    other = locations(context, load_for_validation(context), "dev")
    assert other is not None and other["locations"]["resources.jobs.etl"] == [[0, 7, 25], [0, 4, 48]]


class _EditingClock(FrozenClock):
    """Whoever sleeps finds the next edit done."""

    def __init__(self, edits: list[Callable[[], object]]) -> None:
        super().__init__()
        self.edits = edits

    def sleep(self, seconds: float) -> None:
        if not self.edits:
            raise KeyboardInterrupt
        self.edits.pop(0)()


def test_a_watch_checks_again_after_each_change_and_only_then(
    written: RepositoryBuilder, new_context: ContextMaker
) -> None:
    edits: list[Callable[[], object]] = [
        lambda: written.write({"databricks.yml": BUNDLE.replace("etl", "elt")}),
        lambda: None,
        lambda: written.commit(files={}),
        lambda: written.write({"new.txt": "x"}),
    ]
    seen = 0
    with pytest.raises(KeyboardInterrupt):
        for _ in changes(replace(new_context(), clock=_EditingClock(edits))):
            seen += 1
    assert seen == 4 and not edits


def test_a_watch_outside_git_looks_at_the_files(tmp_path: Path, new_context: ContextMaker) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "databricks.yml").write_text(BUNDLE, encoding="utf-8")
    edits: list[Callable[[], object]] = [
        lambda: (folder / "databricks.yml").write_text(BUNDLE + "# more\n", encoding="utf-8"),
        lambda: None,
    ]
    context = replace(new_context(), start=folder, clock=_EditingClock(edits))
    seen = 0
    with pytest.raises(KeyboardInterrupt):
        for _ in changes(context):
            seen += 1
    assert seen == 2 and not edits
