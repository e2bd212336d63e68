"""Bundle text -> what config.structure makes of it, for the tests beside this file."""

from typing import Any, NamedTuple

from bundlectl.config.node import Node, plain
from bundlectl.config.request import Limits
from bundlectl.config.structure import shape
from bundlectl.config.yaml_reader import read_yaml
from bundlectl.model.diagnostic import Diagnostic, Severity

E, P, W, R = Severity.ERROR, Severity.PLAN_ERROR, Severity.WARNING, Severity.NOTE


class Shaped(NamedTuple):
    value: Any
    findings: list[Diagnostic]

    @property
    def brief(self) -> list[tuple[str, str]]:
        return [(item.code, item.summary) for item in self.findings]


def read(text: str) -> Node:
    result = read_yaml(text.encode(), "databricks.yml", Limits())
    assert result.node is not None and not result.findings, result.findings
    return result.node


def shaped(text: str, *, part: str = "file", allow: bool = False) -> Shaped:
    node, findings = shape(read(text), part=part, allow_unknown_fields=allow)
    return Shaped(plain(node), findings)


def in_job(body: str) -> str:
    """A bundle file with one job; `body` is indented by nothing."""
    lines = "".join(f"      {line}\n" for line in body.splitlines())
    return f"resources:\n  jobs:\n    etl:\n{lines}"


def in_task(body: str) -> str:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return in_job(f"tasks:\n  - task_key: a\n{lines}")


def only(result: Shaped) -> Diagnostic:
    assert len(result.findings) == 1, result.brief
    return result.findings[0]


def at(item: Diagnostic) -> str:
    return " ".join(f"{span.line}:{span.column}" for span in item.spans)
