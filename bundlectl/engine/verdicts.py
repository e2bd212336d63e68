"""What the end of an attempt means: states, code, message, and whether there is another try (jobs.md 3.1, 3.6). Pure.

Called by progress with what a worker recorded. The tables of states are the ones of the Jobs API.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from bundlectl.engine.dag import WORKLOAD_FAILED
from bundlectl.model.run import LifeCycle, Result

UNLIMITED_TRIES = 5_000  # what max_retries -1 comes to
LOST_RETRY_LIMIT = 3
LOST_MESSAGE = "The outcome of this attempt is unknown: its supervisor ended without a record."


class Verdict(NamedTuple):
    """How an attempt ended."""

    state: LifeCycle
    result: Result
    code: str
    message: str
    error: str | None = None  # the line that says what went wrong, where the output does not
    lost: bool = False


SUCCEEDED = Verdict(LifeCycle.TERMINATED, Result.SUCCESS, "SUCCESS", "")
LOST = Verdict(LifeCycle.INTERNAL_ERROR, Result.FAILED, "INTERNAL_ERROR", LOST_MESSAGE, lost=True)
CANCELED = Verdict(LifeCycle.TERMINATED, Result.CANCELED, "USER_CANCELED", "Run cancelled.")
CANCELED_BY_TIMEOUT = Verdict(
    LifeCycle.TERMINATED, Result.CANCELED, "CANCELED", "The run took longer than its timeout_seconds."
)
CANCELED_WITH_LOOP = Verdict(
    LifeCycle.TERMINATED, Result.CANCELED, "CANCELED", "The for_each task took longer than its timeout_seconds."
)
# Task types without retries of their own; those of a for_each task belong to its iterations.
_ONCE = ("condition_task", "for_each_task")
_SKIP_CODES: Mapping[Result, str] = {Result.DISABLED: "DISABLED"}


def setup_failed(code: str, message: str) -> Verdict:
    """A task that could not be started: library, program, file, reference."""
    return Verdict(LifeCycle.INTERNAL_ERROR, Result.FAILED, code, message, error=message)


def skipped(result: Result, message: str) -> Verdict:
    """A task that its dependencies keep from running. Result FAILED is a condition over a disabled task."""
    if result is Result.FAILED:
        return setup_failed("INVALID_RUN_CONFIGURATION", message)
    return Verdict(LifeCycle.SKIPPED, result, _SKIP_CODES.get(result, "SKIPPED"), message)


def of_end(end: Mapping[str, Any], fault: str | None, timeout_s: float | None, canceled: Verdict) -> Verdict:
    """From an end line. `fault`: what is wrong with the values that the attempt left; `canceled`: what a stop means."""
    error = end.get("error")
    if error is not None:
        return setup_failed(error["code"], error["message"])
    if end["cause"] == "timeout":
        return timed_out(timeout_s)
    if end["cause"] == "cancel":
        return canceled
    if end["code"] == 0 and fault is None:
        return SUCCEEDED
    line = fault
    if end["signal"] is not None:
        line = line or f"ended by signal {end['signal']}"
    return Verdict(LifeCycle.TERMINATED, Result.FAILED, "RUN_EXECUTION_ERROR", WORKLOAD_FAILED, error=line)


def next_try(
    task: Mapping[str, Any], verdict: Verdict, *, failed: int, lost: int, started: int, ended: int
) -> int | None:
    """When the next attempt may start (epoch ms), or None when there is none.

    `failed` and `lost` count the attempts of the task that ended so, this one included.
    """
    if verdict.result not in (Result.FAILED, Result.TIMEDOUT) or any(task.get(name) is not None for name in _ONCE):
        return None
    most = task.get("max_retries") or 0
    if verdict.lost:
        policy = task.get("on_lost") or ("retry" if most or task.get("idempotent") else "fail")
        if policy != "retry" or lost > LOST_RETRY_LIMIT:
            return None
    else:
        allowed = verdict.result is not Result.TIMEDOUT or task.get("retry_on_timeout")
        if not allowed or failed > (UNLIMITED_TRIES if most < 0 else most):
            return None
    return max(ended, started + (task.get("min_retry_interval_millis") or 0))


def timed_out(timeout_s: float | None) -> Verdict:
    """An attempt that took longer than its limit."""
    text = f"Timed out after {timeout_s:g} s." if timeout_s else "Timed out."
    return Verdict(LifeCycle.TERMINATED, Result.TIMEDOUT, "CANCELED", text)


def loop_failed(failed: int, total: int) -> Verdict:
    """A for_each task some of whose iterations did not succeed."""
    text = f"{failed} out of {total} iterations failed"
    return Verdict(LifeCycle.TERMINATED, Result.FAILED, "RUN_EXECUTION_ERROR", text, error=text)


def child_failed(message: str) -> Verdict:
    """A run_job task whose run did not succeed."""
    text = message or WORKLOAD_FAILED
    return Verdict(LifeCycle.TERMINATED, Result.FAILED, "RUN_EXECUTION_ERROR", text, error=text)
