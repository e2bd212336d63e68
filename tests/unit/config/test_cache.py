"""Loading through the index: what is read again, what is not, and what must never be taken for the same."""

import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bundlectl.config.cache import (
    load_cached,
    request_key,
    specs_of,
)
from bundlectl.config.index import LoadIndex
from bundlectl.config.loader import load
from bundlectl.config.request import LoadRequest
from bundlectl.model.source import Revision
from tests.unit.config.bundles import MemoryTree, settled

REQUEST = LoadRequest(user="tester@x.com")
JOB = "resources: {jobs: {%s: {name: %s, tasks: [{task_key: t, spark_python_task: {python_file: ../src/%s.py}}]}}}\n"


def files(**more: str) -> dict[str, str]:
    return {
        "databricks.yml": "bundle: {name: b}\ninclude: ['r/*.yml']\n"
        "resources: {jobs: {root: {name: root, tasks: []}}}\n",
        "r/one.yml": JOB % ("one", "first", "x"),
        "r/two.yml": JOB % ("two", "second", "y"),
        "r/three.yml": JOB % ("three", "'${resources.jobs.one.id}'", "y"),
        "src/x.py": "1",
        "src/y.py": "1",
        ".gitignore": "*.tmp\n",
        **more,
    }


@pytest.fixture
def index(tmp_path: Path) -> LoadIndex:
    return LoadIndex(tmp_path / "bundles.sqlite")


def test_nothing_is_listed_or_read_when_the_tree_is_known(index: LoadIndex) -> None:
    first = load_cached(MemoryTree(files()), REQUEST, index)
    tree = MemoryTree(files())
    again = load_cached(tree, REQUEST, index)
    assert (tree.listed, tree.reads) == (0, [])
    assert settled(again) == settled(first) == settled(load(MemoryTree(files()), REQUEST))
    specs = specs_of(again, ["one", "nope"])
    assert list(specs) == ["one"]
    assert specs["one"].document["name"] == "first"
    assert (tree.listed, tree.reads) == (0, [])
    assert str(specs["one"].spans["name"]) == "r/one.yml:1:32"
    assert sorted(set(tree.reads)) == ["databricks.yml", "r/one.yml", "src/x.py"] or "r/two.yml" not in tree.reads


def test_ignored_files_are_looked_for_each_time(index: LoadIndex) -> None:
    text = files()["databricks.yml"] + "sync: {include: ['dist/*.whl']}\n"
    for on_disk, code in (((), "BND289"), (("dist/a.whl",), "BND285"), ((), "BND289"), (("dist/b.whl",), "BND285")):
        tree = MemoryTree(files(**{"databricks.yml": text}), on_disk=on_disk)
        found = [(item.code, item.summary) for item in load_cached(tree, REQUEST, index).diagnostics]
        (sync,) = [item for item in found if item[0] in ("BND285", "BND289")]
        assert sync[0] == code and all(path in sync[1] for path in on_disk)


def test_one_changed_file_is_the_only_job_file_that_is_read(index: LoadIndex) -> None:
    load_cached(MemoryTree(files()), REQUEST, index)
    changed = files(**{"r/two.yml": JOB % ("two", "changed", "x")})
    tree = MemoryTree(changed)
    result = load_cached(tree, REQUEST, index)
    assert {path for path in tree.reads if path.startswith("r/")} == {"r/two.yml"}
    assert settled(result) == settled(load(MemoryTree(changed), REQUEST))


def test_a_job_that_refers_to_a_changed_one_is_looked_at_again(index: LoadIndex) -> None:
    load_cached(MemoryTree(files()), REQUEST, index)
    tree = MemoryTree(files(**{"r/one.yml": JOB % ("one", "changed", "x")}))
    load_cached(tree, REQUEST, index)
    assert {path for path in tree.reads if path.startswith("r/")} == {"r/one.yml", "r/three.yml"}


def test_a_file_that_becomes_a_notebook_concerns_the_jobs_that_name_it(index: LoadIndex) -> None:
    load_cached(MemoryTree(files()), REQUEST, index)
    changed = files(**{"src/x.py": "# Databricks notebook source\n"})
    result = load_cached(MemoryTree(changed), REQUEST, index)
    assert [finding.code for finding in result.diagnostics] == ["BND250", "BND281"]
    assert result.bundle is None


