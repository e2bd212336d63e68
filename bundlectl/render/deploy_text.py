"""Results of init, deploy, history and summary as text. Pure.

Called by cli. JSON forms are in render.documents; plans are in render.plan_text, runs in render.run_text.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bundlectl.model.artifact import ArtifactFile
from bundlectl.model.run import Run
from bundlectl.render.documents import AppliedChange
from bundlectl.render.escape import Style, plain, visible
from bundlectl.render.event_text import PAST, TOMBSTONED
from bundlectl.render.values import (
    commit_text,
    counted,
    day_text,
    duration_text,
    job_name,
    minute_text,
    snapshot_text,
    table,
)


class DeploymentLine(NamedTuple):
    """What the last line of a deploy names."""

    serial: int
    bundle: str
    target: str
    commit: str | None
    unchanged: int
    verified: int = 0  # changed jobs that were read back and are as sent
    read_back: int = 0


class JobLine(NamedTuple):
    """One deployed job in `summary`."""

    key: str
    id: str
    schedule: str | None = None
    last_run: Run | None = None
    link: str | None = None


def init_text(directory: str, files: Sequence[str]) -> str:
    """`Created sales/ (7 files). Next: cd sales && bundlectl validate`."""
    folder = visible(directory)
    enter = "" if directory in (".", "./") else f"cd {folder} && "
    return f"Created {folder.rstrip('/')}/ ({counted(len(files), 'file')}). Next: {enter}bundlectl validate\n"


def built_text(files: Iterable[ArtifactFile]) -> str:
    """`validate --build`: each built file with the start of its digest."""
    return table((visible(file.shown_path), snapshot_text(file.digest)) for file in files) or "no artifacts\n"


def deploy_text(outcomes: Sequence[AppliedChange], line: DeploymentLine, *, style: Style = plain) -> str:
    """Every change with its outcome, the read-back, and the deployment; after a partial apply what is open."""
    done = [item for item in outcomes if item.outcome == "done" and not item.not_converged]
    parts = [_outcome_table(outcomes)]
    if line.read_back:
        parts.append(f"verified {line.verified} of {line.read_back} read back\n")
    parts += [
        f"{job_name(item.address)} did not converge: {', '.join(map(visible, item.not_converged))}\n"
        for item in outcomes
        if item.not_converged
    ]
    if len(done) < len(outcomes):
        parts.append(_partial(outcomes, line.target, style))
    parts.append(deployment_line(outcomes, line) + "\n")
    return "".join(parts)


def deployment_line(outcomes: Iterable[AppliedChange], line: DeploymentLine) -> str:
    """`Deployment 42: sales -> prod @ c1cfe67, 1 added, 1 changed, 1 deleted, 12 unchanged`."""
    actions = [str(item.action) for item in outcomes if item.outcome == "done"]
    added = sum(action in ("create", "replace") for action in actions)
    changed = sum(action in ("update", "rename") for action in actions)
    deleted = sum(action in ("delete", "replace") for action in actions)
    return (
        f"Deployment {line.serial}: {visible(line.bundle)} -> {visible(line.target)} @ {commit_text(line.commit)}, "
        f"{added} added, {changed} changed, {deleted} deleted, {line.unchanged} unchanged"
    )


def _outcome_table(outcomes: Iterable[AppliedChange]) -> str:
    rows = []
    for item in outcomes:
        if item.outcome == "done":
            told = f" id {visible(item.id)}" if str(item.action) in ("create", "replace") and item.id else ""
            told = f" until {day_text(item.until)}" if item.until else told
            rows.append((job_name(item.address), _past(item), duration_text(item.elapsed_ms), told))
        else:
            words = f"{visible(item.action)} {visible(item.outcome.replace('_', ' '))}"
            took = duration_text(item.elapsed_ms) if item.elapsed_ms else ""
            rows.append((job_name(item.address), words, took, f" {visible(item.error or '')}".rstrip()))
    return table(rows)


def _past(item: AppliedChange) -> str:
    if item.until:
        return TOMBSTONED
    return "restored" if item.restored else PAST.get(item.action, item.action)


def _partial(outcomes: Sequence[AppliedChange], target: str, style: Style) -> str:
    done = [item for item in outcomes if item.outcome == "done"]
    left = [item for item in outcomes if item.outcome != "done"]
    text = f'Deployed {len(done)} of {counted(len(outcomes), "change")} to target "{visible(target)}".\n'
    if not left:
        return style("warning", text.rstrip()) + "\n"
    names = ", ".join(job_name(item.address) for item in left[:20]) + (
        f" and {len(left) - 20} more" if len(left) > 20 else ""
    )
    again = f"The state records exactly this. `bundlectl deploy -t {visible(target)}` goes on with the rest.\n"
    return f"{style('warning', text.rstrip())}\n  not done  {names}\n{again}"


def history_text(deployments: Iterable[Mapping[str, Any]]) -> str:
    """Deployments, newest first, from their manifests."""
    rows = [_history_row(manifest) for manifest in deployments]
    if not rows:
        return "No deployments yet. Make one: bundlectl deploy\n"
    return table([(" #", "when", "commit", "who", "what", "changes"), *rows])


def _history_row(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    source = manifest.get("source") or {}
    changes = _changes(manifest.get("jobs") or ())
    notes = []
    if source.get("dirty"):
        notes.append("dirty")
    if manifest.get("hold"):
        notes.append("hold")
    if manifest.get("outcome") not in (None, "complete"):
        notes.append(str(manifest.get("outcome")))
    overridden = ", ".join(_overridden(manifest))
    if overridden:
        notes.append(f"overrode {overridden}")
    return (
        f"{visible(manifest.get('serial', '')):>2}",
        minute_text(str(manifest.get("ended") or manifest.get("started") or "")),
        commit_text(source.get("commit")),
        _who(manifest),
        _what(manifest),
        visible("  ".join([changes, *notes])),
    )


def _overridden(manifest: Mapping[str, Any]) -> Iterable[str]:
    """Guards that somebody overrode, each by its name. What a change by hand gives its reason for is no guard."""
    approval = manifest.get("approval") or {}
    for item in approval.get("overrides") or ():
        if isinstance(item, Mapping) and item.get("guard") != manifest.get("kind"):
            yield str(item.get("guard")).replace("_", " ")


def _changes(jobs: Iterable[Mapping[str, Any]]) -> str:
    actions = [str(job.get("action")) for job in jobs if job.get("outcome", "done") == "done"]
    added = sum(action in ("create", "replace") for action in actions)
    changed = sum(action in ("update", "rename", "undelete") for action in actions)
    deleted = sum(action in ("delete", "replace", "tombstone") for action in actions)
    shown = [f"{sign}{number}" for sign, number in (("+", added), ("~", changed), ("-", deleted)) if number]
    return " ".join(shown) or "none"


def _who(manifest: Mapping[str, Any]) -> str:
    actor = manifest.get("actor") or {}
    ci = actor.get("ci") or {}
    run = str(ci.get("run_url") or "").rstrip("/").rsplit("/", 1)[-1]
    if ci.get("platform"):
        return visible(f"ci/{ci['platform']} {run}".rstrip())
    return visible(actor.get("name") or "unknown")


def _what(manifest: Mapping[str, Any]) -> str:
    kind = visible(manifest.get("kind") or "deploy")
    back, origin = manifest.get("rollback"), manifest.get("promotion")
    if isinstance(back, Mapping) and back.get("to") is not None:
        return f"{kind} to {visible(back['to'])}"
    if isinstance(origin, Mapping) and origin.get("from"):
        return f"{kind} from {visible(origin['from'])}"
    return kind


def summary_of_target(
    *,
    bundle: str,
    target: str,
    backend: str,
    serial: int | None,
    commit: str | None,
    at: str | None,
    by: str | None,
    dirty: bool,
    jobs: Sequence[JobLine],
    places: Mapping[str, str],
    debt: Sequence[str] = (),
) -> str:
    """`summary`: what is deployed, its jobs with id, schedule and last run, and where everything is kept."""
    lines = [f"{visible(bundle)} -> {visible(target)}   {visible(backend)}\n"]
    if serial is None:
        lines.append("recorded  nothing deployed yet\n")
    else:
        told = "".join(f"  {part}" for part in (minute_text(at), visible(by or ""), "dirty" if dirty else "") if part)
        lines.append(f"recorded  deployment {serial} @ {commit_text(commit)}{told}\n")
    if jobs:
        rows = [
            (
                job_name(job.key),
                visible(job.id),
                visible(job.schedule or ""),
                _last(job.last_run),
                visible(job.link or ""),
            )
            for job in jobs
        ]
        lines.append("\n" + table([("job", "id", "schedule", "last run"), *rows]))
    if debt:
        names = ", ".join(job_name(key) for key in debt)
        lines.append(f"\nDebt  {names} left out of the last deployment\n")
    if places:
        lines.append("\n" + table([(visible(name), visible(place)) for name, place in places.items()]))
    return "".join(lines)


def _last(run: Run | None) -> str:
    if run is None:
        return "never"
    return f"{visible(run.run_id)} {(run.result or run.state).value}"
