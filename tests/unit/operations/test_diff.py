"""Sides of every kind, what is no difference by itself, drift, causes, findings of both sides; nothing runs."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from bundlectl.backends.base import Backend
from bundlectl.model.bundle import Bundle
from bundlectl.model.comparison import Cause, Comparison
from bundlectl.model.errors import BackendError, NotFound, Refused, RepositoryError, UsageError
from bundlectl.model.location import path_text
from bundlectl.operations.context import OperationContext, Source
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.diff import DiffRequest, SidesFailed, diff
from bundlectl.operations.diff_points import Asked, parse
from bundlectl.operations.world import open_world
from bundlectl.planning.selection import Selection
from bundlectl.state.store import StateStore
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker, bundle

YES = DeployRequest(auto_approve=True, allow_destructive=True)
CODE = """\
    code:
      tasks:
        - task_key: run
          spark_python_task: {python_file: src/run.py}
"""


def compared(context: OperationContext, *words: str, **more: Any) -> Comparison:
    return diff(context, DiffRequest(words=words, **more)).comparison


def shown(comparison: Comparison) -> dict[str, Any]:
    """Each differing job: its fields old and new, or its status."""
    return {
        job.address.removeprefix("resources.jobs."): {
            path_text(item.path): (item.left, item.right) for item in job.fields
        }
        or job.status.value
        for job in comparison.jobs
    }


def command(word: str, other: str) -> dict[str, Any]:
    return {"tasks[task_key='t'].shell_task.command": (["echo", word], ["echo", other])}


@pytest.fixture
def two(repository: RepositoryBuilder) -> RepositoryBuilder:
    """Two commits: job `a` changed, `b` went, `c` came, and so did a file."""
    repository.commit("one", {"databricks.yml": bundle(a="one", b="b", d="d") + CODE, "src/run.py": "print(1)\n"})
    repository.commit(
        "two", {"databricks.yml": bundle(a="two", c="c", d="d") + CODE, "src/run.py": "print(2)\n", "lib.py": "x\n"}
    )
    return repository


@pytest.mark.parametrize(
    "words",
    [
        ("HEAD~1..HEAD",),
        ("HEAD~1..",),
        ("HEAD~1...HEAD",),
        ("HEAD~1", "HEAD"),
        ("ref:HEAD~1", "main"),
        ("main~1",),
        ("HEAD~1", "worktree"),
        ("HEAD~1", "target:free"),
    ],
)
def test_two_commits(two: RepositoryBuilder, new_context: ContextMaker, words: tuple[str, ...]) -> None:
    found = compared(new_context(), *words)
    assert shown(found) == {"a": command("one", "two"), "b": "removed", "c": "added", "code": "code"}
    assert [(item.file.path, item.file.status, item.jobs) for item in found.files] == [
        ("lib.py", "added", ()),
        ("src/run.py", "modified", ("resources.jobs.code",)),
    ]
    assert (found.unchanged, found.not_selected, found.code_jobs) == (1, 0, 3)
    places = {job.address.rpartition(".")[2]: (job.left_span, job.right_span) for job in found.jobs}
    assert places["b"][0] is not None and places["b"][1] is None
    assert places["c"][0] is None and places["c"][1] is not None
    (item,) = found.jobs[0].fields
    assert item.left_span is not None and item.right_span is not None and item.right_span.file == "databricks.yml"
    assert item.cause is None


def test_two_commits_need_neither_state_nor_backend(two: RepositoryBuilder, new_context: ContextMaker) -> None:
    def refuse(*_: object) -> Any:
        raise AssertionError("asked")

    context = replace(new_context(), open_backend=refuse, open_store=refuse)
    assert shown(compared(context, "HEAD~1..HEAD"))
    with pytest.raises(AssertionError, match="asked"):
        compared(context)


def test_the_other_way_round_old_and_new_are_swapped(two: RepositoryBuilder, new_context: ContextMaker) -> None:
    there, back = compared(new_context(), "HEAD~1..HEAD"), compared(new_context(), "HEAD..HEAD~1")
    swapped = {"added": "removed", "removed": "added", "modified": "modified"}
    assert shown(back) == {"a": command("two", "one"), "b": "added", "c": "removed", "code": "code"}
    assert [(item.file.path, swapped[item.file.status]) for item in there.files] == [
        (item.file.path, item.file.status) for item in back.files
    ]
    assert [(item.file.added, item.file.removed) for item in there.files] == [
        (item.file.removed, item.file.added) for item in back.files
    ]


def test_a_selection_and_a_diff_of_files(two: RepositoryBuilder, new_context: ContextMaker) -> None:
    found = compared(new_context(), "HEAD~1..HEAD", selection=Selection(("a", "c")), with_code=True)
    assert set(shown(found)) == {"a", "c"}
    assert (found.unchanged, found.not_selected) == (0, 3)
    patch = found.files[1].patch
    assert patch is not None
    assert patch.lines == ("--- a/src/run.py", "+++ b/src/run.py", "@@ -1 +1 @@", "-print(1)", "+print(2)")


def test_code_that_no_selected_job_runs_from_is_no_difference(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    job = "    a:\n      tasks: [{task_key: t, condition_task: {left: a, op: EQUAL_TO, right: a}}]\n"
    text = bundle(d="d") + job
    repository.commit("one", {"databricks.yml": text, "x.py": "1\n"})
    repository.commit("two", {"x.py": "2\n"})
    assert compared(new_context(), "HEAD~1..HEAD").files != ()
    assert compared(new_context(), "HEAD~1..HEAD", selection=Selection(("a",))).is_empty


GIT = '      tags: {commit: "v-${bundle.git.commit}", branch: "${bundle.git.branch}"}\n      tasks:'


def test_what_a_job_says_about_its_own_commit_is_no_difference(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    text = bundle(a="one", b="b").replace("      tasks:", GIT)
    repository.commit("one", {"databricks.yml": text})
    assert deploy(new_context(), YES, lambda plan: None).is_complete
    repository.git("checkout", "--quiet", "-b", "side")
    repository.commit("nothing")
    assert compared(new_context(), "main..side").is_empty
    first = repository.git("rev-parse", "main")
    assert compared(new_context(), f"{first}..side").is_empty
    repository.git("checkout", "--quiet", "main")
    repository.commit("nothing here either")
    assert compared(new_context()).is_empty
    second = repository.commit("more", {"databricks.yml": text.replace("v-", "w-")})
    found = compared(new_context(), f"{first}..{second}")
    assert shown(found)["a"] == {"tags.commit": (f"v-{first}", f"w-{second}")}


def test_shuffled_lists_and_moved_lines_are_no_difference(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    tasks = ["{task_key: p, shell_task: {command: [a]}}", "{task_key: q, shell_task: {command: [b]}}"]
    texts = [bundle(z="z") + f"    a:\n      tasks: [{', '.join(order)}]\n" for order in (tasks, tasks[::-1])]
    repository.commit("one", {"databricks.yml": texts[0]})
    repository.commit("two", {"databricks.yml": "# a comment\n" + texts[1]})
    assert compared(new_context(), "HEAD~1..HEAD").is_empty


def test_what_is_deployed_and_what_was(two: RepositoryBuilder, new_context: ContextMaker) -> None:
    everything = compared(new_context())
    assert set(shown(everything).values()) == {"added"} and everything.left.deployment is None
    assert deploy(replace(new_context(), source=Source(ref="HEAD~1")), YES, lambda plan: None).is_complete
    expected = {"a": command("one", "two"), "b": "removed", "c": "added", "code": "code"}
    assert shown(compared(new_context())) == expected
    assert shown(compared(new_context(), "recorded:free", "HEAD")) == expected
    assert deploy(new_context(), YES, lambda plan: None).is_complete
    assert compared(new_context()).is_empty
    assert compared(new_context(), "observed:").is_empty
    back = compared(new_context(), "deployment:2", "deployment:1")
    assert shown(back) == {"a": command("two", "one"), "b": "added", "c": "removed", "code": "code"}
    assert (back.left.deployment, back.right.deployment) == (2, 1)
    with pytest.raises(NotFound, match="the newest is 2"):
        compared(new_context(), "deployment:3")


def _edited(context: OperationContext, key: str, **members: Any) -> None:
    """Somebody changes a deployed job on the backend; with no members, deletes it."""
    world = open_world(context)
    deployment = world.deployed
    entry = deployment.jobs[key]
    if not members:
        world.backend.delete(entry.id, deployment.fence)
        return
    document = world.store.documents(world.recorded.version, [key])[key]
    composed = world.backend.compose(
        {**document, **members},
        snapshot=entry.snapshot,
        lineage=deployment.lineage,
        target=deployment.target,
        key=key,
    )
    world.backend.update(entry.id, composed, deployment.fence)


def test_drift(two: RepositoryBuilder, new_context: ContextMaker) -> None:
    assert deploy(replace(new_context(), source=Source(ref="HEAD~1")), YES, lambda plan: None).is_complete
    _edited(new_context(), "a", max_concurrent_runs=7)
    _edited(new_context(), "d")
    found = compared(new_context(), "recorded:free", "observed:free")
    assert shown(found) == {"a": {"max_concurrent_runs": (1, 7)}, "d": "removed"}
    assert [job.cause or job.fields[0].cause for job in found.jobs] == [Cause.DRIFT, Cause.DRIFT]
    found = compared(new_context(), "observed:free")
    causes = {path_text(item.path): item.cause for item in found.jobs[0].fields}
    assert causes == {
        "max_concurrent_runs": Cause.DRIFT,
        "tasks[task_key='t'].shell_task.command": Cause.VERSION,
    }
    added = {job.address: job.cause for job in found.jobs if job.status.value == "added"}
    assert added == {"resources.jobs.c": Cause.VERSION, "resources.jobs.d": Cause.DRIFT}


def test_a_backend_that_is_not_read_is_an_error_of_its_side(two: RepositoryBuilder, new_context: ContextMaker) -> None:
    text = bundle(d="d").replace("{backend: local}", "{backend: airflow}")
    text = text.replace("shell_task: {command: [echo, d]}", "condition_task: {left: a, op: EQUAL_TO, right: a}")
    two.commit("three", {"databricks.yml": text})
    with pytest.raises(BackendError, match="was not read"):
        compared(new_context(), "observed:free")


OVERRIDES = """\
  dev: {mode: development, resources: {jobs: {a: {max_concurrent_runs: 3}}}}
