"""STEPS, the ordered loading steps, and `load`: a source tree and a request -> Bundle, JobSpecs, document, diagnostics.

Called by config.cache, and by whoever wants no cache. The order is that of config language 17; a stage with an error of
class E stops the stages after it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bundlectl.base.digest import digest_document
from bundlectl.config import (
    artifacts,
    clean,
    jobs,
    lookups,
    modes,
    permissions,
    python_code,
    resolution,
    rules,
    sections,
    settings,
    sync,
    targets,
    translate,
    variables,
    workspace,
)
from bundlectl.config.collector import collector_paused
from bundlectl.config.decode import DecodedJob, Decoder, config_digest, document, frame_document
from bundlectl.config.discovery import RootPlace, find_root, include_files
from bundlectl.config.facts import Facts, Findings, Outcome, SourceFile, Step
from bundlectl.config.node import Node, lookup
from bundlectl.config.reading import has_errors, members, merge_files, read_files
from bundlectl.config.request import Loaded, LoadRequest
from bundlectl.config.structure import shape
from bundlectl.config.tree_view import TreeView, relative_to
from bundlectl.config.unmatched import looked_on_disk
from bundlectl.model.bundle import Bundle
from bundlectl.model.diagnostic import Diagnostic, Diagnostics
from bundlectl.model.location import SourceSpan
from bundlectl.model.source import SourceTree


def _shape_resolved(node: Node, facts: Facts) -> Outcome:
    return shape(node, part="resolved", allow_unknown_fields=facts.request.allow_unknown_fields)


class _Anything(frozenset[str]):
    """Keys of jobs while some are not known: config.parts checks them when all are read; those of Python never are."""

    def __contains__(self, key: object) -> bool:
        return True


def _job_rules(node: Node, facts: Facts) -> Outcome:
    mine = members(node, "resources", "jobs")
    holder = lookup(node, ("resources", "jobs"))
    some_unknown = facts.others.only is not None or python_code.is_left_out(node, facts)
    found = rules.check(
        mine,
        backend=settings.backend_kind(node, facts),
        all_keys=_Anything() if some_unknown else facts.others.keys | mine.keys(),
        other_edges={},
        key_spans=holder.keys if holder is not None else None,
        resources=node.get("resources"),
        externals=members(node, "bundlectl", "externals").keys(),
    )
    return node, found


STEPS: tuple[Step, ...] = (
    Step(3, targets.old_names),
    Step(3, sections.versions),
    Step(3, sections.keys),
    Step(4, targets.other_targets, targets.choose),
    Step(4, targets.apply),
    Step(5, artifacts.null_artifacts),
    Step(5, sections.versions),
    Step(5, sections.bundle_name),
    Step(5, sections.scripts),
    Step(5, sections.experimental),
    Step(5, sections.other_kinds),
    Step(6, sync.rewrite, sync.learn_root),
    Step(7, sections.connection),
    Step(7, workspace.host),
    Step(7, workspace.identity),
    Step(7, workspace.git),
    Step(8, workspace.folders),
    Step(8, workspace.doubled_prefix),
    Step(9, variables.assign),
    Step(9, lookups.answer),
    Step(9, resolution.resolve_frame),
    Step(9, sections.resolved_name),
    Step(9, workspace.resolved_folders),
    Step(10, modes.complete_presets),
    Step(11, resolution.resolve_resources),
    Step(11, translate.to_bundle_root),
    Step(12, jobs.merge_keyed),
    Step(12, jobs.fix_clusters),
    Step(12, permissions.run_as),
    Step(12, jobs.override_compute),
    Step(12, jobs.apply_presets),
    Step(12, jobs.defaults),
    Step(12, permissions.permissions),
    Step(13, python_code.python),
    Step(14, clean.drop_empty),
    Step(14, _shape_resolved),
    Step(15, translate.translate, translate.learn_code),
    Step(16, artifacts.prepare),
    Step(17, modes.check),
    Step(18, jobs.annotate),
    Step(19, _job_rules),
    Step(19, settings.check),
)


# Errors after which the tree is still what was meant: an unknown field was left out, a path names no file. The stages
# after them go on, so that all findings are shown at once; the bundle does not load all the same.
_GOES_ON = frozenset({"BND204", "BND712", *(f"BND28{digit}" for digit in range(9))})


def stops(findings: Sequence[Diagnostic]) -> bool:
    """Whether a finding stops the stages after its own."""
    return has_errors([finding for finding in findings if finding.code not in _GOES_ON])


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A tree after the last step that could be taken. `jobs` is empty unless all steps were."""

    node: Node
    shown: Node | None = None  # the tree before the first step with an error: what is printed then
    facts: Facts
    findings: tuple[Diagnostic, ...]
    complete: bool
    jobs: Mapping[str, DecodedJob]


