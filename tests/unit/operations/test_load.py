"""Which tree a command reads when nothing, --ref or --worktree says so."""

from dataclasses import replace
from pathlib import Path

import pytest

from bundlectl.model.errors import InputError, Refused, RepositoryError, UsageError
from bundlectl.operations.load import load, load_for_validation
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker, bundle


def _commit_and_edit(repository: RepositoryBuilder) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one")})
    repository.write({"databricks.yml": bundle(a="two", b="two")})


@pytest.mark.parametrize(
    ("options", "jobs", "left_out"),
    [
        ({"target": "dev"}, {"a", "b"}, ()),
        ({"target": "free"}, {"a"}, ("databricks.yml",)),
        ({"target": "free", "worktree": True}, {"a", "b"}, ()),
        ({"target": "dev", "ref": "HEAD"}, {"a"}, ()),
        ({"target": "prod", "ref": "main"}, {"a"}, ()),
    ],
)
def test_what_is_read_of_a_dirty_tree(
    repository: RepositoryBuilder,
    new_context: ContextMaker,
    options: dict[str, object],
    jobs: set[str],
    left_out: tuple[str, ...],
) -> None:
    _commit_and_edit(repository)
    loading = load(new_context(**options))
    assert set(loading.bundle.jobs) == jobs
    assert loading.left_out == left_out


def test_a_clean_tree_is_its_commit(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    commit = repository.commit("one", {"databricks.yml": bundle(a="one")})
    revision = load(new_context(target="prod")).tree.revision
    assert (revision.commit, revision.dirty) == (commit, ())
    assert revision.tree == repository.git("rev-parse", "HEAD^{tree}")


@pytest.mark.parametrize("options", [{}, {"worktree": True}])
def test_a_protected_target_takes_no_uncommitted_file(
    repository: RepositoryBuilder, new_context: ContextMaker, options: dict[str, object]
) -> None:
    _commit_and_edit(repository)
    with pytest.raises(Refused) as refused:
        load(new_context(target="prod", **options))
    assert refused.value.code == "BND313"
    assert "databricks.yml" in refused.value.summary
    assert refused.value.hint is not None and "--ref HEAD" in refused.value.hint


def test_a_tree_between_two_versions_is_refused_where_it_matters_and_named_elsewhere(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one")})
    (repository.folder / ".git" / "rebase-merge").mkdir()
    with pytest.raises(Refused, match="rebase in progress") as refused:
        load(new_context(target="prod"))
    assert (refused.value.code, refused.value.exit_code) == ("BND609", 6)
    found = [item for item in load(new_context(target="dev")).loaded.diagnostics if item.code == "BND609"]
    assert [item.severity for item in found] == ["warning"]
    # A commit that is named is what it is, whatever happens in the working tree.
    assert load(new_context(target="prod", ref="HEAD")).bundle.name


def test_uncommitted_files_that_are_not_read_are_counted(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one")})
    repository.write({"new.py": "1", "other.py": "2"})

    def found(**options: object) -> list[str]:
        diagnostics = load(new_context(target="free", **options)).loaded.diagnostics
        return [item.summary for item in diagnostics if item.code == "BND307"]

    assert found() == ['2 uncommitted files of the bundle left out: "new.py" and 1 more']
    assert found(worktree=True) == found(ref="HEAD") == []


def test_taking_the_protection_out_of_the_file_does_not_let_a_dirty_tree_through(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one")})
    repository.write({"databricks.yml": bundle(a="two").replace("mode: production, ", "")})
    with pytest.raises(Refused):
        load(new_context(target="prod"))


def test_errors_of_the_working_tree_are_shown_when_it_is_what_is_deployed(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one")})
    repository.write({"databricks.yml": bundle(a="one") + "    b: {tasks: [{task_key: t, no_such: 1}]}\n"})
    with pytest.raises(InputError) as failed:
        _ = load(new_context(target="dev")).bundle
    assert [item.code for item in failed.value.diagnostics if item.severity == "error"] == ["BND251", "BND204"]
    assert failed.value.read_source is not None
    assert b"no_such" in (failed.value.read_source("databricks.yml") or b"")


def test_ref_and_worktree_exclude_each_other(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    _commit_and_edit(repository)
    with pytest.raises(UsageError):
        load(new_context(ref="HEAD", worktree=True))


def test_a_repository_without_a_commit_is_validated_and_not_planned(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.write({"databricks.yml": bundle(a="one")})
    assert load_for_validation(new_context()).loaded.bundle is not None
    with pytest.raises(RepositoryError) as failed:
        load(new_context())
    assert failed.value.code == "BND603"


def test_outside_git_an_include_may_leave_the_folder_with_a_warning(tmp_path: Path, new_context: ContextMaker) -> None:
    text = bundle(a="one") + "include: [../shared/*.yml, ../../vars.yml]\n"
    written = {
        "top/etl/databricks.yml": text,
        "top/shared/more.yml": "variables: {shared: {default: 1}}\n",
        "top/shared/deep/not.yml": "variables: {deep: {default: 1}}\n",
        "top/other/big.yml": "variables: {other: {default: 1}}\n",
        "vars.yml": "variables: {far: {default: 1}}\n",
    }
    for name, content in written.items():
        path = tmp_path / "plain" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    start = tmp_path / "plain" / "top" / "etl"
    loading = load_for_validation(replace(new_context(target="dev"), start=start))
    document = loading.loaded.document
    assert document is not None and {"shared", "far"} <= document["variables"].keys()
    assert "deep" not in document["variables"]
    found = [item for item in loading.loaded.diagnostics if item.code == "BND134"]
    assert [(item.severity, str(item.spans[0]).partition(":")[0]) for item in found] == [
        ("warning", "top/etl/databricks.yml")
    ] * 2
    assert sorted(loading.tree.list()) == ["top/etl/databricks.yml", "top/shared/more.yml", "vars.yml"]
    # A hostile bundle reads nothing above itself.
    hostile = load_for_validation(replace(new_context(target="dev", untrusted=True), start=start))
    assert [item.severity for item in hostile.loaded.diagnostics if item.code == "BND134"] == ["error"] * 2
