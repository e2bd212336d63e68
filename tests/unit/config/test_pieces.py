"""A large job file in pieces: the same jobs in the same places, and no piece where a cut could mean something else."""

import pytest

from bundlectl.config import bundle_files, parts
from bundlectl.config.parts import resolve_in_parts
from bundlectl.config.pieces import pieces_of
from bundlectl.config.request import DEFAULT_LIMITS, LoadRequest
from bundlectl.config.tree_view import TreeView
from tests.unit.config.bundles import MemoryTree, loaded

REQUEST = LoadRequest(user="tester@x.com")
HEAD = "# jobs of the team\n---\nresources:\n\n  # all of them\n  jobs:\n"
JOB = """\
    j{number}: # a comment
      name: "job {number}
        goes on"
      tags: {{ nightly: '{text}',
               team: data }}
# a comment that stands out

      tasks:
      - task_key: t
        spark_python_task: {{python_file: ../src/x.py}}
      - task_key: u
        shell_task:
          command: |
            echo "{number}"

            echo done
"""


def job_file(count: int, text: str = "yes") -> str:
    return HEAD + "".join(JOB.format(number=number, text=text) for number in range(count))


def test_pieces_have_all_jobs_in_their_lines() -> None:
    whole = job_file(7)
    pieces = pieces_of(whole.encode(), 3, DEFAULT_LIMITS)
    assert pieces is not None
    assert len(pieces) == 3
    lines = whole.splitlines()
    seen: list[str] = []
    for piece in pieces:
        own = piece.decode().splitlines()
        assert own[:6] == lines[:6]
        held = [number for number, line in enumerate(own) if line and number >= 6]
        assert [own[number] for number in held] == [lines[number] for number in held]
        seen += [line.strip() for line in own if line.startswith("    j")]
    assert seen == [f"j{number}: # a comment" for number in range(7)]


@pytest.mark.parametrize(
    "text",
    [
        job_file(1),
        job_file(5) + "variables: {}\n",
        job_file(5) + "  pipelines: {}\n",
        job_file(5) + "...\n",
        "resources: {jobs: {}}\n",
        "resources:\n  jobs: {a: {}, b: {}}\n",
        "resources:\n  jobs:\n  a: {}\n  b: {}\n",
        "bundle: {name: b}\n" + job_file(5),
        "",
        job_file(5).replace("goes on", "\nout of line"),
        job_file(5, text="*" * 10_001),
    ],
)
def test_a_file_that_holds_more_or_cannot_be_told_is_not_cut(text: str) -> None:
    assert pieces_of(text.encode(), 2, DEFAULT_LIMITS) is None


def test_a_file_that_may_reach_a_limit_is_not_cut() -> None:
    text = job_file(50).encode()
    assert pieces_of(text, 2, DEFAULT_LIMITS) is not None
    assert pieces_of(text, 2, DEFAULT_LIMITS._replace(nodes=2_000)) is None


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("text", ["yes", "x ${", "${bundle.git.branch}"])
def test_a_file_in_pieces_gives_what_a_whole_one_gives(monkeypatch: pytest.MonkeyPatch, copies: int, text: str) -> None:
    monkeypatch.setattr(parts, "spare_processors", lambda: copies)
    monkeypatch.setattr(bundle_files, "WORTH_CUTTING", 100)
    contents = {
        "databricks.yml": "bundle: {name: b}\ninclude: ['r/*.yml']\n",
        "src/x.py": "1",
        "r/all.yml": job_file(40, text),
        "r/one.yml": "resources: {jobs: {single: {name: s, tasks: [{task_key: t, shell_task: {command: [a]}}]}}}\n",
    }
    whole = loaded(contents)
    assembled = resolve_in_parts(TreeView(MemoryTree(contents)), REQUEST, None)
    assert assembled is not None
    jobs = assembled.catalog.jobs
    assert {key: (job.meta, job.span) for key, job in jobs.items()} == {
        key: (spec.meta, spec.span) for key, spec in whole.specs.items()
    }
    assert set(assembled.findings) == set(whole.diagnostics)
    assert len(assembled.findings) == len(whole.diagnostics)
    file = assembled.catalog.files["r/all.yml"]
    assert sorted(file.keys or ()) == sorted(key for key in jobs if key != "single")
    assert file.uses_git == ("git" in text)


@pytest.mark.parametrize(
    "odd",
    [
        JOB.format(number=7, text="again"),  # defined twice, in different pieces
        "    z: {name: &far z, tasks: []}\n" + JOB.format(number=90, text="a") * 0 + "    y: {name: *far}\n",
        '    z:\n      name: "open\n    j99:\n      name: x"\n',
    ],
)
def test_what_a_cut_would_hide_is_left_to_a_load_of_the_whole(monkeypatch: pytest.MonkeyPatch, odd: str) -> None:
    monkeypatch.setattr(parts, "spare_processors", lambda: 1)
    monkeypatch.setattr(bundle_files, "WORTH_CUTTING", 100)
    middle = job_file(20) + odd + "".join(JOB.format(number=number, text="b") for number in range(20, 40))
    contents = {
        "databricks.yml": "bundle: {name: b}\ninclude: ['r/*.yml']\n",
        "src/x.py": "1",
        "r/all.yml": middle,
    }
    whole = loaded(contents)
    assembled = resolve_in_parts(TreeView(MemoryTree(contents)), REQUEST, None)
    if assembled is None:
        return
    assert not assembled.catalog.frame_jobs
    assert {key: job.meta for key, job in assembled.catalog.jobs.items()} == {
        key: spec.meta for key, spec in whole.specs.items()
    }
    assert set(assembled.findings) == set(whole.diagnostics)
