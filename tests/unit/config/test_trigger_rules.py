"""What starts a job: cron expressions, time zones, conflicts. Config language 20.4, bad inputs 71-82."""

import pytest

from bundlectl.model.diagnostic import Severity
from tests.unit.config.ruling import after, checked, job, only, task
from tests.unit.config.shaping import E, P, R, W, at

CRON = [
    ("0 6 * *", E, "expected 6 or 7 fields (seconds first), found 4", None, "0 6 * *"),
    ("*/5 * * * *", E, "this is Unix cron", 'write "0 */5 * * * ?"', "*/5 * * * *"),
    ("0 6 * * 1-5", E, "this is Unix cron", 'write "0 0 6 ? * 2-6"', "0 6 * * 1-5"),
    ("0 61 * * * ?", E, "minutes must be 0-59, found 61", None, "61"),
    ("0 */0 * * * ?", E, "step must be at least 1", None, "0"),
    ("0 0 6 * * *", E, 'exactly one of day of month and day of week must be "?"', None, "* * *"),
    ("0 0 6 ? * FUNDAY", E, 'day of week has no value "FUNDAY" (SUN, MON, TUE, WED, THU, FRI, SAT)', None, "FUNDAY"),
    ("@daily", E, '"@daily" is no Quartz expression', 'write "0 0 0 * * ?"', "@daily"),
    ("0 30 2 30 2 ?", W, "this schedule never fires", None, "0 30 2 30 2 ?"),
    ("* * * * * ?", W, "this schedule fires every second", None, "* * * * * ?"),
]


@pytest.mark.parametrize(("expression", "severity", "summary", "hint", "shown"), CRON)
def test_cron(expression: str, severity: Severity, summary: str, hint: str | None, shown: str) -> None:
    quoted = job(f"schedule:\n  timezone_id: UTC\n  quartz_cron_expression: '{expression}'\ntasks: [{{{task('a')}}}]")
    item = only(checked(quoted))
    assert (item.code, item.severity, item.summary) == ("BND265" if severity is E else "BND266", severity, summary)
    assert item.path == "resources.jobs.etl.schedule.quartz_cron_expression"
    if hint is not None:
        assert item.hint == hint
    line = quoted.splitlines()[item.spans[0].line - 1]
    assert line[item.spans[0].column - 1 : item.spans[0].end_column - 1].strip("'") == shown


@pytest.mark.parametrize(
    "expression", ["0 0 6 * * ?", "0 0 0 L-3W * ?", "0 0 0 ? * 6#3", "0 0 12 1 1 ? 2028", "${var.c}"]
)
def test_good_cron(expression: str) -> None:
    entry = f"{{schedule: {{quartz_cron_expression: '{expression}', timezone_id: UTC}}}}"
    assert checked(job(f"triggers: [{entry}]\ntasks: [{{{task('a')}}}]")) == []


ZONES = [
    ("UTC", None, None),
    ("Europe/Madrid", None, None),
    ("US/Pacific", None, None),
    ("${var.z}", None, None),
    ("Mars/Phobos", "BND267", None),
    ("Europe/Madird", "BND267", "Europe/Madrid"),
    ("Madrid", "BND267", "Europe/Madrid"),
    ("PST", "BND267", "America/Los_Angeles"),
    ("../../etc/passwd", "BND267", None),
    ("America", "BND267", None),
    ("EST5EDT", "BND268", None),
    ("GMT+3", "BND268", None),
    ("GMT+05:30", "BND268", None),
    ("Etc/GMT-3", "BND268", None),
]


@pytest.mark.parametrize(("zone", "code", "near"), ZONES)
def test_time_zones(zone: str, code: str | None, near: str | None) -> None:
    text = job(f"schedule: {{quartz_cron_expression: '0 0 6 * * ?', timezone_id: '{zone}'}}\ntasks: [{{{task('a')}}}]")
    findings = checked(text)
    assert [item.code for item in findings] == ([code] if code else [])
    if near is not None:
        assert findings[0].detail == f'did you mean "{near}"?'
    if code:
        assert findings[0].severity is (E if code == "BND267" else W)


def test_several_starters() -> None:
    body = "schedule: {quartz_cron_expression: '0 0 6 * * ?', timezone_id: UTC}\ncontinuous: {}\n"
    item = only(checked(job(body + f"tasks: [{{{task('a')}}}]")))
    assert (item.code, item.severity) == ("BND269", P)
    assert item.summary == "a job has one of schedule, trigger, continuous, triggers; found schedule and continuous"
    assert at(item) == "4:7 5:7"


def test_continuous_jobs_have_no_retries_and_no_order() -> None:
    text = job(f"continuous: {{}}\ntasks: [{{{task('a')}}}, {{{after('b', 'a')}, max_retries: 2}}]")
    assert [(item.code, item.severity) for item in checked(text)] == [("BND269", P)] * 2


def test_no_run_at_all_is_noted() -> None:
    item = only(checked(job(f"max_concurrent_runs: 0\ntasks: [{{{task('a')}}}]")))
    assert (item.code, item.severity) == ("BND210", R)
