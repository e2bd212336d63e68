"""Rules about what starts a job: cron expressions, time zones, conflicts between triggers (config language 20.4).

Listed in config.rules.RULES; each rule takes one JobView and yields its findings.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from bundlectl.base import quartz, zones
from bundlectl.base.fire_times import next_fire
from bundlectl.base.suggest import nearest
from bundlectl.config.interpolation import place_in
from bundlectl.config.job_view import JobView, elements, finding, member, resolved_text
from bundlectl.config.node import Node
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.location import FieldPath

ERROR, PLAN_ERROR, WARNING, NOTE = Severity.ERROR, Severity.PLAN_ERROR, Severity.WARNING, Severity.NOTE

_STARTERS = ("schedule", "trigger", "continuous", "triggers")
_MACROS: Mapping[str, str] = {
    "@yearly": "0 0 0 1 1 ?",
    "@annually": "0 0 0 1 1 ?",
    "@monthly": "0 0 0 1 * ?",
    "@weekly": "0 0 0 ? * 1",
    "@daily": "0 0 0 * * ?",
    "@midnight": "0 0 0 * * ?",
    "@hourly": "0 0 * * * ?",
}
_EXAMPLE_ZONE = "America/New_York"
# Names that are known and say no place: the region that people who write them mostly mean.
_ABBREVIATIONS: Mapping[str, str] = {
    "CET": "Europe/Paris",
    "CST6CDT": "America/Chicago",
    "EET": "Europe/Athens",
    "EST": "America/Panama",
    "EST5EDT": "America/New_York",
    "HST": "Pacific/Honolulu",
    "MET": "Europe/Paris",
    "MST": "America/Phoenix",
    "MST7MDT": "America/Denver",
    "PST8PDT": "America/Los_Angeles",
    "WET": "Europe/Lisbon",
}
# Names that Java knows and the time zone database does not.
_JAVA_NAMES: Mapping[str, str] = {
    "ACT": "Australia/Darwin",
    "AET": "Australia/Sydney",
    "AST": "America/Anchorage",
    "BST": "Europe/London",
    "CST": "America/Chicago",
    "CTT": "Asia/Shanghai",
    "ECT": "Europe/Paris",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "NST": "Pacific/Auckland",
    "PST": "America/Los_Angeles",
}
_ETC_OFFSET = r"Etc/GMT[+-][0-9]{1,2}"
_NEVER, _EVERY_SECOND, _FIRES = "never", "every second", "fires"
_BEFORE_ALL = datetime(1969, 12, 31, tzinfo=UTC)  # no expression names an earlier year


def cron_holds(job: JobView) -> Iterator[Diagnostic]:
    """A cron expression follows the Quartz grammar, fires some day and not in every second."""
    for node, path in _cron_expressions(job):
        text = resolved_text(node)
        if text is None:
            continue
        said = _judged(text)
        if isinstance(said, quartz.QuartzError):
            yield _cron_fault(text, said, node, path)
        elif said == _NEVER:
            yield finding("BND266", WARNING, "this schedule never fires", path, node.span)
        elif said == _EVERY_SECOND:
            hint = 'to fire once a minute, write 0 as the first field: "0 * * * * ?"'
            yield finding("BND266", WARNING, "this schedule fires every second", path, node.span, hint=hint)


@functools.lru_cache(maxsize=1024)
def _judged(text: str) -> str | quartz.QuartzError:
    """What is to be said of a cron expression; many jobs share one."""
    try:
        fields = quartz.parse(text)
    except quartz.QuartzError as error:
        return error
    if next_fire(fields, _BEFORE_ALL, UTC) is None:
        return _NEVER
    return _EVERY_SECOND if fields.fires_every_second else _FIRES


def _cron_fault(text: str, error: quartz.QuartzError, node: Node, path: FieldPath) -> Diagnostic:
    span = place_in(node, error.offset, error.length) if error.length else node.span
    words = text.split()
    if text.strip().lower() in _MACROS:
        form = _MACROS[text.strip().lower()]
        summary = f'"{text.strip()}" is no Quartz expression'
        return finding("BND265", ERROR, summary, path, node.span, hint=f'write "{form}"')
    if len(words) == 5:
        form = quartz.from_unix(text) or ""
        if form:
            detail = f"it has 5 fields; a Quartz expression starts with seconds: {error.summary}"
            return finding("BND265", ERROR, "this is Unix cron", path, node.span, detail=detail, hint=f'write "{form}"')
    return finding("BND265", ERROR, error.summary, path, span, detail=f'in the cron expression "{text}"')


def zone_is_known(job: JobView) -> Iterator[Diagnostic]:
    """A time zone is in the time zone database, by a region name."""
    for node, path in _zones(job):
        name = resolved_text(node)
        if name is None:
            continue
        if name in _ABBREVIATIONS or re.fullmatch(_ETC_OFFSET, name) or re.fullmatch(zones.FIXED_OFFSET, name):
            region = _ABBREVIATIONS.get(name, _EXAMPLE_ZONE)
            summary = f'time zone "{name}" names no place: prefer a region name, e.g. {region}'
            yield finding("BND268", WARNING, summary, path, node.span)
        elif zones.find_zone(name) is None:
            known = zones.known_zones()
            if not known:
                return  # this machine has no time zone database: nothing can be said
            near = _JAVA_NAMES.get(name) or _near_zone(name, known)
            detail = f'did you mean "{near}"?' if near else None
            hint = None if near else f"give a region name, e.g. {_EXAMPLE_ZONE}, or UTC"
            yield finding("BND267", ERROR, f'unknown time zone "{name}"', path, node.span, detail=detail, hint=hint)


def one_starter(job: JobView) -> Iterator[Diagnostic]:
    """A job is started by one of schedule, trigger, continuous and triggers."""
    found = [name for name in _STARTERS if member(job.node, name) is not None]
    if len(found) > 1:
        summary = f"a job has one of {', '.join(_STARTERS)}; found {' and '.join(found)}"
        spans = [job.node.key_span(name) for name in found]
        yield finding("BND269", PLAN_ERROR, summary, job.path, *spans)


def continuous_tasks(job: JobView) -> Iterator[Diagnostic]:
    """Tasks of a continuous job have no retries of their own and no order."""
    entries = elements(member(job.node, "triggers"))
    if member(job.node, "continuous") is None and all(member(entry, "continuous") is None for entry in entries):
        return
    for task in job.tasks:
        for field in ("max_retries", "depends_on"):
            node = member(task.node, field)
            if node is not None and node.value not in (0, []):
                summary = f"a task of a continuous job may not set {field}"
                path = (*task.path, field)
                yield finding("BND269", PLAN_ERROR, summary, path, task.node.key_span(field))


def runs_are_possible(job: JobView) -> Iterator[Diagnostic]:
    """max_concurrent_runs 0 is accepted, and skips every run."""
    node = member(job.node, "max_concurrent_runs")
    if node is not None and node.value == 0 and not isinstance(node.value, bool):
        path = (*job.path, "max_concurrent_runs")
        yield finding("BND210", NOTE, "max_concurrent_runs is 0: every run is skipped", path, node.span)


def _schedules(job: JobView) -> Iterator[tuple[Node, FieldPath]]:
    schedule = member(job.node, "schedule")
    if schedule is not None:
        yield schedule, (*job.path, "schedule")
    for index, entry in enumerate(elements(member(job.node, "triggers"))):
        schedule = member(entry, "schedule")
        if schedule is not None:
            yield schedule, (*job.path, "triggers", index, "schedule")


def _cron_expressions(job: JobView) -> Iterator[tuple[Node, FieldPath]]:
    for schedule, path in _schedules(job):
        node = member(schedule, "quartz_cron_expression")
        if node is not None:
            yield node, (*path, "quartz_cron_expression")


def _zones(job: JobView) -> Iterator[tuple[Node, FieldPath]]:
    holders = list(_schedules(job))
    continuous = [(member(job.node, "continuous"), (*job.path, "continuous"))]
    for index, entry in enumerate(elements(member(job.node, "triggers"))):
        continuous.append((member(entry, "continuous"), (*job.path, "triggers", index, "continuous")))
    for parent, path in continuous:
        window = member(parent, "maintenance_window")
        if window is not None:
            holders.append((window, (*path, "maintenance_window")))
    for holder, path in holders:
        node = member(holder, "timezone_id")
        if node is not None:
            yield node, (*path, "timezone_id")


def _near_zone(name: str, known: set[str]) -> str | None:
    """A zone with nearly that name, or one whose place has that name: Madrid -> Europe/Madrid."""
    place = name.rpartition("/")[2].replace(" ", "_").casefold()
    same_place = sorted(zone for zone in known if "/" in zone and zone.rpartition("/")[2].casefold() == place)
    regional = [zone for zone in same_place if not zone.startswith(("Etc/", "posix/", "right/"))]
    return regional[0] if regional else nearest(name, known, limit=3)
