"""Stage 14: empty optional texts of jobs are removed, so that `""` and "not there" mean the same (config language 11).

Called by config.loader. Required fields, values of maps and elements of lists stay as they are.
"""

from bundlectl.config.facts import Facts, Findings, Outcome
from bundlectl.config.findings import plan_error
from bundlectl.config.jobs import each_job
from bundlectl.config.node import Node
from bundlectl.config.structure import job_table
from bundlectl.schema.table import Kind, Table


def drop_empty(node: Node, facts: Facts) -> Outcome:
    """Jobs without empty optional texts."""
    found: Findings = []

    def change(key: str, job: Node) -> Node:
        if not _holds_empty(job):
            return job
        name = job.get("name")
        if name is not None and name.value == "":
            found.append(plan_error("BND211", "name is blank", name.span, path=("resources", "jobs", key, "name")))
        return _cleaned(job, job_table())

    return each_job(node, change), found


def _holds_empty(node: Node) -> bool:
    """Whether some text below is empty: few jobs have one."""
    waiting = [node]
    while waiting:
        value = waiting.pop().value
        for child in value.values() if value.__class__ is dict else value:
            inner = child.value
            kind = inner.__class__
            if kind is str:
                if not inner:
                    return True
            elif kind is dict or kind is list:
                waiting.append(child)
    return False


def _cleaned(node: Node, table: Table) -> Node:
    edits: dict[str, Node | None] = {}
    for name, child in node.value.items():
        entry = table.fields.get(name)
        if entry is None:
            continue
        if entry.kind is Kind.TEXT and child.value == "" and name not in table.required:
            edits[name] = None
        elif entry.table is not None and isinstance(child.value, dict):
            edits[name] = _cleaned(child, entry.table)
        elif entry.item is not None and entry.item.table is not None:
            inner = entry.item.table
            if isinstance(child.value, list):
                items = [_cleaned(item, inner) if isinstance(item.value, dict) else item for item in child.value]
                edits[name] = child.with_value(items)
    if all(kept is node.value[name] for name, kept in edits.items()):
        return node
    value = {}
    for name, child in node.value.items():
        kept = edits.get(name, child)
        if kept is not None:
            value[name] = kept
    return node.with_value(value)
