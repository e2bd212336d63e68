"""Typed calls of the Jobs API 2.2 over a Transport: jobs and runs, with paging, fences and idempotency.

Called by backend. Gives documents as they are; what they mean to us is the business of documents and runs. The
engine's own routes are in extensions.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bundlectl.backends.jobs_api.answers import Call, document_of, unknown, unusable
from bundlectl.backends.jobs_api.transport import Answer, NoAnswer, NotSent, Transport
from bundlectl.model.errors import BackendError, NotFound

_JOBS = "/api/2.2/jobs"
_NOTHING: Mapping[str, str] = {}
# Arrays that jobs/get gives in pages of 100, with the other arrays empty on later pages.
_PAGED_SETTINGS = ("tasks", "job_clusters", "environments", "parameters")
_PAGED_RUN = ("tasks", "iterations")
_JOBS_PAGE = 100  # the most that jobs/list gives at once
_RUNS_PAGE = 25  # the most that runs/list gives at once


class JobsClient:
    """One side of the API. Safe to share between threads if its transport is."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def place(self) -> str:
        return self._transport.place

    def ask(
        self,
        call: Call,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] = _NOTHING,
        document: Any = None,
        headers: Mapping[str, str] = _NOTHING,
    ) -> tuple[Answer, dict[str, Any]]:
        """One exchange: the answer and its document. Raises what model.errors has for everything else."""
        answer = self._exchange(call, method, path, query, document, headers)
        return answer, document_of(answer, call, self.place)

    def _exchange(
        self, call: Call, method: str, path: str, query: Mapping[str, str], document: Any, headers: Mapping[str, str]
    ) -> Answer:
        left = 2 if call.repeatable else 1
        while True:
            left -= 1
            try:
                return self._transport.request(method, path, query, document, headers)
            except NotSent as error:
                raise BackendError(f"{call.what}: {error}", code=error.code, detail=f"at {self.place}") from error
            except NoAnswer as error:
                if left and not error.is_late:
                    continue
                if call.writes:
                    raise unknown(call, f"{self.place} gave no answer: {error}") from error
                raise BackendError(f"{call.what}: {error}", code=error.code, detail=f"at {self.place}") from error

    def _id_in(self, member: str, call: Call, answer: Answer, document: Mapping[str, Any]) -> str:
        value = document.get(member)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return str(value)
        if isinstance(value, str) and value.isdecimal():
            return value
        raise unusable(answer, call, self.place, missing=member)

    # Jobs

    def create_job(self, document: Mapping[str, Any], *, key: str, own: str, fence: int) -> str:
        """The new job's id; on an engine that knows `own` the id of the job that has it. Never sent twice."""
        call = Call(
            f"create jobs.{key}",
            writes=True,
            fenced=True,
            repeatable=False,
            found_by="the next run finds it by its ownership id",
        )
        headers = {"Idempotency-Key": own, "If-Fence": str(fence)}
        answer, body = self.ask(call, "POST", f"{_JOBS}/create", document=document, headers=headers)
        return self._id_in("job_id", call, answer, body)

    def reset_job(self, id: str, document: Mapping[str, Any], *, key: str, fence: int) -> None:
        """Replaces all settings, so sending it twice does no harm."""
        call = Call(f"update jobs.{key}", writes=True, fenced=True)
        body = {"job_id": number(id, "job"), "new_settings": document}
        self.ask(call, "POST", f"{_JOBS}/reset", document=body, headers={"If-Fence": str(fence)})

    def delete_job(self, id: str, *, fence: int) -> None:
        """Raises NotFound when it is gone."""
        call = Call(f"delete job {id}", writes=True, fenced=True)
        body = {"job_id": number(id, "job")}
        self.ask(call, "POST", f"{_JOBS}/delete", document=body, headers={"If-Fence": str(fence)})

    def get_job(self, id: str) -> dict[str, Any]:
        """The job's whole `settings`. Raises NotFound."""
        call = Call(f"read job {id}")
        settings: dict[str, Any] = {}
        for answer, page in self.pages(call, f"{_JOBS}/get", {"job_id": str(number(id, "job"))}):
            part = page.get("settings")
            if not isinstance(part, dict):
                raise unusable(answer, call, self.place, missing="settings")
            _extend(settings, part, _PAGED_SETTINGS)
        return settings

    def list_jobs(self) -> Iterator[dict[str, Any]]:
        """Every job with its settings and tasks, as far as a listing has them (`has_more`: not all of them)."""
        call = Call("list jobs")
        query = {"limit": str(_JOBS_PAGE), "expand_tasks": "true"}
        for answer, page in self.pages(call, f"{_JOBS}/list", query):
            jobs = page.get("jobs", [])
            if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
                raise unusable(answer, call, self.place, missing="list of jobs")
            for job in jobs:
                self._id_in("job_id", call, answer, job)
            yield from jobs

    def jobs_named(self, name: str) -> Iterator[str]:
        """Ids of the jobs with exactly this name; the API's own filter takes no notice of upper and lower case."""
        call = Call("list jobs")
        for answer, page in self.pages(call, f"{_JOBS}/list", {"limit": str(_JOBS_PAGE), "name": name}):
            jobs = page.get("jobs", [])
            if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
                raise unusable(answer, call, self.place, missing="list of jobs")
            for job in jobs:
                if (job.get("settings") or {}).get("name") == name:
                    yield self._id_in("job_id", call, answer, job)

    # Runs

    def run_now(self, job_id: str, *, parameters: Mapping[str, str], only: Sequence[str], token: str) -> str:
        """The run's id. The token makes it safe to send twice."""
        call = Call(f"run job {job_id}", writes=True)
        body: dict[str, Any] = {"job_id": number(job_id, "job"), "idempotency_token": token}
        if parameters:
            body["job_parameters"] = dict(parameters)
        if only:
            body["only"] = list(only)
        answer, document = self.ask(call, "POST", f"{_JOBS}/run-now", document=body)
        return self._id_in("run_id", call, answer, document)

    def get_run(self, id: str) -> dict[str, Any]:
        """A run's whole document, with all its task runs. Raises NotFound."""
        call = Call(f"read run {id}")
        run: dict[str, Any] = {}
        query = {"run_id": str(number(id, "run"))}
        for _, page in self.pages(call, f"{_JOBS}/runs/get", query):
            _extend(run, page, _PAGED_RUN)
        return run

    def list_runs(self, *, job_id: str | None = None, active_only: bool = False) -> Iterator[dict[str, Any]]:
        """Newest first, asked for page by page as the iterator is read."""
        call = Call("list runs")
        query = {"limit": str(_RUNS_PAGE)}
        if job_id is not None:
            query["job_id"] = str(number(job_id, "job"))
        if active_only:
            query["active_only"] = "true"
        for answer, page in self.pages(call, f"{_JOBS}/runs/list", query):
            runs = page.get("runs", [])
            if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
                raise unusable(answer, call, self.place, missing="list of runs")
            yield from runs

    def count_active(self, job_ids: Sequence[str]) -> dict[str, int]:
        """How many runs of each of these jobs are under way."""
        counts = dict.fromkeys(job_ids, 0)
        if not counts:
            return counts
        # Runs under way are few and jobs many: one listing of the former, not one call for each of the latter.
        for run in self.list_runs(job_id=job_ids[0] if len(counts) == 1 else None, active_only=True):
            job = str(run.get("job_id"))
            if job in counts:
                counts[job] += 1
        return counts

    def cancel_run(self, id: str) -> None:
        """Asks for its end; nothing happens to a run that has ended. Raises NotFound."""
        call = Call(f"cancel run {id}", writes=True)
        self.ask(call, "POST", f"{_JOBS}/runs/cancel", document={"run_id": number(id, "run")})

    def pages(self, call: Call, path: str, query: Mapping[str, str]) -> Iterator[tuple[Answer, dict[str, Any]]]:
        """Every page of a listing. Raises BackendError when a page token comes twice."""
        seen: set[str] = set()
        token = ""
        while True:
            answer, page = self.ask(call, "GET", path, query={**query, "page_token": token} if token else query)
            yield answer, page
            token = page.get("next_page_token") or ""
            if not token:
                return
            if not isinstance(token, str):
                raise unusable(answer, call, self.place, missing="next_page_token that is text")
            if token in seen:
                raise BackendError(
                    f'the API repeats page "{token}"', code="BND714", detail=f"{self.place} was asked to {call.what}"
                )
            seen.add(token)


def number(id: str, kind: str) -> int:
    """An id as the API takes it. Raises NotFound for a text that cannot be one."""
    if not (id.isascii() and id.isdecimal() and len(id) <= 19):
        raise NotFound(f'no {kind} "{id}"', detail=f"ids of a {kind} are numbers")
    return int(id)


def _extend(whole: dict[str, Any], page: Mapping[str, Any], paged: Sequence[str]) -> None:
    """Adds a page: arrays that come in pages grow, everything else is as on the first page."""
    for name, value in page.items():
        if name in paged and isinstance(value, list) and isinstance(whole.get(name), list):
            whole[name] = whole[name] + value
        elif name not in whole and name != "next_page_token":
            whole[name] = value