def test_other_content_of_a_named_file_reads_no_bundle_file(index: LoadIndex) -> None:
    load_cached(MemoryTree(files()), REQUEST, index)
    changed = files(**{"src/x.py": "2"})
    tree = MemoryTree(changed)
    result = load_cached(tree, REQUEST, index)
    assert tree.reads == ["src/x.py"]
    assert settled(result) == settled(load(MemoryTree(changed), REQUEST))
    known = MemoryTree(changed)
    load_cached(known, REQUEST, index)
    assert known.listed == 0


@pytest.mark.parametrize(
    "path", ["databricks.yml", ".gitignore"], ids=["the root file", "ignore rules"]
)  # fmt: skip
def test_a_change_of_the_frame_is_a_change_of_everything(index: LoadIndex, path: str) -> None:
    load_cached(MemoryTree(files()), REQUEST, index)
    changed = files(**{path: files()[path].replace("name: b", "name: c").replace("*.tmp", "x.py")})
    result = load_cached(MemoryTree(changed), REQUEST, index)
    assert settled(result) == settled(load(MemoryTree(changed), REQUEST))


def test_commit_and_branch_matter_only_where_a_file_speaks_of_git(index: LoadIndex) -> None:
    plain = files()
    told = files(**{"r/two.yml": JOB % ("two", "'${bundle.git.branch}'", "y")})
    for contents, same in ((plain, True), (told, False)):
        tree = MemoryTree(contents)
        load_cached(tree, REQUEST, index)
        other = MemoryTree(
            contents,
            revision=Revision(commit="9" * 40, tree=tree.revision.tree, ref="refs/heads/other"),
        )
        result = load_cached(other, REQUEST, index)
        assert (other.listed == 0) is same
        assert settled(result) == settled(load(other, REQUEST))


def test_every_part_of_the_request_is_in_the_key() -> None:
    changes: dict[str, object] = {
        "start": "a",
        "root": "a",
        "root_from": "x",
        "target": "dev",
        "variables": (("a", "1", "flag"),),
        "variable_file": {"a": 1},
        "override_files": (("dev", b"{}"),),
        "user": "u",
        "user_id": "1",
        "user_guessed": True,
        "host_given": True,
        "cluster_id": "c",
        "cluster_id_environment": "c",
        "allow_unknown_fields": True,
        "limits": REQUEST.limits._replace(depth=5),
        "lookups": {"job": {"a": "1"}},
        "hooks_allowed": True,
    }
    assert set(changes) == set(LoadRequest.__dataclass_fields__) - {"top", "python"}
    keys = {request_key(replace(REQUEST, **{name: value})) for name, value in changes.items()}  # type: ignore[arg-type]
    assert len(keys | {request_key(REQUEST)}) == len(changes) + 1
    assert request_key(replace(REQUEST, top="/x")) == request_key(REQUEST)


def test_errors_are_never_kept(index: LoadIndex) -> None:
    broken = files(**{"r/two.yml": "resources: {jobs: {two: {nme: x}}}\n"})
    for _ in range(2):
        tree = MemoryTree(broken)
        result = load_cached(tree, REQUEST, index)
        assert [finding.code for finding in result.diagnostics][-1] == "BND204"
        assert tree.listed > 0


def test_documents_that_the_index_lost_are_made_again(index: LoadIndex, tmp_path: Path) -> None:
    load_cached(MemoryTree(files()), REQUEST, index)
    with sqlite3.connect(tmp_path / "bundles.sqlite") as connection:
        connection.execute("DELETE FROM documents")
    connection.close()
    result = load_cached(MemoryTree(files()), REQUEST, index)
    assert specs_of(result, ["one"])["one"].document["name"] == "first"


