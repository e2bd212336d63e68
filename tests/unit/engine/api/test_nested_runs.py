"""Loops, nested runs, repairs and one-time runs through the API, with real tasks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.patience import until
from tests.unit.engine.api.test_runs import Place, shell


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "engine")
    yield place
    place.engine.stop()


def jobs(place: Place, path: str, **body: Any) -> Any:
    return place.ask("POST", f"/api/2.2/jobs/{path}", body)


def ended(place: Place, run: int, **query: Any) -> Any:
    def look() -> Any:
        return place.ask("GET", "/api/2.2/jobs/runs/get", run_id=run, **query)

    until(lambda: look()["end_time"] > 0)
    return look()


def loop(inputs: str, command: Any, **more: Any) -> dict[str, Any]:
    body = {"inputs": inputs, "task": shell("nested", command), **more}
    return {"task_key": "loop", "for_each_task": body}


def test_iterations_get_their_element(place: Place) -> None:
    inputs = '["a b", 7, true, {"k": "v", "n": [1]}]'
    job = jobs(place, "create", tasks=[loop(inputs, ["printf", "%s|%s", "{{input}}", "{{task.name}}"], concurrency=2)])
    run = ended(place, jobs(place, "run-now", **job)["run_id"], include_resolved_values="true")
    (parent,) = run["tasks"]
    counts = parent["for_each_task"]["stats"]["task_run_stats"]
    assert counts == {
        "total_iterations": 4,
        "scheduled_iterations": 0,
        "active_iterations": 0,
        "completed_iterations": 4,
        "succeeded_iterations": 4,
        "failed_iterations": 0,
    }
    whole = place.ask("GET", "/api/2.2/jobs/runs/get", run_id=parent["run_id"])
    assert [task["run_id"] for task in whole["tasks"]] == [parent["run_id"]]
    logs = [place.output(each)["logs"] for each in whole["iterations"]]
    assert logs == ["a b|nested\n", "7|nested\n", "true|nested\n", '{"k":"v","n":[1]}|nested\n']
    assert [each["bundlectl"]["input"] for each in whole["iterations"]] == ["a b", 7, True, {"k": "v", "n": [1]}]


def test_one_iteration_lacks_the_member(place: Place) -> None:
    """Case 37."""
    run = place.run(loop('[{"k":"v"},{"z":1}]', ["printf", "%s", "{{input.k}}"]))
    (parent,) = run["tasks"]
    stats = parent["for_each_task"]["stats"]
    assert stats["task_run_stats"]["failed_iterations"] == 1
    (message,) = stats["error_message_stats"]
    assert (message["count"], message["termination_category"]) == (1, "INVALID_RUN_CONFIGURATION")
    assert '"k"' in message["error_message"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ('{"a":1}', "an object, not a JSON array"),
        ("7", "a single value, not a JSON array"),
        ("not json", 'is not JSON: "not json"'),
        ("[NaN]", "is not JSON"),
        ("[[1]]", "element 0 of the inputs is an array"),
        (str([0] * 5001), "at most 5000"),
        ("{{tasks.before.values.missing}}", "tasks.before.values.missing"),
    ],
)
def test_inputs_that_are_no_array(place: Place, inputs: str, message: str) -> None:
    """Case 36."""
    run = place.run(shell("before", "true"), {**loop(inputs, "true"), "depends_on": [{"task_key": "before"}]})
    parent = run["tasks"][1]
    assert parent["status"]["termination_details"]["code"] == "INVALID_RUN_CONFIGURATION"
    assert message in parent["state"]["state_message"]


def test_inputs_from_a_task_value(place: Place) -> None:
    value = """echo '{"key": "items", "value": [1, 2]}' >> $BUNDLECTL_TASK_VALUES_OUT"""
    second = {**loop("{{tasks.first.values.items}}", "true"), "depends_on": [{"task_key": "first"}]}
    run = place.run(shell("first", value), second)
    assert run["tasks"][1]["for_each_task"]["stats"]["task_run_stats"]["succeeded_iterations"] == 2


def test_more_iterations_than_a_page(place: Place) -> None:
    nested = {"task_key": "c", "condition_task": {"op": "EQUAL_TO", "left": "{{input}}", "right": "5"}}
    body = {"inputs": str(list(range(130))), "concurrency": 100, "task": nested}
    (parent,) = place.run({"task_key": "loop", "for_each_task": body})["tasks"]
    first = place.ask("GET", "/api/2.2/jobs/runs/get", run_id=parent["run_id"])
    token = first["next_page_token"]
    second = place.ask("GET", "/api/2.2/jobs/runs/get", run_id=parent["run_id"], page_token=token)
    assert (len(first["iterations"]), len(second["iterations"])) == (100, 30)
    assert "next_page_token" not in second
    assert first["iterations"][5]["condition_task"]["outcome"] == "true"


def test_a_child_gets_the_parameters(place: Place) -> None:
    """Case 40."""
    day = [{"name": "day", "default": "0"}]
    child = jobs(
        place, "create", tasks=[shell("c", ["printf", "%s %s", "{{job.parameters.day}}", "{{job.parameters.x}}"])]
    )
    task = {"task_key": "r", "run_job_task": {"job_id": child["job_id"], "job_parameters": {"day": "1", "x": "3"}}}
    parent = jobs(place, "create", tasks=[task], parameters=day)
    run = ended(place, jobs(place, "run-now", job_parameters={"day": "2"}, **parent)["run_id"])
    (row,) = run["tasks"]
    output = place.output(row)
    below = ended(place, output["run_job_output"]["run_id"])
    assert (below["trigger"], below["trigger_info"]) == ("RUN_JOB_TASK", {"run_id": row["run_id"]})
    assert place.output(below["tasks"][0])["logs"] == "2 3\n"
    outcome = place.ask("GET", f"/api/bundlectl/1/runs/{below['run_id']}/manifest")["outcome"]
    assert outcome["parent_run"] == str(row["run_id"])


def test_a_repair_and_its_history(place: Place, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    count = "{{job.repair_count}} {{task.execution_count}}"
    job = jobs(
        place,
        "create",
        tasks=[
            shell("a", """echo '{"key": "v", "value": "kept"}' >> $BUNDLECTL_TASK_VALUES_OUT"""),
            {
                **shell("b", ["sh", "-c", f'echo "$0 $1"; test -e {flag}', count, "{{tasks.a.values.v}}"]),
                "depends_on": [{"task_key": "a"}],
            },
        ],
    )
    run = ended(place, jobs(place, "run-now", **job)["run_id"])
    assert run["state"]["result_state"] == "FAILED"
    flag.touch()
    repair = jobs(place, "runs/repair", run_id=run["run_id"], rerun_all_failed_tasks=True)["repair_id"]
    after = ended(place, run["run_id"], include_history="true")
    assert after["state"]["result_state"] == "SUCCESS"
    attempts = [(task["task_key"], task["attempt_number"]) for task in after["tasks"]]
    assert sorted(attempts) == [("a", 0), ("b", 0), ("b", 1)]
    assert place.output(after["tasks"][-1])["logs"] == "1 2 kept\n"
    original, second = after["repair_history"]
    assert (original["type"], original["state"]["result_state"], len(original["task_run_ids"])) == (
        "ORIGINAL",
        "FAILED",
        2,
    )
    assert (second["type"], second["id"], second["state"]["result_state"]) == ("REPAIR", repair, "SUCCESS")
    assert second["task_run_ids"] == [after["tasks"][-1]["run_id"]]
    assert after["run_duration"] <= after["end_time"] - after["start_time"]
    (entry,) = place.ask("GET", f"/api/bundlectl/1/runs/{run['run_id']}/manifest")["outcome"]["repairs"]
    assert (entry["id"], entry["result_state"]) == (str(repair), "SUCCESS")


def test_a_one_time_run_is_no_job(place: Place) -> None:
    body = {"run_name": "once", "tasks": [shell("a", "exit 3")], "idempotency_token": "s1"}
    run = jobs(place, "runs/submit", **body)["run_id"]
    assert jobs(place, "runs/submit", **body)["run_id"] == run
    document = ended(place, run)
    assert (document["run_name"], document["run_type"]) == ("once", "SUBMIT_RUN")
    assert document["run_page_url"].endswith(f"#job/run/{run}")
    assert place.ask("GET", "/api/2.2/jobs/list") == {"has_more": False}
    listed = place.ask("GET", "/api/2.2/jobs/runs/list", run_type="SUBMIT_RUN")["runs"]
    assert [each["run_id"] for each in listed] == [run]
    assert place.ask("GET", "/api/2.2/jobs/runs/list", run_type="JOB_RUN") == {"has_more": False}
    jobs(place, "runs/repair", run_id=run, rerun_tasks=["a"])
    assert ended(place, run)["state"]["result_state"] == "FAILED"


def test_a_deleted_run_leaves_nothing_but_its_token(place: Place, tmp_path: Path) -> None:
    job = jobs(place, "create", tasks=[shell("a", "echo text")])
    run = ended(place, jobs(place, "run-now", idempotency_token="t", **job)["run_id"])["run_id"]
    folder = tmp_path / "engine" / "logs" / str(run)
    assert folder.exists()
    jobs(place, "runs/delete", run_id=run)
    assert not folder.exists()
    status, answer = place.engine.handle("GET", "/api/2.2/jobs/runs/get", {"run_id": str(run)}, None)
    assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    status, answer = place.engine.handle("POST", "/api/2.2/jobs/run-now", {}, {**job, "idempotency_token": "t"})
    assert (status, answer["message"]) == (400, "The idempotency token started a run that was deleted.")
