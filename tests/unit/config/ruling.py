"""Job text -> what config.rules finds in it, for the tests beside this file."""

from typing import Any

from bundlectl.config.node import Node
from bundlectl.config.rules import check
from bundlectl.model.diagnostic import Diagnostic
from tests.unit.config.shaping import read

NOTEBOOK = "notebook_task: {notebook_path: n}"


def jobs_of(text: str) -> tuple[dict[str, Node], Node]:
    jobs = read(text).value["resources"].value["jobs"]
    return jobs.value, jobs


def checked(text: str, *, backend: str = "local", **more: Any) -> list[Diagnostic]:
    jobs, holder = jobs_of(text)
    more = {"all_keys": set(jobs), "other_edges": {}, "key_spans": holder.keys, **more}
    return check(jobs, backend=backend, **more)


def job(body: str, key: str = "etl") -> str:
    lines = "".join(f"      {line}\n" for line in body.splitlines())
    return f"resources:\n  jobs:\n    {key}:\n{lines}"


def tasks(*bodies: str) -> str:
    return job("tasks:\n" + "\n".join(f"  - {{{body}}}" for body in bodies))


def task(key: str, more: str = NOTEBOOK) -> str:
    return f"task_key: {key}, {more}"


def after(key: str, *others: str) -> str:
    return task(key, f"{NOTEBOOK}, depends_on: [{', '.join(f'{{task_key: {other}}}' for other in others)}]")


def only(findings: list[Diagnostic]) -> Diagnostic:
    assert len(findings) == 1, [(item.code, item.summary) for item in findings]
    return findings[0]
