"""Which tree a command reads when nothing, --ref or --worktree says so."""

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
