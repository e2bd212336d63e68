"""Models of what starts a job by itself: schedule, triggers, continuous.

Field table 20.2 of the bundle language; used by schema.job.
"""

from typing import ClassVar, Literal

from bundlectl.schema.base import Model, optional, required

PauseStatus = Literal["PAUSED", "UNPAUSED"]
PAUSE = "PAUSED or UNPAUSED; UNPAUSED if left out"
CONDITION = "Query that decides whether a run starts"
CRON = "Quartz cron expression, seconds first: 0 30 6 * * ?"
ZONE = "Time zone of the schedule, for example Europe/Madrid"
QUIET = "Least seconds between two runs"
SETTLE = "Seconds without a change before a run starts"
RANGE = "BND269"


class SqlCondition(Model):
    what = "sql_condition"
    sql_query_id: str = required("Id of the saved query")
    warehouse_id: str = required("SQL warehouse that runs the query")
    trigger_mode: Literal["QUERY_RETURNS_ROWS", "RESULT_VALUE_CHANGES"] | None = optional("When a run starts")


class CronSchedule(Model):
    what = "a schedule"
    quartz_cron_expression: str = required(CRON, known_as=("cron", "cron_expression", "quartz_cron"))
    timezone_id: str = required(ZONE, known_as=("timezone", "time_zone"))
    pause_status: PauseStatus | None = optional(PAUSE)
    sql_condition: SqlCondition | None = optional(CONDITION)


class EntrySchedule(Model):
    what = "a schedule"
    quartz_cron_expression: str = required(CRON, known_as=("cron", "cron_expression", "quartz_cron"))
    timezone_id: str = required(ZONE, known_as=("timezone", "time_zone"))


class MaintenanceWindow(Model):
    what = "a maintenance window"
    start_hour: int = required("Hour at which it starts", ge=0, le=23, code=RANGE)
    day_of_week: Literal["FRIDAY", "MONDAY", "SATURDAY", "SUNDAY", "THURSDAY", "TUESDAY", "WEDNESDAY"] = required(
        "Day on which it starts"
    )
    timezone_id: str = required("Time zone of the hour")


class Periodic(Model):
    what = "a periodic trigger"
    interval: int = required("How many units between two runs", ge=1, code=RANGE)
    unit: Literal["DAYS", "HOURS", "MINUTES", "WEEKS"] = required("Unit of the interval")


class FileArrival(Model):
    what = "a file_arrival trigger"
    url: str = required("Folder that is watched")
    min_time_between_triggers_seconds: int | None = optional(QUIET, ge=60, code=RANGE)
    wait_after_last_change_seconds: int | None = optional(SETTLE, ge=60, code=RANGE)


class TableUpdate(Model):
    what = "a table_update trigger"
    table_names: list[str] = required("Tables that are watched", max_length=10, code=RANGE)
    condition: Literal["ALL_UPDATED", "ANY_UPDATED"] | None = optional("Whether one or all must have changed")
    min_time_between_triggers_seconds: int | None = optional(QUIET, ge=60, code=RANGE)
    wait_after_last_change_seconds: int | None = optional(SETTLE, ge=60, code=RANGE)


class ModelChange(Model):
    what = "a model trigger"
    condition: Literal["MODEL_ALIAS_SET", "MODEL_CREATED", "MODEL_VERSION_READY"] = required("What must happen")
    securable_name: str | None = optional("Model, or schema, that is watched")
    aliases: list[str] | None = optional("Aliases that are watched")
    min_time_between_triggers_seconds: int | None = optional(QUIET, ge=60, code=RANGE)
    wait_after_last_change_seconds: int | None = optional(SETTLE, ge=60, code=RANGE)


class WatchedJob(Model):
    what = "a watched job"
    workspace_id: str = required("Workspace of the job")
    job_id: str = required("Id of the job")


class JobCompletion(Model):
    what = "a job_completion trigger"
    jobs: list[WatchedJob] = required("Jobs that are watched", max_length=10, code=RANGE)
    if_status: Literal["DONE", "FAILED", "SUCCESS"] | None = optional("How they must have ended")


class Trigger(Model):
    what = "a trigger"
    one_of: ClassVar[tuple[str, ...]] = ("periodic", "file_arrival", "table_update", "model", "job_completion")
    may_be_none = False
    one_of_code = RANGE
    pause_status: PauseStatus | None = optional(PAUSE)
    sql_condition: SqlCondition | None = optional(CONDITION)
    periodic: Periodic | None = optional("Starts runs at equal intervals")
    file_arrival: FileArrival | None = optional("Starts a run when files arrive")
    table_update: TableUpdate | None = optional("Starts a run when tables change", known_as=("table",))
    model: ModelChange | None = optional("Starts a run when a model changes")
    job_completion: JobCompletion | None = optional("Starts a run when other jobs end")


class EntryContinuous(Model):
    what = "continuous"
    task_retry_mode: Literal["NEVER", "ON_FAILURE"] | None = optional("Whether failed tasks are repeated")
    maintenance_window: MaintenanceWindow | None = optional("When the platform may restart the run")


class TriggerEntry(Trigger):
    what = "a trigger"
    one_of: ClassVar[tuple[str, ...]] = (
        "schedule",
        "continuous",
        "periodic",
        "file_arrival",
        "table_update",
        "model",
        "job_completion",
    )
    schedule: EntrySchedule | None = optional("Starts runs at times of a cron expression")
    continuous: EntryContinuous | None = optional("Keeps one run going")


class Continuous(EntryContinuous):
    what = "continuous"
    pause_status: PauseStatus | None = optional(PAUSE)
