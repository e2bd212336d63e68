"""Event sinks for people: a live table on a terminal, a line per event elsewhere.

Made by cli and handed to operations as `emit`. Each is a context manager and writes to stderr through the Console.
rich is loaded by the live table only. Programs get render.json_lines.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from bundlectl.base.clock import Clock, rfc3339
from bundlectl.model.events import ApplyFinished, ApplyStarted, Event, RunProgress, StageStarted
from bundlectl.model.run import Run
from bundlectl.render.console import Console
from bundlectl.render.escape import visible
from bundlectl.render.event_text import PAST, RunWatch, doing, elapsed_ms, event_lines
from bundlectl.render.values import duration_text, job_name

KEEP_ALIVE_S = 30.0


class PlainProgress:
    """One line per event, with UTC time, and a line every 30 s in which nothing happened: CI jobs are never silent."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._watch = RunWatch()
        self._doing = "working"
        self._spoke_s = clock.boot_s()
        self._began_s = self._spoke_s
        self._writing = threading.Lock()
        self._over = threading.Event()
        self._paused = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "PlainProgress":
        self._thread = threading.Thread(target=self._keep_alive, name="keep-alive", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While this lasts nothing is said: somebody is being asked."""
        self._paused.set()
        try:
            yield
        finally:
            self._spoke_s = self._clock.boot_s()
            self._paused.clear()

    def __call__(self, event: Event) -> None:
        for line in event_lines(event, self._watch):
            self._line(line)
        self._doing = doing(event, self._doing)

    def still_there(self) -> None:
        """Says what is being waited for, when nothing was said for 30 s."""
        now = self._clock.boot_s()
        if now - self._spoke_s >= KEEP_ALIVE_S and not self._paused.is_set():
            self._line(f"still {self._doing} after {duration_text(round((now - self._began_s) * 1000))}")

    def _keep_alive(self) -> None:
        while not self._over.wait(1.0):
            self.still_there()

    def _line(self, text: str) -> None:
        with self._writing:
            self._spoke_s = self._clock.boot_s()
            time = rfc3339(self._clock.now_ms())[11:]
            self._console.say(f"{time} {text}")


class LiveProgress:
    """One table that is drawn again at most ten times a second: address or task, step, elapsed."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._watch = RunWatch()
        self._rows: dict[str, tuple[str, str, float, float | None]] = {}
        self._stage = ""
        self._drawing = threading.Lock()  # rich draws from a thread of its own
        self._live: Any = None

    def __enter__(self) -> "LiveProgress":
        from rich.console import Console as RichConsole
        from rich.live import Live

        screen = RichConsole(file=self._console.stderr, highlight=False, markup=False, soft_wrap=True)
        self._live = Live(
            get_renderable=self.picture,
            console=screen,
            refresh_per_second=10,
            transient=True,
            redirect_stderr=False,
            redirect_stdout=False,
        )
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While this lasts the table is off the screen: somebody is being asked."""
        if self._live is not None:
            self._live.stop()
        try:
            yield
        finally:
            if self._live is not None:
                self._live.start()

    def __call__(self, event: Event) -> None:
        with self._drawing:
            drawn = self._draw(event, self._clock.boot_s())
        if not drawn:
            for line in event_lines(event, self._watch):
                self._above(line)

    def _draw(self, event: Event, now: float) -> bool:
        """Puts an event into the table; False when it belongs above it."""
        if isinstance(event, StageStarted):
            self._stage = event.text
        elif isinstance(event, ApplyStarted):
            self._rows[event.address] = (job_name(event.address), event.action, now, None)
        elif isinstance(event, ApplyFinished):
            began = self._rows.get(event.address, ("", "", now, None))[2]
            said = PAST.get(event.action, event.action) if event.outcome == "done" else event.outcome
            self._rows[event.address] = (job_name(event.address), said, began, now)
        elif isinstance(event, RunProgress):
            self._run(event.run, now)
        else:
            return False
        return True

    def picture(self) -> Any:
        """The table as it stands."""
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        now = self._clock.boot_s()
        with self._drawing:
            stage, rows = self._stage, list(self._rows.values())[-20:]  # the last ones are those that move
        if stage:
            table.add_row(Text(visible(stage), style="bold"))
        for name, step, began, ended in rows:
            elapsed = "" if began < 0 else duration_text(round(((ended if ended is not None else now) - began) * 1000))
            table.add_row(Text(visible(name)), Text(visible(step), style=_rich_style(step)), Text(elapsed, style="dim"))
        return table

    def _run(self, run: Run, now: float) -> None:
        self._stage = f"{run.name} run {run.run_id}: {(run.result or run.state).value}"
        for key, task in run.latest().items():
            word = (task.result or task.state).value
            if task.attempt:
                word += f"  attempt {task.attempt + 1}"
            known = self._rows.get(key)
            began = known[2] if known is not None and known[2] >= 0 else now if task.start_ms else -1.0
            if task.end_ms and task.start_ms:
                began = now - elapsed_ms(task.start_ms, task.end_ms) / 1000
                self._rows[key] = (key, word, *self._frozen(key, began, now))
            else:
                self._rows[key] = (key, word, began, None)

    def _frozen(self, key: str, began: float, now: float) -> tuple[float, float]:
        """Begin and end of a row that has ended: set once, so that it does not go on counting."""
        known = self._rows.get(key)
        if known is not None and known[3] is not None:
            return known[2], known[3]
        return began, now

    def _above(self, line: str) -> None:
        from rich.text import Text

        if self._live is not None:
            self._live.console.print(Text(line))
        else:
            self._console.say(line)


def _rich_style(step: str) -> str:
    word = step.split(" ", 1)[0]
    if word in ("SUCCESS", "created", "updated", "renamed", "replaced", "deleted", "forgotten"):
        return "green"
    return "red" if word in ("FAILED", "TIMEDOUT", "failed", "unknown", "INTERNAL_ERROR") else ""