@pytest.mark.parametrize("column", ["summary", "catalog", "code"])
def test_rows_that_make_no_sense_are_a_miss(index: LoadIndex, tmp_path: Path, column: str) -> None:
    load_cached(MemoryTree(files()), REQUEST, index)
    for value in (b"{", b"{}", b"[1]", b'{"keys": ["a"], "digests": ""}'):
        with sqlite3.connect(tmp_path / "bundles.sqlite") as connection:
            connection.execute(f"UPDATE loads SET {column} = ?", (value,))
        connection.close()
        for contents in (files(), files(**{"src/x.py": "3"})):
            result = load_cached(MemoryTree(contents), REQUEST, index)
            assert result.bundle == load(MemoryTree(contents), REQUEST).bundle
            assert specs_of(result, ["one"])["one"].document["name"] == "first"


def test_a_forged_document_is_not_believed(index: LoadIndex, tmp_path: Path) -> None:
    load_cached(MemoryTree(files()), REQUEST, index)
    with sqlite3.connect(tmp_path / "bundles.sqlite") as connection:
        connection.execute("UPDATE documents SET body = ?", (b'{"name":"evil"}',))
    connection.close()
    result = load_cached(MemoryTree(files()), REQUEST, index)
    assert specs_of(result, ["one"])["one"].document["name"] == "first"


def test_a_bundle_whose_jobs_use_fields_of_each_other_is_kept_as_a_whole(index: LoadIndex) -> None:
    contents = files(**{"r/two.yml": JOB % ("two", "'${resources.jobs.one.name}'", "y")})
    first = load_cached(MemoryTree(contents), REQUEST, index)
    tree = MemoryTree(contents)
    again = load_cached(tree, REQUEST, index)
    assert tree.listed == 0
    assert settled(again) == settled(first)
    assert specs_of(again, ["two"])["two"].spans["name"].file == "r/two.yml"


def test_without_an_index_or_outside_git_everything_is_loaded() -> None:
    tree = MemoryTree(files())
    assert set(load_cached(tree, REQUEST, LoadIndex(None)).specs) == {"one", "two", "three", "root"}


def test_the_printed_document_is_there_for_a_bundle_from_the_cache(index: LoadIndex) -> None:
    for _ in range(2):
        result = load_cached(MemoryTree(files()), REQUEST, index)
        assert result.document == load(MemoryTree(files()), REQUEST).document


def test_code_files_and_what_is_remembered_of_them(index: LoadIndex) -> None:
    first = load_cached(MemoryTree(files()), REQUEST, index)
    again = load_cached(MemoryTree(files()), REQUEST, index)
    for result in (first, again):
        assert tuple(result.code_files) == (".gitignore", "src/x.py", "src/y.py")
        assert tuple(result.code_files[1:]) == ("src/x.py", "src/y.py")
    key = again.snapshot_key
    assert key is not None and key == first.snapshot_key
    assert index.snapshot(key) is None
    index.remember_snapshot(key, "sha256:1")
    assert index.snapshot(key) == "sha256:1"
    other = load_cached(MemoryTree(files(**{"src/x.py": "9"})), REQUEST, index)
    assert other.snapshot_key is not None and index.snapshot(other.snapshot_key) is None
    index.remember_content_digests({"b": ("ab", 1)})
    assert index.content_digests(["b", "c"]) == {"b": ("ab", 1)}


def test_a_known_tree_costs_no_heavy_import(index: LoadIndex, tmp_path: Path) -> None:
    load_cached(MemoryTree(files()), REQUEST, index)
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from tests.unit.config.bundles import MemoryTree\n"
        "from tests.unit.config.test_cache import REQUEST, files\n"
        "for name in ('hypothesis', 'pytest'): sys.modules.pop(name, None)\n"
        "from bundlectl.config.cache import load_cached, specs_of\nfrom bundlectl.config.index import LoadIndex\n"
        f"result = load_cached(MemoryTree(files()), REQUEST, LoadIndex(Path({str(tmp_path)!r}) / 'bundles.sqlite'))\n"
        "assert len(specs_of(result, ['one', 'two'])) == 2\n"
        "print([name for name in ('yaml', 'pydantic', 'pathspec', 'jsonschema') if name in sys.modules])\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3]
    )
    assert child.stdout.strip() == "[]", child.stderr