def load(tree: SourceTree, request: LoadRequest) -> Loaded:
    """Everything from scratch. Findings are in the result; nothing is raised for what a bundle may hold."""
    with collector_paused():
        return looked_on_disk(finish(resolve_all(TreeView(tree), request)), tree)


class Gathered(NamedTuple):
    """What a bundle is made of, before anything is merged. `found`: findings about the list of files."""

    facts: Facts
    found: Findings


def resolve_all(view: TreeView, request: LoadRequest) -> Resolved | tuple[Diagnostic, ...]:
    """All files of the bundle, resolved; only findings when there is no file to read."""
    gathered = gather(view, request)
    return resolve(gathered.facts, gathered.found) if isinstance(gathered, Gathered) else gathered


def gather(view: TreeView, request: LoadRequest) -> Gathered | tuple[Diagnostic, ...]:
    """All files of the bundle, read; only findings when there is no file to read."""
    place, found = find_root(view, request)
    if place is None:
        return tuple(found)
    sources = read_root(view, place, request)
    root_node = sources[0].node
    if root_node is None:
        return sources[0].findings
    files, found = include_files(view, place, root_node, request.limits.files)
    sources += read_files(view, files, request.limits, root_file=place.file, allow_unknown=request.allow_unknown_fields)
    facts = Facts(
        request=request,
        view=view,
        revision=view.tree.revision,
        root=place.root,
        root_file=place.file,
        files=(place.file, *files),
        sources=tuple(sources),
    )
    return Gathered(facts, found)


def read_root(view: TreeView, place: RootPlace, request: LoadRequest) -> list[SourceFile]:
    """The root file."""
    return read_files(
        view, [place.file], request.limits, root_file=place.file, allow_unknown=request.allow_unknown_fields
    )


def resolve(facts: Facts, found: Findings, steps: Sequence[Step] = STEPS) -> Resolved:
    """The files at hand, merged and taken through STEPS. `found`: findings about the list of files.

    `steps`: the same ones, watched, for who wants to know what each of them does (config.trace).
    """
    findings: Findings = [*found, *(finding for source in facts.sources for finding in source.findings)]
    node, more = merge_files(facts.sources)
    findings += more
    node = _with_include(node, facts)
    if stops(findings):
        return Resolved(node=node, facts=facts, findings=tuple(findings), complete=False, jobs={})
    stage = 0
    shown: Node | None = None
    for step in steps:
        if step.stage != stage and stops(findings):
            return Resolved(node=node, shown=shown, facts=facts, findings=tuple(findings), complete=False, jobs={})
        stage = step.stage
        if step.learn is not None:
            facts, more = step.learn(node, facts)
            findings += more
            if has_errors(more):
                break
        before = node
        node, more = step.run(node, facts)
        findings += more
        if shown is None and has_errors(more):
            shown = before
    complete = not has_errors(findings)
    decoded = {job.spec.key: job for job in Decoder(node, facts).jobs()} if complete else {}
    return Resolved(node=node, shown=shown, facts=facts, findings=tuple(findings), complete=complete, jobs=decoded)


