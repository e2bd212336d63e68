"""A bundle in parts: shared out over processes, and left to a load in one piece when parts cannot tell."""

import pytest

from bundlectl.config import parts
from bundlectl.config.parts import resolve_in_parts, resolve_jobs
from bundlectl.config.records import PartRecord, catalog_document, part_document, read_catalog, read_part
from bundlectl.config.request import LoadRequest
from bundlectl.config.tree_view import TreeView
from tests.unit.config.bundles import MemoryTree, loaded

REQUEST = LoadRequest(user="tester@x.com")
JOB = "resources: {jobs: {j%d: {name: '%s', tasks: [{task_key: t, spark_python_task: {python_file: ../src/x.py}}]}}}\n"


def files(count: int, **more: str) -> dict[str, str]:
    listed = {f"r/{number:04d}.yml": JOB % (number, "x ${" if number % 7 == 0 else "n") for number in range(count)}
    return {"databricks.yml": "bundle: {name: b}\ninclude: ['r/*.yml']\n", "src/x.py": "1", **listed, **more}


@pytest.mark.parametrize("copies", [0, 1, 3])
def test_many_files_shared_out_give_what_one_process_gives(monkeypatch: pytest.MonkeyPatch, copies: int) -> None:
    monkeypatch.setattr(parts, "spare_processors", lambda: copies)
    contents = files(230)
    whole = loaded(contents)
    assembled = resolve_in_parts(TreeView(MemoryTree(contents)), REQUEST, None)
    assert assembled is not None
    assert {key: job.meta for key, job in assembled.catalog.jobs.items()} == {
        key: spec.meta for key, spec in whole.specs.items()
    }
    assert len(assembled.findings) == len(whole.diagnostics) == 33
    assert assembled.texts.keys() == {spec.digest for spec in whole.specs.values()}


def test_what_a_copy_cannot_do_is_said_by_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "spare_processors", lambda: 1)
    broken = files(230, **{"r/0229.yml": "resources: {jobs: {z: {nme: x}}}\n"})
    assert resolve_in_parts(TreeView(MemoryTree(broken)), REQUEST, None) is None
    twice = files(230, **{"r/0229.yml": JOB % (3, "again")})
    assert resolve_in_parts(TreeView(MemoryTree(twice)), REQUEST, None) is None
    more = files(230, **{"r/0229.yml": "resources: {jobs: {z: {name: z, tasks: []}}}\nvariables: {v: {default: 1}}\n"})
    assembled = resolve_in_parts(TreeView(MemoryTree(more)), REQUEST, None)
    assert assembled is not None
    assert len(assembled.catalog.jobs) == 229
    assert list(assembled.catalog.frame_jobs) == ["z"]


def test_a_file_that_only_looks_like_a_job_file_joins_the_frame() -> None:
    contents = files(
        3, **{"r/0001.yml": "resources:\n  jobs: {a: {name: a, tasks: []}}\n  pipelines: {p: {name: p}}\n"}
    )
    contents["r/0002.yml"] = "resources: {pipelines: {q: {name: q}}, jobs: {b: {name: b, tasks: []}}}\n"
    assembled = resolve_in_parts(TreeView(MemoryTree(contents)), REQUEST, None)
    assert assembled is not None
    assert [path for path, file in assembled.catalog.files.items() if file.keys is None] == [
        "databricks.yml",
        "r/0001.yml",
        "r/0002.yml",
    ]


def test_records_survive_as_json() -> None:
    contents = files(8)
    view = TreeView(MemoryTree(contents))
    assembled = resolve_in_parts(view, REQUEST, None)
    assert assembled is not None
    catalog = assembled.catalog
    assert read_catalog(catalog_document(catalog), catalog.code_files) == catalog
    found = {path: catalog.findings.get(path, ()) for path in catalog.files if path.startswith("r/")}
    own = {path: file for path, file in catalog.files.items() if path.startswith("r/")}
    part = PartRecord(own, catalog.jobs, found, assembled.texts)
    assert read_part(part_document(part)) == part


def test_some_jobs_can_be_resolved_again() -> None:
    view = TreeView(MemoryTree(files(5)))
    assembled = resolve_in_parts(view, REQUEST, None)
    assert assembled is not None
    tree = MemoryTree(files(5))
    again = resolve_jobs(TreeView(tree), REQUEST, assembled.catalog, ["j3", "nope"])
    assert list(again) == ["j3"]
    assert {path for path in tree.reads if path.startswith("r/")} == {"r/0003.yml"}
