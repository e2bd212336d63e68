"""Files and environment of an attempt before it starts, what is read after it ended."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from bundlectl.base.digest import digest_bytes
from bundlectl.engine.attempt import VALUES_OUT, collect, is_slow, prepare, task_environment
from bundlectl.engine.tasks.base import INVALID_RUN_CONFIGURATION, RESOURCE_NOT_FOUND, SetupFailed
from bundlectl.engine.values import Scope
from tests.unit.engine.attempts import context, run, snapshot

SHELL: dict[str, Any] = {"shell_task": {"command": ["true"]}}


def test_the_environment_of_a_task_is_what_the_specification_lists(tmp_path: Path) -> None:
    root = snapshot(tmp_path, {"a": ""})
    made = context(tmp_path, SHELL, parameters={"day.x": "2"}, attempt=4)
    environment = task_environment(made)
    ours = {name: value for name, value in environment.items() if name.startswith("BUNDLECTL_")}
    inputs = ours.pop("BUNDLECTL_TASK_VALUES_IN")
    assert json.loads(Path(inputs).read_text()) == {}
    assert ours == {
        "BUNDLECTL_JOB_ID": "1",
        "BUNDLECTL_JOB_RUN_ID": "2",
        "BUNDLECTL_TASK_RUN_ID": "3",
        "BUNDLECTL_TASK_KEY": "me",
        "BUNDLECTL_ATTEMPT_NUMBER": "4",
        "BUNDLECTL_SNAPSHOT_DIR": str(root),
        "BUNDLECTL_RUN_DIR": str(made.run_dir),
        "BUNDLECTL_TASK_VALUES_OUT": str(made.run_dir / VALUES_OUT),
        "BUNDLECTL_PARAM_day_x": "2",
    }


def test_nothing_of_the_engine_s_environment_leaks(tmp_path: Path) -> None:
    host = {
        "PATH": "/bin",
        "HOME": "/h",
        "LC_ALL": "C.UTF-8",
        "DATABRICKS_TOKEN": "canary",
        "BUNDLECTL_TOKEN": "canary",
        "AWS_SECRET_ACCESS_KEY": "canary",
        "PIP_INDEX_URL": "https://user:canary@host",
        "PYTHONPATH": "/canary",
        "GITHUB_TOKEN": "canary",
        "SSH_AUTH_SOCK": "canary",
    }
    done = run(context(tmp_path, {"shell_task": {"command": "env"}}, host_environment=host))
    assert done.code == 0
    assert "canary" not in done.output
    assert "LC_ALL=C.UTF-8" in done.output and "HOME=/h" in done.output


def test_variables_of_the_job_and_of_the_cluster(tmp_path: Path) -> None:
    root = snapshot(tmp_path, {"a.env": "# note\n\nA=file\nB=x=y\n", "b.env": "B=later\nC=c\n"})
    settings = {
        "environment_variables": [
            {
                "environment_variables_key": "k",
                "spec": {"variables": {"A": "inline"}, "files": [str(root / "a.env"), "b.env"]},
            },
            {"environment_variables_key": "old", "variables": {"D": "top"}},
        ],
        "job_clusters": [{"job_cluster_key": "c", "new_cluster": {"spark_env_vars": {"S": "{{job.id}}-{{foo.x}}"}}}],
    }
    scope = Scope(job_id="7", job_name="j", run_id="8", start_ms=0, trigger_ms=0)
    task = {**SHELL, "environment_variables_key": "k", "job_cluster_key": "c"}
    environment = task_environment(context(tmp_path, task, settings=settings, scope=scope))
    assert [environment[name] for name in "ABCS"] == ["inline", "later", "c", "7-{{foo.x}}"]
    older = task_environment(context(tmp_path, {**SHELL, "environment_variables_key": "old"}, settings=settings))
    assert older["D"] == "top" and "A" not in older and "S" not in older


@pytest.mark.parametrize(
    ("variables", "part"),
    [
        ({"A": "{{secrets/scope/key}}"}, '"scope/key", and this engine has no secret store'),
        ({"A": "x\0y"}, '"A" cannot be an environment variable'),
        ({"A=B": "x"}, "cannot be an environment variable"),
    ],
)
def test_variables_that_cannot_be(tmp_path: Path, variables: dict[str, str], part: str) -> None:
    settings = {"environment_variables": [{"environment_variables_key": "k", "spec": {"variables": variables}}]}
    made = context(tmp_path, {**SHELL, "environment_variables_key": "k"}, settings=settings)
    with pytest.raises(SetupFailed, match=part) as caught:
        prepare(made)
    assert caught.value.code == INVALID_RUN_CONFIGURATION


def test_a_variables_file_with_another_line_is_refused_by_number(tmp_path: Path) -> None:
    snapshot(tmp_path, {"a.env": "A=1\nnonsense\n"})
    settings = {"environment_variables": [{"environment_variables_key": "k", "spec": {"files": ["a.env"]}}]}
    made = context(tmp_path, {**SHELL, "environment_variables_key": "k"}, settings=settings)
    with pytest.raises(SetupFailed, match=r'Line 2 of the environment file "a\.env"'):
        prepare(made)


def test_paths_of_a_published_snapshot_become_real_ones(tmp_path: Path) -> None:
    root = snapshot(tmp_path, {"src/a.txt": "hello"})
    published = "/Workspace/Users/me/.bundle/b/dev/.bundlectl/snapshots/" + "a" * 64
    task = {"shell_task": {"command": ["cat", f"{published}/src/a.txt"]}}
    assert run(context(tmp_path, task)).output == "hello"
    made = context(
        tmp_path, SHELL, parameters={"p": f"{published}/src/./b", "root": published, "x": f"--a={published}"}
    )
    environment = prepare(made).environment
    assert environment["BUNDLECTL_PARAM_p"] == str(root / "src/b")
    assert environment["BUNDLECTL_PARAM_root"] == str(root)
    assert environment["BUNDLECTL_PARAM_x"] == f"--a={published}"


def test_a_path_that_leaves_the_snapshot_is_refused(tmp_path: Path) -> None:
    snapshot(tmp_path, {"a": ""})
    path = "/Workspace/b/.bundlectl/snapshots/" + "a" * 64 + "/src/../../x"
    with pytest.raises(SetupFailed, match="leaves its snapshot") as caught:
        prepare(context(tmp_path, {"shell_task": {"command": ["cat", path]}}))
    assert caught.value.code == INVALID_RUN_CONFIGURATION


def test_another_snapshot_lies_beside_the_run_s_own(tmp_path: Path) -> None:
    mine, other = tmp_path / ("a" * 64), tmp_path / ("b" * 64)
    mine.mkdir()
    task = {"shell_task": {"command": ["cat", "/W/.bundlectl/snapshots/" + "b" * 64 + "/t"]}}
    with pytest.raises(SetupFailed, match="not on this engine") as caught:
        prepare(context(tmp_path, task, snapshot_dir=mine))
    assert caught.value.code == RESOURCE_NOT_FOUND
    other.mkdir()
    assert prepare(context(tmp_path, task, snapshot_dir=mine)).argv[1] == str(other / "t")


def test_values_go_in_and_come_out(tmp_path: Path) -> None:
    script = (
        'cat "$BUNDLECTL_TASK_VALUES_IN"; '
        """echo '{"key":"a","value":1}' >> "$BUNDLECTL_TASK_VALUES_OUT"; echo >> "$BUNDLECTL_TASK_VALUES_OUT"; """
        """printf '{"key":"a","value":{"b":[null,"é"]}}' >> "$BUNDLECTL_TASK_VALUES_OUT" """
    )
    made = context(tmp_path, {"shell_task": {"command": script}}, values_in={"up": {"k": "v"}})
    done = run(made)
    assert json.loads(done.output) == {"up": {"k": "v"}}
    assert done.left == ({"a": {"b": [None, "é"]}}, None, [], None)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("nonsense", "Line 2 .*is not a JSON object"),
        ("[1]", "Line 2"),
        ('{"key":1,"value":2}', "Line 2"),
        ('{"key":"b"}', "Line 2"),
        ('{"key":"b","value":NaN}', "Line 2"),
        ('{"key":"b","value":"' + "x" * 49_152 + '"}', 'Line 2 .*sets "b" to more than 48 KiB'),
        ("[" * 100_000, "Line 2"),
    ],
)
def test_a_bad_value_fails_the_attempt_and_keeps_the_others(tmp_path: Path, line: str, part: str) -> None:
    (tmp_path / VALUES_OUT).write_text('{"key":"a","value":1}\n' + line + "\n" + '{"key":"c","value":3}')
    left = collect(tmp_path)
    assert left.values == {"a": 1, "c": 3}
    assert left.error is not None
    assert re.match(part, left.error)


def test_the_largest_value_is_kept(tmp_path: Path) -> None:
    value = "x" * (48 * 1024 - 2)
    (tmp_path / VALUES_OUT).write_text(json.dumps({"key": "a", "value": value}))
    assert collect(tmp_path) == ({"a": value}, None, [], None)


def test_outputs_are_named_with_their_digests(tmp_path: Path) -> None:
    script = (
        'cd "$BUNDLECTL_RUN_DIR/outputs"; mkdir -p b; printf 1 > b/z; printf 22 > a; ln -s /etc/passwd link; mkfifo f'
    )
    done = run(context(tmp_path, {"shell_task": {"command": script}}))
    assert done.code == 0
    assert done.left.outputs == [
        {"path": "a", "digest": digest_bytes(b"22"), "bytes": 2},
        {"path": "b/z", "digest": digest_bytes(b"1"), "bytes": 1},
    ]


def test_nothing_left_is_nothing(tmp_path: Path) -> None:
    assert collect(tmp_path / "absent") == ({}, None, [], None)
    (tmp_path / "result.json").write_text("{half")
    assert collect(tmp_path).result is None


def test_preparing_again_starts_afresh(tmp_path: Path) -> None:
    made = context(tmp_path, {"shell_task": {"command": 'echo bad > "$BUNDLECTL_TASK_VALUES_OUT"'}})
    assert run(made).left.error is not None
    prepare(made)
    assert collect(made.run_dir) == ({}, None, [], None)


def test_files_of_a_run_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = context(tmp_path, SHELL, values_in={"a": {"b": 1}})
        prepare(made)
    finally:
        os.umask(before)
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in made.run_dir.iterdir()} == {
        "outputs": "0o700",
        "task-values-in.json": "0o600",
    }
    assert made.run_dir.stat().st_mode & 0o777 == 0o700


def test_what_installs_is_slow() -> None:
    settings = {"environments": [{"environment_key": "e", "spec": {"dependencies": ["x"]}}, {"environment_key": "f"}]}
    assert is_slow({"libraries": [{"whl": "x"}]}, {})
    assert is_slow({"environment_key": "e"}, settings)
    assert not is_slow({"environment_key": "f"}, settings)
    assert not is_slow(SHELL, settings)