def _with_include(node: Node, facts: Facts) -> Node:
    """`include` names the files that were loaded. A part of a bundle is not printed, and its list may be long."""
    if facts.others.only is not None:
        return node.without("include")
    files = [relative_to(path, facts.root) for path in facts.files if path != facts.root_file]
    node = node.without("include")
    if not files:
        return node
    place = SourceSpan(facts.root_file, 1, 1)
    return node.with_member("include", Node([Node(path, place) for path in files], place))


def finish(resolved: "Resolved | tuple[Diagnostic, ...]") -> Loaded:
    """The result of a load without a cache."""
    if not isinstance(resolved, Resolved):
        return Loaded(bundle=None, diagnostics=Diagnostics(resolved))
    diagnostics = Diagnostics(in_order(resolved.findings, resolved.facts.files))
    if not resolved.complete:
        shown = document(resolved.shown or resolved.node, resolved.facts)
        return Loaded(bundle=None, diagnostics=diagnostics, make_document=lambda: shown)
    decoded = resolved.jobs
    node, facts = resolved.node, resolved.facts
    frame = frame_document(node, facts)
    return Loaded(
        bundle=make_bundle(
            resolved,
            {key: job.spec.meta for key, job in decoded.items()},
            config_digest(frame, {key: job.shown_digest for key, job in decoded.items()}),
            tuple(key for key, job in decoded.items() if job.protected),
        ),
        diagnostics=diagnostics,
        make_document=lambda: document(node, facts, {key: job.shown for key, job in decoded.items()}),
        specs={key: job.spec for key, job in decoded.items()},
        code_files=facts.code.files if facts.code is not None else (),
        snapshot_key=snapshot_key(facts.view, facts.sync_root, facts.code.files) if facts.code is not None else None,
    )


def make_bundle(resolved: Resolved, digests: Mapping[str, Any], digest: str, protected: tuple[str, ...]) -> Bundle:
    """The Bundle of a finished tree; `digests` has every job, by key."""
    node, facts = resolved.node, resolved.facts
    folders = members(node, "workspace")
    merged_git = lookup(node, ("bundle", "git", "branch"))
    given_branch = merged_git is not None and merged_git.span.line > 0
    active = lookup(node, ("bundle", "deployment", "fail_on_active_runs"))
    return Bundle(
        name=members(node, "bundle")["name"].value,
        root=facts.root,
        target=settings.target(node, facts),
        jobs=digests,
        variables=variables.given_variables(node),
        config_digest=digest,
        root_path=folders["root_path"].value,
        file_path=folders["file_path"].value,
        sync_root=facts.sync_root,
        user=facts.request.user,
        files=facts.files,
        targets=facts.target_names or (facts.target,),
        unmanaged={
            kind: len(child.value)
            for kind, child in members(node, "resources").items()
            if kind != "jobs" and child.is_map and child.value
        },
        artifact_path=folders["artifact_path"].value,
        artifacts=artifacts.declared(node),
        protected_jobs=protected,
        git_branch=merged_git.value if given_branch and merged_git is not None else None,
        fail_on_active_runs=active is not None and active.value is True,
        scripts=tuple(members(node, "scripts")),
        hooks=sections.deploy_hooks(node),
    )


def snapshot_key(view: TreeView, sync_root: str, files: Sequence[str]) -> str | None:
    """Names what is synced: the same key means the same snapshot. None where files have no blob id."""
    if view.tree.revision.tree is None:
        return None
    entries = view.entries
    return digest_document([sync_root, [[path, *entries[path]] for path in files]])


def in_order(findings: Sequence[Diagnostic], files: Sequence[str]) -> list[Diagnostic]:
    """Findings by file, in the order of reading, and by position; each one once."""
    order = {file: number for number, file in enumerate(files, 1)}

    def place(finding: Diagnostic) -> tuple[Any, ...]:
        if not finding.spans:
            return (0, "", 0, 0, finding.code, finding.summary, finding.path or "")
        span = finding.spans[0]
        number = order.get(span.file, len(order) + 1)
        return (number, span.file, span.line, span.column, finding.code, finding.summary, finding.path or "")

    return sorted(dict.fromkeys(findings), key=place)
