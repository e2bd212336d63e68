"""Checks of what a resolved job means (config language 20.4, 8.6): one small function each, listed in RULES.

Called by config.loader and config.cache at the last stage, for all jobs or for those that changed. Types, required
fields, choices and ranges were checked before, by config.structure.
"""

from collections.abc import Callable, Collection, Iterator, Mapping

from bundlectl.config import dependency_rules, task_rules, trigger_rules
from bundlectl.config.job_view import JobView
from bundlectl.config.node import Node
from bundlectl.config.reference_rules import Known, Reference, check_cycles, check_references, references_in
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.location import SourceSpan

Rule = Callable[[JobView], Iterator[Diagnostic]]

RULES: tuple[Rule, ...] = (
    task_rules.has_tasks,
    task_rules.one_task_type,
    task_rules.keys_differ_by_more_than_case,
    dependency_rules.dependencies_exist,
    dependency_rules.outcomes,
    dependency_rules.no_cycle,
    task_rules.compute_keys_exist,
    task_rules.one_cluster,
    task_rules.compute_is_given,
    task_rules.loops,
    task_rules.shell_commands,
    task_rules.single_node_clusters,
    trigger_rules.cron_holds,
    trigger_rules.zone_is_known,
    trigger_rules.one_starter,
    trigger_rules.continuous_tasks,
    trigger_rules.runs_are_possible,
)


def check(
    jobs: Mapping[str, Node],
    *,
    backend: str,
    all_keys: Collection[str],
    other_edges: Mapping[str, Collection[str]],
    key_spans: Mapping[str, SourceSpan] | None = None,
    resources: Node | None = None,
    externals: Collection[str] = (),
) -> list[Diagnostic]:
    """Every finding about `jobs`, which may be some of the bundle's jobs.

    `all_keys` are the keys of all jobs, `other_edges` says which jobs the ones not in `jobs` refer to. `key_spans`:
    where the keys of jobs are written. `resources`: the bundle's `resources`, which say what there is of other kinds;
    None when not known. `externals`: references that `bundlectl.externals` gives a value for.
    """
    findings: list[Diagnostic] = []
    references: dict[str, list[Reference]] = {}
    kinds = resources.value if resources is not None and isinstance(resources.value, dict) else None
    known = Known(jobs, all_keys, kinds, frozenset(externals))
    spans = key_spans or {}
    for key, node in jobs.items():
        if not isinstance(node.value, dict):
            continue
        job = JobView(key, node, key_span=spans.get(key), backend=backend)
        for rule in RULES:
            findings.extend(rule(job))
        references[key] = list(references_in(node, job.path))
        findings.extend(check_references(references[key], known))
    findings.extend(check_cycles(references, other_edges))
    return findings
