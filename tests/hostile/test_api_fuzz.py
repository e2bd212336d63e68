"""Random requests to every route of the API: no fault, one error body, no word that makes clients repeat."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundlectl.base.clock import FrozenClock
from bundlectl.engine.api.route import Route
from bundlectl.engine.api.routes import every_route
from bundlectl.engine.service import Engine
from tests.contract.engine_api import RETRIED

_WORDS = """
    job_id run_id name tasks task_key depends_on new_settings
    fields_to_remove path content format language overwrite recursive
    access_control_list user_name permission_level job_parameters only queue enabled
    parameters default schedule quartz_cron_expression timezone_id bundlectl own
    lineage target key hidden rerun_tasks latest_repair_id idempotency_token
    for_each_task task inputs condition_task op left right
    run_job_task shell_task command notebook_task notebook_path spark_python_task python_file
    job_clusters environments timeout_seconds run_as limit page_token offset
    expand_tasks active_only direct_download run_name deployment
"""
_NAMES = tuple(_WORDS.split())
_TEXTS = st.sampled_from(
    ["", "a", "1", "1;drop", "../../x", "/Workspace/a", "/", "//a/./b", "/a\0b", "{{job.id}}", "{{tasks.a.values.b}}",
     "IS_OWNER", "true", "-1", str(1 << 70), "\u0661", "x" * 300, "0 0 0 * * ?", "UTC", "tasks/a", "WyJqb2JzIiwxXQ"]
)  # fmt: skip
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=12,
)
_QUERIES = st.dictionaries(st.sampled_from(_NAMES), _TEXTS | st.text(max_size=5), max_size=4)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("fuzz") / "engine", FrozenClock(), user="ann@example.com")
    status, _ = engine.handle(
        "POST",
        "/api/2.2/jobs/create",
        {},
        {"name": "a", "tasks": [{"task_key": "a", "shell_task": {"command": ["true"]}}]},
    )
    assert status == 200
    engine.handle("POST", "/api/2.2/jobs/run-now", {}, {"job_id": 1})
    yield engine
    engine.stop()


def _path(route: Route, part: str) -> str:
    path = (
        route.path.pattern.replace("(?P<version>2\\.[012])", "2.2").replace("2\\.[012]", "2.0").replace("(?:/.*)?", "")
    )
    for group in ("([^/]+)", "(.+)"):
        path = path.replace(group, part)
    return path


@pytest.mark.parametrize(
    "route",
    [route for route in every_route() if "|" not in route.path.pattern],
    ids=lambda route: f"{route.method} {route.path.pattern}",
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=_VALUES | st.binary(max_size=20), query=_QUERIES, part=_TEXTS, fence=st.none() | _TEXTS)
def test_no_request_is_a_fault(
    engine: Engine, route: Route, document: Any, query: dict[str, str], part: str, fence: str | None
) -> None:
    for id in ("1", "2", part):
        headers = {} if fence is None else {"If-Fence": fence, "Idempotency-Key": fence}
        body = document if not isinstance(document, dict) else {"job_id": 1, "run_id": 2, "path": "/a", **document}
        status, answer = engine.handle(
            route.method, _path(route, id), {"job_id": "1", "run_id": "2", "path": "/a", **query}, body, headers
        )
        assert status < 500 or status == 501, answer
        if status >= 400:
            assert set(answer) == {"error_code", "message", "details"}
            assert not any(text in answer["message"] for text in RETRIED)