"""


def test_overrides_and_versions(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    def text(word: str, more: str = "") -> str:
        made = bundle(a=word, **({"b": "b"} if more else {}))
        return made.replace("  dev: {mode: development}\n", OVERRIDES.replace("mode: development, ", ""))

    repository.commit("one", {"databricks.yml": text("one")})
    assert deploy(new_context(), YES, lambda plan: None).is_complete
    repository.commit("two", {"databricks.yml": text("two", "b")})
    assert deploy(new_context(target="dev"), YES, lambda plan: None).is_complete
    expected = {
        "max_concurrent_runs": Cause.OVERRIDE,
        "tasks[task_key='t'].shell_task.command": Cause.VERSION,
    }
    for words in (
        ("recorded:free", "recorded:dev"),
        ("recorded:free", "target:dev"),
        ("recorded:dev", "recorded:free"),
    ):
        found = compared(new_context(), *words)
        assert {path_text(item.path): item.cause for item in found.jobs[0].fields} == expected
        assert [job.cause for job in found.jobs[1:]] == [Cause.VERSION]
        assert not found.findings
    same = compared(new_context(), "target:free", "target:dev")
    assert [(job.address, [item.cause for item in job.fields]) for job in same.jobs] == [
        ("resources.jobs.a", [Cause.OVERRIDE])
    ]


def test_what_cannot_be_told_is_said(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    text = bundle(a="one").replace("  dev: {mode: development}\n", OVERRIDES)
    repository.commit("one", {"databricks.yml": text})
    assert deploy(new_context(), YES, lambda plan: None).is_complete
    repository.write({"databricks.yml": text.replace("one", "draft")})
    assert deploy(new_context(target="dev"), YES, lambda plan: None).is_complete
    found = compared(new_context(), "recorded:free", "recorded:dev")
    assert {item.cause for item in found.jobs[0].fields} == {None}
    assert [item.diagnostic.summary for item in found.findings] == [
        "overrides cannot be told from other versions: recorded:dev had files that no commit has"
    ]


def test_findings_of_both_sides_name_the_commit(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    one = repository.commit("one", {"databricks.yml": bundle(a="one") + "x_1: {}\nx_2: {}\n"})
    two = repository.commit("two", {"databricks.yml": bundle(a="one") + "x_2: {}\nx_3: {}\n"})
    found = compared(new_context(), "HEAD~1..HEAD").findings
    told = [(item.diagnostic.summary.split('"')[1], item.revision) for item in found]
    assert told == [("x_1", one), ("x_2", two), ("x_3", two)]


def test_a_side_that_does_not_load_is_named(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    broken = bundle(a="one").replace("tasks:", "tsks:")
    repository.commit("one", {"databricks.yml": broken})
    repository.commit("two", {"databricks.yml": bundle(a="one")})
    with pytest.raises(SidesFailed) as failed:
        compared(new_context(), "HEAD~1..HEAD")
    (failure,) = failed.value.failures
    assert failure.name == "ref:HEAD~1"
    assert failure.error.summary.startswith("the bundle does not load at commit ")
    assert failure.error.read_source is not None and failure.error.read_source("databricks.yml") == broken.encode()
    repository.commit("three", {"databricks.yml": broken.replace("command", "comand")})
    with pytest.raises(SidesFailed) as failed:
        compared(new_context(), "HEAD~2..HEAD")
    assert [failure.name for failure in failed.value.failures] == ["ref:HEAD~2", "ref:HEAD"]


def test_a_protected_target_is_compared_by_its_commit(two: RepositoryBuilder, new_context: ContextMaker) -> None:
    two.write({"src/run.py": "draft\n"})
    with pytest.raises(Refused):
        compared(new_context(target="prod"))
    found = compared(new_context(target="prod"), "HEAD", "worktree")
    assert [item.file.path for item in found.files] == ["src/run.py"]
    assert found.right.dirty == ("src/run.py",)


def test_a_bare_repository(two: RepositoryBuilder, new_context: ContextMaker, tmp_path: Any) -> None:
    bare = tmp_path / "bare.git"
    two.git("clone", "--quiet", "--bare", str(two.folder), str(bare))
    assert shown(compared(new_context(chdir=bare), "HEAD~1..HEAD"))
    for words in (("HEAD", "worktree"), ("HEAD",)):
        with pytest.raises(RepositoryError) as refused:
            compared(new_context(chdir=bare), *words)
        assert refused.value.code == "BND601"


def test_no_common_ancestor(two: RepositoryBuilder, new_context: ContextMaker) -> None:
    two.git("checkout", "--quiet", "--orphan", "other")
    two.commit("other")
    with pytest.raises(RepositoryError) as refused:
        compared(new_context(), "main...other")
    assert refused.value.code == "BND608"
    assert compared(new_context(), "main..other").is_empty


def test_a_shallow_clone_says_where_its_history_ends(
    two: RepositoryBuilder, new_context: ContextMaker, tmp_path: Any
) -> None:
    two.git("checkout", "--quiet", "-b", "side", "HEAD~1")
    two.commit("side")
    clone = tmp_path / "clone"
    two.git("clone", "--quiet", "--depth=1", "--no-single-branch", f"file://{two.folder}", str(clone))
    with pytest.raises(RepositoryError) as refused:
        compared(new_context(chdir=clone), "origin/main...origin/side")
    assert refused.value.code == "BND608" and refused.value.summary.startswith("history ends at ")
    assert refused.value.hint is not None and "--unshallow" in refused.value.hint


def test_nothing_of_the_repository_runs(two: RepositoryBuilder, new_context: ContextMaker, tmp_path: Any) -> None:
    canary = tmp_path / "canary"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {canary}\ncat\n")
    program.chmod(0o755)
    two.commit("attributes", {".gitattributes": "* diff=evil filter=evil\n"})
    for key in ("diff.evil.textconv", "diff.evil.command", "diff.external", "filter.evil.smudge", "core.pager"):
        two.git("config", key, str(program))
    two.git("config", "diff.evil.binary", "true")
    found = compared(new_context(), "HEAD~2..HEAD", with_code=True)
    assert [item.file.path for item in found.files] == [".gitattributes", "lib.py", "src/run.py"]
    assert all(item.patch is not None and item.patch.lines for item in found.files)
    assert not canary.exists()


def test_a_cache_that_is_gone_changes_nothing(two: RepositoryBuilder, new_context: ContextMaker) -> None:
    expected = shown(compared(new_context(), "HEAD~1..HEAD"))
    assert shown(compared(new_context(), "HEAD~1..HEAD")) == expected
    with sqlite3.connect(two.environment["BUNDLECTL_CACHE_DIR"] + "/bundles.sqlite") as database:
        database.execute("DELETE FROM documents")
    assert shown(compared(new_context(), "HEAD~1..HEAD")) == expected


def test_very_large_files_are_named_and_not_read(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one") + CODE, "src/run.py": "1\n", "big": b"x" * 1_500_000})
    repository.commit("two", {"big": b"y" * 1_500_000})
    (item,) = compared(new_context(), "HEAD~1..HEAD", with_code=True).files
    assert (item.file.added, item.file.removed) == (None, None)
    assert item.patch is not None and item.patch.note == "too large to be shown"


POINTS: list[tuple[tuple[str, ...], Asked, Asked]] = [
    ((), Asked("recorded", "t"), Asked("source", "t")),
    (("a..b",), Asked("ref", "a"), Asked("ref", "b")),
    (("..b",), Asked("ref", "HEAD"), Asked("ref", "b")),
    (("a..",), Asked("ref", "a"), Asked("ref", "HEAD")),
    (("a...b",), Asked("ref", "a", "b"), Asked("ref", "b")),
    (("a",), Asked("ref", "a"), Asked("source")),
    (("ref:worktree", "worktree"), Asked("ref", "worktree"), Asked("worktree")),
    (("target:a..b",), Asked("target", "a..b"), Asked("source")),
    (("observed:p",), Asked("observed", "p"), Asked("source", "p")),
    (("recorded:", "deployment:41"), Asked("recorded"), Asked("deployment", "41")),
    (("feature/x:y", "b"), Asked("ref", "feature/x:y"), Asked("ref", "b")),
]


@pytest.mark.parametrize(("words", "left", "right"), POINTS)
def test_words(words: tuple[str, ...], left: Asked, right: Asked) -> None:
    assert parse(words, "t") == (left, right)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("a..b", "c"), "names both sides already"),
        (("a", "b..c"), "names both sides already"),
        (("a..b..c",), "not a range of two commits"),
        (("a....b",), "not a range of two commits"),
        (("targt:a",), 'did you mean "target:a"'),
        (("target:",), "names nothing"),
        (("deployment:1x",), "not the number of a deployment"),
    ],
)
def test_words_that_do_not_hold(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(words, None)


def test_flags_that_would_be_ignored_are_refused(two: RepositoryBuilder, new_context: ContextMaker) -> None:
    with pytest.raises(UsageError):
        compared(new_context(ref="HEAD"), "HEAD~1..HEAD")
    with pytest.raises(UsageError):
        compared(new_context(untrusted=True), "observed:free")
    assert compared(new_context(ref="HEAD~1"), "HEAD~1").is_empty


class _Counting:
    """A state store that counts which documents are read."""

    def __init__(self, inner: StateStore) -> None:
        self._inner = inner
        self.read_documents: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def documents(self, version: str | None, keys: list[str]) -> dict[str, dict[str, Any]]:
        self.read_documents += keys
        return self._inner.documents(version, keys)


def test_jobs_with_equal_digests_are_not_opened(two: RepositoryBuilder, new_context: ContextMaker) -> None:
    assert deploy(replace(new_context(), source=Source(ref="HEAD~1")), YES, lambda plan: None).is_complete
    context = new_context()
    stores: list[_Counting] = []

    def open_store(*words: Any) -> StateStore:
        stores.append(_Counting(context.open_store(*words)))
        return cast(StateStore, stores[-1])

    compared(replace(context, open_store=open_store), selection=Selection((), ("code",)))
    assert stores and all("d" not in store.read_documents for store in stores)


def test_the_backend_is_asked_for_what_drifted_alone(two: RepositoryBuilder, new_context: ContextMaker) -> None:
    assert deploy(new_context(), YES, lambda plan: None).is_complete
    _edited(new_context(), "a", max_concurrent_runs=7)
    context = new_context()
    asked: list[list[str]] = []

    def open_backend(found: Bundle) -> Backend:
        inner = context.open_backend(found)
        read: Callable[[list[str]], Any] = inner.read

        class Watched:
            def __getattr__(self, name: str) -> Any:
                return getattr(inner, name)

            def read(self, ids: list[str]) -> Any:
                asked.append(ids)
                return read(ids)

        return cast(Backend, Watched())

    compared(replace(context, open_backend=open_backend), "recorded:free", "observed:free")
    assert [len(ids) for ids in asked] == [1]


def test_a_target_that_there_is_not_is_said_once(two: RepositoryBuilder, new_context: ContextMaker) -> None:
    with pytest.raises(SidesFailed) as failed:
        compared(new_context(), "target:nope", "recorded:nope")
    (failure,) = failed.value.failures
    assert failure.name == "target:nope" and failure.error.diagnostics[0].code == "BND220"
