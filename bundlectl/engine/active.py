"""Runs under way, in memory: what the rows say, kept by progress so that no end needs a query.

Changed by progress and nesting; engine.loading makes them from the rows of a run that a scheduler does not know yet.
"""

import json
from typing import Any

from bundlectl.engine.dag import Evaluation, Graph
from bundlectl.model.run import TERMINAL, LifeCycle, Result

# Task types that the engine does itself, without a process and without a slot.
WITHOUT_PROCESS = ("condition_task", "for_each_task", "run_job_task")
_UNDER_WAY = (LifeCycle.RUNNING, LifeCycle.TERMINATING)


class Task:
    """One task of a run, or one iteration of a for_each task, at its latest attempt. Times are epoch ms."""

    def __init__(
        self,
        document: dict[str, Any],
        id: int,
        number: int,
        first_id: int,
        state: LifeCycle,
        *,
        parent: "Task | None" = None,
        index: int = 0,
        has_references: bool | None = None,
    ) -> None:
        self.document = document
        self.key: str = document["task_key"]
        self.parent = parent  # the for_each task of an iteration
        self.index = index
        self.anchor: str = self.key if parent is None else parent.key  # its place among the tasks of the run
        if has_references is None:  # most tasks have nothing to resolve
            has_references = "{{" in json.dumps(document, ensure_ascii=False)
        self.has_references = has_references
        self.is_instant = any(name in document for name in WITHOUT_PROCESS)
        self.id = id
        self.number = number
        self.first_id = first_id
        self.state = state
        self.repair = 0
        self.result: Result | None = None
        self.code: str | None = None
        self.outcome: str | None = None
        self.started = 0
        self.due = 0
        self.failed = 0  # attempts that ended badly since the last repair, lost ones aside
        self.lost = 0
        self.launch = 0
        self.name = ""  # of the launch: names its claim
        self.token = ""
        self.worker: str | None = None
        self.boot: str | None = None
        self.cancel = False
        self.expired = False  # of a task without a process: its time limit passed
        self.preparing = False
        self.ahead: Any = None  # Prepared: what dispatch prepared before its turn
        self.values: dict[str, Any] = {}
        self.output: Any = None
        self.loop: Loop | None = None  # of a for_each task that has begun
        self.loop_before: Loop | None = None  # the one of its attempt before a repair
        self.child: int | None = None  # of a run_job task: the run that it waits for

    @property
    def launched(self) -> bool:
        """Whether a worker has it, or may have it."""
        return self.worker is not None and self.state in _UNDER_WAY

    @property
    def engaged(self) -> bool:
        """Whether it is a for_each or run_job task that waits for what it started."""
        return self.worker is None and self.state in _UNDER_WAY

    @property
    def is_stopping(self) -> bool:
        """Whether no further attempt follows: it is cancelled, or the for_each task around it ends."""
        return self.cancel or (self.parent is not None and self.parent.state is LifeCycle.TERMINATING)

    def row(self, run_id: int) -> tuple[Any, ...]:
        """The values of runs.ADD_ATTEMPT."""
        parent, index = (None, None) if self.parent is None else (self.parent.id, self.index)
        key = (self.id, run_id, self.key, self.number, self.first_id)
        return (*key, self.state, self.due, parent, index, self.repair)

    @property
    def place(self) -> str:
        """How messages name it."""
        return self.key if self.parent is None else f"{self.parent.key}[{self.index}]"


class Loop:
    """The iterations of one attempt of a for_each task: the latest attempt of each, by index."""

    def __init__(self, document: dict[str, Any], text: str, since: int, until: int) -> None:
        body = document["for_each_task"]
        self.nested: dict[str, Any] = body["task"]
        self.has_references = "{{" in json.dumps(self.nested, ensure_ascii=False)
        self.concurrency = int(body.get("concurrency") or 1)
        self.text = text  # the inputs as compact JSON
        self.inputs: list[Any] = json.loads(text)
        self.since = since  # attempts of the for_each task whose iterations count
        self.until = until
        self.tasks: list[Task] = []
        self.next = 0  # those before it were let start
        self.active = 0  # let start and not ended
        self.open = 0  # not ended

    def count(self) -> None:
        """Sets the counters from the states of the iterations."""
        ended = sum(task.state in TERMINAL for task in self.tasks)
        self.open = len(self.tasks) - ended
        self.active = self.open - sum(task.state is LifeCycle.BLOCKED for task in self.tasks)
        self.next = 0


class ActiveRun:
    """One run that has not ended."""

    def __init__(self, id: int, job_id: int, name: str, settings: dict[str, Any], graph: Graph) -> None:
        self.id = id
        self.job_id = job_id
        self.name = name
        self.settings = settings
        self.graph = graph
        self.state = LifeCycle.PENDING
        self.tasks: dict[str, Task] = {}
        self.evaluation = Evaluation(graph)
        self.trigger = "ONE_TIME"
        self.creator = ""
        self.ancestors: tuple[int, ...] = ()  # jobs above it, when a run_job task started it
        self.repair = 0
        self.repair_count = 0
        self.overrides: dict[str, str] = {}
        self.legacy: dict[str, Any] = {}  # overrides of run-now from before jobs had parameters
        self.parameters: dict[str, str] | None = None  # effective ones, once it runs
        self.requested = 0
        self.started = 0
        self.resumed = 0  # the start of its latest repair; of the run itself without one
        self.timeout_s = 0
        self.cancel = False
        self.timed_out = False
        self.ends = 0  # counts ends, for their order
        self.has_values = False  # some task has set a task value

    @property
    def closing(self) -> bool:
        """Nothing new starts any more."""
        return self.cancel or self.timed_out

    def holds(self, task: Task) -> bool:
        """Whether this is the latest attempt of its task or iteration."""
        if task.parent is None:
            return self.tasks[task.key] is task
        loop = task.parent.loop
        return self.tasks[task.anchor] is task.parent and loop is not None and loop.tasks[task.index] is task

    def replace(self, task: Task) -> None:
        """A further attempt takes the place of the one before it."""
        if task.parent is None:
            self.tasks[task.key] = task
        else:
            assert task.parent.loop is not None
            task.parent.loop.tasks[task.index] = task

    def find(self, id: int) -> Task | None:
        """The task or iteration whose latest attempt has this id."""
        for task in self.tasks.values():
            if task.id == id:
                return task
            for iteration in task.loop.tasks if task.loop is not None else ():
                if iteration.id == id:
                    return iteration
        return None
