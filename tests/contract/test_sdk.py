"""The unmodified official SDK as a client of the server: the calls that rest-api.md 5 records, and what they give."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import (
    BadRequest,
    InvalidParameterValue,
    NotFound,
    NotImplemented,
    ResourceAlreadyExists,
    Unauthenticated,
)
from databricks.sdk.service import jobs, workspace

from bundlectl.base.clock import SystemClock
from bundlectl.engine.service import Engine
from tests.served import TOKEN, Served

FOLDER = "/Users/ann@example.com/x"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    engine = Engine(tmp_path_factory.mktemp("sdk") / "engine", SystemClock(), user="ann@example.com", workers=2)
    served = Served(engine)
    engine.create()
    engine.start()
    yield served
    served.stop()
    engine.stop()
    assert served.faults == []


@pytest.fixture(scope="module")
def client(served: Served) -> Any:
    return WorkspaceClient(host=served.address, token=TOKEN, config_file="/dev/null")


def _upload(client: Any, name: str, text: str, **more: Any) -> None:
    more = {"format": workspace.ImportFormat.AUTO, "overwrite": True, **more}
    client.workspace.upload(f"{FOLDER}/{name}", io.BytesIO(text.encode()), **more)


def _python(key: str, file: str, **more: Any) -> Any:
    return jobs.Task(task_key=key, spark_python_task=jobs.SparkPythonTask(python_file=file), **more)


def test_who_asks(client: Any, served: Served) -> None:
    assert client.current_user.me().user_name == "ann@example.com"
    assert client.get_workspace_id() == 1
    with pytest.raises(Unauthenticated):
        WorkspaceClient(host=served.address, token="wrong", config_file="/dev/null").current_user.me()


def test_settings_come_back_as_sent(client: Any) -> None:
    made = client.jobs.create(
        name="n",
        queue=jobs.QueueSettings(enabled=True),
        timeout_seconds=0,
        tasks=[_python("a", "/Workspace/a.py", max_retries=0)],
    )
    found = client.jobs.get(made.job_id)
    assert found.creator_user_name == found.run_as_user_name == "ann@example.com"
    assert found.settings.as_dict() == {
        "name": "n",
        "format": "MULTI_TASK",
        "email_notifications": {},
        "webhook_notifications": {},
        "timeout_seconds": 0,
        "max_concurrent_runs": 1,
        "queue": {"enabled": True},
        "tasks": [
            {
                "task_key": "a",
                "max_retries": 0,
                "run_if": "ALL_SUCCESS",
                "timeout_seconds": 0,
                "email_notifications": {},
                "spark_python_task": {"python_file": "/Workspace/a.py", "source": "WORKSPACE"},
            }
        ],
    }
    client.jobs.update(made.job_id, new_settings=jobs.JobSettings(name="z"), fields_to_remove=["schedule"])
    assert client.jobs.get(made.job_id).settings.name == "z"
    client.jobs.reset(made.job_id, jobs.JobSettings(name="r"))
    assert not client.jobs.get(made.job_id).settings.tasks
    client.jobs.delete(made.job_id)
    with pytest.raises(NotFound, match=f"Job {made.job_id} does not exist."):
        client.jobs.get(made.job_id)


def test_jobs_are_listed_over_pages(client: Any) -> None:
    made = [client.jobs.create(name=f"page {number}").job_id for number in range(45)]
    assert [job.job_id for job in client.jobs.list() if job.job_id in made] == made[::-1]
    assert [job.job_id for job in client.jobs.list(name="PAGE 7")] == [made[7]]
    for id in made:
        client.jobs.delete(id)


def test_workspace_files_are_kept_and_run(client: Any) -> None:
    client.workspace.mkdirs(FOLDER)
    _upload(client, "a.py", "import b\nprint('value', b.X)\n")
    _upload(client, "b.py", "X = 5\n")
    _upload(client, "n.py", "# Databricks notebook source\nprint('notebook')\n")
    assert client.workspace.download(f"{FOLDER}/a.py").read() == b"import b\nprint('value', b.X)\n"
    listed = {each.path: (each.object_type.value, each.language) for each in client.workspace.list(FOLDER)}
    assert listed == {
        f"{FOLDER}/a.py": ("FILE", None),
        f"{FOLDER}/b.py": ("FILE", None),
        f"{FOLDER}/n": ("NOTEBOOK", workspace.Language.PYTHON),
    }
    assert client.workspace.get_status(f"/Workspace{FOLDER}/n.py").path == f"/Workspace{FOLDER}/n"
    notebook = jobs.Task(
        task_key="n",
        depends_on=[jobs.TaskDependency("a")],
        notebook_task=jobs.NotebookTask(notebook_path=f"{FOLDER}/n"),
    )
    made = client.jobs.create(
        name="runs",
        parameters=[jobs.JobParameterDefinition(name="a", default="1")],
        tasks=[_python("a", f"/Workspace{FOLDER}/a.py"), notebook],
    )
    waiter = client.jobs.run_now(made.job_id, job_parameters={"a": "b"}, idempotency_token="t")
    run = waiter.result()
    assert run.state.result_state is jobs.RunResultState.SUCCESS
    assert client.jobs.run_now(made.job_id, idempotency_token="t").run_id == run.run_id
    tasks = {task.task_key: task.run_id for task in client.jobs.get_run(run.run_id).tasks}
    assert client.jobs.get_run_output(tasks["a"]).logs == "value 5\n"
    exported = client.jobs.export_run(tasks["n"]).views[0]
    assert (exported.name, exported.type) == ("n", jobs.ViewType.NOTEBOOK)
    assert "<pre>notebook\n</pre>" in exported.content
    with pytest.raises(InvalidParameterValue, match="not a run of a notebook task"):
        client.jobs.export_run(tasks["a"])
    with pytest.raises(BadRequest, match="multiple tasks"):
        client.jobs.get_run_output(run.run_id)
    client.workspace.delete(FOLDER, recursive=True)
    with pytest.raises(NotFound, match="doesn't exist"):
        client.workspace.get_status(FOLDER)


def test_a_failed_run_is_repaired(client: Any) -> None:
    client.workspace.mkdirs(FOLDER)
    _upload(client, "f.py", "raise SystemExit('no file')\n")
    made = client.jobs.create(name="fails", tasks=[_python("f", f"{FOLDER}/f.py")])
    waiter = client.jobs.run_now(made.job_id)
    with pytest.raises(Exception, match=r"got RunLifeCycleState\.INTERNAL_ERROR"):
        waiter.result()
    _upload(client, "f.py", "print('better')\n")
    repaired = client.jobs.repair_run(waiter.run_id, rerun_all_failed_tasks=True).result()
    assert repaired.state.result_state is jobs.RunResultState.SUCCESS
    client.jobs.cancel_run(waiter.run_id)
    client.jobs.cancel_all_runs(job_id=made.job_id)
    assert [run.run_id for run in client.jobs.list_runs(job_id=made.job_id, expand_tasks=True)] == [waiter.run_id]
    assert list(client.jobs.list_runs(job_id=made.job_id, active_only=True)) == []
    client.jobs.delete_run(waiter.run_id)
    with pytest.raises(NotFound):
        client.jobs.get_run(waiter.run_id)


def test_one_time_runs(client: Any) -> None:
    client.workspace.mkdirs(FOLDER)
    _upload(client, "s.py", "print('once')\n")
    task = jobs.SubmitTask(task_key="s", spark_python_task=jobs.SparkPythonTask(python_file=f"{FOLDER}/s.py"))
    run = client.jobs.submit(run_name="one", tasks=[task]).result()
    assert run.state.result_state is jobs.RunResultState.SUCCESS
    assert run.run_type is jobs.RunType.SUBMIT_RUN


def test_permissions(client: Any) -> None:
    id = str(client.jobs.create(name="shared").job_id)

    def entry(user: str, level: Any) -> Any:
        return jobs.JobAccessControlRequest(user_name=user, permission_level=level)

    def levels(found: Any) -> dict[str, str]:
        return {each.user_name: each.all_permissions[0].permission_level.value for each in found if each.user_name}

    owner, view = jobs.JobPermissionLevel.IS_OWNER, jobs.JobPermissionLevel.CAN_VIEW
    assert levels(client.jobs.get_permissions(id).access_control_list) == {"ann@example.com": "IS_OWNER"}
    client.jobs.update_permissions(id, access_control_list=[entry("bob", view)])
    expected = {"ann@example.com": "IS_OWNER", "bob": "CAN_VIEW"}
    assert levels(client.jobs.get_permissions(id).access_control_list) == expected
    client.jobs.set_permissions(id, access_control_list=[entry("bob", owner)])
    assert levels(client.jobs.get_permissions(id).access_control_list) == {"bob": "IS_OWNER"}
    with pytest.raises(InvalidParameterValue, match=r"The job must have exactly one owner\."):
        client.jobs.set_permissions(id, access_control_list=[entry("a", view)])
    found = client.jobs.get_permission_levels(id).permission_levels
    assert [each.permission_level.value for each in found] == ["CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"]


def test_files_of_volumes(client: Any) -> None:
    path = "/Volumes/a/b/c/f.txt"
    client.files.upload(path, io.BytesIO(b"hello"), overwrite=True)
    assert client.files.download(path).contents.read() == b"hello"
    assert client.files.get_metadata(path).content_length == 5
    assert [each.path for each in client.files.list_directory_contents("/Volumes/a/b/c")] == [path]
    client.files.get_directory_metadata("/Volumes/a/b/c")
    with pytest.raises(ResourceAlreadyExists):
        client.files.upload(path, io.BytesIO(b"other"), overwrite=False)
    client.files.delete(path)
    with pytest.raises(NotFound):
        client.files.get_metadata(path)
    client.files.create_directory("/Volumes/a/b/d")
    client.files.delete_directory("/Volumes/a/b/d")
    with pytest.raises(NotFound):
        client.files.get_directory_metadata("/Volumes/a/b/d")


def test_what_an_engine_does_not_have(client: Any) -> None:
    assert [*client.clusters.list(), *client.warehouses.list(), *client.repos.list()] == []
    with pytest.raises(NotImplemented, match=r"'clusters' is not provided by the embedded engine\."):
        client.clusters.create(spark_version="x")


def test_code_is_what_it_was_when_a_run_began(client: Any, served: Served, tmp_path: Path) -> None:
    """Two runs of one file that changes between them: each has its own snapshot."""
    client.workspace.mkdirs(FOLDER)
    made = client.jobs.create(name="changes", tasks=[_python("v", f"{FOLDER}/v.py")])
    seen = []
    for text in ("one", "two"):
        _upload(client, "v.py", f"print(__file__.rpartition('/')[0], '{text}')\n")
        run = client.jobs.run_now(made.job_id).result()
        seen.append(client.jobs.get_run_output(client.jobs.get_run(run.run_id).tasks[0].run_id).logs.split())
    assert [words[1] for words in seen] == ["one", "two"]
    assert seen[0][0] != seen[1][0]
