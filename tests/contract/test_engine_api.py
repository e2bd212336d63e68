"""The engine's API: documents, fill-ins, paging, one error body, ownership, fences. In process and over
HTTP, with the same results; no scheduler."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundlectl.base.digest import digest_document
from bundlectl.engine.api.routes import every_route
from tests.contract.engine_api import OURS, Api, task


@pytest.fixture(params=["process", "http"])
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Api]:
    api = Api(tmp_path / "engine", request.param)
    yield api
    api.close()


# Jobs


def test_settings_come_back_as_sent_with_exactly_the_fill_ins(api: Api) -> None:
    sent = {
        "name": "etl",
        "queue": {"enabled": True},
        "unknown_field": {"kept": [1, None]},
        "tasks": [
            {
                "task_key": "b",
                "depends_on": [{"task_key": "c"}, {"task_key": "a"}],
                "notebook_task": {"notebook_path": "/n"},
            },
            {"task_key": "a", "sql_task": {"warehouse_id": "w", "file": {"path": "/q.sql"}}, "timeout_seconds": 5},
            {"task_key": "c", "spark_python_task": {"python_file": "/p.py", "source": "GIT"}},
        ],
    }
    job = api.post("create", None, **sent)["job_id"]
    document = api.get("get", job_id=job)
    defaults = {"run_if": "ALL_SUCCESS", "email_notifications": {}}
    assert document == {
        "job_id": job,
        "creator_user_name": "ann@example.com",
        "run_as_user_name": "ann@example.com",
        "created_time": api.clock.now_ms(),
        "settings": {
            "name": "etl",
            "format": "MULTI_TASK",
            "email_notifications": {},
            "webhook_notifications": {},
            "timeout_seconds": 0,
            "max_concurrent_runs": 1,
            "queue": {"enabled": True},
            "unknown_field": {"kept": [1, None]},
            "tasks": [
                {
                    "task_key": "b",
                    "depends_on": [{"task_key": "a"}, {"task_key": "c"}],
                    "notebook_task": {"notebook_path": "/n", "source": "WORKSPACE"},
                    "timeout_seconds": 0,
                    **defaults,
                },
                {
                    "task_key": "a",
                    "sql_task": {"warehouse_id": "w", "file": {"path": "/q.sql", "source": "WORKSPACE"}},
                    "timeout_seconds": 5,
                    **defaults,
                },
                {
                    "task_key": "c",
                    "spark_python_task": {"python_file": "/p.py", "source": "GIT"},
                    "timeout_seconds": 0,
                    **defaults,
                },
            ],
        },
    }
    assert "next_page_token" not in document


def test_a_large_job_comes_in_pages(api: Api) -> None:
    job = api.create(tasks=[task(f"t{number:03}") for number in range(250)], tags={"a": "b"})
    pages: list[Any] = []
    token: dict[str, str] = {}
    while True:
        document = api.get("get", job_id=job, **token)
        pages.append(document["settings"])
        if "next_page_token" not in document:
            break
        token = {"page_token": document["next_page_token"]}
    assert [len(page["tasks"]) for page in pages] == [100, 100, 50]
    assert [entry["task_key"] for page in pages for entry in page["tasks"]] == [f"t{n:03}" for n in range(250)]
    assert ["tags" in page for page in pages] == [True, False, False]


def test_listing_pages_neither_repeat_nor_hide(api: Api) -> None:
    assert api.get("list") == {"has_more": False}
    jobs = [api.create(name=f"J{number % 2}") for number in range(5)]
    first = api.get("list", limit=2)
    assert [job["job_id"] for job in first["jobs"]] == jobs[:2:-1]
    api.create()
    second = api.get("list", limit=2, page_token=first["next_page_token"])
    third = api.get("list", limit=2, page_token=second["next_page_token"])
    assert [job["job_id"] for page in (second, third) for job in page["jobs"]] == jobs[2::-1]
    assert not third["has_more"] and "next_page_token" not in third
    assert "tasks" not in first["jobs"][0]["settings"]
    assert "tasks" in api.get("list", expand_tasks="true")["jobs"][0]["settings"]
    assert len(api.get("list", name="j1")["jobs"]) == 2


def test_reset_and_delete(api: Api) -> None:
    job = api.create(description="old")
    assert api.post("reset", job_id=str(job), new_settings={"name": "new", "tasks": [task("z")]}) == {}
    settings = api.get("get", job_id=job)["settings"]
    assert settings["name"] == "new" and "description" not in settings
    run = api.run(job)
    waiting = api.run(job)
    assert api.post("delete", job_id=job) == {}
    assert api.refused("POST", "delete", {"job_id": job}) == f"404 RESOURCE_DOES_NOT_EXIST: Job {job} does not exist."
    assert api.get("runs/get", run_id=run)["state"]["life_cycle_state"] == "PENDING", "active runs end by themselves"
    assert api.get("runs/get", run_id=waiting)["state"]["result_state"] == "CANCELED"


def test_owned_jobs_are_listed_by_the_digest_of_what_was_sent(api: Api) -> None:
    mark = {"own": "b1-x", "lineage": "l", "target": "dev", "key": "etl"}
    settings = {"name": "etl", "tasks": [task("a")], "bundlectl": mark, "description": None}
    job = api.post("create", {"Idempotency-Key": "b1-x"}, **settings)["job_id"]
    del settings["description"]
    listed = [{"job_id": job, "own": "b1-x", "digest": digest_document(settings)}]
    assert api.get(f"{OURS}/jobs", lineage="l", target="dev") == {"jobs": listed}
    assert api.get(f"{OURS}/jobs", lineage="l", target="prod") == {"jobs": []}
    assert api.post("create", {"Idempotency-Key": "b1-x"}, **settings) == {"job_id": job}
    other = api.post("create", None, **{**settings, "bundlectl": {**mark, "own": "b1-y", "key": "y"}})["job_id"]
    answer = api.refused("POST", "reset", {"job_id": other, "new_settings": settings})
    assert answer.startswith("409 RESOURCE_ALREADY_EXISTS")
    answer = api.refused("POST", "create", settings, {"Idempotency-Key": "b1-z"})
    assert answer.startswith("400 INVALID_PARAMETER_VALUE")


def test_fences_hold_per_lineage_and_target(api: Api) -> None:
    def settings(target: str, own: str) -> dict[str, Any]:
        return {"tasks": [task("a")], "bundlectl": {"own": own, "lineage": "l", "target": target, "key": "k"}}

    job = api.post("create", {"If-Fence": "5"}, **settings("dev", "1"))["job_id"]
    for path, body in (
        ("create", settings("dev", "2")),
        ("reset", {"job_id": job, "new_settings": settings("dev", "1")}),
        ("delete", {"job_id": job}),
    ):
        assert api.refused("POST", path, body, {"if-fence": "4"}).startswith("409 RESOURCE_CONFLICT")
    api.post("create", {"If-Fence": "1"}, **settings("prod", "3"))
    api.post("reset", {"If-Fence": "6"}, job_id=job, new_settings=settings("dev", "1"))
    assert api.refused("POST", "delete", {"job_id": job}, {"If-Fence": "5"}).startswith("409")
    assert api.refused("POST", "delete", {"job_id": job}, {"If-Fence": "x"}).startswith("400")
    api.post("delete", job_id=job)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"tasks": [task("load", depends_on=[{"task_key": "lode"}])]},
            "Task 'load' depends on 'lode', which does not exist.",
        ),
        ({"tasks": [task("a"), task("a")]}, "Task key 'a' is used twice."),
        ({"tasks": [task("a", depends_on=[{"task_key": "a"}])]}, "Task 'a' depends on itself."),
        (
            {"tasks": [task("a", depends_on=[{"task_key": "b"}]), task("b", depends_on=[{"task_key": "a"}])]},
            "Tasks depend on each other in a circle: a -> b -> a.",
        ),
        ({"tasks": [{"task_key": "a"}]}, "Task 'a' has no task type."),
        ({"tasks": [task("a", shell_task={"command": "x"}, sql_task={})]}, "Task 'a' has several task types"),
        ({"tasks": [task("a b")]}, "Task key 'a b' must be"),
        ({"tasks": [task("a", run_if="NEVER")]}, "'run_if' must be one of"),
        ({"tasks": [task("a", max_retries=-2)]}, "'max_retries' must be a number from -1"),
        ({"tasks": [task("a", environment_key="e")]}, "environment_key 'e' does not exist."),
        (
            {"tasks": [task("a"), task("b", depends_on=[{"task_key": "a", "outcome": "true"}])]},
            "needs a condition task.",
        ),
        ({"tasks": [task("a", shell_task={"command": []})]}, "'command' of a shell_task"),
        ({"tasks": [task("a", shell_task={"command": "echo {{job.id}}"})]}, "shell code"),
        ({"tasks": [task("a", shell_task={"command": ["{{job.notebook_url}}"]})]}, "job.notebook_url"),
        ({"tasks": {"a": 1}}, "'tasks' must be a list of objects."),
        ({"tasks": [task(f"t{number}") for number in range(1001)]}, "at most 1000 tasks, not 1001."),
        ({"parameters": [{"name": "p", "default": "1"}, {"name": "p", "default": "2"}]}, "'parameters' has 'p' twice."),
        ({"max_concurrent_runs": 1001}, "'max_concurrent_runs' must be a number from 0 to 1000."),
        (
            {"schedule": {"quartz_cron_expression": "0 0 * * * *", "timezone_id": "UTC"}},
            "Invalid quartz cron expression",
        ),
        ({"schedule": {"quartz_cron_expression": "0 0 * * * ?", "timezone_id": "Mars/X"}}, "Invalid timezone_id"),
        ({"schedule": {}, "trigger": {}}, "Only one of 'schedule', 'trigger' may be set."),
    ],
)
def test_settings_that_do_not_hold(api: Api, settings: dict[str, Any], message: str) -> None:
    answer = api.refused("POST", "create", {"name": "x", **settings})
    assert answer.startswith("400 INVALID_PARAMETER_VALUE: ")
    assert message in answer
    assert api.get("list") == {"has_more": False}


def test_older_versions_take_fewer_tasks(api: Api) -> None:
    body = {"tasks": [task(f"t{number}") for number in range(101)]}
    text = "Resources with more than 100 tasks can only be handled by API 2.2 and above. Your resource has 101 tasks"
    assert api.refused("POST", "/api/2.1/jobs/create", body) == f"400 INVALID_PARAMETER_VALUE: {text}"


# Requests


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "/api/2.0/x", "404 ENDPOINT_NOT_FOUND: No API found for 'GET /api/2.0/x'"),
        ("GET", "/api/2.3/jobs/list", "404 ENDPOINT_NOT_FOUND: No API found for 'GET /api/2.3/jobs/list'"),
        ("POST", "/api/2.2/jobs/list", "405 METHOD_NOT_ALLOWED: '/api/2.2/jobs/list' does not take POST."),
        ("POST", "create", "400 MALFORMED_REQUEST: The body must be a JSON object."),
        ("POST", "run-now", "400 MALFORMED_REQUEST: The body must be a JSON object."),
        ("GET", "get", '400 INVALID_PARAMETER_VALUE: "job_id" is missing.'),
    ],
)
def test_requests_that_nobody_answers(api: Api, method: str, path: str, answer: str) -> None:
    assert api.refused(method, path) == answer


@pytest.mark.parametrize("id", ["../x", "-1", "0", str(1 << 70), "1;drop", "1.5", "", "\u0661"])
def test_ids_that_cannot_be(api: Api, id: str) -> None:
    for path, name in (("get", "job_id"), ("runs/get", "run_id"), ("runs/get-output", "run_id")):
        assert api.refused("GET", path, None, None, **{name: id}).startswith("400 INVALID_PARAMETER_VALUE")
    for body in ({"job_id": id}, {"job_id": True}, {"job_id": [1]}, {"job_id": 1.5}):
        assert api.refused("POST", "run-now", body).startswith("400 INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize(
    "query",
    [{"limit": "101"}, {"limit": "-1"}, {"limit": "x"}, {"page_token": "zzz"}, {"page_token": "WyJydW5zIiwgMV0"},
     {"page_token": "eyJhIjogMX0"}, {"expand_tasks": "yes"}],
)  # fmt: skip
def test_pages_that_cannot_be(api: Api, query: dict[str, str]) -> None:
    assert api.refused("GET", "list", None, None, **query).startswith("400 INVALID_PARAMETER_VALUE")


def test_no_route_answers_a_missing_thing_with_success(api: Api) -> None:
    """Ids that nobody has: every read and every write of one thing says so."""
    api.create()
    answers = {
        route.path.pattern: api.call(
            route.method,
            route.path.pattern.replace("(?P<version>2\\.[012])", "2.2").replace("([^/]+)", "999999"),
            None
            if route.method == "GET"
            else {
                "job_id": 999_999,
                "run_id": 999_999,
                "new_settings": {},
                "access_control_list": [{"user_name": "a", "permission_level": "IS_OWNER"}],
            },
            job_id=999_999,
            run_id=999_999,
        )[0]
        for route in every_route()
        if not route.path.pattern.endswith(
            ("create", "submit", "list", "identity", "/1/jobs", "seal", "files", "snapshots/([^/]+)")
        )
        and "/jobs/" in route.path.pattern.replace("permissions/jobs", "/jobs/").replace("policies/jobs", "")
        and not route.path.pattern.endswith("permissionLevels")
    }
    assert set(answers.values()) == {404}, answers
